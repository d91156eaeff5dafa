//! What tests and checkers may see and do from outside: no node offers any of it.

use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::{Address, B256, Bytes, Signature, U256};
use causeway_domain::fees::Fees;

use super::{
    ChainFaults, Finality, ModelChain, Provider, Reorg, TokenKind,
    state::{COINBASE, Token, Tx},
    world::World,
};
use crate::port::{BroadcastOutcome, Header, Receipt};

/// Bytes that somebody handed to the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    /// The bytes.
    pub raw: Bytes,
    /// What the caller was told.
    pub outcome: BroadcastOutcome,
}

/// One inclusion of a transaction in a block that is, or once was, on the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// Whether the block is on the chain now.
    pub canonical: bool,
    /// The sender's number.
    pub number: u64,
    /// The bytes it came in; none for a stranger's.
    pub raw: Option<Bytes>,
    /// Wei that it sends along.
    pub value: U256,
    /// Its receipt in that block.
    pub receipt: Receipt,
}

/// A transaction that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pooled {
    /// Its hash.
    pub hash: B256,
    /// Sender.
    pub from: Address,
    /// The sender's number.
    pub number: u64,
    /// What it offers.
    pub fees: Fees,
}

/// Makes blocks and branches.
impl ModelChain {
    /// Makes a block of what waits and can be included.
    pub fn mine(&self) -> Header {
        self.with(|world| {
            let hash = world.mine();
            header(world, hash)
        })
    }

    /// Makes blocks that hold nothing, whatever waits.
    pub fn mine_empty(&self, blocks: u64) {
        self.with(|world| {
            for _ in 0..blocks {
                world.mine_only(Vec::new());
            }
        });
    }

    /// Makes a block of exactly these waiting transactions, in this order; those that cannot be in it are left out.
    pub fn mine_only(&self, hashes: &[B256]) -> Header {
        self.with(|world| {
            let find = |hash: &B256| world.pool.all().find(|tx| tx.hash == *hash).cloned();
            let chosen = hashes.iter().filter_map(find).collect();
            let hash = world.mine_only(chosen);
            header(world, hash)
        })
    }

    /// Time of the next block, in seconds since 1970; never less than its parent's and the interval.
    pub fn set_next_timestamp(&self, timestamp_s: u64) {
        self.with(|world| world.set_next_timestamp(timestamp_s));
    }

    /// Turns to another branch. Answers the hashes of those that were to be on it and could not be.
    pub fn reorg(&self, reorg: &Reorg) -> Vec<B256> {
        self.with(|world| {
            let again: Vec<(Arc<Tx>, u64)> =
                reorg.again.iter().filter_map(|(raw, index)| Some((world.read(raw).ok()?, *index))).collect();
            world.reorg(reorg.depth, reorg.blocks, &again, reorg.orphans)
        })
    }

    /// What the newest blocks hold, with each one's index as [`Reorg::again`] wants it; strangers' are left out.
    pub fn newest(&self, depth: u64) -> Vec<(Bytes, u64)> {
        self.with(|world| {
            let from = (world.height() + 1).saturating_sub(depth);
            let block = |height| world.hash_at(height).and_then(|hash| world.blocks.get(&hash));
            (from..=world.height())
                .filter_map(|height| Some((block(height)?, height - from)))
                .flat_map(|(block, index)| block.transactions.iter().map(move |tx| (tx, index)))
                .filter_map(|(tx, index)| Some((tx.raw.clone()?, index)))
                .collect()
        })
    }

    /// Makes all nodes forget a transaction that waits.
    pub fn drop_from_pool(&self, hash: B256) -> bool {
        self.with(|world| world.pool.remove(hash).is_some())
    }

    /// Puts a transaction of an address into the pool that was signed elsewhere with the same key, in the place of
    /// what waits under its number. It moves nothing and pays four times the base fee. `None` where a block has used
    /// the number already.
    pub fn foreign(&self, from: Address, number: u64) -> Option<B256> {
        self.foreign_payment(from, number, COINBASE, U256::ZERO)
    }

