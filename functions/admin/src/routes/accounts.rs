//! Routes of accounts.

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
    accounts::{Account, Check, CheckRequest},
    list::{List, PageAsked},
    money::{Direction, Movement, MovementRequest},
};

/// All accounts
#[utoipa::path(get, path = "/admin/v1/accounts", operation_id = "listAccounts",
    tag = "accounts", params(PageAsked), responses(
    (status = 200, description = "A page of accounts", body = List<Account>),
    (status = 400, description = "`VALIDATION_ERROR`: limit, cursor or an unknown parameter", body = TransferError),
    TransferErrors,
))]
pub async fn list(State(admin): Shared, page: Asked<PageAsked>) -> Answer<List<Account>> {
    Ok(Json(admin.accounts(&asked(page)?).await?))
}

/// One tenant's accounts, with its treasuries' and gas accounts
#[utoipa::path(get, path = "/admin/v1/accounts/{tenant}", operation_id = "listTenantAccounts",
    tag = "accounts",
    params(("tenant" = String, Path, description = "Whose"), PageAsked), responses(
    (status = 200, description = "A page of accounts", body = List<Account>),
    (status = 400, description = "`VALIDATION_ERROR`: tenant, limit, cursor or an unknown parameter", body = TransferError),
    TransferErrors,
))]
pub async fn of_tenant(
    State(admin): Shared,
    Path(tenant): Path<String>,
    page: Asked<PageAsked>,
) -> Answer<List<Account>> {
    Ok(Json(admin.tenant_accounts(&tenant, &asked(page)?).await?))
}

/// Adds money that arrived for a tenant
#[utoipa::path(post, path = "/admin/v1/accounts/credit", operation_id = "creditAccount",
    tag = "accounts", request_body = MovementRequest, responses(
    (status = 200, description = "In the ledger; the same answer for a repeat", body = Movement),
    (status = 400, description = "`VALIDATION_ERROR`, `UNKNOWN_NETWORK`, `UNKNOWN_TOKEN`", body = TransferError),
    (status = 409, description = "`NO_TREASURY`: the tenant has no treasury on that network", body = TransferError),
    (status = 413, description = "`BODY_TOO_LARGE`: more than 16 KB", body = TransferError),
    (status = 422, description = "`IDEMPOTENCY_KEY_REUSED`: the key moved something else", body = TransferError),
    TransferErrors,
))]
pub async fn credit(State(admin): Shared, Extension(by): By, request: Request) -> Answer<Movement> {
    let body = read_body(request).await?;
    Ok(Json(admin.move_money(&by, Direction::Credit, &body).await?))
}

/// Takes money away that left a tenant's treasury
#[utoipa::path(post, path = "/admin/v1/accounts/debit", operation_id = "debitAccount",
    tag = "accounts", request_body = MovementRequest, responses(
    (status = 200, description = "In the ledger; the same answer for a repeat", body = Movement),
    (status = 400, description = "`VALIDATION_ERROR`, `UNKNOWN_NETWORK`, `UNKNOWN_TOKEN`", body = TransferError),
    (status = 402, description = "`INSUFFICIENT_FUNDS`: the account has less", body = TransferError),
    (status = 409, description = "`NO_TREASURY`: the tenant has no treasury on that network", body = TransferError),
    (status = 413, description = "`BODY_TOO_LARGE`: more than 16 KB", body = TransferError),
    (status = 422, description = "`IDEMPOTENCY_KEY_REUSED`: the key moved something else", body = TransferError),
    TransferErrors,
))]
pub async fn debit(State(admin): Shared, Extension(by): By, request: Request) -> Answer<Movement> {
    let body = read_body(request).await?;
    Ok(Json(admin.move_money(&by, Direction::Debit, &body).await?))
}

/// Proves that every account agrees with its entries and every commit sums to zero
///
/// In parts: each answer but the last one has a `nextCursor`, with which the next call goes on. It changes nothing.
#[utoipa::path(post, path = "/admin/v1/accounts/check", operation_id = "checkAccounts",
    tag = "accounts", request_body = CheckRequest, responses(
    (status = 200, description = "What was found so far", body = Check),
    (status = 400, description = "`VALIDATION_ERROR`: cursor, or an unknown field", body = TransferError),
    (status = 413, description = "`BODY_TOO_LARGE`: more than 16 KB", body = TransferError),
    TransferErrors,
))]
pub async fn check(State(admin): Shared, request: Request) -> Answer<Check> {
    let body = read_body(request).await?;
    Ok(Json(admin.check_accounts(&body).await?))
}
