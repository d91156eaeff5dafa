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
        let query = Transaction::query_from(lane, gate.consumed, Signed::ROWS_MAX);
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

#[cfg(test)]
mod tests {
    use causeway_domain::{Address, B256, Bytes, Networks, U256, id::TraceId};
    use causeway_state::lane::{Attempt, AttemptKind, Intent};

    use super::*;

    fn network() -> Network {
        let file = include_str!("../../../infra/networks.toml");
        Networks::parse(file, &["ethereum"]).expect("valid").get("ethereum").expect("there").clone()
    }

    fn signed(number: u64, priority: Priority, signed_at: u64) -> Signed {
        let intent = Intent { to: Address::ZERO, value: U256::ZERO, data: Bytes::new(), gas_limit: 21_000 };
        let transaction = Transaction {
            number,
            parcels: Vec::new(),
            intent,
            attempts: 1,
            send: None,
            priority,
            since: 1,
            created_at: 0,
            trace: TraceId::derived(&["t"]),
            outcome: None,
            reopened: 0,
        };
        let fees = causeway_domain::fees::Fees { max_fee_wei: 1, max_priority_wei: 1 };
        let (kind, hash, raw) = (AttemptKind::Payment, B256::ZERO, Bytes::new());
        let attempt = Attempt { number, index: 0, kind, hash, raw, fees, signed_at };
        Signed { transaction, version: 1, attempts: vec![attempt] }
    }

    #[test]
    fn the_lowest_is_stuck_after_as_long_as_its_priority_allows() {
        let (network, gate) = (network(), Gate { seen: 5, ..Gate::new(4, 100) });
        for (priority, times) in [(Priority::High, 1), (Priority::Normal, 2), (Priority::Low, 6)] {
            let long = 12_000 * 5 * times;
            let stuck = |signed_at, now| is_stuck(&network, &gate, &signed(4, priority, signed_at), now);
            assert!(!stuck(0, 100 + long - 1), "{priority:?}: since the lane moved");
            assert!(stuck(0, 100 + long));
            assert!(!stuck(500, 100 + long), "{priority:?}: since it was signed last");
            assert!(!is_stuck(&network, &gate, &signed(5, priority, 0), u64::MAX), "only the lowest is");
        }
        let sent = Gate { replaced_at: 1_000, ..gate };
        assert!(!is_stuck(&network, &sent, &signed(4, Priority::High, 0), 60_500), "since it was replaced");
    }

    #[test]
    fn a_lane_waits_for_a_block_where_nodes_have_its_lowest_or_refuse_its_price() {
        let unsent = Gate::new(4, 0);
        let sent = Gate { seen: 5, ..unsent.clone() };
        let waits = |gate: &Gate, reason| Gate { gate: LaneGate::Waiting { reason, wake_at: 1 }, ..gate.clone() };
        assert!(waits_for_a_block(&sent) && !waits_for_a_block(&unsent));
        assert!(waits_for_a_block(&waits(&sent, WaitReason::ChainUnavailable)));
        assert!(waits_for_a_block(&waits(&unsent, WaitReason::FeeAboveCap)));
        assert!(!waits_for_a_block(&waits(&unsent, WaitReason::TreasuryShort)));
        assert!(!waits_for_a_block(&sent.halted("people look", 9)));
    }
}
