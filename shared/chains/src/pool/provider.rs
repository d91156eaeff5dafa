//! One provider: what it is, how it has been doing, and calls that keep count of it.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alloy_primitives::U64;
use causeway_domain::{Clock, clock::Millis};
use serde_json::{Value, json, value::RawValue};

use super::{
    transport::{Endpoint, Failure, NodeError, Op},
    trial,
};
use crate::{
    classify,
    port::{BroadcastOutcome, Estimate, Reply},
};

/// Failures in a row after which a provider is left alone: one is an accident, three are an outage.
pub(super) const FAILURES_MAX: u32 = 3;
/// How long it is left alone before one call tries it again: shorter than a block on slow networks, and long enough
/// that an outage costs few calls their time limit.
pub(super) const REST_MS: u64 = 5_000;
/// How long a provider that limits us is left alone when it names no time.
const LIMIT_REST_MS: u64 = 1_000;
/// No provider is left alone for longer, whatever it asks for: limits are often lifted early.
const LIMIT_REST_MS_MAX: u64 = 60_000;
/// How often a provider that was behind is asked for its head again.
const BEHIND_RECHECK_MS: u64 = 30_000;

/// Whether a provider serves the network it is listed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Identity {
    #[default]
    Unchecked,
    Right,
    Wrong,
}

#[derive(Debug, Default)]
struct Health {
    identity: Identity,
    height: Option<u64>,
    failures: u32,
    rests_until: Millis,
    limited_until: Millis,
    behind: bool,
    recheck_at: Millis,
    lacks_block_receipts: bool,
}

/// A provider of a pool.
pub(super) struct Provider {
    pub(super) name: String,
    chain_id: u64,
    endpoint: Endpoint,
    clock: Arc<dyn Clock>,
    health: Mutex<Health>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("name", &self.name).field("health", &self.health).finish_non_exhaustive()
    }
}

impl Provider {
    pub(super) fn new(name: String, chain_id: u64, endpoint: Endpoint, clock: Arc<dyn Clock>) -> Self {
        Self { name, chain_id, endpoint, clock, health: Mutex::default() }
    }

    /// Calls a method, if the provider is in service and serves the right network.
    pub(super) async fn call(&self, op: Op, params: &Value) -> Result<Box<RawValue>, Failure> {
        self.admit()?;
        self.identify().await?;
        self.call_unchecked(op, params).await
    }

    /// Whether a call would be made now.
    pub(super) fn in_service(&self) -> bool {
        let now = self.clock.now_ms();
        let health = self.health();
        health.identity != Identity::Wrong && health.limited_until <= now && health.rests_until <= now
    }

    /// An answer with its witness.
    pub(super) fn reply<T>(&self, value: T) -> Reply<T> {
        Reply { value, provider: self.name.clone(), height: self.height() }
    }

    /// Host and port of its address, to tell providers apart; never for a message.
    pub(super) fn host(&self) -> (&str, Option<u16>) {
        self.endpoint.host()
    }

    pub(super) fn height(&self) -> Option<u64> {
        self.health().height
    }

    /// Notes the provider's newest block, as it said itself.
    pub(super) fn saw_head(&self, height: u64) {
        self.health().height = Some(height);
    }

    /// Notes a block that the provider has.
    pub(super) fn saw_block(&self, height: u64) {
        let mut health = self.health();
        health.height = health.height.max(Some(height));
    }

    pub(super) fn is_behind(&self) -> bool {
        self.health().behind
    }

    /// Notes whether others are known to be further.
    pub(super) fn set_behind(&self, behind: bool) {
        let now = self.clock.now_ms();
        let mut health = self.health();
        if !health.behind || health.recheck_at <= now {
            health.recheck_at = now + BEHIND_RECHECK_MS;
        }
        health.behind = behind;
    }

    /// Whether it was behind and has had time to catch up.
    pub(super) fn recheck_due(&self) -> bool {
        let now = self.clock.now_ms();
        let health = self.health();
        health.behind && health.recheck_at <= now
    }

    pub(super) fn lacks_block_receipts(&self) -> bool {
        self.health().lacks_block_receipts
    }

    pub(super) fn set_lacks_block_receipts(&self) {
        self.health().lacks_block_receipts = true;
    }

