//! Blocks and branches: how the chain grows and how it turns back.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use alloy_primitives::{Address, B256, Bytes, U256};

use super::{
    Finality, ModelConfig, Provider,
    faults::{ChainFaults, NoFaults},
    inspect::Handed,
    pool::{Pool, Signatures, read},
    state::{Rules, State, Tx},
};
use crate::port::{Header, Receipt};

/// Blocks behind the head of which the state is kept, as a node that is no archive does.
const STATES_KEPT: u64 = 512;

/// A block with all it holds.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) header: Header,
    pub(super) transactions: Vec<Arc<Tx>>,
    pub(super) receipts: Vec<Receipt>,
    pub(super) base_fee_wei: u128,
    state: Option<Arc<State>>,
}

/// A block in the making.
struct Draft {
    state: Arc<State>,
    transactions: Vec<Arc<Tx>>,
    done: Vec<super::state::Done>,
    gas_left: u64,
}

/// What the old blocks' transactions do that the new branch does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orphans {
    /// They are gone, as if nobody had kept them.
    Forgotten,
    /// They wait again, where their number is not taken.
    Waiting,
}

/// A turn of the chain to another branch.
#[derive(Debug, Clone)]
pub struct Reorg {
    /// Newest blocks that leave the chain; the first block never does.
    pub depth: u64,
    /// Blocks of the new branch.
    pub blocks: u64,
    /// Transactions of the new branch, each with the index of its block (0 is the lowest).
    pub again: Vec<(Bytes, u64)>,
    /// What becomes of the others.
    pub orphans: Orphans,
}

/// Everything behind a [`ModelChain`](super::ModelChain).
pub(super) struct World {
    pub(super) config: ModelConfig,
    pub(super) rules: Rules,
    pub(super) blocks: BTreeMap<B256, Stored>,
    /// Hashes of the chain, by height.
    pub(super) canonical: Vec<B256>,
    /// Hashes of all blocks there ever were, in order.
    pub(super) sealed: Vec<B256>,
    /// Blocks that hold a transaction, on whatever branch, the latest last.
    pub(super) places: BTreeMap<B256, Vec<B256>>,
    pub(super) pool: Pool,
    /// Bytes that were read before: a signer is recovered once.
    known: BTreeMap<Bytes, Arc<Tx>>,
    pub(super) signatures: Signatures,
    pub(super) base_fee_wei: u128,
    pub(super) finality: Finality,
    pub(super) providers: Vec<Provider>,
    pub(super) faults: Arc<dyn ChainFaults>,
    /// Bytes that were handed in, in order.
    pub(super) handed: Vec<Handed>,
    /// Bytes under way: see [`Fault::Delay`](super::Fault::Delay).
    pub(super) delayed: Vec<Bytes>,
    /// Calls so far, where providers take turns.
    pub(super) turn: usize,
    /// Blocks and strangers' transactions so far: no two of them have a hash in common.
    salt: u64,
    next_timestamp_s: Option<u64>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("height", &self.height()).field("pool", &self.pool).finish_non_exhaustive()
    }
}

impl World {
    pub(super) fn new(config: ModelConfig) -> Self {
        let mut world = Self {
            rules: Rules::default(),
            blocks: BTreeMap::new(),
            canonical: Vec::new(),
            sealed: Vec::new(),
            places: BTreeMap::new(),
            pool: Pool::default(),
            known: BTreeMap::new(),
            signatures: Signatures::new(),
            base_fee_wei: config.base_fee_wei,
            finality: config.finality,
            providers: vec![Provider::default(); config.providers.max(1)],
            faults: Arc::new(NoFaults),
            handed: Vec::new(),
            delayed: Vec::new(),
            turn: 0,
            salt: 0,
            next_timestamp_s: Some(config.genesis_timestamp_s),
            config,
        };
        let empty = world.draft();
        world.seal(empty);
        world
    }

    pub(super) fn height(&self) -> u64 {
        (self.canonical.len() as u64).saturating_sub(1)
    }

