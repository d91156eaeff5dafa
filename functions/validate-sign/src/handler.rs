//! A batch of messages: read, matched with their parcels, grouped by lane.

use std::collections::BTreeMap;

use causeway_domain::{id::ParcelId, lane::LaneId, parcel::ParcelState};
use causeway_runtime::batch::{Failed, Received};
use causeway_state::{
    message::{ParcelMessage, queues},
    parcel::{Parcel, REFUNDED},
};

use crate::Signer;

/// A parcel of the batch with the messages that ask for it.
#[derive(Debug, Clone)]
pub struct Member {
    /// The parcel as read.
    pub parcel: Parcel,
    /// Its row's version.
    pub version: u64,
    /// Messages that are answered with it.
    pub messages: Vec<String>,
}

impl Signer {
    /// Handles a batch and says which messages must come again.
    pub async fn handle(&self, messages: Vec<Received>) -> Failed {
        let (requests, messages): (Vec<_>, Vec<_>) =
            messages.into_iter().partition(|message| message.queue == queues::SIGN_REQUESTS);
        let mut failed = self.replace(requests).await;
        let mut wanted: BTreeMap<ParcelId, Vec<String>> = BTreeMap::new();
        for message in messages {
            match serde_json::from_str::<ParcelMessage>(&message.body) {
                Ok(body) => wanted.entry(body.parcel).or_default().push(message.message_id),
                Err(error) => {
                    let reason = format!("the message is not a parcel's: {error}");
                    if !self.dead_letter(&message.body, &reason, &message.message_id).await {
                        failed.push(message.message_id);
                    }
                }
            }
        }
        let mut lanes: BTreeMap<LaneId, Vec<Member>> = BTreeMap::new();
        for (member, row_failed) in self.load(wanted).await {
            match member {
                Some(member) => lanes.entry(member.parcel.wallet.clone()).or_default().push(member),
                None => failed.extend(row_failed),
            }
        }
        for (lane, members) in lanes {
            failed.extend(self.work_lane(&lane, members).await);
        }
        failed
    }

    /// Reads the parcels; answers those that still want a number, and the messages that must come again.
    async fn load(&self, wanted: BTreeMap<ParcelId, Vec<String>>) -> Vec<(Option<Member>, Failed)> {
        let ids: Vec<(ParcelId, Vec<String>)> = wanted.into_iter().collect();
        let mut loaded = Vec::new();
        for chunk in ids.chunks(100) {
            let keys: Vec<_> = chunk.iter().map(|(id, _)| Parcel::key(*id)).collect();
            let rows = match self.store.get_many(&keys).await {
                Ok(rows) => rows,
                Err(error) => {
                    tracing::warn!(error = %error, "parcels cannot be read");
                    loaded.extend(chunk.iter().map(|(_, messages)| (None, messages.clone())));
                    continue;
                }
            };
            for ((id, messages), row) in chunk.iter().zip(rows) {
                let entry = match row {
                    Some(row) => {
                        let version = row.version();
                        row.parse::<Parcel>().map(|parcel| Member { parcel, version, messages: messages.clone() })
                    }
                    None => {
                        // Intake commits before it publishes, so a message without a parcel is nobody's.
                        loaded.push((None, self.bury(*id, messages, "there is no such parcel").await));
                        continue;
                    }
                };
                loaded.push(match entry {
                    Ok(member) => self.sort(member).await,
                    Err(error) => (None, self.bury(*id, messages, &error.to_string()).await),
                });
            }
        }
        loaded
    }

    async fn sort(&self, member: Member) -> (Option<Member>, Failed) {
        match member.parcel.state {
            ParcelState::Accepted | ParcelState::Waiting => (Some(member), Failed::new()),
            // People have looked at it already.
            ParcelState::Rejected if member.parcel.failure.as_ref().is_some_and(|failure| failure.code == REFUNDED) => {
                (None, Failed::new())
            }
            // Its dead letter may have been lost between commit and publish.
            ParcelState::Rejected => (None, self.tell_rejected(&member).await),
            ParcelState::Assigned
            | ParcelState::Confirmed
            | ParcelState::Reopened
            | ParcelState::Failed
            | ParcelState::Cancelled => (None, Failed::new()),
        }
    }

    async fn bury(&self, id: ParcelId, messages: &[String], reason: &str) -> Failed {
        let body = format!("{{\"parcel\":\"{id}\"}}");
        let told = self.dead_letter(&body, reason, &id.to_string()).await;
        if told { Failed::new() } else { messages.to_vec() }
    }
}
