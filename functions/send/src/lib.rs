//! send: hands stored bytes to the chain, lane by lane, in number order.
//!
//! A message only says "this lane has unsent bytes": [`handler`] reads which lanes, [`lane`] reads the
//! lane strongly from the lowest number no node has seen, broadcasts each number's latest attempt
//! and stops at a hole. Queue order, lost publishes and repeats cannot reorder a lane.
//!
//! Invariants: nothing but a stored attempt is broadcast (rule 2); an unknown outcome keeps the
//! number and the same bytes go again (rule 3); a number refused for good halts its lane (rule 10).
//! No key is linked here.

pub mod handler;
pub mod lane;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use causeway_chains::Chain;
use causeway_domain::{
    Clock,
    id::{NetworkId, TenantId},
    lane::LaneId,
};
use causeway_queue::Queue;
use causeway_runtime::metrics::Metrics;
use causeway_store::Store;

/// What send works with.
#[derive(Debug)]
pub struct Sender {
    /// Rows.
    pub store: Arc<dyn Store>,
    /// Queues.
    pub queue: Arc<dyn Queue>,
    /// Chains by network.
    pub chains: BTreeMap<NetworkId, Arc<dyn Chain>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Metrics.
    pub metrics: Metrics,
    /// What is remembered between batches.
    pub memory: Memory,
}

/// What is remembered between batches: whose a lane is never changes.
#[derive(Debug, Default)]
pub struct Memory {
    pub(crate) tenants: Mutex<HashMap<LaneId, TenantId>>,
}
