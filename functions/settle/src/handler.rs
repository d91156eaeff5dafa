//! A batch of messages: each a stage of one block's transactions.

use causeway_queue::{Message, QueueName};
use causeway_runtime::batch::{Failed, Received};
use causeway_state::{
    dead_letter,
    message::{StageMessage, queues},
    settle::SettleError,
};

use crate::Settler;

impl Settler {
    /// Handles a batch and says which messages must come again.
    pub async fn handle(&self, messages: Vec<Received>) -> Failed {
        let mut failed = Failed::new();
        for message in messages {
            let once = message.message_id.clone();
            let (reason, dedup) = match serde_json::from_str::<StageMessage>(&message.body) {
                Err(error) => (format!("the message is not a stage's: {error}"), once),
                Ok(stage) => match self.settle(&stage).await {
                    Ok(()) => continue,
                    Err(SettleError::Hopeless(reason)) => (reason, once),
                    // Told again it is the same dead letter.
                    Err(SettleError::Undecided { reason, case }) => (reason, case),
                    Err(error) => {
                        tracing::warn!(network = %stage.network, height = stage.height, error = %error, "not settled yet");
                        failed.push(message.message_id);
                        continue;
                    }
                },
            };
            if !self.dead_letter(&message, &reason, dedup).await {
                failed.push(message.message_id);
            }
        }
        failed
    }

    async fn dead_letter(&self, message: &Received, reason: &str, dedup: String) -> bool {
        tracing::error!(message.id = %message.message_id, reason, "cannot be settled");
        let dead = Message {
            body: message.body.clone(),
            attributes: vec![(dead_letter::REASON, reason.to_owned()), (dead_letter::DEDUP, dedup)],
            ..Message::default()
        };
        match self.queue.publish(QueueName(queues::CHAIN_EVENTS_DEAD), &[dead]).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(error = %error, "a dead letter is not published");
                false
            }
        }
    }
}
