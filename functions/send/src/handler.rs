//! A batch of messages: which lanes have unsent bytes.

use std::collections::BTreeMap;

use causeway_domain::lane::LaneId;
use causeway_runtime::batch::{Failed, Received};
use causeway_state::message::LaneMessage;

use crate::Sender;

impl Sender {
    /// Handles a batch and says which messages must come again: of a FIFO group, the failed one and all after it.
    pub async fn handle(&self, messages: Vec<Received>) -> Failed {
        let mut failed = Failed::new();
        let mut lanes: BTreeMap<LaneId, Vec<String>> = BTreeMap::new();
        for message in messages {
            match serde_json::from_str::<LaneMessage>(&message.body) {
                Ok(body) => lanes.entry(body.lane).or_default().push(message.message_id),
                // Poison: it comes again until the queue's own redrive takes it away. Sending depends on no message.
                Err(error) => {
                    tracing::error!(message.id = %message.message_id, error = %error, "not a lane's message");
                    failed.push(message.message_id);
                }
            }
        }
        for (lane, messages) in lanes {
            if let Err(error) = self.send_lane(&lane).await {
                tracing::warn!(lane = %lane, error = %error, "the lane is not sent");
                failed.extend(messages);
            }
        }
        failed
    }
}
