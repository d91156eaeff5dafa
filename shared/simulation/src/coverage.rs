//! How often each fault struck, and each state and move was reached: a run that misses one proves less than it says.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::trace::Trace;

/// What a run of some thousand seeds must have seen.
pub const REQUIRED: [&str; 150] = [
    "fault: commit lost before its effect",
    "fault: commit lost after its effect",
    "fault: commit delayed",
    "fault: commit contended",
    "fault: read refused",
    "fault: publish lost before its effect",
    "fault: publish lost after its effect",
    "fault: publish taken in part",
    "fault: key unavailable",
    "fault: question to a node lost",
    "fault: broadcast lost after its effect",
    "fault: broadcast delayed",
    "fault: chain call limited",
    "fault: broadcast lost before its effect",
    "fault: keys denied for long",
    "fault: handler killed",
    "fault: tracker killed",
    "fault: message repeated",
    "fault: messages reordered",
    "fault: message held twice",
    "fault: index lags",
    "fault: tokens forgotten",
    "fault: node lags",
    "fault: node down",
    "fault: node without history",
    "fault: node loses what it takes",
    "fault: node has some receipts",
    "fault: node has receipts late",
    "fault: node has receipts without logs",
    "fault: pool forgets one",
    "branch: depth 1",
    "branch: depth 2",
    "branch: depth 3",
    "branch: depth 4",
    "branch: depth 5",
    "branch: depth 6",
    "branch: depth 7",
    "branch: depth 8",
    "people: settle",
    "fees: three times as high",
    "fees: fifty times as high",
    "fees: above the cap",
    "fault: message given up",
    "fault: clocks disagree",
    "fault: clocks jump",
    "fault: node stays on the old branch",
    "fault: node begins again behind",
    "ticks: none for a while",
    "ticks: none for long",
    "ticks: doubled",
    "tracker: ends in order",
    "batch: beyond ten",
    "branch: below final",
    "branch: below final, meanwhile",
    "deep: what was settled leaves",
    "deep: what was released leaves",
    "deep: what was released pays",
    "funds: paid in",
    "people: block",
    "people: unblock",
    "people: credit",
    "people: debit",
    "people: debit, refused",
    "people: refund",
    "people: refund, refused",
    "people: replay",
    "people: discard",
    "people: discard, refused",
    "people: release",
    "people: cancel",
    "people: cancel, refused",
    "people: displace",
    "people: displace at a guess, refused",
    "people: ask again",
    "people: no answer",
    "strangers: use a number",
    "fault: key denied",
    "fault: signature lost",
    "fault: refused for good",
    "fault: message late",
    "fault: clients' door killed",
    "fault: operators' door killed",
    "fault: node has empty receipts",
    "fault: node tells blocks without transactions",
    "fault: node tells blocks without some transactions",
    "fault: node says that numbers are free",
    "fault: node keeps no other branch",
    "fault: finality tag stands still",
    "fault: finality tag lags",
    "fault: queue purged",
    "fault: blocks between two awaits",
    "fault: branch between two awaits",
    "fault: handler held up",
    "fault: tracker held up",
    "funds: none for gas",
    "clients: ask again",
    "clients: no answer",
    "clients: look",
    "clients: cancel",
    "clients: cancel, refused",
    "clients: BLOCKED",
    "clients: IDEMPOTENCY_KEY_REUSED",
    "clients: INSUFFICIENT_FUNDS",
    "node: accepted",
    "node: already known",
    "node: number too low",
    "node: number too high",
    "node: replacement underpriced",
    "node: insufficient funds",
    "node: busy",
    "node: refused",
    "node: unknown",
    "attempt: raised",
    "attempt: cancels",
    "parcel: accepted -> cancelled",
    "parcel: waiting -> cancelled",
    "parcel: assigned -> cancelled",
    "parcel: assigned -> accepted",
    "parcel: accepted -> assigned",
    "parcel: accepted -> waiting",
    "parcel: accepted -> rejected",
    "parcel: waiting -> accepted",
    "parcel: waiting -> assigned",
    "parcel: assigned -> confirmed",
    "parcel: assigned -> failed",
    "parcel: confirmed -> reopened",
    "parcel: reopened -> confirmed",
    "parcel: reopened -> failed",
    "parcel: waiting -> rejected",
    "parcel: waiting -> waiting",
    "waits: LaneFull",
    "waits: LaneClosed",
    "waits: FeeAboveCap",
    "waits: TreasuryShort",
    "waits: Blocked",
    "waits: ChainUnavailable",
    "waits: KeysUnavailable",
    "number: paid",
    "number: reverted",
    "number: taken back",
    "number: cancelled",
    "number: displaced",
    "number: passed over",
    "number: raised after it was told as paid",
    "lane: waiting for Blocked",
    "lane: waiting for ChainUnavailable",
    "lane: waiting for FeeAboveCap",
    "lane: waiting for TreasuryShort",
    "lane: halted",
    "lane: released",
];

/// How the names of faults begin.
const FAULTS: [&str; 6] = ["fault: ", "branch: ", "fees: ", "ticks: ", "funds: none", "strangers: "];

/// Counts by name. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    counts: Arc<Mutex<BTreeMap<String, u64>>>,
    trace: Trace,
}

impl Coverage {
    /// Counts nothing yet, and tells in a trace what it counts.
    pub fn traced(trace: Trace) -> Self {
        Self { trace, ..Self::default() }
    }

    /// Where it tells what it counts.
    pub fn trace(&self) -> Trace {
        self.trace.clone()
    }

    /// Counts one.
    pub fn count(&self, what: impl Into<String>) {
        let what = what.into();
        self.trace.tell("*", || what.clone());
        *self.counts().entry(what).or_default() += 1;
    }

    /// How many faults have struck.
    pub fn faults(&self) -> u64 {
        let is_fault = |what: &&String| FAULTS.iter().any(|kind| what.starts_with(kind));
        self.counts().iter().filter(|(what, _)| is_fault(what)).map(|(_, times)| times).sum()
    }

    /// Adds another run's counts.
    pub fn add(&self, other: &Self) {
        for (what, times) in other.all() {
            *self.counts().entry(what).or_default() += times;
        }
    }

    /// All counts.
    pub fn all(&self) -> BTreeMap<String, u64> {
        self.counts().clone()
    }

    /// What should have happened and did not.
    pub fn missing(&self) -> Vec<&'static str> {
        let counts = self.counts();
        REQUIRED.into_iter().filter(|what| !counts.contains_key(*what)).collect()
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
