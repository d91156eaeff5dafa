//! Clocks that disagree: each function's process reads its own, some seconds off.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use causeway_domain::{Clock, clock::Millis};

use crate::clock::SimClock;

/// How far a process's clock may be off either way. Hosts that follow a time service are well below a second off; what is
/// built on clocks here must bear more.
pub const SKEW_MAX_MS: u64 = 5_000;

/// A process's own clock: simulated time and some offset.
#[derive(Debug, Clone)]
pub struct Skewed {
    base: SimClock,
    offset_ms: Arc<AtomicI64>,
}

impl Clock for Skewed {
    fn now_ms(&self) -> Millis {
        self.base.now_ms().saturating_add_signed(self.offset_ms.load(Ordering::Relaxed))
    }

    fn random(&self) -> u128 {
        self.base.random()
    }

    fn sleep_ms(&self, ms: u64) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.base.sleep_ms(ms)
    }
}

/// The offsets of all processes by name. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Skews(Arc<Mutex<BTreeMap<String, Arc<AtomicI64>>>>);

impl Skews {
    /// The clock of a process; right until somebody sets it.
    pub fn clock(&self, base: &SimClock, who: &str) -> Skewed {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Skewed { base: base.clone(), offset_ms: Arc::clone(all.entry(who.to_owned()).or_default()) }
    }

    /// Sets a process's clock.
    pub fn set(&self, who: &str, offset_ms: i64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(who.to_owned()).or_default().store(offset_ms, Ordering::Relaxed);
    }

    /// Sets every clock by chance, up to [`SKEW_MAX_MS`] either way.
    pub fn draw(&self, chance: &SimClock) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for offset in all.values() {
            let drawn = i64::try_from(chance.below(2 * SKEW_MAX_MS + 1)).unwrap_or_default();
            offset.store(drawn - SKEW_MAX_MS.cast_signed(), Ordering::Relaxed);
        }
    }
}
