//! What does not go on: waits (rule 9), rejections with the money released, and dead letters with their reason.

use causeway_domain::verdict::WaitReason;
use causeway_queue::{Message, QueueName};
use causeway_runtime::{batch::Failed, metrics};
use causeway_state::{
    cancel::{Cancel, cancel},
    commit::{Done, commit},
    dead_letter,
    ledger::{AccountId, Owner, Postings},
    message::{ParcelMessage, queues},
    parcel::Failure,
};

use crate::{Signer, handler::Member, lane::LANE_WAIT_MS};

impl Signer {
    /// Turns a parcel into a row that waits. Answers the messages that must come again.
    pub async fn wait(&self, member: Member, reason: WaitReason, after_ms: u64) -> Failed {
        let now = self.clock.now_ms();
        let next = member.parcel.waiting(reason, now + after_ms, now);
        let write = match member.parcel.moved(member.version, next) {
            Ok(write) => write,
            Err(error) => {
                tracing::error!(parcel = %member.parcel.id, error = %error, "this wait cannot be written");
                return member.messages;
            }
        };
        if reason == WaitReason::TreasuryShort {
            self.metrics.emit(&*self.clock, metrics::TREASURY_SHORT, 1, Some(member.parcel.network()));
        }
        tracing::info!(parcel = %member.parcel.id, trace = %member.parcel.trace, reason = ?reason, "waits");
        match commit(&*self.store, &*self.clock, &[write]).await {
            Ok(Done::Committed) => Failed::new(),
            // Somebody else moved it; what they did stands.
            Ok(Done::Conflict(_)) => Failed::new(),
            Err(error) => {
                tracing::warn!(parcel = %member.parcel.id, error = %error, "a wait is not written");
                member.messages
            }
        }
    }

    /// Refuses a parcel for good: state and money in one commit, then its dead letter.
    pub async fn reject(&self, member: Member, code: &str, reason: &str) -> Failed {
        let now = self.clock.now_ms();
        let parcel = &member.parcel;
        let failure = Failure { code: code.to_owned(), reason: reason.to_owned() };
        let account = AccountId { owner: Owner::Tenant(parcel.tenant.clone()), asset: parcel.asset.clone() };
        let mut postings = Postings::new();
        let written = postings
            .release(&account, &parcel.hold, &parcel.id.bare())
            .and_then(|()| postings.writes(now))
            .map_err(|error| error.to_string())
            .and_then(|mut writes| {
                let moved = parcel.moved(member.version, parcel.rejected(failure, now));
                writes.push(moved.map_err(|error| error.to_string())?);
                Ok(writes)
            });
        let writes = match written {
            Ok(writes) => writes,
            Err(error) => {
                tracing::error!(parcel = %parcel.id, error, "this rejection cannot be written");
                return member.messages;
            }
        };
        tracing::info!(parcel = %parcel.id, trace = %parcel.trace, code, reason, "rejected");
        match commit(&*self.store, &*self.clock, &writes).await {
            Ok(Done::Committed) => {
                let told = self.dead_letter(&body_of(&member), reason, &parcel.id.to_string()).await;
                if told { Failed::new() } else { member.messages }
            }
            // It moved meanwhile: look again.
            Ok(Done::Conflict(_)) => member.messages,
            Err(error) => {
                tracing::warn!(parcel = %parcel.id, error = %error, "a rejection is not written");
                member.messages
            }
        }
    }

    /// Cancels a parcel without a number that somebody wants cancelled, where it is surely not paid; else it waits.
    pub async fn cancel(&self, member: Member) -> Failed {
        let (parcel, now) = (&member.parcel, self.clock.now_ms());
        let Some(asked) = parcel.cancel.clone() else { return member.messages };
        let writes = match cancel(&*self.store, (parcel, member.version), asked, false, now).await {
            Ok(Cancel::Now(writes)) => writes,
            Ok(Cancel::Already { .. } | Cancel::Asked { .. }) => {
                return self.wait(member, WaitReason::LaneClosed, LANE_WAIT_MS).await;
            }
            Err(error) => {
                tracing::warn!(parcel = %parcel.id, error = %error, "a cancellation is not carried out");
                return member.messages;
            }
        };
        tracing::info!(parcel = %parcel.id, trace = %parcel.trace, "cancelled");
        match commit(&*self.store, &*self.clock, &writes).await {
            Ok(Done::Committed) => Failed::new(),
            // It moved meanwhile: look again.
            Ok(Done::Conflict(_)) => member.messages,
            Err(error) => {
                tracing::warn!(parcel = %parcel.id, error = %error, "a cancellation is not written");
                member.messages
            }
        }
    }

    /// Tells the dead letter of a parcel that was rejected before; repeats are one record.
    pub async fn tell_rejected(&self, member: &Member) -> Failed {
        let reason = member.parcel.failure.as_ref().map(|failure| failure.reason.clone()).unwrap_or_default();
        let told = self.dead_letter(&body_of(member), &reason, &member.parcel.id.to_string()).await;
        if told { Failed::new() } else { member.messages.clone() }
    }

    /// Puts a message into the invalid requests' dead-letter queue, with the reason. Answers whether it surely is there.
    pub async fn dead_letter(&self, body: &str, reason: &str, dedup: &str) -> bool {
        match self.queue.publish(QueueName(queues::TRANSFERS_DEAD), &[dead(body, reason, dedup)]).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(error = %error, "a dead letter is not published");
                false
            }
        }
    }
}

/// A dead letter with its reason.
pub(crate) fn dead(body: &str, reason: &str, dedup: &str) -> Message {
    Message {
        body: body.to_owned(),
        attributes: vec![(dead_letter::REASON, reason.to_owned()), (dead_letter::DEDUP, dedup.to_owned())],
        ..Message::default()
    }
}

fn body_of(member: &Member) -> String {
    let body = ParcelMessage { parcel: member.parcel.id, trace: member.parcel.trace };
    serde_json::to_string(&body).unwrap_or_default()
}
