//! The Clock port: time and randomness, real in production and simulated in tests.

use std::{future::Future, pin::Pin};

/// Milliseconds since 1970 UTC.
pub type Millis = u64;

/// Time, sleep and randomness. Handlers know no other source of any of them.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Now.
    fn now_ms(&self) -> Millis;

    /// 128 bits that nobody can guess.
    fn random(&self) -> u128;

    /// Waits.
    fn sleep_ms(&self, ms: u64) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}