    /// Notes an answer that cannot be, found where answers are read.
    pub(super) fn nonsense(&self, what: String) -> Failure {
        self.failed();
        Failure::Nonsense(what)
    }

    /// Lets a call through, or says why not. After a rest one call goes first: until it has ended well the others are
    /// held back for another rest, so that a call that is dropped half-way leaves nothing behind.
    fn admit(&self) -> Result<(), Failure> {
        let now = self.clock.now_ms();
        let mut health = self.health();
        if health.identity == Identity::Wrong {
            return Err(wrong_network());
        }
        if health.limited_until > now {
            return Err(Failure::Limited { after_ms: Some(health.limited_until - now) });
        }
        if health.rests_until > now {
            return Err(Failure::Lost("rests after failures".to_owned()));
        }
        if health.failures >= FAILURES_MAX {
            health.rests_until = now + REST_MS;
        }
        Ok(())
    }

    /// On first use: a wrong chain id disables the provider for good, and its height is needed to know a laggard.
    async fn identify(&self) -> Result<(), Failure> {
        if self.health().identity == Identity::Right {
            return Ok(());
        }
        let chain_id = self.quantity(Op::CHAIN_ID).await?;
        if chain_id != self.chain_id {
            tracing::error!(provider = %self.name, chain_id, "a provider serves another network and is not used");
            self.health().identity = Identity::Wrong;
            return Err(wrong_network());
        }
        let height = self.quantity(Op::HEIGHT).await?;
        let mut health = self.health();
        (health.identity, health.height) = (Identity::Right, Some(height));
        Ok(())
    }

    async fn quantity(&self, op: Op) -> Result<u64, Failure> {
        let result = self.call_unchecked(op, &json!([])).await?;
        let quantity: Result<U64, _> = serde_json::from_str(result.get());
        quantity.map(|quantity| quantity.to()).map_err(|_| self.nonsense(format!("{} is not a quantity", op.method)))
    }

    async fn call_unchecked(&self, op: Op, params: &Value) -> Result<Box<RawValue>, Failure> {
        tracing::debug!(target: "calls", service = "rpc", op = op.method, provider = %self.name);
        let result = self.endpoint.call(op, params, self.clock.now_ms()).await.map_err(|failure| match failure {
            Failure::Node(error) => limit_or_node(op, error),
            // Limits are often lifted early, and a lane must not wait for a day because of one.
            Failure::Limited { after_ms } => {
                Failure::Limited { after_ms: after_ms.map(|after_ms| after_ms.min(LIMIT_REST_MS_MAX)) }
            }
            Failure::Lost(_) | Failure::Nonsense(_) => failure,
        });
        match &result {
            Ok(_) | Err(Failure::Node(_)) => self.answered(),
            Err(Failure::Lost(_) | Failure::Nonsense(_)) => self.failed(),
            Err(Failure::Limited { after_ms }) => self.limited(*after_ms),
        }
        result
    }

    fn answered(&self) {
        let mut health = self.health();
        (health.failures, health.rests_until) = (0, 0);
    }

    fn failed(&self) {
        let now = self.clock.now_ms();
        let mut health = self.health();
        health.failures = health.failures.saturating_add(1);
        if health.failures >= FAILURES_MAX {
            health.rests_until = now + REST_MS;
        }
    }

    fn limited(&self, after_ms: Option<u64>) {
        let rest_ms = after_ms.unwrap_or(LIMIT_REST_MS);
        self.health().limited_until = self.clock.now_ms() + rest_ms;
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        // Nothing panics while it holds the lock.
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wrong_network() -> Failure {
    Failure::Nonsense("serves another network".to_owned())
}

/// A rate limit told as a JSON-RPC error. A broadcast's answer is read elsewhere: "the pool is full" limits no reads. What a
/// contract says when it reverts is no word of the node's: it may speak of limits of its own.
fn limit_or_node(op: Op, error: NodeError) -> Failure {
    let busy = matches!(classify::broadcast(Some(error.code), &error.message), BroadcastOutcome::Busy { .. });
    let broadcast = op.method == Op::BROADCAST.method;
    let ran = [Op::ESTIMATE.method, Op::CALL.method].contains(&op.method);
    let reverted = ran && matches!(trial::verdict(&error), Some(Estimate::Reverted { .. }));
    if busy && !broadcast && !reverted { Failure::Limited { after_ms: None } } else { Failure::Node(error) }
}
