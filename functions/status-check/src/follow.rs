//! Following the chain: each block after the head, in order, its inclusions before the head moves past it.

use causeway_chains::{BlockAt, Chain};
use causeway_domain::Network;
use causeway_state::tracker::HeaderRow;
use causeway_store::{Item, Write};

use crate::{
    TrackError, Tracker,
    lead::{Lead, RING, Ringed},
};

/// Blocks of one look: between looks the lease is renewed and sweeps run.
pub(crate) const BLOCKS_PER_TICK: u32 = 20;

impl Tracker {
    /// Works off new blocks. A provider that does not know one yet is asked again at the next look.
    pub async fn follow(&self, network: &Network, chain: &dyn Chain, lead: &mut Lead) -> Result<(), TrackError> {
        let newest = chain.head().await?.value;
        self.measure_head(network, lead, &newest);
        lead.sees(network, newest.number);
        for _ in 0..BLOCKS_PER_TICK {
            if lead.head.height >= newest.number {
                return Ok(());
            }
            let height = lead.head.height + 1;
            let Some(block) = chain.block(BlockAt::Number(height)).await?.value else { return Ok(()) };
            if block.header.parent != lead.head.hash {
                // Only a longer branch is believed: there is a block above our head that is not on top of it.
                self.reorg(network, chain, lead, block.header.parent).await?;
                return Ok(());
            }
            let Some(inclusions) = self.include(network, chain, &block).await? else { return Ok(()) };
            self.advance(network, lead, &block.header, inclusions.clone()).await?;
            self.tell_lanes((height, block.header.hash), &inclusions).await?;
        }
        Ok(())
    }

    async fn advance(
        &self,
        network: &Network,
        lead: &mut Lead,
        header: &causeway_chains::Header,
        inclusions: Vec<causeway_state::tracker::Inclusion>,
    ) -> Result<(), TrackError> {
        let row = HeaderRow { height: header.number, hash: header.hash, parent: header.parent };
        let key = HeaderRow::key(&network.id, header.number);
        let write = Write::Put { key, item: Item::from_fields(&row)?, expect: vec![] };
        lead.head.height = header.number;
        lead.head.hash = header.hash;
        self.commit_head(network, lead, vec![write]).await?;
        lead.ring.insert(header.number, Ringed { hash: header.hash, inclusions: Some(inclusions) });
        while lead.ring.len() > RING {
            lead.ring.pop_first();
        }
        Ok(())
    }
}
