//! validate-sign: the only signer of lanes.
//!
//! A batch's path: [`handler`] (reads messages and parcels, groups them by lane) → [`lane`] (gate, room,
//! lease) → [`check`] (policy, gas, price) → [`assign`] (sign in memory, one commit, publish).
//! What cannot go on becomes a row in [`settle_early`]: a wait, or a rejection with the money released.
//! Sign requests take the other way: [`replace`] reads a lane's numbers, [`plan`] decides which get another attempt.
//!
//! Invariants: a number exists only with its bytes (rule 1): counter, transaction, attempt and
//! parcels are one commit, and signatures of a lost race are thrown away. Nothing here sends.

pub mod assign;
pub mod check;
pub mod handler;
pub mod lane;
pub mod plan;
pub mod replace;
pub mod settle_early;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use causeway_chains::Chain;
use causeway_domain::{Clock, Networks, clock::Millis, id::NetworkId, lane::LaneId};
use causeway_keys::Keys;
use causeway_queue::Queue;
use causeway_runtime::metrics::Metrics;
use causeway_state::wallet::Treasury;
use causeway_store::Store;

/// What validate-sign works with.
#[derive(Debug)]
pub struct Signer {
    /// Rows.
    pub store: Arc<dyn Store>,
    /// Queues.
    pub queue: Arc<dyn Queue>,
    /// Lane keys.
    pub keys: Arc<dyn Keys>,
    /// Chains by network.
    pub chains: BTreeMap<NetworkId, Arc<dyn Chain>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Metrics.
    pub metrics: Metrics,
    /// Enabled networks.
    pub networks: Networks,
    /// Recent answers, for a short time.
    pub memory: Memory,
}

/// What is remembered between batches.
#[derive(Debug, Default)]
pub struct Memory {
    pub(crate) fees: Mutex<HashMap<NetworkId, (Millis, check::Recent)>>,
    pub(crate) treasuries: Mutex<HashMap<LaneId, Treasury>>,
}
