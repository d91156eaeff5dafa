//! Cancelling: `POST /api/v1/transfers/{id}/cancel`, `POST /withdrawal/cancel/{id}`.

use axum::http::StatusCode;
use causeway_domain::parcel::Progress;
use causeway_http::{ApiError, Code, Principal};
use causeway_state::{
    cancel::{Cancel, CancelError, ask_signer, cancel},
    commit::{CommitError, Done, commit},
    parcel::{CancelAsked, Parcel},
};
use causeway_store::{Item, Write};

use crate::{Intake, progress::Told};

/// Rounds against others that move the parcel at the same time.
const ROUNDS_MAX: usize = 4;

/// How far a cancellation came at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It is cancelled, and its money free.
    Yes,
    /// It is signed: a no-op is to take its number, and the chain decides which of the two it takes. Or it is not known yet
    /// whether the chain has paid it: then it is cancelled as soon as that is known.
    Asked,
}

impl Cancelled {
    /// How the answer says it.
    pub const fn status_code(self) -> StatusCode {
        match self {
            Self::Yes => StatusCode::OK,
            Self::Asked => StatusCode::ACCEPTED,
        }
    }
}

impl Intake {
    /// Cancels the parcel of a row, if it is the principal's tenant's; `None` where it is not. Repeats are harmless.
    pub async fn cancel(&self, principal: &Principal, row: &Item) -> Result<Option<(Told, Cancelled)>, ApiError> {
        let mut row = row.clone();
        for _ in 0..ROUNDS_MAX {
            let Some(told) = self.tell(principal, &row).await? else { return Ok(None) };
            if told.progress == Progress::Included {
                return Err(conflict("it is in a block already"));
            }
            if told.parcel.transfers.len() > 1 {
                return Err(conflict("it is paid together with others"));
            }
            let now = self.clock.now_ms();
            let asked = CancelAsked { by: principal.user.to_string(), at: now, reason: None };
            let mut request = None;
            let (writes, how) = match cancel(&*self.store, (&told.parcel, row.version()), asked, false, now).await {
                Ok(Cancel::Now(writes)) => (writes, Cancelled::Yes),
                Ok(Cancel::Asked { writes, request: told }) => {
                    request = told;
                    (writes, Cancelled::Asked)
                }
                Ok(Cancel::Already { .. }) => {
                    let how = if told.progress == Progress::Cancelled { Cancelled::Yes } else { Cancelled::Asked };
                    return Ok(Some((told, how)));
                }
                Err(refused @ (CancelError::Ended(_) | CancelError::Reopened)) => {
                    return Err(conflict(&refused.to_string()));
                }
                Err(error @ (CancelError::Move(_) | CancelError::Postings(_) | CancelError::Unread(_))) => {
                    return Err(ApiError::internal(&error));
                }
            };
            let committed = self.commit_cancel(&writes).await?;
            if let (true, Some(request)) = (committed, &request)
                && let Err(error) = ask_signer(&*self.queue, request, now).await
            {
                tracing::warn!(trace = %request.trace, error = %error, "not published; the sweep will");
            }
            if committed {
                // Tables that are set back lose it; whoever sets them back finds it in the log (docs/operations.md).
                tracing::info!(parcel = %told.parcel.id, trace = %told.parcel.trace, at_once = how == Cancelled::Yes, "cancel");
            }
            let again = self.store.get(&Parcel::key(told.parcel.id)).await;
            row = again.map_err(|error| ApiError::internal(&error))?.ok_or_else(unsure)?;
            if committed {
                return Ok(self.tell(principal, &row).await?.map(|told| (told, how)));
            }
        }
        Err(unsure())
    }

    /// Whether it surely happened; `false` where somebody else moved the parcel.
    async fn commit_cancel(&self, writes: &[Write]) -> Result<bool, ApiError> {
        match commit(&*self.store, &*self.clock, writes).await {
            Ok(Done::Committed) => Ok(true),
            Ok(Done::Conflict(_)) => Ok(false),
            Err(CommitError::Busy | CommitError::Unknown) => Err(unsure()),
            Err(error @ CommitError::Store(_)) => Err(ApiError::internal(&error)),
        }
    }
}

/// Cancelling again does no harm, so whoever is not sure repeats.
fn unsure() -> ApiError {
    ApiError::new(Code::Busy, "whether it is being cancelled is not sure; repeat the request")
}

fn conflict(why: &str) -> ApiError {
    ApiError::of_field(Code::Conflict, "id", format!("it cannot be cancelled: {why}"))
}
