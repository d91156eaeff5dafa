//! Routes of treasuries.

use axum::{
    Extension, Json,
    extract::{Request, State},
    http::StatusCode,
};
use causeway_http::{
    docs::{TransferError, TransferErrors},
    request::read_body,
};

use super::{Answer, Asked, By, Shared, asked};
use crate::{
    handler::Refused,
    list::List,
    treasuries::{TreasuriesAsked, TreasuryRegistered, TreasuryRequest, TreasuryShown},
};

/// Treasuries of one tenant, or all
#[utoipa::path(get, path = "/admin/v1/treasuries", operation_id = "listTreasuries",
    tag = "treasuries", params(TreasuriesAsked), responses(
    (status = 200, description = "A page of treasuries", body = List<TreasuryShown>),
    (status = 400, description = "`VALIDATION_ERROR`: tenant, limit, cursor or an unknown parameter", body = TransferError),
    TransferErrors,
))]
pub async fn list(State(admin): Shared, page: Asked<TreasuriesAsked>) -> Answer<List<TreasuryShown>> {
    Ok(Json(admin.treasuries(asked(page)?).await?))
}

/// Lets a wallet pay for a tenant's transfers on a network
#[utoipa::path(post, path = "/admin/v1/treasuries", operation_id = "registerTreasury",
    tag = "treasuries", request_body = TreasuryRequest, responses(
    (status = 201, description = "Registered", body = TreasuryRegistered),
    (status = 400, description = "`VALIDATION_ERROR`, `UNKNOWN_NETWORK`", body = TransferError),
    (status = 409, description = "`CONFLICT`: the address is registered already", body = TransferError),
    (status = 413, description = "`BODY_TOO_LARGE`: more than 16 KB", body = TransferError),
    TransferErrors,
))]
pub async fn register(
    State(admin): Shared,
    Extension(by): By,
    request: Request,
) -> Result<(StatusCode, Json<TreasuryRegistered>), Refused> {
    let body = read_body(request).await?;
    Ok((StatusCode::CREATED, Json(admin.register_treasury(&by, &body).await?)))
}
