//! The port itself.

use async_trait::async_trait;

/// A queue's logical name; the physical one carries the environment's prefix. FIFO names end in `.fifo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueName(pub &'static str);

impl QueueName {
    /// Whether the queue keeps order within a group.
    pub fn is_fifo(self) -> bool {
        self.0.ends_with(".fifo")
    }
}

/// Bounds of SQS, enforced on both sides (AWS: "Amazon SQS message quotas").
pub mod limits {
    /// Messages of one batch call; `publish` splits longer lists.
    pub const BATCH_MESSAGES_MAX: usize = 10;
    /// Bytes of one message, and of one batch together.
    pub const BATCH_BYTES_MAX: usize = 1024 * 1024;
    /// Seconds a message may be delayed (standard queues only).
    pub const DELAY_S_MAX: u16 = 900;
    /// Characters of a group or dedup id.
    pub const ID_CHARS_MAX: usize = 128;
}

/// A message to publish.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// The body, JSON text.
    pub body: String,
    /// FIFO: the group that keeps order. Standard: whom to be fair to (the tenant).
    pub group: Option<String>,
    /// FIFO only: repeats of this id within five minutes are swallowed.
    pub dedup: Option<String>,
    /// Standard only: seconds before it can be received, at most 900.
    pub delay_s: u16,
    /// Text attributes that travel beside the body (a dead letter's `reason`, the trace).
    pub attributes: Vec<(&'static str, String)>,
}

/// How full a queue is, approximately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// Ready to be received.
    pub ready: u64,
    /// Received and not yet acknowledged.
    pub in_flight: u64,
    /// Delayed.
    pub delayed: u64,
}

/// A message looked at without consuming it. Looking raises its receive count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peeked {
    /// The queue's id of the message.
    pub message_id: String,
    /// The body.
    pub body: String,
    /// How often it was received, this look included.
    pub receive_count: u32,
    /// Handle of this look; only ever shown truncated.
    pub receipt_handle: String,
}

/// Why a call did not (surely) work.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The call breaks a limit or rule of the queue; a fault of ours, nothing was sent.
    #[error("the queue refuses this call: {0}")]
    Refused(String),
    /// These messages (positions) were not surely accepted; the others were.
    #[error("{} messages were not surely accepted", .0.len())]
    Incomplete(Vec<usize>),
    /// Out of reach or throttled.
    #[error("the queue is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Not allowed to.
    #[error("the queue denies this call")]
    Denied(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Queues to publish to.
#[async_trait]
pub trait Queue: Send + Sync + std::fmt::Debug {
    /// Publishes in as few calls as the limits allow, in order.
    async fn publish(&self, queue: QueueName, messages: &[Message]) -> Result<(), QueueError>;

    /// How full the queue is.
    async fn depth(&self, queue: QueueName) -> Result<Depth, QueueError>;

    /// Up to `most` (1 to 10) messages, left where they are.
    async fn peek(&self, queue: QueueName, most: u8) -> Result<Vec<Peeked>, QueueError>;
}
