//! A batch of messages: each a stage of one block's transactions.

use std::collections::BTreeMap;

use causeway_domain::B256;
use causeway_queue::{Message, QueueName};
use causeway_runtime::batch::{Failed, Received};
use causeway_state::{
    dead_letter,
    message::{StageMessage, queues},
    settle::SettleError,
};

use crate::{Settler, write::Undecided};

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
            let dead = dead_letter(message.body, reason, message.message_id.clone());
            if !self.bury(&[dead]).await {
                failed.push(message.message_id);
            }
        }
        failed
    }

    /// Puts each of a stage's transactions of which only people can say what became of it, or whose rows cannot be read, in
    /// front of them, by itself. Told again it is the same dead letter, until it is settled and reopened.
    pub(crate) async fn ask_people(&self, stage: &StageMessage, undecided: BTreeMap<B256, Undecided>) -> bool {
        let letter = |(hash, Undecided { reason, round, inclusion })| {
            let alone = StageMessage { inclusions: vec![inclusion], ..stage.clone() };
            let body = serde_json::to_string(&alone).ok()?;
            Some(dead_letter(body, reason, format!("{hash}:{}:{round}", stage.block_hash)))
        };
        match undecided.into_iter().map(letter).collect::<Option<Vec<_>>>() {
            Some(letters) => letters.is_empty() || self.bury(&letters).await,
            None => false,
        }
    }

    async fn bury(&self, letters: &[Message]) -> bool {
        match self.queue.publish(QueueName(queues::CHAIN_EVENTS_DEAD), letters).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(error = %error, "a dead letter is not published");
                false
            }
        }
    }
}

fn dead_letter(body: String, reason: String, dedup: String) -> Message {
    tracing::error!(reason, dedup, "cannot be settled");
    let attributes = vec![(dead_letter::REASON, reason), (dead_letter::DEDUP, dedup)];
    Message { body, attributes, ..Message::default() }
}
