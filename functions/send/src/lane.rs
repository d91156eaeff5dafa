//! One lane: its unsent numbers in order, until there is none, a hole, or a reason to stop.

use std::sync::PoisonError;

use causeway_chains::{BroadcastOutcome, Chain, NumberAt};
use causeway_domain::{
    clock::Millis,
    id::{TenantId, TraceId},
    lane::{LaneGate, LaneId},
    limits::{QUICK_TRIES_MAX, SWITCH_COPIES},
    verdict::{Verdict, WaitReason},
};
use causeway_queue::{Message, QueueError, QueueName};
use causeway_runtime::metrics;
use causeway_state::{
    commit::{CommitError, Done, commit},
    halt::AND,
    lane::{Attempt, AttemptKind, Gate, Outcome, Signed, Transaction},
    message::{LaneMessage, queues},
    wallet::{Scope, Treasury},
};
use causeway_store::{RowError, StoreError};
use futures::future::join_all;

use crate::Sender;

/// Broadcasts of one message before the lane is published again: an invocation must end in time.
const BROADCASTS_MAX: u32 = 400;
/// The same in time, for nodes that answer late: the function ends at 30 s, three providers in turn take a broadcast 24 s at
/// most, and what has gone out by then must be on record, since a number that no node is known to have is never raised. It
/// also bounds for how long a sender goes on that has read the switches before they were thrown.
const SENDS_FOR_MS: u64 = 4_000;
/// After so long from its start no more no-ops are handed out: those under way take 8 s, whatever providers do.
const NO_OPS_UNTIL_MS: u64 = 16_000;
/// After so long from its start nodes are asked no more for what no-ops would overtake: an answer takes 15 s where two of
/// three providers are silent.
const ASKS_UNTIL_MS: u64 = 10_000;
/// No-ops handed out side by side ahead of their turn.
const NO_OPS_AT_ONCE: usize = 8;
/// Broadcasts between two writes of the gate: what a killed process sends again.
const BROADCASTS_PER_WRITE: u32 = 100;
/// A node that is busy is asked again soon.
const BUSY_MS: u64 = 2_000;
/// A lane that five tries did not move is looked at again.
const TIRED_MS: u64 = 15_000;
/// The longest pause that a node's limit makes a lane take.
const PAUSE_MS_MAX: u64 = 60_000;
/// What was signed so long ago has most likely been handed to a node before.
const AGAIN_AFTER_MS: u64 = 10_000;
/// A switch is opened by a person.
const BLOCKED_MS: u64 = 15_000;
/// Treasuries are topped up, and fees fall, within minutes.
const SHORT_MS: u64 = 30_000;
/// Rounds of merging with what the tracker writes of each block.
const MERGES_MAX: u32 = 10;

