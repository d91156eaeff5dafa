//! A network in memory, as honest as a real one where it matters to us: numbers, replacement, fees, balances, tokens,
//! branches, and nodes that lag, forget and disagree.
//!
//! It is deterministic: no clock, no chance, no thread of its own. Blocks come when [`ModelChain::mine`] is called.
//! It reads the same signed bytes that real nodes read, and refuses them in geth's words, which go through
//! [`classify`] like any node's.
//!
//! Parts: `world` keeps blocks and branches, `state` runs calls, `pool` holds what waits and speaks for nodes, `view`
//! is how one provider sees all that, `faults` loses calls, `inspect` is for tests only.
//!
//! Not here: contracts other than tokens, access lists, the market (the base fee stays as set).

mod faults;
mod inspect;
mod pool;
mod state;
#[cfg(test)]
mod tests;
mod view;
mod world;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use alloy_primitives::{Address, B256, Bytes, U256};
use async_trait::async_trait;
use causeway_domain::fees::FeeHistory;

pub use faults::{ChainFaults, Fault};
pub use inspect::{Handed, Inclusion, Pooled};
pub use state::TokenKind;
pub use view::{Provider, Receipts};
pub use world::{Orphans, Reorg};

use crate::{
    classify,
    port::{
        Block, BlockAt, Broadcast, BroadcastOutcome, Call, Chain, ChainError, Estimate, Form, Header, Holdings,
        NumberAt, Receipt, Reply, Reread, Sent, Testimony,
    },
};
use world::World;

/// What nodes do with a number that does not follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gaps {
    /// They keep it until the gap closes, as geth does.
    Queued,
    /// They refuse it.
    Refused,
}

/// What nodes call final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finality {
    /// They have no such tag.
    NoTag,
    /// Everything this many blocks behind the head.
    Behind(u64),
    /// This height, or the head where that is lower.
    At(u64),
}

/// The network's rules.
#[derive(Debug, Clone)]
pub struct ModelConfig {
    /// Its name in errors.
    pub network: String,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// How many nodes we reach it through.
    pub providers: usize,
    /// Whether calls go round among the providers; otherwise to the first that answers.
    pub rotate: bool,
    /// Time of the first block, in seconds since 1970.
    pub genesis_timestamp_s: u64,
    /// Seconds from a block to the next, where no time is set.
    pub block_seconds: u64,
    /// Gas of a block.
    pub block_gas_limit: u64,
    /// Base fee, in wei per gas.
    pub base_fee_wei: u128,
    /// Tip below which nodes take nothing, in wei per gas.
    pub min_tip_wei: u128,
    /// By how much both fees of a replacement must exceed the old ones.
    pub replacement_percent: u64,
    /// What nodes do with gaps.
    pub gaps: Gaps,
    /// Transactions of one account behind a gap; the highest numbers beyond are dropped without a word.
    pub queued_max: u64,
    /// Transactions of one account that wait, executable or not.
    pub account_max: u64,
    /// Transactions that wait in all.
    pub pool_max: u64,
    /// What nodes call final.
    pub finality: Finality,
}

impl Default for ModelConfig {
    /// The local chain, with geth's limits of the pool.
    fn default() -> Self {
        Self {
            network: "local".to_owned(),
            chain_id: 31337,
            providers: 1,
            rotate: false,
            genesis_timestamp_s: 1_700_000_000,
            block_seconds: 1,
            block_gas_limit: 30_000_000,
            base_fee_wei: 1_000_000_000,
            min_tip_wei: 1,
            replacement_percent: 10,
            gaps: Gaps::Queued,
            queued_max: 64,
            account_max: 5_120,
            pool_max: 5_120,
            finality: Finality::Behind(2),
        }
    }
}

/// A handle on the network; clones share it.
#[derive(Clone)]
pub struct ModelChain {
    world: Arc<Mutex<World>>,
    /// The one provider this handle asks; all where there is none.
    only: Option<usize>,
}

