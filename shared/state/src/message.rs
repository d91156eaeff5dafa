//! What travels on the queues: references to rows, never the truth itself.

use causeway_domain::{
    B256,
    fees::Priority,
    id::{NetworkId, ParcelId, TraceId},
    lane::LaneId,
};
use serde::{Deserialize, Serialize};

use crate::tracker::Inclusion;

/// Queues' logical names, as `infra/topology.yaml` has them.
pub mod queues {
    /// Urgent parcels to be signed.
    pub const TRANSFERS_HIGH: &str = "transfers-high";
    /// Parcels to be signed.
    pub const TRANSFERS_NORMAL: &str = "transfers-normal";
    /// Parcels that may wait.
    pub const TRANSFERS_LOW: &str = "transfers-low";
    /// "This lane has unsent bytes."
    pub const TRANSACTIONS: &str = "transactions.fifo";
    /// Numbers that need another attempt.
    pub const SIGN_REQUESTS: &str = "sign-requests.fifo";
    /// Stages of our transactions, for settle.
    pub const CHAIN_EVENTS: &str = "chain-events";
    /// Requests that cannot be carried out, and poison from the three above.
    pub const TRANSFERS_DEAD: &str = "transfers-dead";
    /// Poison from `transactions.fifo`.
    pub const TRANSACTIONS_DEAD: &str = "transactions-dead.fifo";
    /// Poison from `sign-requests.fifo`.
    pub const SIGN_REQUESTS_DEAD: &str = "sign-requests-dead.fifo";
    /// Poison from `chain-events`.
    pub const CHAIN_EVENTS_DEAD: &str = "chain-events-dead";

    /// The queues a client's transfer enters by.
    pub const REQUESTS: [&str; 3] = [TRANSFERS_HIGH, TRANSFERS_NORMAL, TRANSFERS_LOW];
}

/// The queue of a priority.
pub const fn request_queue(priority: Priority) -> &'static str {
    match priority {
        Priority::High => queues::TRANSFERS_HIGH,
        Priority::Normal => queues::TRANSFERS_NORMAL,
        Priority::Low => queues::TRANSFERS_LOW,
    }
}

/// On `transfers-*`: a parcel wants a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParcelMessage {
    /// Which.
    pub parcel: ParcelId,
    /// Its trace.
    pub trace: TraceId,
}

/// On `transactions.fifo`: a lane has bytes that no node has seen. What a later version adds to it is not read: a message that
/// is refused would hold its lane up for as long as the queue repeats it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneMessage {
    /// Which.
    pub lane: LaneId,
    /// Trace of the request, or the sweep, that caused it.
    pub trace: TraceId,
}

/// Why a number needs another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignReason {
    /// No block takes it.
    Stuck,
    /// Somebody wants its parcels cancelled.
    Cancel,
}

/// On `sign-requests.fifo`: a number of a lane may need another attempt. Whether it does, the rows say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignRequest {
    /// Which lane.
    pub lane: LaneId,
    /// Which number.
    pub number: u64,
    /// Why.
    pub reason: SignReason,
    /// Trace of the transaction, or of who asked.
    pub trace: TraceId,
}

/// How far transactions are, as the tracker tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// `confirmed_at` deep.
    Confirmed,
    /// `final_at` deep (and finalized, where the network's nodes say so).
    Final,
    /// Its block left the chain.
    Reorged,
}

/// On `chain-events`: transactions of one block reached a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageMessage {
    /// The network.
    pub network: NetworkId,
    /// Which stage.
    pub stage: Stage,
    /// Height of the block.
    pub height: u64,
    /// The block.
    pub block_hash: B256,
    /// Its transactions of ours.
    pub inclusions: Vec<Inclusion>,
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;

    fn reads<T: DeserializeOwned>(sample: &str) {
        let event: serde_json::Value = serde_json::from_str(sample).expect("an event");
        let body = event["Records"][0]["body"].as_str().expect("a body");
        assert!(serde_json::from_str::<T>(body).is_ok(), "{body}");
    }

    #[test]
    fn a_lanes_message_of_a_later_version_is_read() {
        let address = causeway_domain::Address::repeat_byte(0xaa);
        let lane = LaneId { network: "local".parse().expect("a name"), address };
        let body = LaneMessage { lane, trace: "trc_00000000000000000000000000".parse().expect("a trace") };
        let mut text = serde_json::to_value(&body).expect("plain data");
        text["hint"] = "of a later version".into();
        assert_eq!(serde_json::from_value::<LaneMessage>(text).expect("all that this one knows"), body);
    }

    #[test]
    fn the_samples_of_events_are_messages() {
        reads::<ParcelMessage>(include_str!("../../../events/validate-sign/parcel.json"));
        reads::<SignRequest>(include_str!("../../../events/validate-sign/sign-request.json"));
        reads::<LaneMessage>(include_str!("../../../events/send/lane.json"));
        reads::<StageMessage>(include_str!("../../../events/settle/confirmed.json"));
    }
}