/// Why a lane could not be worked off; its message comes again.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Rows cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Rows do not parse.
    #[error(transparent)]
    Row(#[from] RowError),
    /// The gate cannot be written.
    #[error("the gate is not surely written")]
    Commit(#[from] CommitError),
    /// The rest of the lane cannot be announced.
    #[error("the rest of the lane is not announced")]
    Queue(#[from] QueueError),
    /// The network is not enabled here.
    #[error("network {0} is not enabled here")]
    Network(String),
}

/// What a node's answer means for the lane.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// The number is with a node, or used up: go on with the next.
    Seen,
    /// The node misses earlier numbers of ours: look where it stands.
    Behind,
    /// Stop here for now.
    Stop(Verdict),
    /// The number is taken by nobody who is known to be ours: nothing behind it goes out.
    Taken(Verdict),
}

/// A gate's row as it was read or written last.
#[derive(Debug)]
struct Row {
    gate: Gate,
    version: u64,
}

impl Sender {
    /// Sends a lane's unsent bytes.
    pub async fn send_lane(&self, lane: &LaneId) -> Result<(), SendError> {
        let chain = self.chains.get(&lane.network).ok_or_else(|| SendError::Network(lane.network.to_string()))?;
        let (row, paused) = self.read(lane).await?;
        let Some(mut row) = row else { return Ok(()) };
        let mut gate = row.gate.clone();
        let began = self.clock.now_ms();
        let ends_at = began + SENDS_FOR_MS;
        let mut sent = 0;
        let mut stepped_back = false;
        loop {
            let page = self.signed_from(lane, gate.seen).await?;
            let mut unwritten = 0;
            let mut moved = false;
            for signed in page {
                let (now, transaction) = (self.clock.now_ms(), &signed.transaction);
                if transaction.number == gate.seen && is_displaced(transaction) {
                    // Its parcels have other numbers: even if this one were free again, its bytes may never go out.
                    gate = Gate { seen: gate.seen + 1, ..gate };
                    (unwritten, moved) = (unwritten + 1, true);
                    continue;
                }
                let (Some(attempt), true) = (signed.to_send(), transaction.number == gate.seen) else { break };
                if !gate.lets_out(transaction.number, now) {
                    break;
                }
                if paused && attempt.kind == AttemptKind::Payment {
                    self.hand_out_no_ops(lane, &**chain, &gate, began).await;
                    let verdict = Verdict::Wait { reason: WaitReason::Blocked, wake_at: now + BLOCKED_MS };
                    return self.stop(lane, gate, row, &verdict).await;
                }
                if sent >= BROADCASTS_MAX || (sent > 0 && now >= ends_at) {
                    self.write(lane, &mut gate, &mut row).await?;
                    return self.publish_again(lane, &gate).await;
                }
                sent += 1;
                match self.hand_out(lane, &**chain, &signed, attempt, &gate).await {
                    Step::Seen => {
                        gate = Gate { seen: gate.seen + 1, tries: 0, moved_at: now, ..opened(gate) };
                        unwritten += 1;
                        moved = true;
                    }
                    Step::Behind if !stepped_back => {
                        stepped_back = true;
                        gate.seen = self.where_it_stands(lane, &**chain, &gate).await;
                        moved = true;
                        unwritten += 1;
                        break;
                    }
                    Step::Behind => return self.stop(lane, gate, row, &tired(now)).await,
                    Step::Stop(verdict) => {
                        if matches!(verdict, Verdict::Wait { .. }) {
                            self.hand_out_no_ops(lane, &**chain, &gate, began).await;
                        }
                        return self.stop(lane, gate, row, &verdict).await;
                    }
                    Step::Taken(verdict) => return self.stop(lane, gate, row, &verdict).await,
                }
                if unwritten >= BROADCASTS_PER_WRITE {
                    unwritten = 0;
                    if !self.write(lane, &mut gate, &mut row).await? {
                        return self.publish_again(lane, &gate).await;
                    }
                }
            }
            if unwritten > 0 && !self.write(lane, &mut gate, &mut row).await? {
                return self.publish_again(lane, &gate).await;
            }
            if !moved {
                return Ok(());
            }
        }
    }

    /// The lane's gate, and whether people hold back its payments: what cancels goes out all the same.
    async fn read(&self, lane: &LaneId) -> Result<(Option<Row>, bool), SendError> {
        let copy = u8::try_from(self.clock.random() % u128::from(SWITCH_COPIES)).unwrap_or_default();
        let switches = match self.tenant(lane).await? {
            Some(tenant) => Scope::of_payment(&tenant, lane).to_vec(),
            None => vec![Scope::Lane(lane.clone()), Scope::Network(lane.network.clone())],
        };
        let keys = std::iter::once(Gate::key(lane)).chain(switches.iter().map(|scope| scope.copy(copy)));
        let mut rows = self.store.get_many(&keys.collect::<Vec<_>>()).await?.into_iter();
        let Some(row) = rows.next().flatten() else { return Ok((None, false)) };
        let gate = Row { version: row.version(), gate: row.parse()? };
        Ok((Some(gate), rows.any(|switch| switch.is_some())))
    }

    /// Whose lane it is; nobody's where it was never registered.
    async fn tenant(&self, lane: &LaneId) -> Result<Option<TenantId>, SendError> {
        let known = self.memory.tenants.lock().unwrap_or_else(PoisonError::into_inner).get(lane).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let Some(row) = self.store.get(&Treasury::lane_key(lane)).await? else { return Ok(None) };
        let tenant = row.parse::<Treasury>()?.tenant;
        let mut tenants = self.memory.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.insert(lane.clone(), tenant.clone());
        Ok(Some(tenant))
    }

    async fn hand_out(
        &self,
        lane: &LaneId,
        chain: &dyn Chain,
        signed: &Signed,
        attempt: &Attempt,
        gate: &Gate,
    ) -> Step {
        // Whoever was handed it before may have lost it, or keep it to itself: all are handed it now.
        let again = attempt.index > 0 || self.clock.now_ms() >= attempt.signed_at + AGAIN_AFTER_MS;
        let answer =
            if again { chain.broadcast_to_all(&attempt.raw).await } else { chain.broadcast(&attempt.raw).await };
        let (number, hash, trace) = (attempt.number, attempt.hash, signed.transaction.trace);
        tracing::info!(lane = %lane, number, %hash, %trace, outcome = ?answer.outcome, node = answer.provider, "broadcast");
        let now = self.clock.now_ms();
        let wait = |reason, after_ms| Step::Stop(Verdict::Wait { reason, wake_at: now + after_ms });
        match answer.outcome {
            BroadcastOutcome::Accepted | BroadcastOutcome::AlreadyKnown => Step::Seen,
            BroadcastOutcome::NumberTooLow => self.taken(chain, signed, Verdict::Retry { after_ms: BUSY_MS }).await,
            // Where it is not ours that waits there, more is offered, as for any price that is too low.
            BroadcastOutcome::ReplacementUnderpriced => {
                let more = Verdict::Wait { reason: WaitReason::FeeAboveCap, wake_at: now + SHORT_MS };
                self.taken(chain, signed, more).await
            }
            BroadcastOutcome::NumberTooHigh => Step::Behind,
            BroadcastOutcome::Underpriced => wait(WaitReason::FeeAboveCap, SHORT_MS),
            BroadcastOutcome::InsufficientFunds => wait(WaitReason::TreasuryShort, SHORT_MS),
            BroadcastOutcome::Busy { after_ms } => Step::Stop(Verdict::Retry { after_ms: after_ms.unwrap_or(BUSY_MS) }),
            BroadcastOutcome::Refused { reason } => Step::Stop(Verdict::Fatal { reason }),
            BroadcastOutcome::Unknown { detail } => {
                tracing::warn!(lane = %lane, number, detail, tries = gate.tries, "unknown outcome; the same bytes go again");
                Step::Stop(Verdict::Unknown)
            }
        }
    }

    /// What a lane waits for at one number keeps no no-op behind it back: nodes may still have the payment whose place it is
    /// to take, where the lane was set back since. It pays nobody, so that no order is broken, and it goes out again in its
    /// turn: whatever a node answers now is no more than logged. Not where one of the numbers that it overtakes may be
    /// another's, or ours and not remembered: that may pay, or have paid, what the no-op cancels.
    async fn hand_out_no_ops(&self, lane: &LaneId, chain: &dyn Chain, gate: &Gate, began: Millis) {
        if gate.is_doubted() {
            return;
        }
        // They have time of their own: what the lane waits for may have taken a slow provider all of the others'.
        let until = (self.clock.now_ms() + SENDS_FOR_MS).min(began + NO_OPS_UNTIL_MS);
        let mut from = gate.seen;
        let mut overtaken = Vec::new();
        while self.clock.now_ms() < until {
            let page = match self.signed_from(lane, from).await {
                Ok(page) => page,
                // What the lane waits for is written all the same: whoever raises its lowest number looks there.
                Err(error) => {
                    tracing::warn!(lane = %lane, from, error = %error, "no no-ops from here on");
                    return;
                }
            };
            let Some(last) = page.last() else { return };
            from = last.transaction.number + 1;
            let now = self.clock.now_ms();
            let may_go =
                |one: &&Signed| one.transaction.number > gate.seen && gate.lets_out(one.transaction.number, now);
            let no_ops: Vec<_> = page.iter().filter(may_go).filter_map(no_op).collect();
            let Some(farthest) = no_ops.last().map(|(_, attempt)| attempt.number) else {
                overtaken.extend(page);
                continue;
            };
            overtaken.extend(page.iter().filter(|one| one.transaction.number < farthest).cloned());
            let end = self.explained_until(lane, chain, &overtaken, until.min(began + ASKS_UNTIL_MS)).await;
            overtaken = page.iter().filter(|one| one.transaction.number >= farthest).cloned().collect();
            let no_ops: Vec<_> = no_ops.into_iter().filter(|(_, attempt)| attempt.number <= end).collect();
            for some in no_ops.chunks(NO_OPS_AT_ONCE) {
                if self.clock.now_ms() >= until {
                    return;
                }
                join_all(some.iter().map(|(trace, attempt)| async move {
                    let answer = chain.broadcast_to_all(&attempt.raw).await;
                    let (number, hash) = (attempt.number, attempt.hash);
                    tracing::info!(lane = %lane, number, %hash, %trace, outcome = ?answer.outcome, node = answer.provider, "broadcast ahead of its turn");
                }))
                .await;
            }
            if end < farthest {
                return;
            }
        }
    }

    /// The first of these numbers, in their order, that a node's pool or a block has while it knows no attempt of ours for it,
    /// or that could not be asked for in time: no no-op overtakes that one. What a pool has behind a gap no node counts.
    async fn explained_until(&self, lane: &LaneId, chain: &dyn Chain, numbers: &[Signed], until: Millis) -> u64 {
        let Some(first) = numbers.first().map(|one| one.transaction.number) else { return u64::MAX };
        if self.clock.now_ms() >= until {
            return first;
        }
        let Ok(next) = chain.next_number(lane.address, NumberAt::Pending).await else { return first };
        let had = |one: &&Signed| one.transaction.number < next.value && !is_displaced(&one.transaction);
        for some in numbers.iter().filter(had).collect::<Vec<_>>().chunks(NO_OPS_AT_ONCE) {
            let asked = some
                .iter()
                .map(|one| async { (one.transaction.number, self.knows_any(chain, one, until).await == Some(true)) });
            if let Some((number, _)) = join_all(asked).await.into_iter().find(|(_, ours)| !ours) {
                tracing::warn!(lane = %lane, number, "no no-op overtakes what may not be ours");
                return number;
            }
        }
        u64::MAX
    }

    async fn signed_from(&self, lane: &LaneId, from: u64) -> Result<Vec<Signed>, SendError> {
        let page = self.store.query(&Transaction::query_from(lane, from, Signed::ROWS_MAX)).await?;
        Ok(Signed::read(&page.items)?)
    }

    /// The number is taken. By an attempt of ours: the lane goes on. By a stranger's transaction, or by one of ours whose
    /// rows a restore lost: nothing behind it goes out, since what took this number may have paid what is to be paid
    /// there; the tracker finds out (rule 4).
    async fn taken(&self, chain: &dyn Chain, signed: &Signed, otherwise: Verdict) -> Step {
        match self.knows_any(chain, signed, Millis::MAX).await {
            Some(true) => Step::Seen,
            Some(false) => Step::Taken(otherwise),
            None => Step::Stop(Verdict::Unknown),
        }
    }

    /// Whether a node knows one of the number's attempts, waiting or included; nothing where none told it by then.
    async fn knows_any(&self, chain: &dyn Chain, signed: &Signed, until: Millis) -> Option<bool> {
        for attempt in signed.attempts.iter().rev() {
            if self.clock.now_ms() >= until {
                return None;
            }
            if chain.knows(attempt.hash).await.ok()?.value {
                return Some(true);
            }
        }
        Some(false)
    }

    /// Where a node that misses earlier numbers stands: those were lost from its pool and go again. What blocks have used is
    /// not lost: a node that only begins to follow the chain misses all of it.
    async fn where_it_stands(&self, lane: &LaneId, chain: &dyn Chain, gate: &Gate) -> u64 {
        match chain.next_number(lane.address, NumberAt::Pending).await {
            Ok(reply) => reply.value.max(gate.consumed).min(gate.seen),
            Err(_) => gate.seen,
        }
    }

    /// Writes why the lane stops: a row that waits, or a halt (rules 9 and 10).
    async fn stop(&self, lane: &LaneId, gate: Gate, mut row: Row, verdict: &Verdict) -> Result<(), SendError> {
        let now = self.clock.now_ms();
        let tries = gate.tries.saturating_add(1);
        let waiting = |reason, wake_at| Gate { gate: LaneGate::Waiting { reason, wake_at }, tries, ..gate.clone() };
        let next = match verdict {
            Verdict::Wait { reason, wake_at } => {
                if *reason == WaitReason::TreasuryShort {
                    self.metrics.emit(&*self.clock, metrics::TREASURY_SHORT, 1, Some(&lane.network));
                }
                waiting(*reason, *wake_at)
            }
            Verdict::Retry { after_ms } => waiting(WaitReason::ChainUnavailable, now + quick(*after_ms, tries)),
            Verdict::Unknown => waiting(WaitReason::ChainUnavailable, now + quick(BUSY_MS, tries)),
            Verdict::Fatal { reason } => {
                tracing::error!(lane = %lane, number = gate.seen, reason, "refused for good: the lane halts");
                self.metrics.emit(&*self.clock, metrics::LANES_HALTED, 1, Some(&lane.network));
                // A node's own words must not read as another reason.
                let reason = reason.replace(AND, ", ");
                gate.halted(&format!("number {} is refused: {reason}", gate.seen), gate.seen)
            }
        };
        self.write(lane, &mut keep_halt(&gate, next), &mut row).await?;
        Ok(())
    }

    /// Writes the gate, merged with what the tracker wrote of blocks meanwhile; answers whether the lane may go on from
    /// there.
    async fn write(&self, lane: &LaneId, gate: &mut Gate, row: &mut Row) -> Result<bool, SendError> {
        for _ in 0..MERGES_MAX {
            match commit(&*self.store, &*self.clock, &[gate.put(lane, row.version)?]).await? {
                Done::Committed => {
                    *row = Row { gate: gate.clone(), version: row.version + 1 };
                    return Ok(true);
                }
                Done::Conflict(conflicts) => {
                    let Some(theirs) = conflicts.into_iter().find_map(|conflict| conflict.current) else { break };
                    let (version, theirs) = (theirs.version(), theirs.parse()?);
                    // The lane was set back, stopped or opened: their word stands, and what we saw is found out again.
                    let Some(merged) = merged(&row.gate, gate, &theirs) else { break };
                    *gate = merged;
                    *row = Row { gate: theirs, version };
                }
            }
        }
        Ok(false)
    }

    async fn publish_again(&self, lane: &LaneId, gate: &Gate) -> Result<(), SendError> {
        let trace = TraceId::new(&*self.clock);
        let body = LaneMessage { lane: lane.clone(), trace };
        let body = serde_json::to_string(&body).unwrap_or_default();
        let dedup = format!("{lane}:{}:s{}", gate.seen, self.clock.now_ms());
        let message = Message { body, group: Some(lane.to_string()), dedup: Some(dedup), ..Message::default() };
        Ok(self.queue.publish(QueueName(queues::TRANSACTIONS), &[message]).await?)
    }
}

/// What goes out under this number, where that is a no-op.
fn no_op(signed: &Signed) -> Option<(TraceId, &Attempt)> {
    let attempt = signed.to_send().filter(|attempt| attempt.kind == AttemptKind::Cancel)?;
    (!is_displaced(&signed.transaction)).then_some((signed.transaction.trace, attempt))
}

const fn is_displaced(transaction: &Transaction) -> bool {
    matches!(transaction.outcome, Some(Outcome::Displaced { .. }))
}

/// A wait that is over is an open gate; a halt stays.
fn opened(gate: Gate) -> Gate {
    match gate.gate {
        LaneGate::Open | LaneGate::Halted { .. } => gate,
        LaneGate::Waiting { .. } => Gate { gate: LaneGate::Open, ..gate },
    }
}

/// What this sender saw, on top of what somebody else wrote since it read `base`; nothing where that set the lane back,
/// changed whether it may send, or has other bytes sent under one of its numbers than those that this sender knows.
fn merged(base: &Gate, ours: &Gate, theirs: &Gate) -> Option<Gate> {
    let same_bytes = theirs.replaced_at == base.replaced_at;
    let only_further = theirs.gate == base.gate && theirs.seen >= base.seen && same_bytes;
    only_further.then(|| Gate {
        seen: theirs.seen.max(ours.seen),
        gate: ours.gate.clone(),
        tries: ours.tries,
        moved_at: ours.moved_at.max(theirs.moved_at),
        ..theirs.clone()
    })
}

/// A wait never covers a halt.
fn keep_halt(before: &Gate, next: Gate) -> Gate {
    match (&before.gate, &next.gate) {
        (LaneGate::Halted { .. }, LaneGate::Open | LaneGate::Waiting { .. }) => {
            Gate { gate: before.gate.clone(), ..next }
        }
        (LaneGate::Open | LaneGate::Waiting { .. } | LaneGate::Halted { .. }, _) => next,
    }
}

fn tired(now: Millis) -> Verdict {
    Verdict::Wait { reason: WaitReason::ChainUnavailable, wake_at: now + TIRED_MS }
}

/// Quick tries double their pauses; after five of them the lane is left alone for a while. Whatever a node asks for, the wait
/// is bounded: nobody can end it before its time.
fn quick(after_ms: u64, tries: u32) -> u64 {
    if tries > QUICK_TRIES_MAX {
        return TIRED_MS.max(after_ms).min(PAUSE_MS_MAX);
    }
    after_ms.saturating_mul(1 << (tries - 1).min(4)).min(PAUSE_MS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(seen: u64) -> Gate {
        Gate { seen, ..Gate::new(4, 0) }
    }

    #[test]
    fn a_pause_is_bounded_whatever_a_node_asks_for() {
        assert_eq!([1, 2, 3, 5].map(|tries| quick(BUSY_MS, tries)), [2_000, 4_000, 8_000, 32_000]);
        assert_eq!([1, 5, 6, u32::MAX].map(|tries| quick(u64::MAX, tries)), [PAUSE_MS_MAX; 4]);
    }

    #[test]
    fn what_others_wrote_of_blocks_and_what_was_seen_here_both_stand() {
        let (base, ours) = (gate(5), Gate { tries: 2, moved_at: 9, ..gate(8) });
        let theirs = Gate { consumed: 6, moved_at: 7, ..gate(6) };
        let both = merged(&base, &ours, &theirs).expect("only further");
        assert_eq!((both.seen, both.consumed, both.tries, both.moved_at), (8, 6, 2, 9));
    }

    #[test]
    fn what_was_set_back_stopped_opened_or_replaced_meanwhile_stands_alone() {
        let (base, ours) = (gate(5), gate(8));
        let waiting = LaneGate::Waiting { reason: WaitReason::ChainUnavailable, wake_at: 1 };
        for theirs in [
            gate(4),
            gate(5).halted("number 4 is refused", 4),
            Gate { gate: waiting, ..gate(5) },
            Gate { replaced_at: 7, ..gate(5) },
        ] {
            assert_eq!(merged(&base, &ours, &theirs), None, "{theirs:?}");
        }
    }

    #[test]
    fn a_wait_covers_no_halt_and_one_that_is_over_is_open() {
        let halted = gate(5).halted("number 5 is refused", 5);
        let waits = Gate { gate: LaneGate::Waiting { reason: WaitReason::Blocked, wake_at: 1 }, ..gate(5) };
        assert_eq!(keep_halt(&halted, waits.clone()).gate, halted.gate);
        assert_eq!(keep_halt(&halted, opened(waits.clone())).gate, halted.gate);
        assert_eq!(keep_halt(&waits, halted.clone()).gate, halted.gate);
        assert_eq!(opened(waits).gate, LaneGate::Open);
        assert_eq!(opened(halted.clone()).gate, halted.gate);
    }

    #[test]
    fn quick_tries_double_their_pauses_and_end() {
        let pauses: Vec<u64> = (1..=QUICK_TRIES_MAX + 1).map(|tries| quick(BUSY_MS, tries)).collect();
        assert_eq!(pauses, [2_000, 4_000, 8_000, 16_000, 32_000, TIRED_MS]);
        assert_eq!(quick(60_000, QUICK_TRIES_MAX + 1), 60_000, "as long as the node asked for");
    }
}
