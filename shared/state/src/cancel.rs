//! Cancelling a parcel: at once while surely nothing is signed, and by a no-op on the same number afterwards (rule 6).

use causeway_domain::{clock::Millis, lane::LaneId, parcel::ParcelState};
use causeway_queue::{Message, Queue, QueueError, QueueName};
use causeway_store::{RowError, Store, StoreError, Write};

use crate::{
    lane::Gate,
    ledger::{AccountId, Owner, Postings, PostingsError},
    message::{SignReason, SignRequest, queues},
    parcel::{CancelAsked, Failure, MoveError, Parcel},
    tracker::Head,
};

/// Asked again within the same span, it is one message.
const ASK_AGAIN_MS: Millis = 30_000;

/// The code of a cancelled transfer.
pub const CANCELLED: &str = "CANCELLED";

/// What cancelling a parcel takes.
#[derive(Debug)]
pub enum Cancel {
    /// Nothing is signed: these writes end it, and its money is free.
    Now(Vec<Write>),
    /// It is signed, or may be: these writes put the wish on record, and the chain decides.
    Asked {
        /// What puts it on record.
        writes: Vec<Write>,
        /// What tells the signer of a number; lost, the sweep says it again. What has no number the sweep tells of.
        request: Option<SignRequest>,
    },
    /// It is cancelled, or being cancelled.
    Already {
        /// What tells the signer once more of a number whose wish is on record: nodes may have refused the no-op that it has.
        request: Option<SignRequest>,
    },
}

/// Tells the signer of a wish that is on record; where that is lost, the sweep says it again.
pub async fn ask_signer(queue: &dyn Queue, request: &SignRequest, now: Millis) -> Result<(), QueueError> {
    let body = serde_json::to_string(request).map_err(|error| QueueError::Refused(error.to_string()))?;
    let dedup = format!("{}:{}:{}", request.lane, request.trace, now / ASK_AGAIN_MS);
    let (group, dedup) = (Some(request.lane.to_string()), Some(dedup));
    let message = Message { body, group, dedup, ..Message::default() };
    queue.publish(QueueName(queues::SIGN_REQUESTS), &[message]).await
}

/// Why a parcel cannot be cancelled.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// It has ended otherwise.
    #[error("it is {} already", .0.as_str())]
    Ended(ParcelState),
    /// It was told as paid and left the chain: nothing but the same payment may be sent (rule 5).
    #[error("it was confirmed and left the chain: the same payment is being sent again")]
    Reopened,
    /// A move that does not exist; a fault of ours.
    #[error(transparent)]
    Move(#[from] MoveError),
    /// Postings that do not balance; a fault of ours.
    #[error(transparent)]
    Postings(#[from] PostingsError),
    /// What must be known of its lane cannot be read.
    #[error(transparent)]
    Unread(#[from] UnreadError),
}

/// Why it is not known whether a parcel without a number is surely unpaid.
#[derive(Debug, thiserror::Error)]
pub enum UnreadError {
    /// Rows cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row does not parse.
    #[error(transparent)]
    Row(#[from] RowError),
}

/// Whether a parcel of the lane that has no number is surely not paid: not where one of the lane's numbers may have done
/// it and the rows do not remember, since they were set back to an earlier time.
pub async fn surely_unpaid(store: &dyn Store, lane: &LaneId, now: Millis) -> Result<bool, UnreadError> {
    let rows = store.get_many(&[Gate::key(lane), Head::key(&lane.network)]).await?;
    let [gate, head] = rows.as_slice() else { return Ok(false) };
    let gate = gate.as_ref().map(|row| row.parse::<Gate>()).transpose()?;
    let head = head.as_ref().map(|row| row.parse::<Head>()).transpose()?;
    Ok(is_sure(gate.as_ref(), head.as_ref(), now))
}

/// As [`surely_unpaid`], from rows that were read. A treasury without a gate was looked at as well, unless it was registered
/// since: its first signer looks.
pub fn is_sure(gate: Option<&Gate>, head: Option<&Head>, now: Millis) -> bool {
    head.is_some_and(|head| head.vouches(now)) && gate.is_none_or(|gate| !gate.is_doubted())
}

/// Cancels a parcel that was read at `version`. `seen`: an operator has looked at the chain, and it has not paid it.
pub async fn cancel(
    store: &dyn Store,
    (parcel, version): (&Parcel, u64),
    asked: CancelAsked,
    seen: bool,
    now: Millis,
) -> Result<Cancel, CancelError> {
    match parcel.state {
        ParcelState::Accepted | ParcelState::Waiting => {
            if !seen && !surely_unpaid(store, &parcel.wallet, now).await? {
                if parcel.cancel.is_some() {
                    return Ok(Cancel::Already { request: None });
                }
                let next = parcel.cancel_wished(asked, now);
                return Ok(Cancel::Asked { writes: vec![parcel.moved_or_noted(version, next)?], request: None });
            }
            let mut writes = release(parcel, now)?;
            let asked = parcel.cancel.clone().unwrap_or(asked);
            let next = Parcel { cancel: Some(asked), ..parcel.cancelled(None, failure(), now) };
            writes.push(parcel.moved(version, next)?);
            Ok(Cancel::Now(writes))
        }
        ParcelState::Assigned => {
            let Some(number) = parcel.number else { return Ok(Cancel::Already { request: None }) };
            let request =
                SignRequest { lane: parcel.wallet.clone(), number, reason: SignReason::Cancel, trace: parcel.trace };
            if parcel.cancel.is_some() {
                return Ok(Cancel::Already { request: Some(request) });
            }
            let write = parcel.noted(version, &parcel.cancel_asked(asked, now))?;
            Ok(Cancel::Asked { writes: vec![write], request: Some(request) })
        }
        ParcelState::Cancelled => Ok(Cancel::Already { request: None }),
        ParcelState::Reopened => Err(CancelError::Reopened),
        ParcelState::Confirmed | ParcelState::Rejected | ParcelState::Failed => Err(CancelError::Ended(parcel.state)),
    }
}

/// The writes that free a parcel's money.
pub(crate) fn release(parcel: &Parcel, now: Millis) -> Result<Vec<Write>, PostingsError> {
    let account = AccountId { owner: Owner::Tenant(parcel.tenant.clone()), asset: parcel.asset.clone() };
    let mut postings = Postings::new();
    postings.release(&account, &parcel.hold, &parcel.id.bare())?;
    postings.writes(now)
}

/// Why a cancelled transfer ended, for its client.
pub fn failure() -> Failure {
    Failure { code: CANCELLED.to_owned(), reason: "it was cancelled as asked; nobody was paid".to_owned() }
}
