//! Lanes: signed but never sent, sent but not seen, and numbers that somebody else used.

use std::collections::BTreeMap;

use causeway_chains::{Chain, NumberAt};
use causeway_domain::{
    Network,
    lane::{LaneGate, LaneId},
};
use causeway_runtime::metrics;
use causeway_state::{
    lane::{Counter, Gate},
    wallet::Treasury,
};
use causeway_store::Query;

use crate::{TrackError, Tracker, lead::Lead};

/// A lane with unsent bytes that nothing moved for so long is announced again.
const SILENT_MS: u64 = 10_000;
/// Lanes of one read: counter and gate each.
const LANES_PER_READ: usize = 50;

/// What lane checks remember from one to the next.
#[derive(Debug, Default)]
pub struct LaneMemory {
    /// Lanes where the chain had used a number that no attempt of ours explains, and which number.
    unexplained: BTreeMap<LaneId, u64>,
}

impl Tracker {
    /// Announces lanes with unsent bytes that nothing moves, and lanes whose wait is over.
    pub async fn sweep_lanes(&self, network: &Network) -> Result<(), TrackError> {
        for (lane, counter, gate) in self.lanes(network).await? {
            let now = self.clock.now_ms();
            let due = match &gate.gate {
                LaneGate::Open => gate.moved_at + SILENT_MS <= now,
                LaneGate::Waiting { wake_at, .. } => *wake_at <= now && gate.moved_at + SILENT_MS.min(2_000) <= now,
                LaneGate::Halted { limit, .. } => gate.seen < *limit && gate.moved_at + SILENT_MS <= now,
            };
            if gate.seen < counter.next && due {
                self.announce(&lane, |gate| Some(gate.clone())).await?;
            }
            self.feed(&lane).await?;
        }
        Ok(())
    }

    /// Holds every lane against the chain: at the start of a leader, and each minute.
    pub async fn check_lanes(&self, network: &Network, chain: &dyn Chain, lead: &mut Lead) -> Result<(), TrackError> {
        let mut halted = 0;
        for (lane, counter, gate) in self.lanes(network).await? {
            let latest = chain.next_number(lane.address, NumberAt::Latest).await?;
            // Blocks the tracker has not worked off explain nothing yet.
            let worked_off = latest.height.is_some_and(|height| height <= lead.head.height);
            let unexplained = latest.value > gate.consumed && worked_off;
            let before = lead.lanes.unexplained.remove(&lane);
            if unexplained && before == Some(gate.consumed) {
                self.halt_foreign(&lane, gate.consumed).await?;
            } else if unexplained {
                lead.lanes.unexplained.insert(lane.clone(), gate.consumed);
            }
            let pending = chain.next_number(lane.address, NumberAt::Pending).await?.value;
            if pending < gate.seen && gate.seen <= counter.next {
                // The node lost some from its pool, or lags: the same bytes again do no harm.
                let floor = pending.max(gate.consumed);
                self.announce(&lane, |gate| Some(Gate { seen: gate.seen.min(floor), ..gate.clone() })).await?;
            }
            halted += u64::from(!gate.takes_more());
        }
        metrics::emit(&*self.clock, "LanesHalted", halted, Some(network.id.as_str()));
        Ok(())
    }

    /// Twice the chain said that a number is used which no attempt of ours explains (rule 4: an operator's case).
    async fn halt_foreign(&self, lane: &LaneId, number: u64) -> Result<(), TrackError> {
        let reason = format!("number {number} was used on chain by a transaction that is not Causeway's");
        tracing::error!(lane = %lane, number, "{reason}");
        self.update_gate(lane, |gate, _| {
            let still = gate.consumed == number && gate.takes_more();
            still.then(|| gate.halted(&reason, number))
        })
        .await?;
        Ok(())
    }

    async fn announce(&self, lane: &LaneId, change: impl Fn(&Gate) -> Option<Gate>) -> Result<(), TrackError> {
        let gate = self
            .update_gate(lane, |gate, now| {
                let next = change(gate)?;
                Some(Gate { publications: next.publications + 1, moved_at: now, ..next })
            })
            .await?;
        match gate {
            Some(gate) => self.publish_lane(lane, &gate).await,
            None => Ok(()),
        }
    }

    /// All lanes of a network that have begun.
    pub(crate) async fn lanes(&self, network: &Network) -> Result<Vec<(LaneId, Counter, Gate)>, TrackError> {
        let mut treasuries: Vec<Treasury> = Vec::new();
        let mut query: Query = Treasury::query_network(&network.id);
        loop {
            let page = self.store.query(&query).await?;
            for row in &page.items {
                treasuries.push(row.parse()?);
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        let mut lanes = Vec::new();
        for chunk in treasuries.chunks(LANES_PER_READ) {
            let ids: Vec<LaneId> = chunk.iter().map(Treasury::lane).collect();
            let keys: Vec<_> = ids.iter().flat_map(|lane| [Counter::key(lane), Gate::key(lane)]).collect();
            let rows = self.store.get_many(&keys).await?;
            for (lane, pair) in ids.into_iter().zip(rows.chunks(2)) {
                if let [Some(counter), Some(gate)] = pair {
                    lanes.push((lane, counter.parse()?, gate.parse()?));
                }
            }
        }
        Ok(lanes)
    }
}
