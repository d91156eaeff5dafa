//! The route of reconciliation.

use axum::{Json, extract::State};
use causeway_http::docs::{TransferError, TransferErrors};

use super::{Answer, Asked, Shared, asked};
use crate::{
    list::{List, PageAsked},
    reconciliation::Reconciliation,
};

/// What does not agree between lanes, parcels, ledger and chain
#[utoipa::path(get, path = "/admin/v1/reconciliation", operation_id = "showReconciliation",
    tag = "accounts", params(PageAsked), responses(
    (status = 200, description = "All networks, on one page", body = List<Reconciliation>),
    (status = 400, description = "`VALIDATION_ERROR`: an unknown parameter", body = TransferError),
    TransferErrors,
))]
pub async fn show(State(admin): Shared, page: Asked<PageAsked>) -> Answer<List<Reconciliation>> {
    asked(page)?;
    Ok(Json(admin.reconciliation().await?))
}
