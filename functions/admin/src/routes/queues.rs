//! Routes of queues.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use causeway_http::{
    Shape,
    docs::{TransferError, TransferErrors, WithdrawalErrors},
};

use super::{Answer, Asked, Shared, asked};
use crate::{
    list::{List, PageAsked},
    queues::{QueueDepth, QueueItems},
};

/// How full every queue is
#[utoipa::path(get, path = "/admin/v1/queues", operation_id = "listQueues",
    tag = "queues", params(PageAsked), responses(
    (status = 200, description = "All queues, on one page", body = List<QueueDepth>),
    (status = 400, description = "`VALIDATION_ERROR`: an unknown parameter", body = TransferError),
    TransferErrors,
))]
pub async fn list(State(admin): Shared, page: Asked<PageAsked>) -> Answer<List<QueueDepth>> {
    asked(page)?;
    Ok(Json(admin.queues().await?))
}

/// A look at what clients wait for
///
/// Nothing is consumed, but looking raises a message's receive count: at most one look a second for each process,
/// else `BUSY`.
#[utoipa::path(get, path = "/withdrawal/queue/items", operation_id = "lookIntoQueues",
    tag = "withdrawals", responses(
    (status = 200, description = "Up to ten messages and ten waiting transfers", body = QueueItems),
    WithdrawalErrors,
))]
pub async fn items(State(admin): Shared) -> Response {
    match admin.queue_items().await {
        Ok(items) => Json(items).into_response(),
        Err(error) => error.respond(Shape::Withdrawal),
    }
}
