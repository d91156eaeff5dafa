//! One story as it happens, in lines that people read: when, who, and what they did.

use std::{
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use causeway_domain::{Clock, lane::LaneGate, parcel::ParcelState};
use causeway_state::{
    dead_letter::DeadLetter,
    lane::{Attempt, Gate, Transaction},
    parcel::Parcel,
    tables::{DEAD_LETTERS, LEDGER, TRANSFERS},
};
use causeway_store::{Item, Key, Write};

use crate::clock::{START_MS, SimClock};

type Sink = Box<dyn FnMut(String) + Send>;

#[derive(Default)]
struct Lines {
    sink: OnceLock<Mutex<Sink>>,
    clock: OnceLock<SimClock>,
    step: AtomicU64,
}

/// Where a story's lines go; nowhere, unless somebody reads them. Clones share it.
#[derive(Clone, Default)]
pub struct Trace(Arc<Lines>);

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trace")
    }
}

impl Trace {
    /// Hands each line to `sink`.
    pub fn to(sink: impl FnMut(String) + Send + 'static) -> Self {
        let trace = Self::default();
        let _ = trace.0.sink.set(Mutex::new(Box::new(sink)));
        trace
    }

    /// Lines tell this clock's time from now on.
    pub fn follow(&self, clock: &SimClock) {
        let _ = self.0.clock.set(clock.clone());
    }

    /// Lines tell this step from now on.
    pub fn step(&self) {
        self.0.step.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells a line; `what` is asked only where somebody reads it.
    pub fn tell(&self, who: &str, what: impl FnOnce() -> String) {
        let Some(sink) = self.0.sink.get() else { return };
        let ms = self.0.clock.get().map_or(0, |clock| clock.now_ms().saturating_sub(START_MS));
        let step = self.0.step.load(Ordering::Relaxed);
        let line = format!("{:>5}.{:03} s  step {step:<4} {who:<15} {}", ms / 1000, ms % 1000, what());
        (sink.lock().unwrap_or_else(PoisonError::into_inner))(line);
    }
}

/// What a commit would do, in words; empty where it is not worth a line.
pub fn of_writes(writes: &[Write]) -> String {
    let mut words: Vec<String> = writes.iter().filter_map(of_write).collect();
    let postings = writes.iter().filter(|write| write.key().table == LEDGER && write.key().sk == "BAL").count();
    if postings > 0 {
        words.push(format!("{postings} balances"));
    }
    words.join(", ")
}

fn of_write(write: &Write) -> Option<String> {
    match write {
        Write::Put { key, item, .. } if key.table == LEDGER => (key.sk == "OP").then(|| format!("operation {item:?}")),
        Write::Put { key, item, .. } => Some(of_row(key, item)),
        Write::Update { key, update, .. } if key.table != LEDGER => Some(format!("{} {:?}", key.sk, update.set)),
        Write::Delete { key, .. } => Some(format!("deletes {}", key.sk)),
        Write::Update { .. } | Write::Check { .. } => None,
    }
}

fn of_row(key: &Key, item: &Item) -> String {
    let told = match (key.table, key.sk.as_str()) {
        (TRANSFERS, "PCL") => item.parse().ok().map(|parcel| of_parcel(&parcel)),
        (TRANSFERS, "GATE") => item.parse().ok().map(|gate| of_gate(&gate)),
        (TRANSFERS, sk) if sk.contains("#A") => item
            .parse()
            .ok()
            .map(|attempt: Attempt| format!("attempt {}.{} hash {}", attempt.number, attempt.index, attempt.hash)),
        (TRANSFERS, sk) if sk.starts_with("TX#") => item.parse().ok().map(|transaction| of_transaction(&transaction)),
        (DEAD_LETTERS, _) => item.parse().ok().map(|letter: DeadLetter| {
            format!("dead letter {} {} ({})", letter.id, letter.status.as_str(), letter.reason)
        }),
        _ => None,
    };
    told.unwrap_or_else(|| match item.number("height") {
        Some(height) => format!("{} at {height}", key.sk),
        None => key.sk.clone(),
    })
}

fn of_parcel(parcel: &Parcel) -> String {
    let number = parcel.number.map(|number| format!(" number {number}")).unwrap_or_default();
    let wait = parcel.wait.as_ref().map(|wait| format!(" for {:?}", wait.reason)).unwrap_or_default();
    let state: ParcelState = parcel.state;
    format!("parcel {} {}{wait}{number}", parcel.id, state.as_str())
}

fn of_gate(gate: &Gate) -> String {
    let state = match &gate.gate {
        LaneGate::Open => "open".to_owned(),
        LaneGate::Waiting { reason, .. } => format!("waiting for {reason:?}"),
        LaneGate::Halted { reason, .. } => format!("halted: {reason}"),
    };
    format!("gate seen {} consumed {} {state}", gate.seen, gate.consumed)
}

fn of_transaction(transaction: &Transaction) -> String {
    let outcome = transaction.outcome.as_ref().map_or_else(|| "open".to_owned(), |outcome| format!("{outcome:?}"));
    format!("number {} {outcome}", transaction.number)
}
