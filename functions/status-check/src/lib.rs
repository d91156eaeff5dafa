//! status-check: the tracker, and the sweeps.
//!
//! One leased loop per network ([`lead`]): poll the head, work off each new block ([`follow`]): match its
//! hashes with the watches and write what is included ([`mod@include`]), tell stages of blocks that
//! became deep enough ([`stages`]), where the network asks for it only with a second provider's word (`opinion`).
//! A parent that does not fit is a reorganisation ([`reorg`]).
//! Between blocks: parcels that are due ([`sweep`]), lanes that lag behind the chain or themselves ([`lanes`]),
//! blocks of which a lane was not told ([`late`]), numbers that no block takes ([`stuck`]), numbers that a stranger took
//! ([`displaced`], unless open rows ask for what it did: [`asked`]) or the rows forgot ([`adopt`]), halves of commits that a
//! restore left (`halves`), and at length whether all rows agree with each other and the chain
//! ([`reconcile`]).
//!
//! Invariants: a block costs reads by its size, never by how much is tracked; only the head's row is
//! fenced, every other write is idempotent on (hash, block); a provider that is down changes no state.

pub mod adopt;
pub mod asked;
mod begin;
pub mod displaced;
pub mod follow;
mod halves;
pub mod include;
pub mod lanes;
pub mod late;
pub mod lead;
mod opinion;
mod proof;
pub mod reconcile;
pub mod reorg;
pub mod stages;
pub mod stuck;
pub mod sweep;

use std::{collections::BTreeMap, sync::Arc};

use causeway_chains::{Chain, ChainError};
use causeway_domain::{Clock, Networks, id::NetworkId};
use causeway_queue::{Message, Queue, QueueError, QueueName};
use causeway_runtime::metrics::Metrics;
use causeway_state::commit::CommitError;
use causeway_store::{RowError, Store, StoreError};
use serde::Serialize;

/// What the tracker works with.
#[derive(Debug)]
pub struct Tracker {
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
    /// Enabled networks.
    pub networks: Networks,
    /// From one report of a treasury to the next.
    pub reconcile_ms: u64,
}

/// Why a step of the tracker did not end.
#[derive(Debug, thiserror::Error)]
pub enum TrackError {
    /// Another leader took over, or the outcome of a fenced write is not known: this one stops leading.
    #[error("this leader is no longer surely the leader")]
    Lost,
    /// The chain gives no answer; nothing follows from that.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Rows cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row does not parse.
    #[error(transparent)]
    Row(#[from] RowError),
    /// A write did not surely happen.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A publish did not surely happen.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The chain left what the tracker can follow; an operator must look.
    #[error("{0}")]
    Stuck(String),
}

/// A message to be published as JSON.
#[derive(Debug)]
pub(crate) struct Post<T> {
    pub(crate) body: T,
    pub(crate) group: Option<String>,
    pub(crate) dedup: Option<String>,
}

impl Tracker {
    /// Publishes to a queue, in order.
    pub(crate) async fn publish<T: Serialize>(
        &self,
        queue: &'static str,
        posts: Vec<Post<T>>,
    ) -> Result<(), TrackError> {
        let message = |Post { body, group, dedup }: Post<T>| {
            let body = serde_json::to_string(&body).map_err(|error| QueueError::Refused(error.to_string()))?;
            Ok::<_, QueueError>(Message { body, group, dedup, ..Message::default() })
        };
        let messages = posts.into_iter().map(message).collect::<Result<Vec<_>, _>>()?;
        Ok(self.queue.publish(QueueName(queue), &messages).await?)
    }
}
