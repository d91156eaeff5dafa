//! Heads, blocks and their receipts.

use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard, PoisonError},
};

use alloy_primitives::{B256, U64};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::{
    RpcChain,
    provider::Provider,
    tally::Tally,
    transport::{Failure, NodeError, Op},
    wire::{BlockWire, ReceiptWire, read},
};
use crate::port::{Block, BlockAt, ChainError, Header, Receipt, Reply};

/// Block times without a new block after which the provider itself is doubted: on every listed network five in a row
/// without a block are an outage of the network, or of this provider.
const STALE_BLOCKS: u64 = 5;
/// Blocks whose transactions are remembered: a tracker asks for receipts of blocks it has just read.
const RECENT_MAX: usize = 16;
/// Receipts asked for at once where there is no call for a whole block.
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

    /// A block's receipts. A provider without all of them is not the last word while another one may have them.
    pub(super) async fn block_receipts(&self, hash: B256) -> Result<Reply<Option<Vec<Receipt>>>, ChainError> {
        let mut tally = Tally::default();
        let mut without = None;
        for provider in self.ranked() {
            match self.receipts_of(provider, hash).await {
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
        let header = block.header.clone();
        self.remember(block);
        Ok(header)
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
            self.remember(block.clone());
        }
        Ok(block)
    }

    async fn receipts_of(&self, provider: &Provider, hash: B256) -> Result<Option<Vec<Receipt>>, Failure> {
        let Some(transactions) = self.transactions_of(provider, hash).await? else { return Ok(None) };
        if transactions.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let receipts = match self.receipts_at_once(provider, hash).await? {
            Some(receipts) => receipts,
            None => self.receipts_one_by_one(provider, &transactions).await?,
        };
        Ok(complete(receipts, hash, &transactions))
    }

    /// All receipts by one call; `None` where the provider has no such call.
    async fn receipts_at_once(&self, provider: &Provider, hash: B256) -> Result<Option<Vec<Receipt>>, Failure> {
        if provider.lacks_block_receipts() {
            return Ok(None);
        }
        let params = json!([hash]);
        let asked = Self::ask_one(provider, Op::RECEIPTS, &params, |result| {
            let receipts = read::<Option<Vec<ReceiptWire>>>(result)?.unwrap_or_default();
            receipts.into_iter().map(TryInto::try_into).collect()
        });
        match asked.await {
            Ok(receipts) => Ok(Some(receipts)),
            Err(Failure::Node(error)) if has_no_method(&error) => {
                provider.set_lacks_block_receipts();
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    async fn receipts_one_by_one(&self, provider: &Provider, hashes: &[B256]) -> Result<Vec<Receipt>, Failure> {
        let one = |hash: B256| async move {
            Self::ask_one(provider, Op::RECEIPT, &json!([hash]), |result| {
                read::<Option<ReceiptWire>>(result)?.map(Receipt::try_from).transpose()
            })
            .await
        };
        let receipts: Vec<Option<Receipt>> =
            stream::iter(hashes.to_vec()).map(one).buffered(RECEIPTS_AT_ONCE).try_collect().await?;
        Ok(receipts.into_iter().flatten().collect())
    }

    async fn transactions_of(&self, provider: &Provider, hash: B256) -> Result<Option<Arc<[B256]>>, Failure> {
        let known = self.recent().iter().find(|(block, _)| *block == hash).map(|(_, list)| list.clone());
        if known.is_some() {
            return Ok(known);
        }
        let block = self.block_of(provider, BlockAt::Hash(hash)).await?;
        Ok(block.map(|block| block.transactions.into()))
    }

    fn remember(&self, block: Block) {
        let mut recent = self.recent();
        if recent.iter().any(|(hash, _)| *hash == block.header.hash) {
            return;
        }
        recent.truncate(RECENT_MAX - 1);
        recent.push_front((block.header.hash, block.transactions.into()));
    }

    fn recent(&self) -> MutexGuard<'_, std::collections::VecDeque<(B256, Arc<[B256]>)>> {
        // Nothing panics while it holds the lock.
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Exactly one receipt of this block for each of its transactions, in their order.
fn complete(receipts: Vec<Receipt>, block: B256, transactions: &[B256]) -> Option<Vec<Receipt>> {
    if receipts.len() != transactions.len() || receipts.iter().any(|receipt| receipt.block_hash != block) {
        return None;
    }
    let mut by_hash: HashMap<B256, Receipt> = receipts.into_iter().map(|receipt| (receipt.hash, receipt)).collect();
    transactions.iter().map(|hash| by_hash.remove(hash)).collect()
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
