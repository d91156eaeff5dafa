//! dead-letters: empties every dead-letter queue into a table, where operators see, replay, refund and discard.
//!
//! A message's path: [`record`] (what the message tells becomes a row) → [`handler`] (one conditional commit).
//!
//! Invariant: a message is acknowledged only once its record surely exists; repeats of one dead letter are one
//! record, and one that died again after a replay lies open again as long as money may hang on it (rule 8).

pub mod handler;
pub mod record;

use std::sync::Arc;

use causeway_domain::Clock;
use causeway_runtime::metrics::Metrics;
use causeway_store::Store;

/// What dead-letters works with.
#[derive(Debug)]
pub struct Recorder {
    /// Rows.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Metrics.
    pub metrics: Metrics,
}
