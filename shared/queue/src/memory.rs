//! Queues in memory, for tests and the simulation: the same rules as SQS, a clock that the test
//! sets, and faults that the test decides.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use crate::{
    check,
    port::{Depth, Message, Peeked, Queue, QueueError, QueueName},
};

/// How long a FIFO queue swallows repeats of a dedup id (AWS: the deduplication interval).
const DEDUP_WINDOW_MS: u64 = 5 * 60 * 1000;

/// What shall happen to one call of `publish`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It works.
    Pass,
    /// Nothing is stored; the caller hears `Unavailable`.
    RefuseBefore,
    /// Everything is stored, and all the same the caller hears `Unavailable`.
    LoseReply,
    /// Only these positions are stored; the caller hears `Incomplete` with the others.
    AcceptOnly(Vec<usize>),
}

/// Decides on each call of `publish`.
type FaultHook = Box<dyn FnMut(QueueName, &[Message]) -> Fault + Send>;

/// Queues in memory. Clones share the same queues.
#[derive(Clone, Default)]
pub struct MemoryQueue {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    now_ms: u64,
    /// Counts messages and looks, so that ids and handles repeat in a replayed run.
    count: u64,
    queues: BTreeMap<QueueName, Vec<Stored>>,
    /// When each dedup id was first seen.
    seen: BTreeMap<(QueueName, String), u64>,
    fault: Option<FaultHook>,
}

struct Stored {
    id: String,
    message: Message,
    ready_ms: u64,
    receive_count: u32,
}

impl MemoryQueue {
    /// Empty queues at time 0; a queue exists as soon as it is named.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the time that delays and dedup windows are measured by.
    pub fn set_now_ms(&self, now_ms: u64) {
        self.lock().now_ms = now_ms;
    }

    /// Lets the hook decide on every later call of `publish` that keeps the rules.
    pub fn set_fault(&self, hook: impl FnMut(QueueName, &[Message]) -> Fault + Send + 'static) {
        self.lock().fault = Some(Box::new(hook));
    }

    /// Lets every later call of `publish` work.
    pub fn clear_fault(&self) {
        self.lock().fault = None;
    }

    /// Takes every message whose delay is over, oldest first. Delayed ones stay.
    pub fn drain(&self, queue: QueueName) -> Vec<Message> {
        let mut inner = self.lock();
        let now_ms = inner.now_ms;
        let Some(list) = inner.queues.get_mut(&queue) else {
            return Vec::new();
        };
        list.extract_if(.., |stored| stored.ready_ms <= now_ms).map(|stored| stored.message).collect()
    }

    /// How many messages the queue holds, delayed ones included.
    pub fn len(&self, queue: QueueName) -> usize {
        self.lock().queues.get(&queue).map_or(0, Vec::len)
    }

    /// Whether no queue holds a message.
    pub fn is_empty(&self) -> bool {
        self.lock().queues.values().all(Vec::is_empty)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A test that panicked while it held the lock has already failed; others may go on.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.lock();
        let lengths: BTreeMap<_, _> = inner.queues.iter().map(|(name, list)| (name.0, list.len())).collect();
        f.debug_struct("MemoryQueue").field("now_ms", &inner.now_ms).field("lengths", &lengths).finish_non_exhaustive()
    }
}

impl Inner {
    fn decide(&mut self, queue: QueueName, messages: &[Message]) -> Fault {
        self.fault.as_mut().map_or(Fault::Pass, |hook| hook(queue, messages))
    }

    fn store(&mut self, queue: QueueName, message: &Message) {
        if let Some(dedup) = message.dedup.clone() {
            let key = (queue, dedup);
            let repeat =
                self.seen.get(&key).is_some_and(|first_ms| self.now_ms.saturating_sub(*first_ms) < DEDUP_WINDOW_MS);
            if repeat {
                return;
            }
            self.seen.insert(key, self.now_ms);
        }
        let stored = Stored {
            id: self.fresh("message"),
            message: message.clone(),
            ready_ms: self.now_ms + u64::from(message.delay_s) * 1000,
            receive_count: 0,
        };
        self.queues.entry(queue).or_default().push(stored);
    }

    fn fresh(&mut self, what: &str) -> String {
        self.count += 1;
        format!("{what}-{:08}", self.count)
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn publish(&self, queue: QueueName, messages: &[Message]) -> Result<(), QueueError> {
        check::publish(queue, messages)?;
        if messages.is_empty() {
            return Ok(());
        }
        let mut inner = self.lock();
        let fault = inner.decide(queue, messages);
        let accepted = |position: usize| match &fault {
            Fault::Pass | Fault::LoseReply => true,
            Fault::RefuseBefore => false,
            Fault::AcceptOnly(positions) => positions.contains(&position),
        };
        let mut lost = Vec::new();
        for (position, message) in messages.iter().enumerate() {
            if accepted(position) {
                inner.store(queue, message);
            } else {
                lost.push(position);
            }
        }
        match fault {
            Fault::Pass => Ok(()),
            Fault::RefuseBefore => Err(QueueError::Unavailable("refused before the effect".into())),
            Fault::LoseReply => Err(QueueError::Unavailable("reply lost after the effect".into())),
            Fault::AcceptOnly(_) if lost.is_empty() => Ok(()),
            Fault::AcceptOnly(_) => Err(QueueError::Incomplete(lost)),
        }
    }

    async fn depth(&self, queue: QueueName) -> Result<Depth, QueueError> {
        let inner = self.lock();
        let mut depth = Depth::default();
        for stored in inner.queues.get(&queue).into_iter().flatten() {
            if stored.ready_ms <= inner.now_ms {
                depth.ready += 1;
            } else {
                depth.delayed += 1;
            }
        }
        Ok(depth)
    }

    async fn peek(&self, queue: QueueName, most: u8) -> Result<Vec<Peeked>, QueueError> {
        check::peek(most)?;
        let mut inner = self.lock();
        let receipt_handle = inner.fresh("look");
        let now_ms = inner.now_ms;
        let list = inner.queues.entry(queue).or_default();
        let ready = list.iter_mut().filter(|stored| stored.ready_ms <= now_ms);
        Ok(ready
            .take(usize::from(most))
            .map(|stored| {
                stored.receive_count += 1;
                Peeked {
                    message_id: stored.id.clone(),
                    body: stored.message.body.clone(),
                    receive_count: stored.receive_count,
                    receipt_handle: format!("{receipt_handle}-{}", stored.id),
                }
            })
            .collect())
    }
}
