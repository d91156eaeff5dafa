//! The real clock.

use std::{
    future::Future,
    pin::Pin,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use causeway_domain::{Clock, clock::Millis};

/// The system's time and randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealClock;

impl Clock for RealClock {
    fn now_ms(&self) -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
    }

    fn random(&self) -> u128 {
        let mut bytes = [0_u8; 16];
        // Identifiers must not repeat: a system without randomness must not go on.
        #[expect(clippy::expect_used, reason = "no safe way to go on")]
        getrandom::fill(&mut bytes).expect("the system gives random bytes");
        u128::from_ne_bytes(bytes)
    }

    fn sleep_ms(&self, ms: u64) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(Duration::from_millis(ms)))
    }
}