    pub(super) fn tip(&self) -> Option<B256> {
        self.canonical.last().copied()
    }

    /// State after a block, while it is kept.
    pub(super) fn state(&self, block: B256) -> Option<Arc<State>> {
        self.blocks.get(&block)?.state.clone()
    }

    /// State after the newest block.
    pub(super) fn newest(&self) -> Arc<State> {
        self.tip().and_then(|tip| self.state(tip)).unwrap_or_default()
    }

    pub(super) fn is_canonical(&self, block: B256) -> bool {
        self.blocks.get(&block).is_some_and(|stored| self.hash_at(stored.header.number) == Some(block))
    }

    pub(super) fn hash_at(&self, height: u64) -> Option<B256> {
        usize::try_from(height).ok().and_then(|height| self.canonical.get(height)).copied()
    }

    pub(super) fn set_next_timestamp(&mut self, timestamp_s: u64) {
        self.next_timestamp_s = Some(timestamp_s);
    }

    /// Reads bytes as a node of this chain does.
    pub(super) fn read(&mut self, raw: &Bytes) -> Result<Arc<Tx>, String> {
        if let Some(tx) = self.known.get(raw) {
            return Ok(Arc::clone(tx));
        }
        let tx = Arc::new(read(self.config.chain_id, raw, &self.signatures)?);
        self.known.insert(raw.clone(), Arc::clone(&tx));
        Ok(tx)
    }

    /// A hash nothing else has, the same in every run. Nobody computes a block's again, so it is a cheaper one than
    /// chains use.
    pub(super) fn fresh_hash(&mut self, of: &[u8]) -> B256 {
        self.salt += 1;
        let mut hasher = DefaultHasher::new();
        (of, self.config.chain_id, self.salt).hash(&mut hasher);
        let mut hash = B256::ZERO;
        for word in hash.chunks_exact_mut(8) {
            word.copy_from_slice(&hasher.finish().to_be_bytes());
            hasher.write_u8(0);
        }
        hash
    }

    /// Changes every kept state alike, for what is meant to have been so since ever.
    pub(super) fn everywhere(&mut self, change: impl Fn(&mut State)) {
        // Blocks without transactions share their parent's state, and go on sharing it.
        let mut changed: BTreeMap<*const State, [Arc<State>; 2]> = BTreeMap::new();
        for state in self.blocks.values_mut().filter_map(|block| block.state.as_mut()) {
            let [_, new] = changed.entry(Arc::as_ptr(state)).or_insert_with(|| {
                let mut new = State::clone(state);
                change(&mut new);
                [Arc::clone(state), Arc::new(new)]
            });
            *state = Arc::clone(new);
        }
    }

    /// A block of what waits, is next, and pays: the best tip first, then the earliest.
    pub(super) fn mine(&mut self) -> B256 {
        let mut draft = self.draft();
        let mut unfit = BTreeSet::new();
        while let Some(tx) = self.pool.best(self.base_fee_wei, &unfit, |from| draft.state.number(from)) {
            let from = tx.from;
            if !self.push(&mut draft, tx) {
                // Whatever follows this number waits too.
                unfit.insert(from);
            }
        }
        self.seal(draft)
    }

    /// A block of exactly these, in this order; those that cannot be in it are left out.
    pub(super) fn mine_only(&mut self, transactions: Vec<Arc<Tx>>) -> B256 {
        let mut draft = self.draft();
        for tx in transactions {
            self.push(&mut draft, tx);
        }
        self.seal(draft)
    }

