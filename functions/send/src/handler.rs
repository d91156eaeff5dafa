//! A batch of messages: which lanes have unsent bytes.

use std::collections::BTreeSet;

use causeway_domain::lane::LaneId;
use causeway_runtime::batch::{Failed, Received};
use causeway_state::message::LaneMessage;
use futures::future::join_all;

use crate::Sender;

impl Sender {
    /// Handles a batch, its lanes side by side, and says which messages must come again: of a FIFO group, the failed one and
    /// all after it. A lane that cannot be sent now keeps none back: while its message is hidden nothing of its group is
    /// delivered, and the sweep announces a lane with unsent bytes within seconds.
    pub async fn handle(&self, messages: Vec<Received>) -> Failed {
        let mut failed = Failed::new();
        let mut lanes: BTreeSet<LaneId> = BTreeSet::new();
        for message in messages {
            match serde_json::from_str::<LaneMessage>(&message.body) {
                Ok(body) => {
                    lanes.insert(body.lane);
                }
                // Poison: it comes again until the queue's own redrive takes it away. Sending depends on no message.
                Err(error) => {
                    tracing::error!(message.id = %message.message_id, error = %error, "not a lane's message");
                    failed.push(message.message_id);
                }
            }
        }
        join_all(lanes.iter().map(|lane| self.try_lane(lane))).await;
        failed
    }

    async fn try_lane(&self, lane: &LaneId) {
        if let Err(error) = self.send_lane(lane).await {
            tracing::warn!(lane = %lane, error = %error, "the lane is not sent; the sweep announces it again");
        }
    }
}
