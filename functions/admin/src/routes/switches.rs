//! Routes of switches.

use axum::{
    Extension, Json,
    extract::{Request, State},
};
use causeway_http::{
    docs::{TransferError, TransferErrors},
    request::read_body,
};

use super::{Answer, Asked, By, Shared, asked};
use crate::{
    list::{List, PageAsked},
    switches::{SwitchRequest, SwitchShown},
};

/// What is blocked, and what is only partly open again
#[utoipa::path(get, path = "/admin/v1/switches", operation_id = "listSwitches",
    tag = "switches", params(PageAsked), responses(
    (status = 200, description = "A page of switches that are thrown, or not yet open everywhere", body = List<SwitchShown>),
    (status = 400, description = "`VALIDATION_ERROR`: limit, cursor or an unknown parameter", body = TransferError),
    TransferErrors,
))]
pub async fn list(State(admin): Shared, page: Asked<PageAsked>) -> Answer<List<SwitchShown>> {
    Ok(Json(admin.switches(&asked(page)?).await?))
}

/// Blocks all payments of a scope, or lets them go on
///
/// Answered when it holds everywhere, also for what is queued already.
#[utoipa::path(post, path = "/admin/v1/switches", operation_id = "throwSwitch",
    tag = "switches", request_body = SwitchRequest, responses(
    (status = 200, description = "It holds everywhere", body = SwitchShown),
    (status = 400, description = "`VALIDATION_ERROR`: a field, or a scope that nobody pays from", body = TransferError),
    (status = 409, description = "`CONFLICT`: somebody else threw it at the same time", body = TransferError),
    (status = 413, description = "`BODY_TOO_LARGE`: more than 16 KB", body = TransferError),
    TransferErrors,
))]
pub async fn throw(State(admin): Shared, Extension(by): By, request: Request) -> Answer<SwitchShown> {
    let body = read_body(request).await?;
    Ok(Json(admin.throw_switch(&by, &body).await?))
}
