//! The route of the audit log.

use axum::{Json, extract::State};
use causeway_http::docs::{TransferError, TransferErrors};

use super::{Answer, Asked, Shared, asked};
use crate::{
    audit::AuditRecord,
    list::{List, PageAsked},
};

/// What operators did, newest first
#[utoipa::path(get, path = "/admin/v1/audit", operation_id = "listAudit",
    tag = "audit", params(PageAsked), responses(
    (status = 200, description = "A page of records", body = List<AuditRecord>),
    (status = 400, description = "`VALIDATION_ERROR`: limit, cursor or an unknown parameter", body = TransferError),
    TransferErrors,
))]
pub async fn list(State(admin): Shared, page: Asked<PageAsked>) -> Answer<List<AuditRecord>> {
    Ok(Json(admin.audit(&asked(page)?).await?))
}