impl fmt::Debug for ModelChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelChain").field("height", &self.height()).field("only", &self.only).finish()
    }
}

impl Default for ModelChain {
    fn default() -> Self {
        Self::new(ModelConfig::default())
    }
}

impl ModelChain {
    /// A network with its first block.
    pub fn new(config: ModelConfig) -> Self {
        Self { world: Arc::new(Mutex::new(World::new(config))), only: None }
    }

    /// The same network through one provider only.
    pub fn through(&self, provider: usize) -> Self {
        Self { world: Arc::clone(&self.world), only: Some(provider) }
    }

    fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        act(&mut self.world.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks the first provider that answers. `look` gives `None` where a node could not tell.
    fn ask<T>(
        &self,
        call: &'static str,
        look: impl FnOnce(&World, usize) -> Option<T>,
    ) -> Result<Reply<T>, ChainError> {
        self.with(|world| {
            let provider = self.providers(world, call)?[0];
            let value = look(world, provider).ok_or_else(|| unavailable(world, "missing trie node"))?;
            Ok(reply(world, provider, value))
        })
    }

    /// Asks the providers that answer until one knows something.
    fn ask_for<T>(
        &self,
        call: &'static str,
        look: impl Fn(&World, usize) -> Option<T>,
    ) -> Result<Reply<Option<T>>, ChainError> {
        self.with(|world| {
            let asked = self.providers(world, call)?;
            let known = asked.iter().find_map(|provider| Some((*provider, look(world, *provider)?)));
            let (provider, value) = known.map_or((asked[0], None), |(provider, value)| (provider, Some(value)));
            Ok(reply(world, provider, value))
        })
    }

    /// Asks every provider. Each is a call of its own, which may be lost or refused without the others.
    fn ask_each<T>(&self, call: &'static str, look: impl Fn(&World, usize) -> Option<T>) -> Vec<Reply<T>> {
        let all = 0..self.with(|world| world.providers.len());
        let asked = all.filter(|provider| self.only.is_none_or(|only| only == *provider));
        asked.filter_map(|provider| self.through(provider).ask(call, &look).ok()).collect()
    }

    /// Providers that answer this call, at least one, in the order they are asked.
    fn providers(&self, world: &mut World, call: &'static str) -> Result<Vec<usize>, ChainError> {
        match world.faults.on(call) {
            Fault::Pass => {}
            Fault::FailBefore | Fault::LoseReply | Fault::Delay => return Err(unavailable(world, "no answer")),
            Fault::Limit { after_ms } => return Err(limited(world, after_ms)),
        }
        self.reachable(world)
    }

    fn reachable(&self, world: &mut World) -> Result<Vec<usize>, ChainError> {
        let count = world.providers.len();
        let first = if world.config.rotate { world.turn % count } else { 0 };
        world.turn += 1;
        let order = (0..count).map(|step| (first + step) % count);
        let asked: Vec<usize> = order.filter(|index| self.only.is_none_or(|only| only == *index)).collect();
        let up: Vec<usize> = asked.into_iter().filter(|index| !world.providers[*index].down).collect();
        let free: Vec<usize> = up.iter().copied().filter(|index| !world.providers[*index].limits).collect();
        match (up.is_empty(), free.is_empty()) {
            (true, _) => Err(unavailable(world, "every provider is down")),
            (false, true) => Err(limited(world, None)),
            (false, false) => Ok(free),
        }
    }
}

fn reply<T>(world: &World, provider: usize, value: T) -> Reply<T> {
    let height = world.header_of(provider).map(|header| header.number);
    Reply { value, provider: provider.to_string(), height }
}

fn unavailable(world: &World, detail: &str) -> ChainError {
    ChainError::Unavailable { network: world.config.network.clone(), detail: detail.to_owned() }
}

fn limited(world: &World, after_ms: Option<u64>) -> ChainError {
    ChainError::Limited { network: world.config.network.clone(), after_ms }
}

/// What a node's answer to bytes becomes.
fn outcome_of(answer: Result<(), String>) -> BroadcastOutcome {
    match answer {
        Ok(()) => BroadcastOutcome::Accepted,
        Err(text) => classify::broadcast(Some(-32000), &text),
    }
}

#[async_trait]
impl Chain for ModelChain {
    async fn head(&self) -> Result<Reply<Header>, ChainError> {
        self.ask("head", World::header_of)
    }

