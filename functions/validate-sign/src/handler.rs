//! A batch of messages: read, matched with their parcels, grouped by lane.

use std::collections::BTreeMap;

use causeway_domain::{
    id::{NetworkId, ParcelId},
    lane::LaneId,
    parcel::ParcelState,
};
use causeway_runtime::batch::{Failed, Received};
use causeway_state::{
    message::{ParcelMessage, queues},
    parcel::{Parcel, REFUNDED},
};
use futures::future::join_all;

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

/// Messages of a batch that ask for the same parcel: what the first of them says, and the names of all.
type Wanted = BTreeMap<ParcelId, (ParcelMessage, Vec<String>)>;

impl Signer {
    /// Handles a batch and says which messages must come again.
    pub async fn handle(&self, messages: Vec<Received>) -> Failed {
        let (requests, messages): (Vec<_>, Vec<_>) =
            messages.into_iter().partition(|message| message.queue == queues::SIGN_REQUESTS);
        let mut failed = self.replace(requests).await;
        let mut wanted = Wanted::new();
        for message in messages {
            match serde_json::from_str::<ParcelMessage>(&message.body) {
                Ok(body) => {
                    let (_, messages) = wanted.entry(body.parcel).or_insert_with(|| (body, Vec::new()));
                    messages.push(message.message_id);
                }
                Err(error) => {
                    let reason = format!("the message is not a parcel's: {error}");
                    if !self.dead_letter(&message.body, &reason, &message.message_id).await {
                        failed.push(message.message_id);
                    }
                }
            }
        }
        let mut networks: BTreeMap<NetworkId, BTreeMap<LaneId, Vec<Member>>> = BTreeMap::new();
        for (member, row_failed) in self.load(wanted).await {
            match member {
                Some(member) => {
                    let lane = member.parcel.wallet.clone();
                    networks.entry(lane.network.clone()).or_default().entry(lane).or_default().push(member);
                }
                None => failed.extend(row_failed),
            }
        }
        // Side by side: a node that does not answer holds up neither another network nor another lane.
        let networks = networks.into_iter().map(|(network, lanes)| self.work_network(network, lanes));
        failed.extend(join_all(networks).await.into_iter().flatten());
        failed
    }

    /// Reads the parcels; answers those that still want a number, and the messages that must come again.
    async fn load(&self, wanted: Wanted) -> Vec<(Option<Member>, Failed)> {
        let wanted: Vec<(ParcelMessage, Vec<String>)> = wanted.into_values().collect();
        let mut loaded = Vec::new();
        for chunk in wanted.chunks(100) {
            let keys: Vec<_> = chunk.iter().map(|(body, _)| Parcel::key(body.parcel)).collect();
            let rows = match self.store.get_many(&keys).await {
                Ok(rows) => rows,
                Err(error) => {
                    tracing::warn!(error = %error, "parcels cannot be read");
                    loaded.extend(chunk.iter().map(|(_, messages)| (None, messages.clone())));
                    continue;
                }
            };
            for ((body, messages), row) in chunk.iter().zip(rows) {
                let entry = match row {
                    Some(row) => {
                        let version = row.version();
                        row.parse::<Parcel>().map(|parcel| Member { parcel, version, messages: messages.clone() })
                    }
                    None => {
                        // Intake commits before it publishes, so a message without a parcel is nobody's.
                        loaded.push((None, self.bury(body, messages, "there is no such parcel").await));
                        continue;
                    }
                };
                loaded.push(match entry {
                    Ok(member) => self.sort(member).await,
                    Err(error) => (None, self.bury(body, messages, &error.to_string()).await),
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

    /// Lays a message whose parcel is not to be had in front of people, whole: they may replay it once its row is mended.
    async fn bury(&self, body: &ParcelMessage, messages: &[String], reason: &str) -> Failed {
        let text = serde_json::to_string(body).unwrap_or_default();
        let told = self.dead_letter(&text, reason, &body.parcel.to_string()).await;
        if told { Failed::new() } else { messages.to_vec() }
    }
}
