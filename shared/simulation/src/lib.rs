//! The whole way of a transfer over the ports in memory.
//!
//! The handlers are the real ones; rows, queues, keys and chain are the ports' memory sides; time and chance come from
//! [`clock`]. [`world`] wires them, [`api`] is the client, [`drive`] is what the platform does (deliveries, schedules,
//! blocks), [`measured`] what
//! handlers measure, [`ports`] and [`faults`] are what can go wrong in between, [`storm`] is all of that at once, [`rules`]
//! what every commit must keep to, and [`check`] holds it all at every moment.
//!
//! Nothing here waits for real time, and a seed decides every choice, so a failing run repeats exactly.

pub mod api;
pub mod check;
pub mod clock;
pub mod coverage;
pub mod deep;
pub mod drive;
pub mod faults;
pub mod funds;
pub mod inbox;
pub mod measured;
pub mod office;
pub mod people;
pub mod ports;
pub mod rules;
pub mod sabotage;
pub mod skew;
pub mod storm;
pub mod story;
pub mod strangers;
pub mod ticks;
pub mod trace;
pub mod views;
pub mod world;

pub use clock::SimClock;
pub use world::{Setup, World};