    async fn finalized(&self) -> Result<Reply<Option<u64>>, ChainError> {
        self.ask("finalized", |world, provider| world.final_height(provider))
    }

    async fn finalities(&self) -> Vec<Reply<u64>> {
        let heights = self.ask_each("finalities", World::final_height).into_iter();
        let tagged =
            |Reply { value, provider, height }: Reply<Option<u64>>| Some(Reply { value: value?, provider, height });
        heights.filter_map(tagged).collect()
    }

    async fn block(&self, at: BlockAt) -> Result<Reply<Option<Block>>, ChainError> {
        self.ask("block", |world, provider| Some(world.block(provider, at)))
    }

    async fn sent_in(&self, height: u64, from: Address) -> Result<Reply<Option<Sent>>, ChainError> {
        self.ask("block", |world, provider| Some(world.sent_in(provider, height, from)))
    }

    async fn receipts(&self, block: B256, of: &[B256]) -> Result<Reply<Option<Vec<Receipt>>>, ChainError> {
        self.ask("receipts", |world, provider| Some(world.receipts(provider, block, of)))
    }

    async fn receipts_by_each(&self, block: B256, of: &[B256], height: u64) -> Vec<Reply<Reread>> {
        self.ask_each("receipts", |world, provider| {
            let is_far = world.block(provider, BlockAt::Number(height)).is_some();
            Some(world.receipts(provider, block, of).map(|receipts| Reread { is_far, receipts }))
        })
        .into_iter()
        .filter_map(|Reply { value, provider, height }| Some(Reply { value: value?, provider, height }))
        .collect()
    }

    async fn receipt(&self, hash: B256) -> Result<Reply<Option<Receipt>>, ChainError> {
        self.ask_for("receipt", |world, provider| world.receipt(provider, hash))
    }

    async fn signed(&self, hash: B256) -> Result<Reply<Option<Form>>, ChainError> {
        self.ask_for("signed", |world, provider| world.signed(provider, hash))
    }

    async fn knows(&self, hash: B256) -> Result<Reply<bool>, ChainError> {
        self.ask("knows", |world, provider| Some(world.knows(provider, hash)))
    }

    async fn testify(&self, height: u64, address: Option<Address>, hashes: &[B256]) -> Vec<Reply<Testimony>> {
        self.ask_each("testify", |world, provider| world.testimony(provider, height, address, hashes))
    }

    async fn broadcast(&self, raw: &Bytes) -> Broadcast {
        self.hand_in(raw, try_in_turn)
    }

    async fn broadcast_to_all(&self, raw: &Bytes) -> Broadcast {
        self.hand_in(raw, try_all)
    }

    async fn fee_history(&self) -> Result<Reply<FeeHistory>, ChainError> {
        self.ask("fee_history", World::fee_history)
    }

    async fn next_number(&self, address: Address, at: NumberAt) -> Result<Reply<u64>, ChainError> {
        self.ask("next_number", |world, provider| world.next_number(provider, address, at))
    }

    async fn balance(&self, holder: Address, token: Option<Address>) -> Result<Reply<U256>, ChainError> {
        self.ask("balance", |world, provider| world.balance(provider, holder, token))
    }

    async fn holdings(
        &self,
        height: u64,
        address: Address,
        tokens: &[Address],
    ) -> Result<Reply<Option<Holdings>>, ChainError> {
        self.ask("holdings", |world, provider| world.holdings(provider, height, address, tokens))
    }

