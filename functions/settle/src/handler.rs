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
            let reason = match serde_json::from_str::<StageMessage>(&message.body) {
                Err(error) => format!("the message is not a stage's: {error}"),
                Ok(stage) => match self.settle(&stage).await {
                    Ok(()) => continue,
                    Err(SettleError::Hopeless(reason)) => reason,
                    Err(error) => {
                        tracing::warn!(network = %stage.network, height = stage.height, error = %error, "not settled yet");
                        failed.push(message.message_id);
                        continue;
                    }
                },
            };
            if !self.dead_letter(&message, &reason).await {
                failed.push(message.message_id);
            }
        }
        failed
    }

    async fn dead_letter(&self, message: &Received, reason: &str) -> bool {
        tracing::error!(message.id = %message.message_id, reason, "cannot be settled");
        let dead = Message {
            body: message.body.clone(),
            attributes: vec![
                (dead_letter::REASON, reason.to_owned()),
                (dead_letter::DEDUP, message.message_id.clone()),
            ],
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
