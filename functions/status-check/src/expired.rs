//! Blocks whose rows have expired, since nobody led for so long: read from the chain again, each by its child's word.

use causeway_chains::{Block, BlockAt, Chain};
use causeway_domain::{B256, Network, clock::Millis};
use causeway_state::tracker::HeaderRow;
use causeway_store::{Item, Query, Range, Value, Write};

use crate::{
    TrackError, Tracker,
    lead::{Lead, RING, Ringed, header_row},
};

/// Rows of one block are written within a day of each other, and go at any time after they may: a header this near its end may
/// have outlived what the block includes.
const OUTLIVES_S: u64 = 86_400;
/// Rows of one read.
const ROWS_PER_READ: usize = 100;

impl Tracker {
    /// Fills the ring where rows have expired that a leader must know. Where the head itself left the chain meanwhile, it goes
    /// back to what is final, and all above is followed anew.
    pub(crate) async fn refill(&self, network: &Network, chain: &dyn Chain, lead: &mut Lead) -> Result<(), TrackError> {
        let lowest = (lead.head.height + 1).saturating_sub(RING as u64);
        let needed = lead.head.finalized.max(lowest);
        if lead.ring.keys().next().is_some_and(|height| *height <= needed) {
            return Ok(());
        }
        if lead.ring.is_empty() && self.has_left(chain, lead).await? {
            self.begin_at_final(network, chain, lead).await?;
        }
        self.remembered(network, chain, lead, lowest.min(lead.head.height)).await?;
        lead.ring = self.read_ring(&network.id).await?;
        Ok(())
    }

    /// A block that is not in the ring, from its rows; where these have expired it is read again, down from one that is known.
    /// The way is walked by hash: heights would be answered by whichever node is asked, each on its own branch. What was read
    /// is on record at once, so that a leader that ends on the way has come that far.
    pub(crate) async fn remembered(
        &self,
        network: &Network,
        chain: &dyn Chain,
        lead: &mut Lead,
        height: u64,
    ) -> Result<Ringed, TrackError> {
        let mut known = match self.known_above(network, height).await? {
            Some(row) => row,
            None => self.read_again(network, chain, lead, lead.head.hash).await?,
        };
        while known.height > height {
            known = self.read_again(network, chain, lead, known.parent).await?;
        }
        Ok(Ringed { hash: known.hash, inclusions: None })
    }

    /// The lowest header from this height on whose block's rows are surely all there.
    async fn known_above(&self, network: &Network, height: u64) -> Result<Option<HeaderRow>, TrackError> {
        let (first, last) = (HeaderRow::key(&network.id, height), HeaderRow::key(&network.id, u64::MAX));
        let range = Range::Between(Value::from(first.sk), Value::from(last.sk));
        let mut query = Query { limit: ROWS_PER_READ, ..Query::table(first.table, first.pk, range) };
        loop {
            let page = self.store.query(&query).await?;
            for row in page.items {
                let row: HeaderRow = row.parse()?;
                if lasts(&row, self.clock.now_ms()) {
                    return Ok(Some(row));
                }
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(None),
            }
        }
    }

    /// Writes the rows of a block of the chain once more, under the fence.
    async fn read_again(
        &self,
        network: &Network,
        chain: &dyn Chain,
        lead: &mut Lead,
        hash: B256,
    ) -> Result<HeaderRow, TrackError> {
        let unknown = |what: &str| TrackError::Stuck(format!("the rows of block {hash} have expired: {what}"));
        let block = chain.block(BlockAt::Hash(hash)).await?.value.ok_or_else(|| unknown("no node has it"))?;
        let included = self.include(network, chain, &block).await?;
        included.ok_or_else(|| unknown("its receipts are not all there"))?;
        self.write_header(network, lead, &block).await
    }

    async fn write_header(&self, network: &Network, lead: &mut Lead, block: &Block) -> Result<HeaderRow, TrackError> {
        let header = &block.header;
        let row = header_row(header.number, header.hash, header.parent, self.clock.now_ms());
        let key = HeaderRow::key(&network.id, header.number);
        let write = Write::Put { key, item: Item::from_fields(&row)?, expect: vec![] };
        self.commit_head(network, lead, vec![write]).await?;
        tracing::warn!(network = %network.id, height = row.height, hash = %row.hash, "rows had expired; read again");
        Ok(row)
    }

    /// Whether another block has the head's height, and no node has the head any more.
    async fn has_left(&self, chain: &dyn Chain, lead: &Lead) -> Result<bool, TrackError> {
        if chain.block(BlockAt::Hash(lead.head.hash)).await?.value.is_some() {
            return Ok(false);
        }
        let other = chain.block(BlockAt::Number(lead.head.height)).await?.value;
        Ok(other.is_some_and(|block| block.header.hash != lead.head.hash))
    }

    /// Nothing is told on the word of the node that is asked for this block: only blocks on top of it are followed, and what is
    /// to be final has as many above it as ever.
    async fn begin_at_final(&self, network: &Network, chain: &dyn Chain, lead: &mut Lead) -> Result<(), TrackError> {
        let height = lead.head.finalized;
        let unknown = || TrackError::Stuck(format!("no node has block {height}, the last one that was final"));
        let block = chain.block(BlockAt::Number(height)).await?.value.ok_or_else(unknown)?;
        tracing::warn!(network = %network.id, from = lead.head.height, to = height, "the head left the chain unseen");
        (lead.head.height, lead.head.hash, lead.head.confirmed) = (height, block.header.hash, height);
        self.write_header(network, lead, &block).await?;
        Ok(())
    }
}

/// Whether what the block includes is on record for as long as this row says.
pub(crate) fn lasts(row: &HeaderRow, now: Millis) -> bool {
    row.expires_at > now / 1000 + OUTLIVES_S
}
