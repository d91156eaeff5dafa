//! Telling stages: of each block that became deep enough, what of ours it includes.

use std::collections::BTreeSet;

use causeway_chains::Chain;
use causeway_domain::{B256, Network};
use causeway_state::{
    message::{Stage, StageMessage, queues},
    tracker::{HeaderRow, Inclusion, InclusionChunk, parts},
};

use crate::{
    Post, TrackError, Tracker,
    lead::{Lead, Ringed},
};

/// Inclusions of one message: what settle can settle in one commit.
pub const INCLUSIONS_PER_MESSAGE: usize = 20;
/// Heights told in one look: after a long stall of the node's finality there are many, and the lease must be renewed.
const HEIGHTS_PER_TICK: u64 = 200;

impl Tracker {
    /// Tells `confirmed` and `final` up to where the head allows; said twice after a crash, never not at all.
    pub async fn tell_stages(&self, network: &Network, chain: &dyn Chain, lead: &mut Lead) -> Result<(), TrackError> {
        let confirmed = (lead.head.height + 1).saturating_sub(network.confirmed_at);
        let mut last = (lead.head.height + 1).saturating_sub(network.final_at);
        if network.final_tag && !network.second_opinion && lead.head.finalized < last {
            // Both must say so: the depth, and the node's own tag. Success waits for neither.
            last = match chain.finalized().await {
                Ok(reply) => last.min(reply.value.unwrap_or(0)),
                Err(error) => {
                    tracing::warn!(network = %network.id, error = %error, "no word on what is final; nothing is released");
                    lead.head.finalized
                }
            };
        }
        let before = (lead.head.confirmed, lead.head.finalized);
        let confirmed = confirmed.min(before.0 + HEIGHTS_PER_TICK);
        let last = last.min(before.1 + HEIGHTS_PER_TICK);
        let confirmed = self.believed(network, chain, lead, (before.0, confirmed), false).await?;
        let last = self.believed(network, chain, lead, (before.1, last), true).await?;
        while lead.head.confirmed < confirmed {
            self.keep_lease(network, lead).await?;
            let height = lead.head.confirmed + 1;
            let (hash, inclusions) = self.included_at(network, lead, height).await?;
            self.tell_confirmed(network, chain, lead, (height, hash), inclusions).await?;
            lead.head.confirmed = height;
        }
        while lead.head.finalized < last {
            self.keep_lease(network, lead).await?;
            let height = lead.head.finalized + 1;
            let (hash, inclusions) = self.included_at(network, lead, height).await?;
            if self.tell_final(network, chain, (height, hash), &inclusions).await?.is_none() {
                break;
            }
            lead.head.finalized = height;
        }
        if before != (lead.head.confirmed, lead.head.finalized) && self.told_something(lead, before) {
            self.write_head(network, lead).await?;
        }
        Ok(())
    }

    /// Only blocks with something of ours are worth a write of their own; the next head's write carries the others.
    fn told_something(&self, lead: &Lead, before: (u64, u64)) -> bool {
        let told = |from: u64, to: u64| {
            (from + 1..=to).any(|height| {
                let ringed = lead.ring.get(&height);
                ringed.is_none_or(|block| block.inclusions.as_ref().is_none_or(|list| !list.is_empty()))
            })
        };
        told(before.0, lead.head.confirmed) || told(before.1, lead.head.finalized)
    }

    /// The block of a height that is to be told, and what of ours it includes.
    async fn included_at(
        &self,
        network: &Network,
        lead: &Lead,
        height: u64,
    ) -> Result<(B256, Vec<Inclusion>), TrackError> {
        let block = match lead.ring.get(&height) {
            Some(block) => block.clone(),
            // A node whose finality stalls for long is told late: the rows remember longer than the ring.
            None => self.remembered(network, height).await?,
        };
        let inclusions = match block.inclusions {
            Some(inclusions) => inclusions,
            None => self.inclusions(network, height, block.hash).await?,
        };
        Ok((block.hash, inclusions))
    }

    /// A block that is no longer in the ring, from its rows.
    pub(crate) async fn remembered(&self, network: &Network, height: u64) -> Result<Ringed, TrackError> {
        let row = self.store.get(&HeaderRow::key(&network.id, height)).await?;
        let row = row.ok_or_else(|| TrackError::Stuck(format!("block {height} is to be told and has no row")))?;
        Ok(Ringed { hash: row.parse::<HeaderRow>()?.hash, inclusions: None })
    }

    /// What of ours a block includes, from its rows.
    pub(crate) async fn inclusions(
        &self,
        network: &Network,
        height: u64,
        hash: B256,
    ) -> Result<Vec<Inclusion>, TrackError> {
        let mut query = InclusionChunk::query(&network.id, height, hash);
        let (mut inclusions, mut known) = (Vec::new(), BTreeSet::new());
        loop {
            let page = self.store.query(&query).await?;
            for row in &page.items {
                // Leaders to whom nodes told different parts of the block cut it differently.
                let chunk = row.parse::<InclusionChunk>()?.inclusions.into_iter();
                inclusions.extend(chunk.filter(|inclusion| known.insert(inclusion.hash)));
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(inclusions),
            }
        }
    }

    /// Publishes a stage of a block's transactions.
    pub(crate) async fn publish_stage(
        &self,
        network: &Network,
        height: u64,
        block_hash: B256,
        stage: Stage,
        inclusions: &[Inclusion],
    ) -> Result<(), TrackError> {
        let message = |part: &[Inclusion]| {
            let network = network.id.clone();
            let body = StageMessage { network, stage, height, block_hash, inclusions: part.to_vec() };
            Post { body, group: None, dedup: None }
        };
        let parts = parts(inclusions, INCLUSIONS_PER_MESSAGE, |inclusion| inclusion)?;
        let posts: Vec<_> = parts.into_iter().map(message).collect();
        if posts.is_empty() { Ok(()) } else { self.publish(queues::CHAIN_EVENTS, posts).await }
    }
}
