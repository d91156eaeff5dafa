//! The whole way of a transfer over the ports in memory.
//!
//! The handlers are the real ones; rows, queues, keys and chain are the ports' memory sides; time and chance come from
//! [`clock`]. [`world`] wires them, each through its own of the [`views`] ([`skew`]: its own clock); [`clients`] come through [`api`],
//! [`people`] are the operators, [`drive`] is what the platform does (deliveries, schedules, blocks), [`measured`] what
//! handlers measure, [`ports`] and [`faults`] are what can go wrong in between, [`storm`] is all of that at once ([`weather`]:
//! how often, [`nodes`]: what befalls nodes and branches, [`ticks`]: the tracker's schedule, [`deep`]: branches below what is
//! final). [`rules`] and [`office`] are what every commit must keep
//! to, and [`check`] holds it all at every moment, [`numbers`] at the end. [`story`] is one seed, and [`trace`] tells it.
//!
//! Nothing here waits for real time, and a seed decides every choice, so a failing run repeats exactly.

pub mod api;
pub mod check;
pub mod clients;
pub mod clock;
pub mod coverage;
pub mod deep;
pub mod drive;
pub mod faults;
pub mod funds;
pub mod inbox;
pub mod measured;
pub mod nodes;
pub mod numbers;
pub mod office;
pub mod people;
pub mod ports;
pub mod rules;
pub mod sabotage;
pub mod skew;
pub mod storm;
pub mod story;
pub mod strangers;
mod tag;
pub mod ticks;
pub mod trace;
pub mod views;
pub mod weather;
pub mod world;

pub use clock::SimClock;
pub use world::{Setup, World};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
