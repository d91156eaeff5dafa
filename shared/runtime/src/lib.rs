//! What every function's process needs: configuration, telemetry, the clock, the batch runner and the ports' AWS sides.
//!
//! Only `main` files use this crate; handlers see ports and plain values.

pub mod aws;
pub mod batch;
pub mod clock;
pub mod config;
pub mod metrics;
pub mod telemetry;

pub use batch::{Received, run_batches};
pub use clock::RealClock;
pub use config::{Config, ConfigError};
