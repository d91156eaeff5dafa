//! Providers: the same network seen through several nodes that lag, miss things and disagree.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

use alloy_primitives::{Address, B256, Bytes, U256};
use causeway_domain::fees::FeeHistory;

use super::{
    Finality,
    pool::Pool,
    state::{Message, State, Tx},
    world::{Stored, World},
};
use crate::{
    port::{Block, BlockAt, Call, Estimate, Form, Header, Holdings, NumberAt, Receipt, Sent, Testimony},
    revert,
};

/// Blocks that `fee_history` tells of.
const FEE_BLOCKS: u64 = 10;

/// How complete a provider's receipts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Receipts {
    /// It has all of them.
    #[default]
    All,
    /// It has not indexed them: none is found.
    Late,
    /// It answers with this many of a block's, the first ones. The port's promise makes that "not all of them yet".
    First(usize),
    /// It has all of them, those of its newest so many blocks without their logs.
    Logless(u64),
}

/// How one provider sees the network. The default is a node that sees all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Provider {
    /// It does not answer: a connection refused, a time that ran out.
    pub down: bool,
    /// It limits us.
    pub limits: bool,
    /// Blocks it is behind.
    pub lag: u64,
    /// The head it stays at, whatever the chain does: a node that is stuck, on whichever branch.
    pub stuck_at: Option<B256>,
    /// It knows nothing of what waits.
    pub blind: bool,
    /// Waiting transactions that never reached it.
    pub misses: BTreeSet<B256>,
    /// Its receipts.
    pub receipts: Receipts,
    /// It says that it took bytes, and loses them.
    pub loses: bool,
    /// It tells blocks without their transactions.
    pub bare: bool,
    /// It tells blocks without these transactions.
    pub hides: BTreeSet<B256>,
    /// It says that every number is free, as a node that starts over behind an address whose height is known.
    pub forgets_numbers: bool,
    /// It tells no transaction's signed bytes.
    pub wordless: bool,
    /// It keeps no block that left its chain.
    pub prunes: bool,
}

impl World {
    fn stored(&self, hash: B256) -> Option<&Stored> {
        self.blocks.get(&hash)
    }

    /// Head of a provider; the first block where it asks for what is not there.
    fn head_of(&self, provider: usize) -> B256 {
        let view = self.providers.get(provider);
        let stuck = view.and_then(|view| view.stuck_at).filter(|hash| self.blocks.contains_key(hash));
        let lag = view.map_or(0, |view| view.lag);
        let behind = self.hash_at(self.height().saturating_sub(lag));
        stuck.or(behind).unwrap_or_default()
    }

    pub(super) fn header_of(&self, provider: usize) -> Option<Header> {
        self.stored(self.head_of(provider)).map(|block| block.header.clone())
    }

    /// What a provider calls final; `Some(None)` where it has no such tag.
    pub(super) fn final_height(&self, provider: usize) -> Option<Option<u64>> {
        let head = self.header_of(provider)?.number;
        Some(match self.finality {
            Finality::NoTag => None,
            Finality::Behind(blocks) => Some(head.saturating_sub(blocks)),
            Finality::At(height) => Some(height.min(head)),
        })
    }

    /// The block of a height on the branch of a head.
    fn on_branch(&self, head: B256, height: u64) -> Option<B256> {
        let mut at = self.stored(head)?;
        while at.header.number > height {
            if self.is_canonical(at.header.hash) {
                return self.hash_at(height);
            }
            at = self.stored(at.header.parent)?;
        }
        (at.header.number == height).then_some(at.header.hash)
    }

    fn state_of(&self, provider: usize) -> Option<Arc<State>> {
        self.state(self.head_of(provider))
    }

    /// A block as far as the provider has come. Blocks that left its chain are still found by their hash.
    fn block_of(&self, provider: usize, at: BlockAt) -> Option<&Stored> {
        let head = self.head_of(provider);
        let hash = match at {
            BlockAt::Number(height) => self.on_branch(head, height)?,
            BlockAt::Hash(hash) => hash,
        };
        let prunes = self.providers.get(provider).is_some_and(|view| view.prunes);
        let newest = self.stored(head)?.header.number;
        let block = self.stored(hash).filter(|block| block.header.number <= newest)?;
        (!prunes || self.on_branch(head, block.header.number) == Some(hash)).then_some(block)
    }

    pub(super) fn block(&self, provider: usize, at: BlockAt) -> Option<Block> {
        let stored = self.block_of(provider, at)?;
        let view = self.providers.get(provider);
        let told = |hash: &B256| view.is_none_or(|view| !view.bare && !view.hides.contains(hash));
        let transactions = stored.transactions.iter().map(|tx| tx.hash).filter(told).collect();
        Some(Block { header: stored.header.clone(), transactions })
    }

    pub(super) fn sent_in(&self, provider: usize, height: u64, from: Address) -> Option<Sent> {
        let told = self.block(provider, BlockAt::Number(height))?;
        let stored = self.stored(told.header.hash)?;
        let of = stored.transactions.iter().filter(|tx| tx.from == from && told.transactions.contains(&tx.hash));
        Some(Sent { block: told.header.hash, by_number: of.map(|tx| (tx.number, tx.hash)).collect() })
    }

