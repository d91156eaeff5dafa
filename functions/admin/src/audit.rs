//! The audit log, newest records first.

use causeway_http::{ApiError, time::iso};
use causeway_state::audit::Record;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    Admin,
    list::{List, PageAsked, parse},
};

/// What somebody did.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditRecord {
    /// Position in the log, from 1.
    pub seq: u64,
    /// ISO 8601.
    pub at: String,
    /// Who.
    pub by: String,
    /// What, such as `accounts.credit`.
    pub action: String,
    /// On what.
    pub target: String,
    /// Why.
    pub reason: String,
    /// What else belongs to it.
    #[schema(value_type = Object)]
    pub detail: Value,
    /// Hash over the record's fields and the hash before.
    pub hash: String,
    /// Hash of the record before; zero for the first.
    pub previous: String,
}

impl Admin {
    /// `GET audit`
    pub async fn audit(&self, asked: &PageAsked) -> Result<List<AuditRecord>, ApiError> {
        let page = self.page(asked, vec![Record::query_newest()]).await?;
        page.try_map(|row| {
            let record: Record = parse(&row)?;
            Ok(AuditRecord {
                seq: record.seq,
                at: iso(record.at),
                hash: record.hash().to_string(),
                previous: record.previous.to_string(),
                detail: serde_json::from_str(&record.detail).unwrap_or_default(),
                by: record.by,
                action: record.action,
                target: record.target,
                reason: record.reason,
            })
        })
    }
}
