//! Cancelling a parcel: at once while nothing is signed, and by a no-op on the same number afterwards (rule 6).

use causeway_domain::{clock::Millis, parcel::ParcelState};
use causeway_queue::{Message, Queue, QueueError, QueueName};
use causeway_store::Write;

use crate::{
    ledger::{AccountId, Owner, Postings, PostingsError},
    message::{SignReason, SignRequest, queues},
    parcel::{CancelAsked, Failure, MoveError, Parcel},
};

/// The code of a cancelled transfer.
pub const CANCELLED: &str = "CANCELLED";

/// What cancelling a parcel takes.
#[derive(Debug)]
pub enum Cancel {
    /// Nothing is signed: these writes end it, and its money is free.
    Now(Vec<Write>),
    /// It is signed: these writes put the wish on record, and a signer is to be told. Which of the two the chain
    /// takes, the chain decides.
    Asked {
        /// What puts it on record.
        writes: Vec<Write>,
        /// What tells the signer; lost, the sweep says it again.
        request: SignRequest,
    },
    /// It is cancelled, or being cancelled.
    Already,
}

/// Tells the signer of a wish that is on record; where that is lost, the sweep says it again.
pub async fn ask_signer(queue: &dyn Queue, request: &SignRequest) -> Result<(), QueueError> {
    let body = serde_json::to_string(request).map_err(|error| QueueError::Refused(error.to_string()))?;
    let (group, dedup) = (Some(request.lane.to_string()), Some(format!("{}:{}", request.lane, request.trace)));
    let message = Message { body, group, dedup, ..Message::default() };
    queue.publish(QueueName(queues::SIGN_REQUESTS), &[message]).await
}

/// Why a parcel cannot be cancelled.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// It has ended otherwise.
    #[error("it is {} already", .0.as_str())]
    Ended(ParcelState),
    /// It was told as paid and left the chain: nothing but the same bytes may be sent (rule 5).
    #[error("it was confirmed and left the chain: the same transaction is being sent again")]
    Reopened,
    /// A move that does not exist; a fault of ours.
    #[error(transparent)]
    Move(#[from] MoveError),
    /// Postings that do not balance; a fault of ours.
    #[error(transparent)]
    Postings(#[from] PostingsError),
}

/// Cancels a parcel that was read at `version`.
pub fn cancel(parcel: &Parcel, version: u64, asked: CancelAsked, now: Millis) -> Result<Cancel, CancelError> {
    match parcel.state {
        ParcelState::Accepted | ParcelState::Waiting => {
            let mut writes = release(parcel, now)?;
            let next = Parcel { cancel: Some(asked), ..parcel.cancelled(None, failure(), now) };
            writes.push(parcel.moved(version, next)?);
            Ok(Cancel::Now(writes))
        }
        ParcelState::Assigned => {
            let (None, Some(number)) = (&parcel.cancel, parcel.number) else { return Ok(Cancel::Already) };
            let request =
                SignRequest { lane: parcel.wallet.clone(), number, reason: SignReason::Cancel, trace: parcel.trace };
            let write = parcel.noted(version, &parcel.cancel_asked(asked, now))?;
            Ok(Cancel::Asked { writes: vec![write], request })
        }
        ParcelState::Cancelled => Ok(Cancel::Already),
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
