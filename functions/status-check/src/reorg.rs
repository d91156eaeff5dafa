//! A reorganisation: back to the last common block under the fence, then every orphan is told, then on.

use std::collections::BTreeMap;

use causeway_chains::{BlockAt, Chain};
use causeway_domain::{B256, Network, id::TraceId, lane::LaneId};
use causeway_state::{
    commit::{Done, commit},
    lane::Gate,
    message::{LaneMessage, Stage, queues},
    tracker::{HeaderRow, Inclusion, OrphanRow, Watch},
};
use causeway_store::{Expect, Item, Update, Write};

use crate::{Post, TrackError, Tracker, lead::Lead};

/// Blocks taken back in one commit: two writes each, under DynamoDB's 100.
const BLOCKS_PER_COMMIT: usize = 40;
/// Watches cleared in one commit.
const WATCHES_PER_COMMIT: usize = 90;

impl Tracker {
    /// Finds the last block in common with the branch on which `parent` is, and moves the head there. What left the chain is
    /// on record before anything else happens, so that a crash loses nothing of it. The branch is walked by hash: heights
    /// would be answered by whichever node is asked, each on its own branch, and the way back would lead too deep.
    pub async fn reorg(
        &self,
        network: &Network,
        chain: &dyn Chain,
        lead: &mut Lead,
        parent: B256,
    ) -> Result<(), TrackError> {
        // A provider that does not know the height lags, and one that has our head does not bear out the branch of another.
        let Some(ours) = chain.block(BlockAt::Number(lead.head.height)).await?.value else { return Ok(()) };
        if ours.header.hash == lead.head.hash {
            return Ok(());
        }
        let mut at = parent;
        let fork = loop {
            // A provider that does not know the block lags, or turned: nothing follows from that.
            let Some(block) = chain.block(BlockAt::Hash(at)).await?.value else { return Ok(()) };
            match lead.ring.get(&block.header.number) {
                Some(ours) if ours.hash == at => break block.header.number,
                Some(_) => at = block.header.parent,
                None => {
                    return Err(TrackError::Stuck(format!(
                        "{} left the known chain below block {}; see the operations guide",
                        network.id, block.header.number
                    )));
                }
            }
        };
        tracing::warn!(network = %network.id, from = lead.head.height, to = fork, "the chain reorganises");
        while lead.head.height > fork {
            let down_to = fork.max(lead.head.height.saturating_sub(BLOCKS_PER_COMMIT as u64));
            self.step_back(network, lead, down_to).await?;
        }
        lead.orphans = true;
        self.tell_orphans(network, lead).await
    }

    async fn step_back(&self, network: &Network, lead: &mut Lead, down_to: u64) -> Result<(), TrackError> {
        let mut writes = Vec::new();
        for height in down_to + 1..=lead.head.height {
            let Some(block) = lead.ring.get(&height) else { continue };
            let orphan = OrphanRow { height, hash: block.hash };
            let key = OrphanRow::key(&network.id, height, block.hash);
            writes.push(Write::Put { key, item: Item::from_fields(&orphan)?, expect: vec![] });
            writes.push(Write::Delete { key: HeaderRow::key(&network.id, height), expect: vec![] });
        }
        let hash = lead.ring.get(&down_to).map(|block| block.hash);
        lead.head.hash = hash.ok_or_else(|| TrackError::Stuck(format!("block {down_to} is not in the ring")))?;
        lead.head.height = down_to;
        lead.head.confirmed = lead.head.confirmed.min(down_to);
        lead.head.finalized = lead.head.finalized.min(down_to);
        self.commit_head(network, lead, writes).await?;
        lead.ring.retain(|height, _| *height <= down_to);
        Ok(())
    }

    /// Tells every block that left the chain: watches back, lanes back, settle told, bytes announced anew.
    pub async fn tell_orphans(&self, network: &Network, lead: &mut Lead) -> Result<(), TrackError> {
        loop {
            let rows = self.store.query(&OrphanRow::query(&network.id)).await?.items;
            if rows.is_empty() {
                lead.orphans = false;
                return Ok(());
            }
            for row in rows {
                let orphan: OrphanRow = row.parse()?;
                let inclusions = self.inclusions(network, orphan.height, orphan.hash).await?;
                for part in inclusions.chunks(WATCHES_PER_COMMIT) {
                    self.clear_watches(network, &orphan, part).await?;
                }
                self.publish_stage(network, orphan.height, orphan.hash, Stage::Reorged, &inclusions).await?;
                self.send_again(&inclusions).await?;
                let key = OrphanRow::key(&network.id, orphan.height, orphan.hash);
                let done = Write::Delete { key, expect: vec![] };
                match commit(&*self.store, &*self.clock, &[done]).await? {
                    Done::Committed | Done::Conflict(_) => {}
                }
            }
        }
    }

    /// Watches forget the orphan; one that was included anew meanwhile keeps its new block.
    async fn clear_watches(
        &self,
        network: &Network,
        orphan: &OrphanRow,
        inclusions: &[Inclusion],
    ) -> Result<(), TrackError> {
        let keys: Vec<_> = inclusions.iter().map(|inclusion| Watch::key(&network.id, inclusion.hash)).collect();
        let mut writes = Vec::new();
        for (key, row) in keys.iter().zip(self.store.get_many(&keys).await?) {
            let Some(row) = row else { continue };
            let watch: Watch = row.parse()?;
            if watch.block_hash == Some(orphan.hash) {
                writes.push(Write::Update {
                    key: key.clone(),
                    update: Update { remove: vec!["height", "block_hash"], ..Update::default() },
                    expect: vec![Expect::Version(row.version())],
                });
            }
        }
        if writes.is_empty() {
            return Ok(());
        }
        match commit(&*self.store, &*self.clock, &writes).await? {
            Done::Committed => Ok(()),
            Done::Conflict(_) => Err(TrackError::Lost),
        }
    }

    /// The same bytes go again from the lowest number that left (rule 5).
    async fn send_again(&self, inclusions: &[Inclusion]) -> Result<(), TrackError> {
        let mut lowest: BTreeMap<&LaneId, u64> = BTreeMap::new();
        for inclusion in inclusions {
            let number = lowest.entry(&inclusion.lane).or_insert(inclusion.number);
            *number = inclusion.number.min(*number);
        }
        for (lane, number) in lowest {
            let back =
                |gate: &Gate, now| Some(gate.consumed(gate.consumed.min(number), now).sent_again_from(number, now));
            if let Some(gate) = self.update_gate(lane, back).await? {
                self.publish_lane(lane, &gate).await?;
            }
        }
        Ok(())
    }

    /// "This lane has unsent bytes", with a dedup id that only this publication has.
    pub(crate) async fn publish_lane(&self, lane: &LaneId, gate: &Gate) -> Result<(), TrackError> {
        let body = LaneMessage { lane: lane.clone(), trace: TraceId::new(&*self.clock) };
        let dedup = format!("{lane}:{}:{}", gate.seen, gate.publications);
        self.publish(queues::TRANSACTIONS, vec![Post { body, group: Some(lane.to_string()), dedup: Some(dedup) }]).await
    }
}
