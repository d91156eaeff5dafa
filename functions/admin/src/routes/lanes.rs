//! Routes of lanes.

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
    lanes::{DisplaceRequest, Lane, LaneDetail, ReleaseRequest},
    list::{List, PageAsked},
};

/// All lanes of the enabled networks
#[utoipa::path(get, path = "/admin/v1/lanes", operation_id = "listLanes",
    tag = "lanes", params(PageAsked), responses(
    (status = 200, description = "A page of lanes", body = List<Lane>),
    (status = 400, description = "`VALIDATION_ERROR`: limit, cursor or an unknown parameter", body = TransferError),
    TransferErrors,
))]
pub async fn list(State(admin): Shared, page: Asked<PageAsked>) -> Answer<List<Lane>> {
    Ok(Json(admin.lanes(&asked(page)?).await?))
}

/// One lane, with its newest 20 transactions
#[utoipa::path(get, path = "/admin/v1/lanes/{network}/{address}", operation_id = "showLane",
    tag = "lanes", params(
    ("network" = String, Path, description = "The network's name"),
    ("address" = String, Path, description = "The sender's address"),
), responses(
    (status = 200, description = "The lane", body = LaneDetail),
    (status = 404, description = "`NOT_FOUND`: there is no such lane", body = TransferError),
    TransferErrors,
))]
pub async fn show(State(admin): Shared, Path((network, address)): Path<(String, String)>) -> Answer<LaneDetail> {
    Ok(Json(admin.lane(&network, &address).await?))
}

/// Opens a halted lane: what is unsent goes out
#[utoipa::path(post, path = "/admin/v1/lanes/{network}/{address}/release", operation_id = "releaseLane",
    tag = "lanes",
    request_body = ReleaseRequest, params(
    ("network" = String, Path, description = "The network's name"),
    ("address" = String, Path, description = "The sender's address"),
), responses(
    (status = 200, description = "Open", body = Lane),
    (status = 400, description = "`VALIDATION_ERROR`: `from`, `others`, the reason, or an unknown field", body = TransferError),
    (status = 404, description = "`NOT_FOUND`: there is no such lane", body = TransferError),
    (status = 409, description = "`CONFLICT`: the lane is not halted; or it halted before its first number, and neither `from` nor `others` says why that was; or the reverse", body = TransferError),
    (status = 413, description = "`BODY_TOO_LARGE`: more than 16 KB", body = TransferError),
    TransferErrors,
))]
pub async fn release(
    State(admin): Shared,
    Extension(by): By,
    Path((network, address)): Path<(String, String)>,
    request: Request,
) -> Answer<Lane> {
    let body = read_body(request).await?;
    Ok(Json(admin.release_lane(&by, &network, &address, &body).await?))
}

/// Gives up a number that another's transaction took for good: what it was to pay is signed anew
///
/// Only after you have seen, at a final block and from two providers, that none of the number's hashes is on the chain.
/// Where two providers are configured, the tracker does this by itself.
#[utoipa::path(post, path = "/admin/v1/lanes/{network}/{address}/displace", operation_id = "displaceNumber",
    tag = "lanes",
    request_body = DisplaceRequest, params(
    ("network" = String, Path, description = "The network's name"),
    ("address" = String, Path, description = "The sender's address"),
), responses(
    (status = 200, description = "Given up, and the lane goes on; or its `state` is still `halted`: what `takenBy` names is looked at first, ask again in a minute or two", body = Lane),
    (status = 400, description = "`VALIDATION_ERROR`: the number, the hash, the reason, or an unknown field", body = TransferError),
    (status = 404, description = "`NOT_FOUND`: there is no such lane, or no such number", body = TransferError),
    (status = 409, description = "`CONFLICT`: the lane is not halted at that number, its block is not final, or the number has ended; or `takenBy` is missing where nobody knows what took it, is being looked at, is Causeway's as far as rows tell, or is not what a look found", body = TransferError),
    (status = 413, description = "`BODY_TOO_LARGE`: more than 16 KB", body = TransferError),
    TransferErrors,
))]
pub async fn displace(
    State(admin): Shared,
    Extension(by): By,
    Path((network, address)): Path<(String, String)>,
    request: Request,
) -> Answer<Lane> {
    let body = read_body(request).await?;
    Ok(Json(admin.displace(&by, &network, &address, &body).await?))
}
