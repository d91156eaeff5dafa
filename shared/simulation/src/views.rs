//! What each process sees: the same ports, its own clock, and its name on all that it does.

use std::{collections::BTreeMap, sync::Arc};

use causeway_chains::Chain;
use causeway_domain::{Clock, id::NetworkId};
use causeway_keys::Keys;
use causeway_queue::{MemoryQueue, Queue};
use causeway_store::Store;

use crate::{
    clock::SimClock,
    ports::{Network, Queues, Rows, Signatures},
    skew::Skews,
    trace::Trace,
};

/// The only function that may sign (rule 11).
pub const SIGNER: &str = "validate-sign";
/// The only function that hands bytes to nodes.
pub const SENDER: &str = "send";
/// The only function that settles what blocks say.
pub const SETTLER: &str = "settle";
/// The operators' function.
pub const OPERATORS: &str = "admin";

/// The ports that all views are of.
#[derive(Debug)]
pub struct Views {
    /// Rows, with what a scenario lets go wrong.
    pub rows: Rows,
    /// Queues.
    pub queues: Queues,
    /// Keys.
    pub keys: Signatures,
    /// The chain.
    pub chain: Network,
    /// Time.
    pub clock: SimClock,
    /// How far each process's clock is off.
    pub skews: Skews,
    /// Where what they do is told.
    pub trace: Trace,
}

/// One process's view.
#[derive(Debug)]
pub struct View {
    /// Rows.
    pub store: Arc<dyn Store>,
    /// Queues.
    pub queue: Arc<dyn Queue>,
    /// Keys.
    pub keys: Arc<dyn Keys>,
    /// The chain.
    pub chain: Arc<dyn Chain>,
    /// Chains by network.
    pub chains: BTreeMap<NetworkId, Arc<dyn Chain>>,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
}

impl Views {
    /// The view of a process.
    pub fn of(&self, who: &str) -> View {
        let (who, trace) = (who.to_owned(), self.trace.clone());
        let chain: Arc<dyn Chain> = Arc::new(Network { who: who.clone(), trace: trace.clone(), ..self.chain.clone() });
        View {
            store: Arc::new(self.rows.held_by(&who, &trace)),
            keys: Arc::new(Signatures { who: who.clone(), trace: trace.clone(), ..self.keys.clone() }),
            chains: BTreeMap::from([(self.chain.id.clone(), Arc::clone(&chain))]),
            chain,
            clock: Arc::new(self.skews.clock(&self.clock, &who)),
            queue: Arc::new(Queues { who, trace, ..self.queues.clone() }),
        }
    }

    /// The queues themselves.
    pub const fn queue(&self) -> &MemoryQueue {
        &self.queues.inner
    }
}
