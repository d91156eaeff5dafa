//! `GET /withdrawal/queue/status`: how much is waiting, how much is under way, without a scan.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use causeway_http::{ApiError, Principal, Role};
use causeway_queue::QueueName;
use causeway_state::{
    lane::{Counter, Gate},
    message::queues,
    wallet::Treasury,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Intake;

/// The request queues together.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueueStatus {
    /// All three priorities.
    #[serde(rename = "tx-request")]
    pub requests: QueueCounts,
}

/// How much.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueueCounts {
    /// Messages in the request queues, approximately (SQS).
    pub size: u64,
    /// Numbers under way on the tenant's lanes: signed and not yet used up by a block.
    pub processing: u64,
}

impl Intake {
    /// `GET /withdrawal/queue/status`
    pub async fn queue_status(&self, principal: &Principal) -> Result<Response, ApiError> {
        principal.must_be(&[Role::Client, Role::Operator])?;
        let mut size = 0;
        for queue in queues::REQUESTS {
            let depth = self.queue.depth(QueueName(queue)).await.map_err(|error| ApiError::internal(&error))?;
            size += depth.ready + depth.in_flight + depth.delayed;
        }
        let page = self.store.query(&Treasury::query_all(&principal.tenant)).await;
        let page = page.map_err(|error| ApiError::internal(&error))?;
        let treasuries = page.items.iter().map(|row| row.parse::<Treasury>()).collect::<Result<Vec<_>, _>>();
        let lanes = treasuries.map_err(|error| ApiError::internal(&error))?;
        let keys: Vec<_> =
            lanes.iter().flat_map(|treasury| [Counter::key(&treasury.lane()), Gate::key(&treasury.lane())]).collect();
        let mut rows = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(100) {
            rows.extend(self.store.get_many(chunk).await.map_err(|error| ApiError::internal(&error))?);
        }
        let number = |row: &Option<causeway_store::Item>, field: &str| {
            let value = row.as_ref().and_then(|row| row.number(field));
            value.and_then(|value| u64::try_from(value).ok())
        };
        let under_way = |pair: &[Option<causeway_store::Item>]| {
            let next = number(&pair[0], "next").unwrap_or(0);
            next.saturating_sub(number(&pair[1], "consumed").unwrap_or(next))
        };
        let processing = rows.chunks(2).map(under_way).sum();
        Ok(Json(QueueStatus { requests: QueueCounts { size, processing } }).into_response())
    }
}
