//! What operators do with a dead letter: replay its message, refund its money, or set it aside; [`crate::settle`] has the rest.
//!
//! Each act names the versions it relies on, so that of two acts at once, or of an act and the pipeline, one wins.

use causeway_domain::parcel::ParcelState;
use causeway_http::{ApiError, Code, Fields, Principal};
use causeway_queue::{Message, QueueError, QueueName};
use causeway_state::{
    cancel::surely_unpaid,
    dead_letter::{DeadLetter, Status},
    lane::Transaction,
    ledger::{AccountId, Owner, Postings},
    message::{LaneMessage, SignRequest, Stage, StageMessage, queues, request_queue},
    parcel::{Failure, Parcel, REFUNDED},
};
use causeway_store::{Expect, Item, Key, Write};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    Admin,
    change::Act,
    dead_letters::{Found, LetterDetail},
    list::parse,
};

/// What an operator says where money that is held for a transfer without a signature shall be free.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnpaidRequest {
    /// 1 to 500 characters; goes into the audit log.
    pub reason: String,
    /// You have looked at the chain yourself, and it has not paid: where nothing else can tell, as on a network that is
    /// switched off for good. Left out, that refuses.
    #[serde(default)]
    pub unpaid: bool,
}

const CHANGED: &str = "it changed meanwhile: look again";

impl Admin {
    /// `POST dead-letters/{id}/replay`: marks it replayed, then publishes its message again. Where the publishing fails
    /// it can be replayed once more; replaying what already happened is harmless.
    pub async fn replay(&self, by: &Principal, id: &str, body: &[u8]) -> Result<LetterDetail, ApiError> {
        let fields = Fields::read(body, &["reason"])?;
        let reason = fields.reason()?;
        let found = self.find_letter(id).await?;
        match found.letter.status {
            Status::Open | Status::Replayed => {}
            Status::Refunded | Status::Discarded | Status::Settled => return Err(already(&found.letter)),
        }
        if found.letter.cut {
            return Err(ApiError::new(Code::Conflict, "its message was too long to be kept whole"));
        }
        let (queue, message) = self.message_of(&found).await?;
        let detail = json!({"queue": queue});
        self.act(by, &found, ("dead-letters.replay", Status::Replayed), reason, detail, Vec::new()).await?;
        match self.queue.publish(QueueName(queue), &[message]).await {
            Ok(()) => self.dead_letter(id).await,
            Err(QueueError::Refused(why)) => {
                tracing::warn!(dead_letter = %found.letter.id, why, "a replay is refused");
                Err(ApiError::new(Code::Conflict, format!("{queue} takes no such message")))
            }
            Err(error @ (QueueError::Incomplete(_) | QueueError::Unavailable(_) | QueueError::Denied(_))) => {
                tracing::warn!(dead_letter = %found.letter.id, error = %error, "a replay is not published");
                Err(ApiError::new(Code::Busy, "the message is not surely published; replay it again"))
            }
        }
    }

    /// The queue that a dead letter came from, and its message.
    async fn message_of(&self, found: &Found) -> Result<(&'static str, Message), ApiError> {
        let letter = &found.letter;
        let message = Message { body: letter.body.clone(), ..Message::default() };
        match letter.queue.as_str() {
            queues::TRANSFERS_DEAD => Ok(match self.parcel_of(letter).await? {
                Some((parcel, _)) => {
                    (request_queue(parcel.priority), Message { group: Some(parcel.tenant.to_string()), ..message })
                }
                None => (queues::TRANSFERS_NORMAL, message),
            }),
            queues::TRANSACTIONS_DEAD => {
                let lane = serde_json::from_str::<LaneMessage>(&letter.body).map(|body| body.lane.to_string());
                // The version counts acts, so that no replay is swallowed as a repeat of the one before.
                let dedup = Some(format!("{}:{}", letter.id, found.version));
                let group = Some(lane.unwrap_or_else(|_| letter.id.to_string()));
                Ok((queues::TRANSACTIONS, Message { group, dedup, ..message }))
            }
            queues::SIGN_REQUESTS_DEAD => {
                let lane = serde_json::from_str::<SignRequest>(&letter.body).map(|body| body.lane.to_string());
                let dedup = Some(format!("{}:{}", letter.id, found.version));
                let group = Some(lane.unwrap_or_else(|_| letter.id.to_string()));
                Ok((queues::SIGN_REQUESTS, Message { group, dedup, ..message }))
            }
            queues::CHAIN_EVENTS_DEAD => Ok((queues::CHAIN_EVENTS, message)),
            _ => Err(ApiError::new(Code::Conflict, "it comes from a queue that is not known any more")),
        }
    }

