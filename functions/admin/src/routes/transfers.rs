//! Routes of transfers.

use axum::{
    Extension, Json,
    extract::{Path, Request, State},
};
use causeway_http::{
    docs::{TransferError, TransferErrors},
    request::read_body,
};

use super::{Answer, By, Shared};
use crate::{remedy::UnpaidRequest, transfers::TransferCancel};

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