    pub(super) fn receipts(&self, provider: usize, block: B256, of: &[B256]) -> Option<Vec<Receipt>> {
        let stored = self.block_of(provider, BlockAt::Hash(block))?;
        let shown = match self.providers.get(provider)?.receipts {
            Receipts::All | Receipts::Logless(_) => stored.receipts.len(),
            Receipts::Late => return None,
            Receipts::First(shown) => shown,
        };
        let shown = &stored.receipts[..shown.min(stored.receipts.len())];
        let found = |hash: &B256| shown.iter().find(|receipt| receipt.hash == *hash);
        of.iter().map(|hash| found(hash).map(|receipt| self.as_told(provider, receipt))).collect()
    }

    /// A receipt, without its logs where the provider has none yet.
    fn as_told(&self, provider: usize, receipt: &Receipt) -> Receipt {
        let newest = self.header_of(provider).map_or(0, |header| header.number);
        let without = self.providers.get(provider).is_some_and(
            |view| matches!(view.receipts, Receipts::Logless(blocks) if receipt.block_number + blocks > newest),
        );
        if without { Receipt { logs: Vec::new(), ..receipt.clone() } } else { receipt.clone() }
    }

    fn inclusion(&self, provider: usize, tx: B256) -> Option<&Receipt> {
        let head = self.head_of(provider);
        let mut places = self.places.get(&tx)?.iter().filter_map(|block| self.stored(*block));
        let block = places.find(|block| self.on_branch(head, block.header.number) == Some(block.header.hash))?;
        block.receipts.iter().find(|receipt| receipt.hash == tx)
    }

    pub(super) fn receipt(&self, provider: usize, tx: B256) -> Option<Receipt> {
        let found = self.inclusion(provider, tx)?;
        let position = self.stored(found.block_hash)?.receipts.iter().position(|receipt| receipt.hash == tx)?;
        match self.providers.get(provider)?.receipts {
            Receipts::All | Receipts::Logless(_) => Some(self.as_told(provider, found)),
            Receipts::Late => None,
            Receipts::First(shown) => (position < shown).then(|| found.clone()),
        }
    }

    pub(super) fn signed(&self, provider: usize, tx: B256) -> Option<Form> {
        if self.providers.get(provider)?.wordless {
            return None;
        }
        let included = self.inclusion(provider, tx).and_then(|found| self.stored(found.block_hash));
        let pool = self.pool_of(provider);
        let mut all = included.into_iter().flat_map(|block| &block.transactions).chain(pool.all());
        let known = all.find(|known| known.hash == tx)?;
        Some(known.raw.clone().map_or(Form::Another, Form::Ours))
    }

    pub(super) fn knows(&self, provider: usize, tx: B256) -> bool {
        self.inclusion(provider, tx).is_some() || self.pool_of(provider).has(tx)
    }

    /// `None` where the provider has no block of that height, or not its state any more.
    pub(super) fn testimony(
        &self,
        provider: usize,
        height: u64,
        address: Option<Address>,
        hashes: &[B256],
    ) -> Option<Testimony> {
        let header = self.block_of(provider, BlockAt::Number(height))?.header.clone();
        let number_at = match address {
            Some(address) => Some(self.state(header.hash)?.number(address)),
            None => None,
        };
        let has = |hash: &B256| self.knows(provider, *hash) || self.receipt(provider, *hash).is_some();
        let known = hashes.iter().copied().filter(has).collect();
        Some(Testimony { header, number_at, known })
    }

