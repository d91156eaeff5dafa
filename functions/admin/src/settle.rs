//! An operator's word on a transaction that succeeded in a final block and whose logs prove something other than what was
//! asked for: whether it paid. It goes the way that settle goes: the same conditions, the same postings, one commit.

use std::{collections::BTreeSet, slice};

use causeway_domain::B256;
use causeway_http::{ApiError, Code, Fields, Principal};
use causeway_state::{
    dead_letter::{DeadLetter, Status, Word},
    message::{Stage, StageMessage, queues},
    settle::{
        SettleError,
        batch::{Batch, Merge},
        decide::{Decision, Told, by_word, decide, may_have_paid},
        load::{Anchor, Loaded, Look, load, look},
    },
    tracker::Head,
};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    Admin,
    dead_letters::{Found, LetterDetail},
};

/// What an operator says of a transaction that moved something other than what was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct SettleRequest {
    /// Whether it paid what was asked for, as you have seen on the chain.
    pub paid: bool,
    /// Which of the dead letter's transactions; only where several wait for people's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// 1 to 500 characters; goes into the audit log.
    pub reason: String,
}

/// A dead letter's block, and what of it is left.
#[derive(Debug)]
struct Sight {
    anchor: Anchor,
    /// Its transactions that wait for people's word.
    asked: Vec<Loaded>,
    /// Whether others are left, which a replay settles.
    rest: bool,
}

impl Admin {
    /// `POST dead-letters/{id}/settle`: what settle would have done, had the block proved what the operator says.
    pub async fn settle(&self, by: &Principal, id: &str, body: &[u8]) -> Result<LetterDetail, ApiError> {
        let fields = Fields::read(body, &["paid", "hash", "reason"])?;
        let (reason, paid, hash) = (fields.reason()?, fields.flag("paid")?, fields.optional_hash("hash")?);
        let found = self.find_letter(id).await?;
        let stage = stage(&found.letter)?;
        let said = |hash: B256| found.letter.settled.iter().find(|word| word.hash == hash).copied();
        let sight = match found.letter.status {
            // Where tables were restored the word may be there, and what it did may not: then it is taken once more.
            Status::Open | Status::Settled => match self.sight(&stage).await {
                Ok(sight) => Some(sight),
                Err(_) if found.letter.status == Status::Settled || hash.and_then(said).is_some() => None,
                Err(error) => return Err(error),
            },
            Status::Replayed => {
                let why = "it is replayed already: if that does not help either, it opens again, or another one does";
                return Err(refused("id", why));
            }
            Status::Refunded | Status::Discarded => {
                return Err(refused("id", format!("it is {} already", found.letter.status.as_str())));
            }
        };
        let asked = sight.iter().flat_map(|sight| &sight.asked).map(|one| one.inclusion.hash);
        let chosen = chosen(found.letter.settled.iter().map(|word| word.hash).chain(asked).collect(), hash)?;
        let one = sight.as_ref().and_then(|sight| sight.asked.iter().find(|one| one.inclusion.hash == chosen));
        match (sight.as_ref().zip(one), said(chosen)) {
            (Some((_, one)), _) if paid && !may_have_paid(&one.inclusion) => {
                Err(refused("paid", "its block says that it paid nobody: it reverted, or it is a no-op"))
            }
            (Some((sight, one)), _) => self.take_word(by, found, (&stage, sight), one, paid, reason).await,
            (None, Some(word)) => self.said(found.letter, word, paid).await,
            (None, None) => Err(undecided()),
        }
    }

    /// A repeat changes nothing, and nobody takes a word back.
    async fn said(&self, letter: DeadLetter, word: Word, paid: bool) -> Result<LetterDetail, ApiError> {
        if word.paid == paid {
            return self.detail(letter).await;
        }
        let how = if word.paid { "paid" } else { "unpaid" };
        Err(refused("paid", format!("transaction {} is settled as {how} already", word.hash)))
    }

    /// The one commit: state, money, gas and the number's outcome as settle writes them, the dead letter, and the record.
    async fn take_word(
        &self,
        by: &Principal,
        mut found: Found,
        (stage, sight): (&StageMessage, &Sight),
        one: &Loaded,
        paid: bool,
        reason: &str,
    ) -> Result<LetterDetail, ApiError> {
        let decision = by_word(&one.inclusion, paid);
        let mut batch = Batch::new(Merge::new(&*self.clock));
        batch.add(told(stage, one), one, &decision).map_err(failed)?;
        let mut writes = sight.anchor.checks(slice::from_ref(one));
        writes.push(Head::is_final(&stage.network, stage.height));
        writes.extend(batch.writes().map_err(failed)?);
        let (lane, number, hash) = (&one.inclusion.lane, one.inclusion.number, one.inclusion.hash);
        let parcels = one.parcels.iter().map(|(parcel, _)| {
            let amount = parcel.total().format(parcel.decimals);
            json!({"parcel": parcel.id, "tenant": parcel.tenant, "amount": amount, "symbol": parcel.symbol})
        });
        let detail = json!({
            "paid": paid, "lane": lane, "number": number, "hash": hash, "height": stage.height,
            "block": stage.block_hash, "moved": one.inclusion.moved, "parcels": parcels.collect::<Vec<_>>(),
        });
        let status = if sight.rest || sight.asked.len() > 1 { Status::Open } else { Status::Settled };
        found.letter.settled.retain(|word| word.hash != hash);
        found.letter.settled.push(Word { hash, paid });
        self.act(by, &found, ("dead-letters.settle", status), reason, detail, writes).await?;
        for parcel in &one.transaction.parcels {
            tracing::info!(%parcel, %lane, number, %hash, trace = %one.transaction.trace, paid, "settled by an operator's word");
        }
        self.dead_letter(&found.letter.id.to_string()).await
    }

