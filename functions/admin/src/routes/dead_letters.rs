//! Routes of dead letters.

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
    dead_letters::{Letter, LetterDetail, LettersAsked},
    lanes::ReasonRequest,
    list::List,
    remedy::UnpaidRequest,
    settle::SettleRequest,
};

/// Dead letters of one status, newest first
#[utoipa::path(get, path = "/admin/v1/dead-letters", operation_id = "listDeadLetters",
    tag = "dead letters", params(LettersAsked), responses(
    (status = 200, description = "A page of dead letters", body = List<Letter>),
    (status = 400, description = "`VALIDATION_ERROR`: status, limit, cursor or an unknown parameter", body = TransferError),
    TransferErrors,
))]
pub async fn list(State(admin): Shared, page: Asked<LettersAsked>) -> Answer<List<Letter>> {
    Ok(Json(admin.dead_letters(asked(page)?).await?))
}

/// One dead letter, with its message and the transfer's state
#[utoipa::path(get, path = "/admin/v1/dead-letters/{id}", operation_id = "showDeadLetter",
    tag = "dead letters",
    params(("id" = String, Path, description = "Its id, `dl_…`")), responses(
    (status = 200, description = "The dead letter", body = LetterDetail),
    (status = 404, description = "`NOT_FOUND`: there is no such dead letter", body = TransferError),
    TransferErrors,
))]
pub async fn show(State(admin): Shared, Path(id): Path<String>) -> Answer<LetterDetail> {
    Ok(Json(admin.dead_letter(&id).await?))
}

/// Publishes a dead letter's message again
///
/// Harmless where what it asks for happened already. After `BUSY` it can be repeated.
#[utoipa::path(post, path = "/admin/v1/dead-letters/{id}/replay", operation_id = "replayDeadLetter",
    tag = "dead letters", request_body = ReasonRequest,
    params(("id" = String, Path, description = "Its id, `dl_…`")), responses(
    (status = 200, description = "Published", body = LetterDetail),
    (status = 400, description = "`VALIDATION_ERROR`: the reason, or an unknown field", body = TransferError),
    (status = 404, description = "`NOT_FOUND`: there is no such dead letter", body = TransferError),
    (status = 409, description = "`CONFLICT`: refunded, discarded, settled, cut, or changed meanwhile", body = TransferError),
    (status = 413, description = "`BODY_TOO_LARGE`: more than 16 KB", body = TransferError),
    TransferErrors,
))]
pub async fn replay(
    State(admin): Shared,
    Extension(by): By,
    Path(id): Path<String>,
    request: Request,
) -> Answer<LetterDetail> {
    let body = read_body(request).await?;
    Ok(Json(admin.replay(&by, &id, &body).await?))
}

/// Releases the held money of a transfer that was never signed
#[utoipa::path(post, path = "/admin/v1/dead-letters/{id}/refund", operation_id = "refundDeadLetter",
    tag = "dead letters", request_body = UnpaidRequest,
    params(("id" = String, Path, description = "Its id, `dl_…`")), responses(
    (status = 200, description = "Released; the transfer is rejected", body = LetterDetail),
    (status = 400, description = "`VALIDATION_ERROR`: the reason, `unpaid`, or an unknown field", body = TransferError),
    (status = 404, description = "`NOT_FOUND`: there is no such dead letter", body = TransferError),
    (status = 409, description = "`CONFLICT`: about no transfer, signed, settled, perhaps paid, or changed meanwhile", body = TransferError),
    (status = 413, description = "`BODY_TOO_LARGE`: more than 16 KB", body = TransferError),
    TransferErrors,
))]
pub async fn refund(
    State(admin): Shared,
    Extension(by): By,
    Path(id): Path<String>,
    request: Request,
) -> Answer<LetterDetail> {
    let body = read_body(request).await?;
    Ok(Json(admin.refund(&by, &id, &body).await?))
}

/// Sets a dead letter aside
#[utoipa::path(post, path = "/admin/v1/dead-letters/{id}/discard", operation_id = "discardDeadLetter",
    tag = "dead letters", request_body = ReasonRequest,
    params(("id" = String, Path, description = "Its id, `dl_…`")), responses(
    (status = 200, description = "Set aside", body = LetterDetail),
    (status = 400, description = "`VALIDATION_ERROR`: the reason, or an unknown field", body = TransferError),
    (status = 404, description = "`NOT_FOUND`: there is no such dead letter", body = TransferError),
    (status = 409, description = "`CONFLICT`: money is held, it was refunded or settled, or changed meanwhile", body = TransferError),
    (status = 413, description = "`BODY_TOO_LARGE`: more than 16 KB", body = TransferError),
    TransferErrors,
))]
pub async fn discard(
    State(admin): Shared,
    Extension(by): By,
    Path(id): Path<String>,
    request: Request,
) -> Answer<LetterDetail> {
    let body = read_body(request).await?;
    Ok(Json(admin.discard(&by, &id, &body).await?))
}

/// Says whether a transaction paid whose final block proves neither
///
/// Only where it succeeded and its logs tell of something other than what was asked for, and only once its block is final.
/// Paid: its transfer is confirmed and its held money is posted. Unpaid: its transfer has failed and the money is free.
/// Look at the chain first: nobody takes it back. Repeating it is harmless.
#[utoipa::path(post, path = "/admin/v1/dead-letters/{id}/settle", operation_id = "settleDeadLetter",
    tag = "dead letters", request_body = SettleRequest,
    params(("id" = String, Path, description = "Its id, `dl_…`")), responses(
    (status = 200, description = "Settled; open still, where others of its transactions are left", body = LetterDetail),
    (status = 400, description = "`VALIDATION_ERROR`: `paid`, `hash`, the reason, or an unknown field", body = TransferError),
    (status = 404, description = "`NOT_FOUND`: there is no such dead letter", body = TransferError),
    (status = 409, description = "`CONFLICT`: `id`: not open, about no final block of the chain, or nothing in it waits for people; `hash`: several do, or not this one; `paid`: settled the other way; or changed meanwhile", body = TransferError),
    (status = 413, description = "`BODY_TOO_LARGE`: more than 16 KB", body = TransferError),
    TransferErrors,
))]
pub async fn settle(
    State(admin): Shared,
    Extension(by): By,
    Path(id): Path<String>,
    request: Request,
) -> Answer<LetterDetail> {
    let body = read_body(request).await?;
    Ok(Json(admin.settle(&by, &id, &body).await?))
}