    /// What waits as the provider sees it: also what blocks hold that it has not got.
    fn pool_of(&self, provider: usize) -> Cow<'_, Pool> {
        let Some(view) = self.providers.get(provider) else { return Cow::Borrowed(&self.pool) };
        if view.blind {
            return Cow::Owned(Pool::default());
        }
        let head = self.head_of(provider);
        if Some(head) == self.tip() && view.misses.is_empty() {
            return Cow::Borrowed(&self.pool);
        }
        let mut pool = self.pool.clone();
        for block in self.canonical.iter().rev().filter_map(|hash| self.stored(*hash)) {
            if self.on_branch(head, block.header.number) == Some(block.header.hash) {
                break;
            }
            block.transactions.iter().for_each(|tx| pool.put(Arc::clone(tx)));
        }
        view.misses.iter().for_each(|hash| {
            pool.remove(*hash);
        });
        if let Some(state) = self.state(head) {
            pool.drop_below(|from| state.number(from));
        }
        Cow::Owned(pool)
    }

    /// Hands bytes to a provider, and the network what the provider takes.
    pub(super) fn admit(&mut self, provider: usize, raw: &Bytes) -> Result<(), String> {
        let tx = self.read(raw)?;
        let state = self.state_of(provider).ok_or("missing trie node (the model keeps the newest states)")?;
        self.pool_of(provider).check(&self.config, &state, &tx)?;
        if !self.providers.get(provider).is_some_and(|view| view.loses) {
            self.gossip(tx);
        }
        Ok(())
    }

    /// What one node took reaches the others, who judge for themselves and tell nobody.
    fn gossip(&mut self, tx: Arc<Tx>) {
        let newest = self.newest();
        if self.pool.check(&self.config, &newest, &tx).is_ok() {
            let from = tx.from;
            self.pool.put(tx);
            self.pool.cap_queue(from, newest.number(from), self.config.queued_max);
        }
    }

    pub(super) fn next_number(&self, provider: usize, address: Address, at: NumberAt) -> Option<u64> {
        let latest = self.state_of(provider)?.number(address);
        let forgets = self.providers.get(provider).is_some_and(|view| view.forgets_numbers);
        Some(match at {
            NumberAt::Latest | NumberAt::Pending if forgets => 0,
            NumberAt::Latest => latest,
            NumberAt::Pending => self.pool_of(provider).next_number(address, latest),
        })
    }

    pub(super) fn balance(&self, provider: usize, holder: Address, token: Option<Address>) -> Option<U256> {
        let state = self.state_of(provider)?;
        Some(match token {
            None => state.coins_of(holder),
            Some(token) => state.tokens_of(token, holder),
        })
    }

    /// `Some(None)` where the provider has no block of that height, `None` where it has not its state any more.
    pub(super) fn holdings(
        &self,
        provider: usize,
        height: u64,
        address: Address,
        tokens: &[Address],
    ) -> Option<Option<Holdings>> {
        let Some(block) = self.block_of(provider, BlockAt::Number(height)) else { return Some(None) };
        let state = self.state(block.header.hash)?;
        let units = |token: &Address| self.rules.tokens.contains_key(token).then(|| state.tokens_of(*token, address));
        Some(Some(Holdings {
            header: block.header.clone(),
            number: state.number(address),
            coin: state.coins_of(address),
            tokens: tokens.iter().map(units).collect(),
        }))
    }

    pub(super) fn fee_history(&self, provider: usize) -> Option<FeeHistory> {
        let head = self.head_of(provider);
        let height = self.stored(head)?.header.number;
        let heights = (height + 1).saturating_sub(FEE_BLOCKS)..=height;
        let blocks = heights.filter_map(|height| self.stored(self.on_branch(head, height)?));
        Some(FeeHistory { next_base_fee_wei: self.base_fee_wei, tips_wei: blocks.map(tips).collect() })
    }

    pub(super) fn estimate(&self, provider: usize, call: &Call) -> Option<Estimate> {
        let state = self.state_of(provider)?;
        let gas_price_wei = call.gas_price_wei.unwrap_or(0);
        let run = state.run(&self.rules, message(call));
        let gas = U256::from(call.gas.unwrap_or(run.gas));
        let cost = call.value.saturating_add(gas.saturating_mul(U256::from(gas_price_wei)));
        Some(match run.outcome {
            _ if state.coins_of(call.from) < cost => Estimate::InsufficientFunds,
            Ok(_) => Estimate::Gas(run.gas),
            Err(data) => Estimate::Reverted { reason: revert::reason(&data) },
        })
    }

    /// `Err` where the provider cannot replay the block.
    pub(super) fn revert_reason(&self, provider: usize, call: &Call, block: u64) -> Result<Option<String>, String> {
        let stored = self.block_of(provider, BlockAt::Number(block)).ok_or("header not found")?;
        let (before, within) = (self.state(stored.header.parent), self.state(stored.header.hash));
        let states: Vec<_> = within.into_iter().chain(before).collect();
        if states.is_empty() {
            return Err("missing trie node (the model keeps the newest states)".to_owned());
        }
        Ok(states.iter().find_map(|state| {
            let run = state.run(&self.rules, message(call));
            match run.outcome {
                Err(data) => Some(revert::reason(&data)),
                Ok(_) if call.gas.is_some_and(|gas| gas < run.gas) => Some("out of gas".to_owned()),
                Ok(_) => None,
            }
        }))
    }
}

fn message(call: &Call) -> Message<'_> {
    let gas_price_wei = call.gas_price_wei.unwrap_or(0);
    Message { from: call.from, to: call.to, value: call.value, data: &call.data, gas_price_wei }
}

/// Tips of a block at the percentiles of gas that `fee_history` asks for; zeros where it is empty.
fn tips(block: &Stored) -> [u128; 3] {
    let mut paid: Vec<(u128, u64)> = block
        .receipts
        .iter()
        .map(|receipt| (receipt.effective_gas_price_wei.saturating_sub(block.base_fee_wei), receipt.gas_used))
        .collect();
    paid.sort_unstable();
    let all: u64 = paid.iter().map(|(_, gas)| gas).sum();
    causeway_domain::fees::Priority::PERCENTILES.map(|percentile| {
        let wanted = u128::from(all) * u128::from(percentile) / 100;
        let mut seen = 0_u128;
        let at = paid.iter().find(|(_, gas)| {
            seen += u128::from(*gas);
            seen >= wanted
        });
        at.map_or(0, |(tip, _)| *tip)
    })
}