    /// Looks at the block as settle does, and that it is final.
    async fn sight(&self, stage: &StageMessage) -> Result<Sight, ApiError> {
        let Look { anchor, head, rows } = look(&*self.store, stage).await.map_err(failed)?;
        let Some(anchor) = anchor else {
            return Err(refused("id", "its block is not on the chain: what the chain has instead is told by itself"));
        };
        // Money is moved on people's word at the last depth only, whatever the message says (rule 5).
        if head.is_none_or(|head| head.finalized < stage.height) {
            return Err(refused("id", "its block is not known to be final"));
        }
        let mut sight = Sight { anchor, asked: Vec::new(), rest: false };
        for (inclusion, row) in stage.inclusions.iter().zip(rows) {
            // Others' rows that cannot be read, or are not there, are not in the way: the dead letter stays open for them.
            let one = match load(&*self.store, stage.stage, slice::from_ref(inclusion), Some(vec![row])).await {
                Ok(mut loaded) => loaded.pop(),
                Err(SettleError::Row(_) | SettleError::Hopeless(_)) => None,
                Err(error) => return Err(failed(error)),
            };
            let Some(one) = one else {
                sight.rest = true;
                continue;
            };
            let parcels: Vec<_> = one.parcels.iter().map(|(parcel, _)| parcel.clone()).collect();
            match decide(told(stage, &one), &one.transaction, &parcels) {
                Decision::AskPeople { .. } => sight.asked.push(one),
                // A halt was committed when its message was worked off.
                Decision::Nothing | Decision::HaltOnly { .. } => {}
                Decision::Pay { .. }
                | Decision::Fail { .. }
                | Decision::Cancel { .. }
                | Decision::Reopen { .. }
                | Decision::Later { .. } => sight.rest = true,
            }
        }
        Ok(sight)
    }
}

fn told<'a>(stage: &StageMessage, one: &'a Loaded) -> Told<'a> {
    Told { stage: stage.stage, height: stage.height, block_hash: stage.block_hash, inclusion: &one.inclusion }
}

/// The stage that a dead letter tells, if it is one that people can have a word on.
fn stage(letter: &DeadLetter) -> Result<StageMessage, ApiError> {
    if letter.queue != queues::CHAIN_EVENTS_DEAD {
        return Err(refused("id", "it is about no block, so there is nothing that a block leaves undecided"));
    }
    if letter.cut {
        return Err(refused("id", "its message was too long to be kept whole"));
    }
    let stage: StageMessage =
        serde_json::from_str(&letter.body).map_err(|_| refused("id", "its message cannot be read"))?;
    match stage.stage {
        Stage::Final => Ok(stage),
        Stage::Confirmed | Stage::Reorged => {
            Err(refused("id", "it is not about a final block: replay it, and wait for the one that is"))
        }
    }
}

/// The transaction that is meant: the one that is named, or the only one there ever was to name.
fn chosen(known: BTreeSet<B256>, named: Option<B256>) -> Result<B256, ApiError> {
    match named {
        Some(hash) if known.contains(&hash) => Ok(hash),
        Some(_) => Err(refused("hash", "is none of its transactions that wait for people's word")),
        None => match known.len() {
            0 => Err(undecided()),
            1 => known.into_iter().next().ok_or_else(undecided),
            _ => {
                let all: Vec<String> = known.iter().map(B256::to_string).collect();
                Err(refused(
                    "hash",
                    format!("people are asked about several transactions, say which: {}", all.join(", ")),
                ))
            }
        },
    }
}

fn undecided() -> ApiError {
    let why =
        "none of its transactions waits for people's word: what its block proves is settled, or a replay settles it";
    refused("id", why)
}

fn refused(field: &str, why: impl Into<String>) -> ApiError {
    ApiError::of_field(Code::Conflict, field, why)
}

fn failed(error: SettleError) -> ApiError {
    match error {
        SettleError::Hopeless(why) | SettleError::Later(why) => refused("id", why),
        SettleError::Store(_)
        | SettleError::Row(_)
        | SettleError::Commit(_)
        | SettleError::Move(_)
        | SettleError::Postings(_) => ApiError::internal(&error),
    }
}
