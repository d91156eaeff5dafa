//! Routes: each request gets its principal, its surface's error shape, and a size bound before anything is read.

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{Path, Query, Request, State, rejection::QueryRejection},
    http::header,
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use causeway_http::{
    ApiError, Principal, Shape, access,
    docs::{TransferError, TransferErrors, WithdrawalError, WithdrawalErrors},
    request::{no_route, read_body},
};
use lambda_http::request::RequestContext;

use crate::{
    Intake, openapi,
    queue_status::QueueStatus,
    transfer::{PageAsked, TransferPage, TransferRequest, TransferStatus, TransferTaken},
    withdrawal::{WithdrawalRequest, WithdrawalStatus, WithdrawalTaken},
};

type Shared = State<Arc<Intake>>;
/// What the gateway says of the request; absent where nobody checked a token.
type Context = Option<Extension<RequestContext>>;

/// All routes of intake.
pub fn router(intake: Arc<Intake>) -> Router {
    Router::new()
        .route("/withdrawal/request", post(request_withdrawal))
        .route("/withdrawal/status/{id}", get(withdrawal_status))
        .route("/withdrawal/cancel/{id}", post(cancel_withdrawal))
        .route("/withdrawal/queue/status", get(queue_status))
        .route("/api/v1/transfers", post(create_transfer).get(list_transfers))
        .route("/api/v1/transfers/{id}", get(transfer_status))
        .route("/api/v1/transfers/{id}/cancel", post(cancel_transfer))
        .route("/openapi.json", get(document))
        .route("/healthz", get(health))
        .fallback(|| async { no_route().respond(Shape::Transfer) })
        .method_not_allowed_fallback(|| async { no_route().respond(Shape::Transfer) })
        .layer(middleware::from_fn(access::log))
        .with_state(intake)
}

/// Asks for a withdrawal
///
/// **Without `Idempotency-Key` each call is a new withdrawal: a client that repeats a call after a timeout pays
/// twice.** With it, the same key and body give the same answer.
#[utoipa::path(post, path = "/withdrawal/request", operation_id = "requestWithdrawal", tag = "withdrawals",
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 128 visible ASCII characters")),
    request_body = WithdrawalRequest, responses(
    // First, since what is said of 403 below says more.
    WithdrawalErrors,
    (status = 201, description = "Taken", body = WithdrawalTaken,
        headers(("Location" = String, description = "Where its status is"))),
    (status = 400, description = "`VALIDATION_ERROR`, `UNKNOWN_NETWORK`, `UNKNOWN_TOKEN`, `LIMIT_EXCEEDED`", body = WithdrawalError),
    (status = 402, description = "`INSUFFICIENT_FUNDS`: the tenant's account has less", body = WithdrawalError),
    (status = 403, description = "`FORBIDDEN`: the role does not allow it; `BLOCKED`: an operator blocked it", body = WithdrawalError),
    (status = 409, description = "`NO_TREASURY`: the tenant has no treasury on that network", body = WithdrawalError),
    (status = 413, description = "`BODY_TOO_LARGE`: more than 16 KB", body = WithdrawalError),
    (status = 422, description = "`IDEMPOTENCY_KEY_REUSED`: the key was used with another body", body = WithdrawalError),
))]
pub(crate) async fn request_withdrawal(State(intake): Shared, context: Context, request: Request) -> Response {
    let answer = async {
        let principal = principal(&intake, context)?;
        let headers = request.headers().clone();
        let body = read_body(request).await?;
        intake.request_withdrawal(&principal, &headers, &body).await
    };
    shaped(answer.await, Shape::Withdrawal)
}

/// How far a withdrawal is
#[utoipa::path(get, path = "/withdrawal/status/{id}", operation_id = "withdrawalStatus", tag = "withdrawals",
    params(("id" = String, Path, description = "Its name, `tx-…`")), responses(
    (status = 200, description = "How far it is", body = WithdrawalStatus),
    (status = 404, description = "`NOT_FOUND`: unknown, or another tenant's", body = WithdrawalError),
    WithdrawalErrors,
))]
pub(crate) async fn withdrawal_status(State(intake): Shared, context: Context, Path(id): Path<String>) -> Response {
    let answer = async { intake.withdrawal_status(&principal(&intake, context)?, &id).await };
    shaped(answer.await, Shape::Withdrawal)
}

/// Cancels a withdrawal
///
/// Before it is signed it is cancelled at once. Once it is signed, a transaction that pays nobody is to take its place:
/// the chain decides which of the two it takes, and the status says so when that is final. Repeating it is harmless.
#[utoipa::path(post, path = "/withdrawal/cancel/{id}", operation_id = "cancelWithdrawal", tag = "withdrawals",
    params(("id" = String, Path, description = "Its name, `tx-…`")), responses(
    (status = 200, description = "It is cancelled, and its money free", body = WithdrawalStatus),
    (status = 202, description = "It is signed, or may be paid: the chain decides", body = WithdrawalStatus),
    (status = 404, description = "`NOT_FOUND`: unknown, or another tenant's", body = WithdrawalError),
    (status = 409, description = "`CONFLICT`: it has ended, or is in a block", body = WithdrawalError),
    WithdrawalErrors,
))]
pub(crate) async fn cancel_withdrawal(State(intake): Shared, context: Context, Path(id): Path<String>) -> Response {
    let answer = async { intake.cancel_withdrawal(&principal(&intake, context)?, &id).await };
    shaped(answer.await, Shape::Withdrawal)
}

