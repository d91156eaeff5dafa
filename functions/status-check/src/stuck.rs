//! Numbers that no block takes: the signer is asked to offer more, or to have the same bytes sent again.

use causeway_domain::{
    Network,
    clock::Millis,
    fees::Priority,
    lane::{LaneGate, LaneId},
    verdict::WaitReason,
};
use causeway_state::{
    lane::{Counter, Gate, Signed, Transaction},
    message::{SignReason, SignRequest, queues},
};

use crate::{Post, TrackError, Tracker, lanes::LaneMemory};

/// A lane's stuck number is asked for so often: FIFO queues swallow what is said twice in the same span.
const ASK_AGAIN_MS: u64 = 30_000;
/// Rows of one read: a number and as many attempts as any cap allows.
const ROWS_PER_READ: usize = 60;

impl Tracker {
    /// Asks for a lane's lowest number where no block took it for as long as its priority allows.
    pub(crate) async fn ask_if_stuck(
        &self,
        network: &Network,
        (lane, counter, gate): (&LaneId, &Counter, &Gate),
        memory: &mut LaneMemory,
    ) -> Result<(), TrackError> {
        let now = self.clock.now_ms();
        let since = gate.progress_at.max(gate.replaced_at);
        let early = now < since + network.stuck_after_ms(Priority::High);
        let asked = memory.asked.get(lane).is_some_and(|at| now < at + ASK_AGAIN_MS);
        if gate.consumed >= counter.next || !waits_for_a_block(gate) || early || asked {
            return Ok(());
        }
        let query = Transaction::query_from(lane, gate.consumed, ROWS_PER_READ);
        let Some(signed) = Signed::read(&self.store.query(&query).await?.items)?.into_iter().next() else {
            return Ok(());
        };
        if !is_stuck(network, gate, &signed, now) {
            return Ok(());
        }
        memory.asked.insert(lane.clone(), now);
        let (number, trace) = (signed.transaction.number, signed.transaction.trace);
        tracing::info!(lane = %lane, number, %trace, attempts = signed.transaction.attempts, "no block takes it");
        let body = SignRequest { lane: lane.clone(), number, reason: SignReason::Stuck, trace };
        let dedup = format!("{lane}:{number}:{}:{}", signed.transaction.attempts, now / ASK_AGAIN_MS);
        let post = Post { body, group: Some(lane.to_string()), dedup: Some(dedup) };
        self.publish(queues::SIGN_REQUESTS, vec![post]).await
    }
}

/// Whether what the lane lacks is a block: nodes have its lowest number, or refuse it for its price alone.
fn waits_for_a_block(gate: &Gate) -> bool {
    match &gate.gate {
        LaneGate::Open => gate.consumed < gate.seen,
        LaneGate::Waiting { reason, .. } => gate.consumed < gate.seen || *reason == WaitReason::FeeAboveCap,
        LaneGate::Halted { .. } => false,
    }
}

/// Whether it waits for longer than its priority allows, since it is the lowest, was signed last, or was sent last.
fn is_stuck(network: &Network, gate: &Gate, signed: &Signed, now: Millis) -> bool {
    let signed_at = signed.latest().map_or(now, |attempt| attempt.signed_at);
    let since = gate.progress_at.max(gate.replaced_at).max(signed_at);
    signed.transaction.number == gate.consumed && now >= since + network.stuck_after_ms(signed.transaction.priority)
}
