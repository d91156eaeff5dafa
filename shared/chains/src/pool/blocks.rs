//! Heads, blocks and their receipts.

use std::collections::HashMap;

use alloy_primitives::{Address, B256, U64};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json, value::RawValue};

use super::{
    RpcChain,
    provider::Provider,
    tally::Tally,
    transport::{Failure, NodeError, Op},
    wire::{BlockWire, FullBlockWire, ReceiptWire, read, read_receipt},
};
use crate::port::{Block, BlockAt, ChainError, Header, Receipt, Reply, Reread, Sent};

/// Block times without a new block after which the provider itself is doubted: on every listed network five in a row
/// without a block are an outage of the network, or of this provider.
const STALE_BLOCKS: u64 = 5;
/// Receipts asked for at once where the call for a whole block does not give them.
pub(super) const RECEIPTS_AT_ONCE: usize = 16;

impl RpcChain {
    /// The newest header. When the preferred provider's is old, or lower than another provider has shown, the others
    /// are asked as well and the highest counts: a node that has stopped following the chain looks healthy otherwise.
    pub(super) async fn newest(&self) -> Result<Reply<Header>, ChainError> {
        let known = self.best_height();
        let mut tally = Tally::default();
        let mut best: Option<(&Provider, Header)> = None;
        for provider in self.ranked() {
            let doubted = best.as_ref().is_none_or(|(_, header)| self.is_stale(header) || Some(header.number) < known);
            if !doubted && !provider.recheck_due() {
                continue;
            }
            match self.head_of(provider).await {
                Ok(header) if best.as_ref().is_none_or(|(_, best)| header.number > best.number) => {
                    best = Some((provider, header));
                }
                Ok(_) => {}
                Err(failure) => tally.note(provider, failure),
            }
        }
        self.mark_laggards();
        let (provider, header) = best.ok_or_else(|| tally.into_error(&self.network))?;
        Ok(provider.reply(header))
    }

    /// The `finalized` block's height.
    pub(super) async fn final_height(&self) -> Result<Reply<Option<u64>>, ChainError> {
        let mut tally = Tally::default();
        for provider in self.ranked() {
            match Self::final_height_of(provider).await {
                Ok(height) => return Ok(provider.reply(height)),
                Err(failure) => tally.note(provider, failure),
            }
        }
        Err(tally.into_error(&self.network))
    }

