//! The Queue port: publishing in batches, depths and peeks. Receiving is the platform's work.
//!
//! Two sides keep one contract (`contract`): `memory`, and `sqs` (feature `aws`).
//!
//! Invariant: a publish that errs may still have happened for some messages; receivers
//! bear repeats, and the sweep publishes again what was lost.

mod check;
pub mod contract;
pub mod memory;
mod port;
#[cfg(feature = "aws")]
pub mod sqs;

pub use memory::MemoryQueue;
pub use port::{Depth, Message, Peeked, Queue, QueueError, QueueName, limits};