    /// `POST dead-letters/{id}/refund`: the transfer becomes rejected and its money free, at once with the mark.
    pub async fn refund(&self, by: &Principal, id: &str, body: &[u8]) -> Result<LetterDetail, ApiError> {
        let fields = Fields::read(body, &["reason", "unpaid"])?;
        let (reason, seen) = (fields.reason()?, fields.optional_flag("unpaid")?);
        let found = self.find_letter(id).await?;
        match found.letter.status {
            Status::Open | Status::Replayed => {}
            Status::Refunded => return self.detail(found.letter).await,
            Status::Discarded | Status::Settled => return Err(already(&found.letter)),
        }
        let (parcel, version) = self
            .parcel_of(&found.letter)
            .await?
            .ok_or_else(|| ApiError::new(Code::Conflict, "it is about no transfer, so no money is held for it"))?;
        must_be_unsigned(parcel.state)?;
        let now = self.clock.now_ms();
        if !seen
            && !surely_unpaid(&*self.store, &parcel.wallet, now).await.map_err(|error| ApiError::internal(&error))?
        {
            let why = "the chain may have paid it already: its lane's numbers are not all known to be Causeway's, or nobody \
                       vouches for its network's rows. Look at the chain, and say `unpaid` if it has not";
            return Err(ApiError::new(Code::Conflict, why));
        }
        let failure = Failure { code: REFUNDED.to_owned(), reason: reason.to_owned() };
        let account = AccountId { owner: Owner::Tenant(parcel.tenant.clone()), asset: parcel.asset.clone() };
        let mut postings = Postings::new();
        postings.release(&account, &parcel.hold, &parcel.id.bare()).map_err(|error| ApiError::internal(&error))?;
        let mut writes = postings.writes(now).map_err(|error| ApiError::internal(&error))?;
        let rejected = parcel.rejected(failure, now);
        writes.push(parcel.moved(version, rejected).map_err(|error| ApiError::internal(&error))?);
        let detail = json!({
            "parcel": parcel.id, "tenant": parcel.tenant, "amount": parcel.total().format(parcel.decimals),
            "symbol": parcel.symbol, "unpaid": seen,
        });
        self.act(by, &found, ("dead-letters.refund", Status::Refunded), reason, detail, writes).await?;
        tracing::info!(parcel = %parcel.id, trace = %parcel.trace, "refunded by an operator");
        self.dead_letter(id).await
    }