    /// As [`ModelChain::foreign`], and pays somebody wei.
    pub fn foreign_payment(&self, from: Address, number: u64, to: Address, value: U256) -> Option<B256> {
        self.with(|world| {
            if number < world.newest().number(from) {
                return None;
            }
            let hash = world.fresh_hash(from.as_slice());
            let fees = Fees { max_fee_wei: world.base_fee_wei.saturating_mul(4), max_priority_wei: world.base_fee_wei };
            let tx = Tx { hash, from, number, to, value, data: Bytes::new(), gas_limit: 21_000, fees, raw: None };
            world.pool.put(Arc::new(tx));
            Some(hash)
        })
    }

    /// Saw a signature being made: its signer need not be recovered, which is most of what reading bytes costs.
    pub fn saw_signed(&self, digest: B256, signature: Signature, signer: Address) {
        self.with(|world| world.signatures.insert(digest, (signature, signer)));
    }

    /// Delivers the bytes that were under way ([`Fault::Delay`](super::Fault::Delay)), in order.
    pub fn land(&self) {
        self.with(|world| {
            for raw in std::mem::take(&mut world.delayed) {
                // Nobody listens to the answer any more.
                let _ = world.admit(0, &raw);
            }
        });
    }
}

/// Sets what blocks cannot.
impl ModelChain {
    /// Sets an address's balance of the coin, in wei, at the newest block; other branches are off by as much.
    pub fn set_balance(&self, holder: Address, wei: U256) {
        self.with(|world| {
            let now = world.newest().coins_of(holder);
            world.everywhere(|state| {
                let coins = state.coins.entry(holder).or_default();
                *coins = coins.saturating_add(wei).saturating_sub(now);
            });
        });
    }

    /// Gives wei (`token` is `None`) or smallest units of a token, on every branch.
    pub fn credit(&self, holder: Address, token: Option<Address>, units: U256) {
        self.with(|world| world.credit(holder, token, units));
    }

    /// Takes wei (`token` is `None`) or smallest units of a token away, on every branch; at most what is there.
    pub fn debit(&self, holder: Address, token: Option<Address>, units: U256) {
        self.with(|world| world.debit(holder, token, units));
    }

    /// Makes an address a token's contract.
    pub fn add_token(&self, token: Address, kind: TokenKind) {
        self.with(|world| {
            world.rules.tokens.insert(token, Token { kind, blacklist: [].into(), lenient: false });
        });
    }

    /// Makes a token revert for whoever is on its list. Ignored for what is no token.
    pub fn set_blacklisted(&self, token: Address, holder: Address, listed: bool) {
        self.with(|world| {
            let Some(token) = world.rules.tokens.get_mut(&token) else { return };
            if listed {
                token.blacklist.insert(holder);
            } else {
                token.blacklist.remove(&holder);
            }
        });
    }

    /// Makes a token ignore its list at a gas price of zero: simulations pass, transactions revert.
    pub fn set_lenient(&self, token: Address, lenient: bool) {
        self.with(|world| {
            if let Some(token) = world.rules.tokens.get_mut(&token) {
                token.lenient = lenient;
            }
        });
    }

    /// Whether a transfer fails whatever its sender holds; `token` is zero for the coin.
    pub fn refuses(&self, token: Address, from: Address, to: Address) -> bool {
        self.with(|world| {
            let rules = &world.rules;
            let called = if token.is_zero() { to } else { token };
            let listed = |token: &Token| token.blacklist.contains(&from) || token.blacklist.contains(&to);
            rules.reverting.contains_key(&called)
                || rules.burning.contains_key(&called)
                || rules.tokens.get(&token).is_some_and(listed)
        })
    }

    /// Makes every call of an address revert with this data.
    pub fn make_revert(&self, address: Address, data: Bytes) {
        self.with(|world| world.rules.reverting.insert(address, data));
    }

    /// Makes an address burn this much gas when the coin is paid to it.
    pub fn make_burn(&self, address: Address, gas: u64) {
        self.with(|world| world.rules.burning.insert(address, gas));
    }

