//! Routes: each request gets its principal, its surface's error shape, and a size bound before anything is read.

use std::sync::Arc;

use axum::{
    Extension, Router,
    body::{Body, Bytes, to_bytes},
    extract::{Path, Query, Request, State, rejection::QueryRejection},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use causeway_domain::limits::BODY_BYTES_MAX;
use causeway_http::{ApiError, Code, Principal, Shape};
use lambda_http::request::RequestContext;

use crate::{Intake, openapi, transfer::PageAsked};

type Shared = State<Arc<Intake>>;
/// What the gateway says of the request; absent where nobody checked a token.
type Context = Option<Extension<RequestContext>>;

/// All routes of intake.
pub fn router(intake: Arc<Intake>) -> Router {
    Router::new()
        .route("/withdrawal/request", post(request_withdrawal))
        .route("/withdrawal/status/{id}", get(withdrawal_status))
        .route("/withdrawal/queue/status", get(queue_status))
        .route("/api/v1/transfers", post(create_transfer).get(list_transfers))
        .route("/api/v1/transfers/{id}", get(transfer_status))
        .route("/openapi.json", get(|| async { ([(header::CONTENT_TYPE, "application/json")], openapi::COMMITTED) }))
        .route("/healthz", get(|| async { "ok" }))
        .fallback(|| async { not_found().respond(Shape::Transfer) })
        .method_not_allowed_fallback(|| async { not_found().respond(Shape::Transfer) })
        .with_state(intake)
}

async fn request_withdrawal(State(intake): Shared, context: Context, request: Request) -> Response {
    let answer = async {
        let principal = principal(&intake, context)?;
        let headers = request.headers().clone();
        let body = read_body(request).await?;
        intake.request_withdrawal(&principal, &headers, &body).await
    };
    shaped(answer.await, Shape::Withdrawal)
}

async fn withdrawal_status(State(intake): Shared, context: Context, Path(id): Path<String>) -> Response {
    let answer = async { intake.withdrawal_status(&principal(&intake, context)?, &id).await };
    shaped(answer.await, Shape::Withdrawal)
}

async fn queue_status(State(intake): Shared, context: Context) -> Response {
    let answer = async { intake.queue_status(&principal(&intake, context)?).await };
    shaped(answer.await, Shape::Withdrawal)
}

async fn create_transfer(State(intake): Shared, context: Context, request: Request) -> Response {
    let answer = async {
        let principal = principal(&intake, context)?;
        let body = read_body(request).await?;
        intake.create_transfer(&principal, &body).await
    };
    shaped(answer.await, Shape::Transfer)
}

async fn list_transfers(
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

async fn transfer_status(State(intake): Shared, context: Context, Path(id): Path<String>) -> Response {
    let answer = async { intake.transfer_status(&principal(&intake, context)?, &id).await };
    shaped(answer.await, Shape::Transfer)
}

fn principal(intake: &Intake, context: Context) -> Result<Principal, ApiError> {
    Principal::of(context.map(|Extension(context)| context).as_ref(), &intake.claims)
}

async fn read_body(request: Request) -> Result<Bytes, ApiError> {
    let (parts, body): (_, Body) = request.into_parts();
    if declared(&parts.headers).is_some_and(|length| length > BODY_BYTES_MAX) {
        return Err(too_large());
    }
    to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| too_large())
}

fn declared(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large() -> ApiError {
    ApiError::new(Code::BodyTooLarge, format!("the body has more than {BODY_BYTES_MAX} bytes"))
}

fn not_found() -> ApiError {
    ApiError::new(Code::NotFound, "there is no such route")
}

fn shaped(answer: Result<Response, ApiError>, shape: Shape) -> Response {
    answer.unwrap_or_else(|error| error.respond(shape)).into_response()
}
