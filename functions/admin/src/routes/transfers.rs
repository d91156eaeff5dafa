//! Routes of transfers.

use axum::{
    Extension, Json,
    extract::{Path, Request, State},
};
use causeway_http::{
    docs::{TransferError, TransferErrors},
    request::read_body,
};

use super::{Answer, Asked, By, Shared, asked};
use crate::{
    list::List,
    remedy::UnpaidRequest,
    transfers::{TransferCancel, WaitingAsked, WaitingTransfer},
};

/// Transfers that wait, of all tenants
///
/// What is looked at again by itself: those that wait for something, say for what; those that are to be published or
/// cancelled again, too.
#[utoipa::path(get, path = "/admin/v1/transfers/waiting", operation_id = "listWaitingTransfers",
    tag = "transfers", params(WaitingAsked), responses(
    (status = 200, description = "A page of transfers; one that went on meanwhile is left out", body = List<WaitingTransfer>),
    (status = 400, description = "`VALIDATION_ERROR`: network, limit, cursor or an unknown parameter", body = TransferError),
    TransferErrors,
))]
pub async fn waiting(State(admin): Shared, page: Asked<WaitingAsked>) -> Answer<List<WaitingTransfer>> {
    Ok(Json(admin.waiting_transfers(asked(page)?).await?))
}

/// Cancels a transfer of any tenant
///
/// Before it is signed it is cancelled at once. Once it is signed, a transaction that pays nobody is to take its place,
/// and the chain decides which of the two it takes. Repeating it is harmless.
#[utoipa::path(post, path = "/admin/v1/transfers/{id}/cancel", operation_id = "cancelAnyTransfer",
    tag = "transfers",
    request_body = UnpaidRequest, params(
    ("id" = String, Path, description = "Its name, `tr_…`"),
), responses(
    (status = 200, description = "Cancelled, or being cancelled", body = TransferCancel),
    (status = 400, description = "`VALIDATION_ERROR`: the reason, or an unknown field", body = TransferError),
    (status = 404, description = "`NOT_FOUND`: there is no such transfer", body = TransferError),
    (status = 409, description = "`CONFLICT`: it has ended otherwise", body = TransferError),
    (status = 413, description = "`BODY_TOO_LARGE`: more than 16 KB", body = TransferError),
    TransferErrors,
))]
pub async fn cancel(
    State(admin): Shared,
    Extension(by): By,
    Path(id): Path<String>,
    request: Request,
) -> Answer<TransferCancel> {
    let body = read_body(request).await?;
    Ok(Json(admin.cancel_transfer(&by, &id, &body).await?))
}
