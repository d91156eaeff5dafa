//! Blocks that hold something of ours of which nobody told its lane: a node told the block without it, its attempt was adopted
//! later, or a leader wrote it and was replaced before it could tell.

use std::collections::BTreeSet;

use causeway_chains::{BlockAt, Chain, Receipt};
use causeway_domain::{B256, Network, lane::LaneId};
use causeway_state::{
    adopt::watch_of,
    commit::{Done, commit},
    lane::{Attempt, Transaction},
    tracker::{HeaderRow, Inclusion, Watch},
};

use crate::{TrackError, Tracker, lead::Lead};

impl Tracker {
    /// Answers whether the block with this attempt is told, or will be at its depth; a final one is told here. `told` are the
    /// attempts that this look has told. Said twice after a crash, never not at all: the watch is marked last.
    pub(crate) async fn told_late(
        &self,
        network: &Network,
        chain: &dyn Chain,
        lead: &mut Lead,
        (lane, attempt, receipt): (&LaneId, &Attempt, &Receipt),
        told: &mut BTreeSet<B256>,
    ) -> Result<bool, TrackError> {
        let (height, hash) = (receipt.block_number, receipt.block_hash);
        if told.contains(&attempt.hash) {
            return Ok(true);
        }
        let mut rows =
            self.store.get_many(&[HeaderRow::key(&network.id, height), Watch::key(&network.id, attempt.hash)]).await?;
        let (Some(watch), Some(header)) = (rows.pop(), rows.pop()) else { return Ok(false) };
        let Some(watch) = watch.map(|row| row.parse::<Watch>()).transpose()? else {
            return self.watch_again(lane, attempt).await;
        };
        if header.map(|row| row.parse::<HeaderRow>()).transpose()?.is_none_or(|known| known.hash != hash) {
            return Ok(false);
        }
        if height <= lead.head.finalized {
            self.keep_lease(network, lead).await?;
            told.extend(self.tell_final_late(network, chain, (height, hash), attempt.hash).await?);
            return Ok(told.contains(&attempt.hash));
        }
        // A leader to whom a node told only part of the block may have written over the rows of one before.
        let written = watch.block_hash == Some(hash)
            && self.inclusions(network, height, hash).await?.iter().any(|known| known.hash == attempt.hash);
        if written && let Some(block) = lead.ring.get_mut(&height) {
            // Another leader may have written it after this one looked: at its depth it is told from the rows.
            block.inclusions = None;
        }
        Ok(written)
    }

    /// Tells a final block once more, whether or not somebody has: a mark does not prove it. Answers what it told.
    pub(crate) async fn tell_final_late(
        &self,
        network: &Network,
        chain: &dyn Chain,
        (height, hash): (u64, B256),
        attempt: B256,
    ) -> Result<Vec<B256>, TrackError> {
        let Some(block) = chain.block(BlockAt::Hash(hash)).await?.value else { return Ok(Vec::new()) };
        let Some(found) = self.included(network, chain, &block).await? else { return Ok(Vec::new()) };
        let all: Vec<Inclusion> = found.iter().map(|(inclusion, _)| inclusion.clone()).collect();
        if !all.iter().any(|inclusion| inclusion.hash == attempt) {
            // A node that tells the block without it.
            return Ok(Vec::new());
        }
        // The block's other ones may not have been told either, and are marked with it.
        let Some(agreed) = self.tell_final(network, chain, (height, hash), &all).await? else { return Ok(Vec::new()) };
        // What was told of them before the block was final must not hide what is told now.
        let known = self.inclusions(network, height, hash).await?;
        let other = |one: &&Inclusion| known.iter().any(|known| known.hash == one.hash && known != *one);
        let others: Vec<Inclusion> = agreed.iter().filter(other).cloned().collect();
        self.write_later(&network.id, (height, hash), &others).await?;
        let found: Vec<(Inclusion, u64)> =
            agreed.into_iter().zip(found).map(|(one, (_, version))| (one, version)).collect();
        self.write_inclusions(network, &block, &found).await?;
        self.tell_lanes((height, hash), &all).await?;
        Ok(all.into_iter().map(|inclusion| inclusion.hash).collect())
    }

    /// Half a commit is all that is left of an attempt: it is watched again, and told at the next look.
    async fn watch_again(&self, lane: &LaneId, attempt: &Attempt) -> Result<bool, TrackError> {
        let Some(row) = self.store.get(&Transaction::key(lane, attempt.number)).await? else { return Ok(false) };
        let write = watch_of(lane, attempt, row.parse::<Transaction>()?.trace)?;
        match commit(&*self.store, &*self.clock, &[write]).await? {
            Done::Committed | Done::Conflict(_) => Ok(false),
        }
    }
}