/// How much is waiting, and how much is under way
#[utoipa::path(get, path = "/withdrawal/queue/status", operation_id = "queueStatus", tag = "withdrawals", responses(
    (status = 200, description = "The request queues together", body = QueueStatus),
    WithdrawalErrors,
))]
pub(crate) async fn queue_status(State(intake): Shared, context: Context) -> Response {
    let answer = async { intake.queue_status(&principal(&intake, context)?).await };
    shaped(answer.await, Shape::Withdrawal)
}

/// Asks for a transfer
///
/// The same key and body give the same transfer; the same key with another body is refused.
#[utoipa::path(post, path = "/api/v1/transfers", operation_id = "createTransfer", tag = "transfers",
    request_body = TransferRequest, responses(
    // First, since what is said of 403 below says more.
    TransferErrors,
    (status = 202, description = "Taken", body = TransferTaken,
        headers(("Location" = String, description = "Where its status is"))),
    (status = 400, description = "`VALIDATION_ERROR`, `UNKNOWN_NETWORK`, `UNKNOWN_TOKEN`, `LIMIT_EXCEEDED`", body = TransferError),
    (status = 402, description = "`INSUFFICIENT_FUNDS`: the tenant's account has less", body = TransferError),
    (status = 403, description = "`FORBIDDEN`: the role does not allow it; `BLOCKED`: an operator blocked it", body = TransferError),
    (status = 409, description = "`NO_TREASURY`: the tenant has no treasury on that network", body = TransferError),
    (status = 413, description = "`BODY_TOO_LARGE`: more than 16 KB", body = TransferError),
    (status = 422, description = "`IDEMPOTENCY_KEY_REUSED`: the key was used with another body", body = TransferError),
))]
pub(crate) async fn create_transfer(State(intake): Shared, context: Context, request: Request) -> Response {
    let answer = async {
        let principal = principal(&intake, context)?;
        let body = read_body(request).await?;
        intake.create_transfer(&principal, &body).await
    };
    shaped(answer.await, Shape::Transfer)
}

/// The tenant's transfers, newest first, of both surfaces
#[utoipa::path(get, path = "/api/v1/transfers", operation_id = "listTransfers", tag = "transfers", params(PageAsked),
    responses(
    (status = 200, description = "A page of transfers, without confirmations", body = TransferPage),
    (status = 400, description = "`VALIDATION_ERROR`: limit, cursor or an unknown parameter", body = TransferError),
    TransferErrors,
))]
pub(crate) async fn list_transfers(
    State(intake): Shared,
    context: Context,
    asked: Result<Query<PageAsked>, QueryRejection>,
) -> Response {
    let answer = async {
        let principal = principal(&intake, context)?;
        let Query(asked) = asked.map_err(|_| ApiError::field("query", "may have limit (1 to 100) and cursor only"))?;
        intake.list_transfers(&principal, &asked).await
    };
    shaped(answer.await, Shape::Transfer)
}

/// How far a transfer is
#[utoipa::path(get, path = "/api/v1/transfers/{id}", operation_id = "transferStatus", tag = "transfers",
    params(("id" = String, Path, description = "Its name, `tr_…`")), responses(
    (status = 200, description = "How far it is", body = TransferStatus),
    (status = 404, description = "`NOT_FOUND`: unknown, or another tenant's", body = TransferError),
    TransferErrors,
))]
pub(crate) async fn transfer_status(State(intake): Shared, context: Context, Path(id): Path<String>) -> Response {
    let answer = async { intake.transfer_status(&principal(&intake, context)?, &id).await };
    shaped(answer.await, Shape::Transfer)
}

/// Cancels a transfer
///
/// Before it is signed it is cancelled at once. Once it is signed, a transaction that pays nobody is to take its place:
/// the chain decides which of the two it takes, and the status says so when that is final. Repeating it is harmless.
#[utoipa::path(post, path = "/api/v1/transfers/{id}/cancel", operation_id = "cancelTransfer", tag = "transfers",
    params(("id" = String, Path, description = "Its name, `tr_…`")), responses(
    (status = 200, description = "It is cancelled, and its money free", body = TransferStatus),
    (status = 202, description = "It is signed, or may be paid: the chain decides", body = TransferStatus),
    (status = 404, description = "`NOT_FOUND`: unknown, or another tenant's", body = TransferError),
    (status = 409, description = "`CONFLICT`: it has ended, or is in a block", body = TransferError),
    TransferErrors,
))]
pub(crate) async fn cancel_transfer(State(intake): Shared, context: Context, Path(id): Path<String>) -> Response {
    let answer = async { intake.cancel_transfer(&principal(&intake, context)?, &id).await };
    shaped(answer.await, Shape::Transfer)
}

/// This document
#[utoipa::path(get, path = "/openapi.json", operation_id = "document", tag = "service", security(()), responses(
    (status = 200, description = "The OpenAPI document of all routes", body = Object),
))]
pub(crate) async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], openapi::COMMITTED)
}

/// Whether the API answers
#[utoipa::path(get, path = "/healthz", operation_id = "health", tag = "service", security(()), responses(
    (status = 200, description = "`ok`", body = String, content_type = "text/plain"),
))]
pub(crate) async fn health() -> &'static str {
    "ok"
}

fn principal(intake: &Intake, context: Context) -> Result<Principal, ApiError> {
    Principal::of(context.map(|Extension(context)| context).as_ref(), &intake.claims)
}

fn shaped(answer: Result<Response, ApiError>, shape: Shape) -> Response {
    answer.unwrap_or_else(|error| error.respond(shape)).into_response()
}
