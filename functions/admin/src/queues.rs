//! Queues: how full they are, and a look at what clients wait for.

use std::sync::{Mutex, PoisonError};

use causeway_domain::{Network, clock::Millis, limits::PEEK_MESSAGES_MAX, verdict::WaitReason};
use causeway_http::{ApiError, Code, time::iso};
use causeway_queue::{Peeked, QueueError, QueueName};
use causeway_state::{
    message::queues,
    parcel::{DUE_SHARDS, Parcel},
    tables::{DUE, TRANSFERS},
    wallet::Treasury,
};
use causeway_store::{Key, Query, Range};
use futures::future::try_join_all;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Admin,
    list::{List, readable},
};

/// Every queue of the topology; a test holds this against it.
pub const ALL: [&str; 10] = [
    queues::TRANSFERS_HIGH,
    queues::TRANSFERS_NORMAL,
    queues::TRANSFERS_LOW,
    queues::TRANSACTIONS,
    queues::SIGN_REQUESTS,
    queues::CHAIN_EVENTS,
    queues::TRANSFERS_DEAD,
    queues::TRANSACTIONS_DEAD,
    queues::SIGN_REQUESTS_DEAD,
    queues::CHAIN_EVENTS_DEAD,
];

/// A look raises receive counts, so there is at most one in so many milliseconds.
const LOOK_EVERY_MS: u64 = 1_000;
/// Waiting rows told.
const WAITING_MAX: usize = 10;
/// Rows looked at in each partition of the due index.
const DUE_ROWS: usize = 20;
/// Lanes of a network whose waits for room are looked at.
const LANES_MAX: usize = 20;
/// Characters of a receipt handle that are shown: enough to tell two apart, not enough to use one.
const HANDLE_CHARS: usize = 12;

/// When somebody last looked into the queues.
#[derive(Debug, Default)]
pub struct Looks(Mutex<Option<Millis>>);

impl Looks {
    /// Takes the only look of this second.
    fn take(&self, now: Millis) -> Result<(), ApiError> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| now.abs_diff(last) < LOOK_EVERY_MS) {
            return Err(ApiError::new(Code::Busy, "looking raises receive counts; once a second is enough"));
        }
        *last = Some(now);
        Ok(())
    }
}

/// How full a queue is, approximately (SQS).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueDepth {
    /// The queue.
    pub queue: String,
    /// Ready to be received.
    pub ready: u64,
    /// Received and not yet acknowledged.
    pub in_flight: u64,
    /// Delayed.
    pub delayed: u64,
}

/// What clients wait for.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueueItems {
    /// Up to ten messages of the request queues, the urgent ones first; they stay where they are.
    pub items: Vec<QueueItem>,
    /// Up to ten transfers that wait, the next to be looked at first.
    pub waiting: Vec<WaitingItem>,
}

/// A message in a request queue.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueItem {
    /// The queue's id of the message.
    pub message_id: String,
    /// The beginning of this look's handle.
    pub receipt_handle: String,
    /// How often it was received, this look included.
    pub receive_count: u32,
    /// The body.
    pub body: String,
}

/// A transfer that waits.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitingItem {
    /// The transfer.
    pub id: String,
    /// What it waits for.
    #[schema(example = "fee_above_cap")]
    pub reason: String,
    /// When it is looked at again at the latest; ISO 8601.
    pub wake_at: String,
}

impl Admin {
    /// `GET queues`
    pub async fn queues(&self) -> Result<List<QueueDepth>, ApiError> {
        let depths = ALL.map(|queue| async move {
            let depth = self.queue.depth(QueueName(queue)).await?;
            Ok::<_, QueueError>(QueueDepth {
                queue: queue.to_owned(),
                ready: depth.ready,
                in_flight: depth.in_flight,
                delayed: depth.delayed,
            })
        });
        try_join_all(depths).await.map(List::whole).map_err(|error| ApiError::internal(&error))
    }

    /// `GET /withdrawal/queue/items`
    pub async fn queue_items(&self) -> Result<QueueItems, ApiError> {
        self.looks.take(self.clock.now_ms())?;
        let mut items = Vec::new();
        for queue in queues::REQUESTS {
            let left = PEEK_MESSAGES_MAX.saturating_sub(u8::try_from(items.len()).unwrap_or(u8::MAX));
            if left > 0 {
                let peeked = self.queue.peek(QueueName(queue), left).await;
                items.extend(peeked.map_err(|error| ApiError::internal(&error))?.into_iter().map(item));
            }
        }
        Ok(QueueItems { items, waiting: self.waiting().await? })
    }

    async fn waiting(&self) -> Result<Vec<WaitingItem>, ApiError> {
        let mut partitions = Vec::new();
        for network in self.networks.iter() {
            partitions.extend((0..DUE_SHARDS).map(|shard| Parcel::due_pk(&network.id, shard)));
            partitions.extend(self.room_partitions(network).await?);
        }
        let looks = partitions.into_iter().map(|pk| async move {
            let query = Query { limit: DUE_ROWS, ..Query::index(TRANSFERS, DUE, pk, Range::All) };
            self.store.query(&query).await
        });
        let pages = try_join_all(looks).await.map_err(|error| ApiError::internal(&error))?;
        let rows = pages.iter().flat_map(|page| &page.items);
        let keys: Vec<Key> = rows.filter_map(|row| row.text("pk")).map(|pk| Key::new(TRANSFERS, pk, "PCL")).collect();
        let mut waiting = Vec::new();
        for row in self.read(&keys).await?.into_iter().flatten() {
            let Some(parcel) = readable::<Parcel>(&row) else { continue };
            // The index is a hint, and holds what is to be published again too.
            if let Some(wait) = &parcel.wait {
                waiting.push((wait.wake_at, wait.reason, parcel.transfer_id(0)));
            }
        }
        waiting.sort_by_key(|(wake_at, _, id)| (*wake_at, *id));
        waiting.truncate(WAITING_MAX);
        let told = |(wake_at, reason, id): (Millis, WaitReason, causeway_domain::id::TransferId)| WaitingItem {
            id: id.to_string(),
            reason: wait_word(reason),
            wake_at: iso(wake_at),
        };
        Ok(waiting.into_iter().map(told).collect())
    }

    /// Those that wait for room on a lane lie apart, by lane.
    async fn room_partitions(&self, network: &Network) -> Result<Vec<String>, ApiError> {
        let query = Query { limit: LANES_MAX, ..Treasury::query_network(&network.id) };
        let page = self.store.query(&query).await.map_err(|error| ApiError::internal(&error))?;
        Ok(page.items.iter().filter_map(Treasury::lane_at).map(|lane| Parcel::lane_wait_pk(&lane)).collect())
    }
}

fn item(peeked: Peeked) -> QueueItem {
    let Peeked { message_id, body, receive_count, receipt_handle } = peeked;
    let shown: String = receipt_handle.chars().take(HANDLE_CHARS).collect();
    QueueItem { message_id, receipt_handle: format!("{shown}…"), receive_count, body }
}

/// A wait's reason as it is stored and told.
pub fn wait_word(reason: WaitReason) -> String {
    serde_json::to_value(reason).ok().and_then(|word| word.as_str().map(ToOwned::to_owned)).unwrap_or_default()
}
