//! settle: turns stages into postings and terminal states.
//!
//! A stage's path: [`handler`] (reads messages) → [`mod@write`] (one commit for many), by what
//! [`causeway_state::settle`] loads, decides (pure: what this stage means for a transaction) and posts.
//!
//! Invariants: success is posted at `confirmed_at`, money is released only at `final_at` (rule 5); every
//! commit that follows from a block holds on the condition that the block is still on the chain;
//! a transaction that leaves after it was posted is reopened by reversing entries, and its lane halts.

pub mod handler;
pub mod write;

use std::sync::Arc;

use causeway_domain::Clock;
use causeway_queue::Queue;
use causeway_runtime::metrics::Metrics;
use causeway_store::Store;

/// What settle works with.
#[derive(Debug)]
pub struct Settler {
    /// Rows.
    pub store: Arc<dyn Store>,
    /// Queues.
    pub queue: Arc<dyn Queue>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Metrics.
    pub metrics: Metrics,
}
