//! Lanes that begin: those whose key was used before begin halted, for people to tell whose that was.

use causeway_chains::{Chain, NumberAt};
use causeway_domain::{Network, lane::LaneId};
use causeway_state::{
    commit::{Done, commit},
    lane::{Counter, Gate, USED_BEFORE, begin_halted},
    tracker::HeaderRow,
};
use futures::future::try_join_all;

use crate::{
    TrackError, Tracker,
    lanes::{LANES_AT_ONCE, found_out},
    lead::{FAILED_MS, Lead},
};

impl Tracker {
    /// Lanes that have not begun although their key was used, as after a restore, begin halted: rows alone would call
    /// unsigned what those numbers may have paid.
    pub(crate) async fn begin_used(
        &self,
        network: &Network,
        chain: &dyn Chain,
        lead: &mut Lead,
    ) -> Result<(), TrackError> {
        for lanes in self.unused(network).await?.chunks(LANES_AT_ONCE) {
            self.keep_lease(network, lead).await?;
            if let Err(error) = self.begin_if_used(network, chain, lanes, lead.head.height).await {
                tracing::warn!(network = %network.id, error = %error, "lanes without a number are asked for once more");
                self.clock.sleep_ms(FAILED_MS).await;
                self.begin_if_used(network, chain, lanes, lead.head.height).await?;
            }
        }
        Ok(())
    }

    /// Asks for these lanes side by side.
    pub(crate) async fn begin_if_used(
        &self,
        network: &Network,
        chain: &dyn Chain,
        lanes: &[LaneId],
        since: u64,
    ) -> Result<(), TrackError> {
        let begun = |lane: LaneId| async move {
            // What only a pool holds may be ours as well.
            if chain.next_number(lane.address, NumberAt::Latest).await?.value == 0
                && chain.next_number(lane.address, NumberAt::Pending).await?.value == 0
            {
                return Ok(());
            }
            tracing::error!(lane = %lane, "{USED_BEFORE}");
            // It follows what is settled, where a node does not tell now.
            let settled = found_out(self.settled_number(network, chain, &lane, since).await, &lane)?;
            let writes = begin_halted(&lane, settled, since, self.clock.now_ms())?;
            // Where a signer has begun it meanwhile, it is as it should be.
            let (Done::Committed | Done::Conflict(_)) = commit(&*self.store, &*self.clock, &writes).await?;
            Ok::<(), TrackError>(())
        };
        // Collected first: a stream that keeps the closure is not provably Send.
        let all: Vec<_> = lanes.iter().cloned().map(begun).collect();
        try_join_all(all).await?;
        Ok(())
    }

    /// Until people say whose they were, a lane's beginning follows the numbers that its key uses, once these cannot leave
    /// the chain any more.
    pub(crate) async fn move_beginning(
        &self,
        network: &Network,
        chain: &dyn Chain,
        lane: &LaneId,
        counter: &Counter,
        height: u64,
    ) -> Result<(), TrackError> {
        let settled = self.settled_number(network, chain, lane, height).await?;
        let Some(row) = self.store.get(&Gate::key(lane)).await? else { return Ok(()) };
        let gate: Gate = row.parse()?;
        if settled <= counter.next || !gate.is_beginning() {
            return Ok(());
        }
        let gate = gate.beginning_at(settled).put(lane, row.version())?;
        let writes = [Counter::begin_at(lane, counter.next, settled), gate];
        // Where people opened it meanwhile, it begins where they said.
        let (Done::Committed | Done::Conflict(_)) = commit(&*self.store, &*self.clock, &writes).await?;
        Ok(())
    }

    /// How many of its numbers a lane's key has used for good, as far as a node tells of a block that the tracker has: one on
    /// a branch that the others left tells of what is on no chain.
    async fn settled_number(
        &self,
        network: &Network,
        chain: &dyn Chain,
        lane: &LaneId,
        height: u64,
    ) -> Result<u64, TrackError> {
        let height = height.saturating_sub(network.settled_depth());
        let Some(then) = chain.holdings(height, lane.address, &[]).await?.value else { return Ok(0) };
        let row = self.store.get(&HeaderRow::key(&network.id, height)).await?;
        let known = row.map(|row| row.parse::<HeaderRow>()).transpose()?.map(|known| known.hash);
        Ok(if known == Some(then.header.hash) { then.number } else { 0 })
    }
}