    async fn estimate(&self, call: &Call) -> Result<Reply<Estimate>, ChainError> {
        self.with(|world| {
            let providers = self.providers(world, "estimate")?;
            let mut found = providers.iter().filter_map(|provider| Some((*provider, world.estimate(*provider, call)?)));
            let first = found.next().ok_or_else(|| unavailable(world, "missing trie node"))?;
            let (provider, value) = match &first.1 {
                Estimate::Gas(_) => first,
                // Two must agree on bad news; where they do not, the good one holds until it is sent.
                Estimate::Reverted { .. } | Estimate::InsufficientFunds => {
                    found.next().filter(|(_, second)| matches!(second, Estimate::Gas(_))).unwrap_or(first)
                }
            };
            Ok(reply(world, provider, value))
        })
    }

    async fn revert_reason(&self, call: &Call, block: u64) -> Result<Reply<Option<String>>, ChainError> {
        self.with(|world| {
            let provider = self.providers(world, "revert_reason")?[0];
            let value = world.revert_reason(provider, call, block).map_err(|text| unavailable(world, &text))?;
            Ok(reply(world, provider, value))
        })
    }
}

impl ModelChain {
    fn hand_in(&self, raw: &Bytes, how: impl FnOnce(&mut World, &[usize], &Bytes) -> Broadcast) -> Broadcast {
        self.with(|world| {
            let broadcast = self.hand_over(world, raw, how);
            world.handed.push(Handed { raw: raw.clone(), outcome: broadcast.outcome.clone() });
            broadcast
        })
    }

    fn hand_over(
        &self,
        world: &mut World,
        raw: &Bytes,
        how: impl FnOnce(&mut World, &[usize], &Bytes) -> Broadcast,
    ) -> Broadcast {
        let busy = |after_ms| Broadcast { outcome: BroadcastOutcome::Busy { after_ms }, provider: String::new() };
        let fault = world.faults.on("broadcast");
        let providers = match self.reachable(world) {
            Ok(providers) => providers,
            Err(ChainError::Limited { after_ms, .. }) => return busy(after_ms),
            Err(ChainError::Unavailable { detail, .. } | ChainError::Nonsense { detail, .. }) => {
                return Broadcast::nobody(&detail);
            }
        };
        match fault {
            Fault::Pass => how(world, &providers, raw),
            Fault::FailBefore => Broadcast::nobody("no answer"),
            Fault::LoseReply => {
                // The answer is the one thing that is lost.
                let _ = world.admit(providers[0], raw);
                Broadcast::nobody("the connection broke")
            }
            Fault::Delay => {
                world.delayed.push(raw.clone());
                Broadcast::nobody("no answer in time")
            }
            Fault::Limit { after_ms } => busy(after_ms),
        }
    }
}

fn said(world: &mut World, provider: usize, raw: &Bytes) -> Broadcast {
    Broadcast { outcome: outcome_of(world.admit(provider, raw)), provider: provider.to_string() }
}

/// Hands bytes to the providers until one decides.
fn try_in_turn(world: &mut World, providers: &[usize], raw: &Bytes) -> Broadcast {
    let mut best: Option<Broadcast> = None;
    for provider in providers {
        let said = said(world, *provider, raw);
        if said.outcome.is_definite() {
            return said;
        }
        best = Some(match best {
            Some(before) => before.or(said),
            None => said,
        });
    }
    best.unwrap_or_else(|| Broadcast::nobody("no provider"))
}

/// Hands bytes to every provider.
fn try_all(world: &mut World, providers: &[usize], raw: &Bytes) -> Broadcast {
    let all: Vec<Broadcast> = providers.iter().map(|provider| said(world, *provider, raw)).collect();
    all.into_iter().reduce(Broadcast::or).unwrap_or_else(|| Broadcast::nobody("no provider"))
}
