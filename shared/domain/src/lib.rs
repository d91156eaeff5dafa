//! The words of the field and their rules, pure: no AWS, no chain client, no runtime.
//!
//! Start with [`parcel`] (what a client asked for and the states it passes), [`lane`] (the
//! number line it is sent on) and [`verdict`] (all that a step may conclude).

pub mod amount;
pub mod clock;
pub mod fees;
pub mod id;
pub mod lane;
pub mod limits;
pub mod network;
pub mod parcel;
pub mod verdict;

pub use alloy_primitives::{Address, B256, Bytes, U256};
pub use amount::{Amount, AmountError};
pub use clock::Clock;
pub use network::{Asset, Network, Networks};
pub use verdict::Verdict;