    /// `POST dead-letters/{id}/discard`: sets it aside, unless money is held for what it is about.
    pub async fn discard(&self, by: &Principal, id: &str, body: &[u8]) -> Result<LetterDetail, ApiError> {
        let fields = Fields::read(body, &["reason"])?;
        let reason = fields.reason()?;
        let found = self.find_letter(id).await?;
        match found.letter.status {
            Status::Open | Status::Replayed => {}
            Status::Discarded => return self.detail(found.letter).await,
            Status::Refunded | Status::Settled => return Err(already(&found.letter)),
        }
        let left = serde_json::from_str::<StageMessage>(&found.letter.body).ok();
        let left = left.filter(|stage| stage.stage == Stage::Reorged).map(|stage| stage.block_hash);
        let rows = self.rows_behind(&found.letter).await?;
        for row in rows.iter().filter_map(|(_, row)| row.as_ref()) {
            let parcel: Parcel = parse(row)?;
            if parcel.state.holds_money() {
                let message =
                    format!("money is held for the {} transfer {}", parcel.state.as_str(), parcel.transfer_id(0));
                return Err(ApiError::new(Code::Conflict, message));
            }
            // Its posting is still to be taken back; where the block came back, a replay finds that out and does nothing.
            if left.is_some() && parcel.settled.as_ref().map(|settled| settled.block_hash) == left {
                let message =
                    format!("the transfer {} was settled by the block that left: replay it", parcel.transfer_id(0));
                return Err(ApiError::new(Code::Conflict, message));
            }
        }
        // What was free of money when it was read must be so when it is set aside.
        let checks = rows.into_iter().map(|(key, row)| {
            let expect = row.map_or(Expect::Absent, |row| Expect::Version(row.version()));
            Write::Check { key, expect: vec![expect] }
        });
        let checks: Vec<Write> = checks.take(CHECKS_MAX).collect();
        self.act(by, &found, ("dead-letters.discard", Status::Discarded), reason, json!({}), checks).await?;
        self.dead_letter(id).await
    }

    /// The parcels behind a dead letter: its own, or those whose transactions a stage message is about.
    async fn rows_behind(&self, letter: &DeadLetter) -> Result<Vec<(Key, Option<Item>)>, ApiError> {
        let mut keys: Vec<Key> = letter.parcel.map(Parcel::key).into_iter().collect();
        if let Ok(stage) = serde_json::from_str::<StageMessage>(&letter.body) {
            let numbers = stage.inclusions.iter().map(|one| Transaction::key(&one.lane, one.number));
            for row in self.read(&numbers.collect::<Vec<_>>()).await?.into_iter().flatten() {
                keys.extend(parse::<Transaction>(&row)?.parcels.into_iter().map(Parcel::key));
            }
        }
        keys.sort();
        keys.dedup();
        let rows = self.read(&keys).await?;
        Ok(keys.into_iter().zip(rows).collect())
    }

    /// Marks a dead letter and commits what goes with it, if nobody changed any of it since it was read.
    pub(crate) async fn act(
        &self,
        by: &Principal,
        found: &Found,
        (action, status): (&'static str, Status),
        reason: &str,
        detail: serde_json::Value,
        mut writes: Vec<Write>,
    ) -> Result<(), ApiError> {
        let marked = found.letter.acted(found.version, status, by.user.as_str(), reason, self.clock.now_ms());
        writes.push(marked.map_err(|error| ApiError::internal(&error))?);
        let act = Act { by, action, target: found.letter.id.to_string(), reason, detail };
        self.change(&act, &writes).await?.or_conflict(CHANGED)
    }
}

/// Parcels whose rest is a condition of a discard: a commit has room for so many beside its own rows.
const CHECKS_MAX: usize = 90;

fn already(letter: &DeadLetter) -> ApiError {
    ApiError::new(Code::Conflict, format!("it is {} already", letter.status.as_str()))
}

/// Money may be released by hand only where no bytes exist that could still move it (rule 5).
fn must_be_unsigned(state: ParcelState) -> Result<(), ApiError> {
    let conflict = |message: String| Err(ApiError::new(Code::Conflict, message));
    match state {
        ParcelState::Accepted | ParcelState::Waiting => Ok(()),
        ParcelState::Assigned | ParcelState::Reopened => conflict(format!(
            "the transfer is {}: its signed transaction may still pay, so the money stays held until it is final",
            state.as_str()
        )),
        ParcelState::Confirmed | ParcelState::Rejected | ParcelState::Failed | ParcelState::Cancelled => {
            conflict(format!("the transfer is {}: no money is held for it", state.as_str()))
        }
    }
}