    /// Turns to another branch; answers the transactions that were to be on it and could not.
    pub(super) fn reorg(&mut self, depth: u64, blocks: u64, again: &[(Arc<Tx>, u64)], orphans: Orphans) -> Vec<B256> {
        let keep = self.canonical.len().saturating_sub(usize::try_from(depth).unwrap_or(usize::MAX)).max(1);
        let left = self.canonical.split_off(keep);
        let mut missing = Vec::new();
        for index in 0..blocks {
            let mut draft = self.draft();
            for (tx, _) in again.iter().filter(|(_, at)| *at == index) {
                if !self.push(&mut draft, Arc::clone(tx)) {
                    missing.push(tx.hash);
                }
            }
            self.seal(draft);
        }
        missing.extend(again.iter().filter(|(_, at)| *at >= blocks).map(|(tx, _)| tx.hash));
        if orphans == Orphans::Waiting {
            let gone: Vec<_> = left.iter().filter_map(|hash| self.blocks.get(hash)).collect();
            let gone: Vec<_> = gone.into_iter().flat_map(|block| block.transactions.clone()).collect();
            for tx in gone {
                self.pool.put_back(tx);
            }
            self.sweep();
        }
        missing
    }

    fn draft(&self) -> Draft {
        Draft {
            state: self.newest(),
            transactions: Vec::new(),
            done: Vec::new(),
            gas_left: self.config.block_gas_limit,
        }
    }

    fn push(&self, draft: &mut Draft, tx: Arc<Tx>) -> bool {
        if tx.gas_limit > draft.gas_left {
            return false;
        }
        let state = Arc::make_mut(&mut draft.state);
        let Some(done) = state.execute(&self.rules, &tx, self.base_fee_wei) else { return false };
        draft.gas_left -= done.gas_used;
        draft.transactions.push(tx);
        draft.done.push(done);
        true
    }

    fn seal(&mut self, draft: Draft) -> B256 {
        let parent = self.tip().and_then(|tip| self.blocks.get(&tip)).map(|block| &block.header);
        let number = parent.map_or(0, |parent| parent.number + 1);
        let parent_time = parent.map_or(0, |parent| parent.timestamp_s + self.config.block_seconds);
        let timestamp_s = self.next_timestamp_s.take().map_or(parent_time, |asked| asked.max(parent_time));
        let parent = parent.map_or(B256::ZERO, |parent| parent.hash);
        let hash = self.fresh_hash(parent.as_slice());
        let header = Header { number, hash, parent, timestamp_s };
        let receipts = draft.transactions.iter().zip(draft.done).map(|(tx, done)| receipt(&header, tx, done)).collect();
        for tx in &draft.transactions {
            self.places.entry(tx.hash).or_default().push(hash);
            self.pool.remove(tx.hash);
        }
        let block = Stored {
            header,
            receipts,
            base_fee_wei: self.base_fee_wei,
            state: Some(draft.state),
            transactions: draft.transactions,
        };
        self.blocks.insert(hash, block);
        self.canonical.push(hash);
        self.sealed.push(hash);
        self.sweep();
        if let Some(old) = number.checked_sub(STATES_KEPT).and_then(|height| self.hash_at(height))
            && let Some(old) = self.blocks.get_mut(&old)
        {
            old.state = None;
        }
        hash
    }

    /// Drops from the pool what a block has overtaken.
    fn sweep(&mut self) {
        let state = self.newest();
        self.pool.drop_below(|from| state.number(from));
    }

    /// Adds to a balance of the coin (`token` is `None`) or of a token, on every branch.
    pub(super) fn credit(&mut self, holder: Address, token: Option<Address>, units: U256) {
        self.everywhere(|state| {
            let balance = state.balance(holder, token);
            *balance = balance.saturating_add(units);
        });
    }

    /// Takes away from a balance what is there of so much, on every branch.
    pub(super) fn debit(&mut self, holder: Address, token: Option<Address>, units: U256) {
        self.everywhere(|state| {
            let balance = state.balance(holder, token);
            *balance = balance.saturating_sub(units);
        });
    }
}

fn receipt(header: &Header, tx: &Tx, done: super::state::Done) -> Receipt {
    Receipt {
        hash: tx.hash,
        block_hash: header.hash,
        block_number: header.number,
        success: done.success,
        gas_used: done.gas_used,
        effective_gas_price_wei: done.price_wei,
        from: tx.from,
        to: Some(tx.to),
        logs: done.logs,
    }
}