    /// The `finalized` block's height as one provider has it; `None` where it has no such tag.
    pub(super) async fn final_height_of(provider: &Provider) -> Result<Option<u64>, Failure> {
        let params = json!(["finalized", false]);
        match Self::ask_one(provider, Op::BLOCK_BY_NUMBER, &params, read::<Option<BlockWire>>).await {
            Ok(block) => Ok(block.map(|block| Block::from(block).header.number)),
            Err(Failure::Node(error)) if has_no_tag(&error) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// A block. A provider without it is not the last word while another one may have it.
    pub(super) async fn block_at(&self, at: BlockAt) -> Result<Reply<Option<Block>>, ChainError> {
        let mut tally = Tally::default();
        let mut without = None;
        for provider in self.ranked() {
            match self.block_of(provider, at).await {
                Ok(Some(block)) => return Ok(provider.reply(Some(block))),
                Ok(None) => {
                    without = without.or_else(|| Some(provider.reply(None)));
                    if matches!(at, BlockAt::Number(number) if Some(number) > self.best_height()) {
                        break;
                    }
                }
                Err(failure) => tally.note(provider, failure),
            }
        }
        without.ok_or_else(|| tally.into_error(&self.network))
    }

    /// What an address sent in a block.
    pub(super) async fn sent_by(&self, height: u64, from: Address) -> Result<Reply<Option<Sent>>, ChainError> {
        let sent = |result: &RawValue| {
            read::<Option<FullBlockWire>>(result)?.map(|block| block.sent_by(height, from)).transpose()
        };
        self.ask_for(Op::WHOLE_BLOCK, json!([U64::from(height), true]), sent).await
    }

    /// Receipts of a block. A provider without all of them is not the last word while another one may have them.
    pub(super) async fn block_receipts(
        &self,
        block: B256,
        of: &[B256],
    ) -> Result<Reply<Option<Vec<Receipt>>>, ChainError> {
        let mut tally = Tally::default();
        let mut without = None;
        for provider in self.ranked() {
            match self.receipts_of(provider, block, of).await {
                Ok(Some(receipts)) => return Ok(provider.reply(Some(receipts))),
                Ok(None) => without = without.or_else(|| Some(provider.reply(None))),
                Err(failure) => tally.note(provider, failure),
            }
        }
        without.ok_or_else(|| tally.into_error(&self.network))
    }

    async fn head_of(&self, provider: &Provider) -> Result<Header, Failure> {
        let params = json!(["latest", false]);
        let block: Block = Self::ask_one(provider, Op::BLOCK_BY_NUMBER, &params, read::<BlockWire>).await?.into();
        provider.saw_head(block.header.number);
        Ok(block.header)
    }

    pub(super) async fn block_of(&self, provider: &Provider, at: BlockAt) -> Result<Option<Block>, Failure> {
        let (op, params): (Op, Value) = match at {
            BlockAt::Number(number) => (Op::BLOCK_BY_NUMBER, json!([U64::from(number), false])),
            BlockAt::Hash(hash) => (Op::BLOCK_BY_HASH, json!([hash, false])),
        };
        let block = Self::ask_one(provider, op, &params, |result| {
            let block: Option<Block> = read::<Option<BlockWire>>(result)?.map(Into::into);
            let asked = block.as_ref().is_none_or(|block| match at {
                BlockAt::Number(number) => block.header.number == number,
                BlockAt::Hash(hash) => block.header.hash == hash,
            });
            if asked { Ok(block) } else { Err("another block than asked for".to_owned()) }
        })
        .await?;
        if let Some(block) = &block {
            provider.saw_block(block.header.number);
        }
        Ok(block)
    }

    /// By one call for the whole block, and where that gives no answer with all of them one by one: a stranger's receipt may be
    /// missing from it, or not to be read, and strangers may make it larger than any bound.
    pub(super) async fn receipts_of(
        &self,
        provider: &Provider,
        block: B256,
        of: &[B256],
    ) -> Result<Option<Vec<Receipt>>, Failure> {
        if of.is_empty() {
            return Ok(Some(Vec::new()));
        }
        match self.receipts_at_once(provider, block).await {
            Ok(receipts) => {
                if let Some(receipts) = pick(receipts, block, of) {
                    return Ok(Some(receipts));
                }
            }
            Err(failure @ Failure::Limited { .. }) => return Err(failure),
            Err(failure) => {
                tracing::info!(provider = %provider.name, %failure, %block, "receipts are asked for one by one")
            }
        }
        Ok(pick(self.receipts_one_by_one(provider, Op::RECEIPT, of).await?, block, of))
    }

    /// One by one where they are few: a whole block's would cost each provider more.
    pub(super) async fn reread_by(
        &self,
        provider: &Provider,
        block: B256,
        of: &[B256],
        height: u64,
    ) -> Result<Option<Reread>, Failure> {
        // Asked first: who was as far then is so afterwards. One that does not say may still prove a payment.
        let is_far = matches!(self.block_of(provider, BlockAt::Number(height)).await, Ok(Some(_)));
        let receipts = if of.len() > RECEIPTS_AT_ONCE {
            self.receipts_of(provider, block, of).await?
        } else {
            pick(self.receipts_one_by_one(provider, Op::RECEIPT_OF_EACH, of).await?, block, of)
        };
        Ok(receipts.map(|receipts| Reread { is_far, receipts }))
    }

    /// All receipts by one call; none where the provider has no such call.
    async fn receipts_at_once(&self, provider: &Provider, block: B256) -> Result<Vec<Receipt>, Failure> {
        if provider.lacks_block_receipts() {
            return Ok(Vec::new());
        }
        let params = json!([block]);
        let asked = Self::ask_one(provider, Op::RECEIPTS, &params, |result| {
            let receipts = read::<Option<Vec<ReceiptWire>>>(result)?.unwrap_or_default();
            receipts.into_iter().map(TryInto::try_into).collect()
        });
        match asked.await {
            Err(Failure::Node(error)) if has_no_method(&error) => {
                provider.set_lacks_block_receipts();
                Ok(Vec::new())
            }
            answered => answered,
        }
    }

    async fn receipts_one_by_one(&self, provider: &Provider, op: Op, hashes: &[B256]) -> Result<Vec<Receipt>, Failure> {
        let one = |hash: B256| async move {
            Self::ask_one(provider, op, &json!([hash]), |result| read_receipt(result, hash)).await
        };
        let receipts: Vec<Option<Receipt>> =
            stream::iter(hashes.to_vec()).map(one).buffered(RECEIPTS_AT_ONCE).try_collect().await?;
        Ok(receipts.into_iter().flatten().collect())
    }

    fn is_stale(&self, header: &Header) -> bool {
        let age_ms = self.clock.now_ms().saturating_sub(header.timestamp_s.saturating_mul(1000));
        // Timestamps are whole seconds.
        age_ms > self.block_time_ms.saturating_mul(STALE_BLOCKS) + 1000
    }

    /// Compares all heads seen so far: who has shown less than the best is asked last until it has caught up.
    pub(super) fn mark_laggards(&self) {
        let best = self.best_height();
        self.providers
            .iter()
            .for_each(|provider| provider.set_behind(provider.height().is_some() && provider.height() < best));
    }
}

/// The receipts of these transactions, in their order, if all of them are there and of this block.
fn pick(receipts: Vec<Receipt>, block: B256, of: &[B256]) -> Option<Vec<Receipt>> {
    let of_block = receipts.into_iter().filter(|receipt| receipt.block_hash == block);
    let mut by_hash: HashMap<B256, Receipt> = of_block.map(|receipt| (receipt.hash, receipt)).collect();
    of.iter().map(|hash| by_hash.remove(hash)).collect()
}

/// Nodes without a finality tag refuse the parameter; nodes that have not seen a final block yet have no such block
/// (geth -39001).
fn has_no_tag(error: &NodeError) -> bool {
    let message = error.message.to_lowercase();
    matches!(error.code, -32602 | -39001) || message.contains("finalized") || message.contains("unknown block")
}

/// Gateways say so in many ways; the code is the standard's.
fn has_no_method(error: &NodeError) -> bool {
    let message = error.message.to_lowercase();
    let words = ["not found", "not supported", "unsupported", "not available", "not exist", "not allowed"];
    error.code == -32601 || message.contains("method") && words.iter().any(|word| message.contains(word))
}
