//! Transfers of any tenant, as operators act on them: cancelling.

use causeway_domain::id::TransferId;
use causeway_http::{ApiError, Code, Fields, Principal};
use causeway_state::{
    cancel::{Cancel, CancelError, ask_signer, cancel},
    parcel::{CancelAsked, Parcel},
};
use causeway_store::Item;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    Admin,
    change::{Act, Changed},
    list::parse,
};

/// Rounds against others that move the parcel at the same time.
const ROUNDS_MAX: usize = 4;

/// A transfer whose cancellation an operator asked for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferCancel {
    /// Its name.
    pub transfer_id: String,
    /// Whose.
    pub tenant: String,
    /// The internal word of what is stored; `cancelled` means that its money is free.
    pub state: String,
    /// Whether it was asked for: while the state is not final, the chain has not decided yet.
    pub cancel_requested: bool,
}

impl Admin {
    /// `POST transfers/{id}/cancel`: at once while surely nothing is signed, by a no-op on its number afterwards (rule 6).
    pub async fn cancel_transfer(&self, by: &Principal, id: &str, body: &[u8]) -> Result<TransferCancel, ApiError> {
        let fields = Fields::read(body, &["reason", "unpaid"])?;
        let (reason, seen) = (fields.reason()?, fields.optional_flag("unpaid")?);
        let unknown = || ApiError::of_field(Code::NotFound, "id", "there is no such transfer");
        let id: TransferId = id.parse().map_err(|_| unknown())?;
        for _ in 0..ROUNDS_MAX {
            let row = self.store.get(&Parcel::key(id.parcel)).await.map_err(|error| ApiError::internal(&error))?;
            let row: Item = row.ok_or_else(unknown)?;
            let parcel: Parcel = parse(&row)?;
            let line = parcel.transfers.get(usize::from(id.index)).ok_or_else(unknown)?;
            if parcel.transfers.len() > 1 {
                return Err(conflict("it is paid together with others"));
            }
            let now = self.clock.now_ms();
            let asked = CancelAsked { by: by.user.to_string(), at: now, reason: Some(reason.to_owned()) };
            let (writes, request) = match cancel(&*self.store, (&parcel, row.version()), asked, seen, now).await {
                Ok(Cancel::Now(writes)) => (writes, None),
                Ok(Cancel::Asked { writes, request }) => (writes, request),
                Ok(Cancel::Already) => return Ok(told(id, &parcel)),
                Err(refused @ (CancelError::Ended(_) | CancelError::Reopened)) => {
                    return Err(conflict(&refused.to_string()));
                }
                Err(error @ (CancelError::Move(_) | CancelError::Postings(_) | CancelError::Unread(_))) => {
                    return Err(ApiError::internal(&error));
                }
            };
            let detail = json!({
                "parcel": parcel.id, "tenant": parcel.tenant, "amount": line.amount.format(parcel.decimals),
                "symbol": parcel.symbol, "state": parcel.state.as_str(), "unpaid": seen,
            });
            let act = Act { by, action: "transfers.cancel", target: id.to_string(), reason, detail };
            if let Changed::Done = self.change(&act, &writes).await? {
                if let Some(request) = request
                    && let Err(error) = ask_signer(&*self.queue, &request).await
                {
                    tracing::warn!(trace = %request.trace, error = %error, "not published; the sweep will");
                }
                let row = self.store.get(&Parcel::key(id.parcel)).await.map_err(|error| ApiError::internal(&error))?;
                return Ok(told(id, &parse(&row.ok_or_else(unknown)?)?));
            }
        }
        Err(ApiError::busy())
    }
}

fn told(id: TransferId, parcel: &Parcel) -> TransferCancel {
    TransferCancel {
        transfer_id: id.to_string(),
        tenant: parcel.tenant.to_string(),
        state: parcel.state.as_str().to_owned(),
        cancel_requested: parcel.cancel.is_some(),
    }
}

fn conflict(why: &str) -> ApiError {
    ApiError::of_field(Code::Conflict, "id", format!("it cannot be cancelled: {why}"))
}