    /// Makes an address log so many transfers of a token of its own, from whoever pays it the coin.
    pub fn make_lie(&self, address: Address, events: u64) {
        self.with(|world| world.rules.lying.insert(address, events));
    }

    /// Base fee of the next blocks, in wei per gas: it stays until it is set again.
    pub fn set_base_fee(&self, wei: u128) {
        self.with(|world| world.base_fee_wei = wei);
    }

    /// What nodes call final.
    pub fn set_finality(&self, finality: Finality) {
        self.with(|world| world.finality = finality);
    }

    /// How a provider sees the network.
    pub fn set_provider(&self, index: usize, provider: Provider) {
        self.with(|world| {
            if let Some(known) = world.providers.get_mut(index) {
                *known = provider;
            }
        });
    }

    /// What goes wrong from now on.
    pub fn set_faults(&self, faults: Arc<dyn ChainFaults>) {
        self.with(|world| world.faults = faults);
    }
}

/// Looks from outside.
impl ModelChain {
    /// Height of the chain, whatever providers say.
    pub fn height(&self) -> u64 {
        self.with(|world| world.height())
    }

    /// Header of a block of the chain.
    pub fn header(&self, height: u64) -> Option<Header> {
        self.with(|world| Some(header(world, world.hash_at(height)?)))
    }

    /// Every inclusion of an address's transactions there ever was, by number, the earliest first.
    pub fn inclusions(&self, from: Address) -> BTreeMap<u64, Vec<Inclusion>> {
        self.with(|world| {
            let mut found: BTreeMap<u64, Vec<Inclusion>> = BTreeMap::new();
            for hash in &world.sealed {
                let Some(block) = world.blocks.get(hash) else { continue };
                let canonical = world.is_canonical(*hash);
                let pairs = block.transactions.iter().zip(&block.receipts).filter(|(tx, _)| tx.from == from);
                for (tx, receipt) in pairs {
                    found.entry(tx.number).or_default().push(inclusion(tx, receipt, canonical));
                }
            }
            found
        })
    }

    /// What a block that is, or once was, on the chain has of a transaction.
    pub fn included(&self, block: B256, hash: B256) -> Option<Inclusion> {
        self.with(|world| {
            let (canonical, stored) = (world.is_canonical(block), world.blocks.get(&block)?);
            let pair = stored.transactions.iter().zip(&stored.receipts).find(|(tx, _)| tx.hash == hash)?;
            Some(inclusion(pair.0, pair.1, canonical))
        })
    }

    /// Holders of wei (`token` is `None`) or of a token, with their balances at the newest block.
    pub fn holders(&self, token: Option<Address>) -> BTreeMap<Address, U256> {
        self.with(|world| {
            let state = world.newest();
            match token {
                None => state.coins.clone(),
                Some(token) => {
                    let held = state.tokens.iter().filter(|((of, _), _)| *of == token);
                    held.map(|((_, holder), units)| (*holder, *units)).collect()
                }
            }
        })
    }

    /// Base fees paid up to the newest block, in wei. With all balances they sum to what was ever credited.
    pub fn burnt(&self) -> U256 {
        self.with(|world| world.newest().burnt)
    }

    /// What waits, by sender and number.
    pub fn pooled(&self) -> Vec<Pooled> {
        self.with(|world| {
            let pooled = |tx: &Arc<Tx>| Pooled { hash: tx.hash, from: tx.from, number: tx.number, fees: tx.fees };
            world.pool.all().map(pooled).collect()
        })
    }

    /// Bytes that were ever handed in, in order.
    pub fn handed(&self) -> Vec<Handed> {
        self.with(|world| world.handed.clone())
    }
}

fn header(world: &World, hash: B256) -> Header {
    world.blocks.get(&hash).map(|block| block.header.clone()).unwrap_or_else(|| unreachable!("a block just read"))
}

fn inclusion(tx: &Tx, receipt: &Receipt, canonical: bool) -> Inclusion {
    Inclusion { canonical, number: tx.number, raw: tx.raw.clone(), value: tx.value, receipt: receipt.clone() }
}
