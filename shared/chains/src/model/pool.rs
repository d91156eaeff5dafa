//! What waits for a block, and what a node says to bytes it is handed.
//!
//! The texts are geth's, and so are the rules and their order, since [`classify`](crate::classify) is to read them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use alloy::consensus::crypto::secp256k1::recover_signer;
use alloy_primitives::{Address, B256, Bytes, Signature, U256};

use super::{
    Gaps, ModelConfig,
    state::{State, Tx, intrinsic_gas},
};
use crate::transaction::{OpenError, open_with};

/// Signatures that were seen being made, by what they sign, and who made them: they need not be recovered.
pub(super) type Signatures = BTreeMap<B256, (Signature, Address)>;

#[derive(Debug, Clone)]
struct Waiting {
    tx: Arc<Tx>,
    /// Its turn of arrival.
    arrival: u64,
}

/// Transactions that wait, one to a sender's number.
#[derive(Debug, Clone, Default)]
pub(super) struct Pool {
    senders: BTreeMap<Address, BTreeMap<u64, Waiting>>,
    arrivals: u64,
}

impl Pool {
    /// All, by sender and number.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Tx>> {
        self.senders.values().flat_map(|line| line.values().map(|waiting| &waiting.tx))
    }

    pub(super) fn at(&self, from: Address, number: u64) -> Option<&Arc<Tx>> {
        self.senders.get(&from)?.get(&number).map(|waiting| &waiting.tx)
    }

    pub(super) fn has(&self, hash: B256) -> bool {
        self.all().any(|tx| tx.hash == hash)
    }

    /// First number of a sender that neither the chain (whose next is given) nor the pool holds.
    pub(super) fn next_number(&self, from: Address, mut next: u64) -> u64 {
        while self.at(from, next).is_some() {
            next += 1;
        }
        next
    }

    /// Puts it in, in the place of what waits under its number.
    pub(super) fn put(&mut self, tx: Arc<Tx>) {
        self.arrivals += 1;
        let arrival = self.arrivals;
        self.senders.entry(tx.from).or_default().insert(tx.number, Waiting { tx, arrival });
    }

    /// Puts it in where its number is free.
    pub(super) fn put_back(&mut self, tx: Arc<Tx>) {
        if self.at(tx.from, tx.number).is_none() {
            self.put(tx);
        }
    }

    pub(super) fn remove(&mut self, hash: B256) -> Option<Arc<Tx>> {
        let tx = Arc::clone(self.all().find(|tx| tx.hash == hash)?);
        self.senders.get_mut(&tx.from)?.remove(&tx.number);
        Some(tx)
    }

    /// Drops what is below each sender's next number.
    pub(super) fn drop_below(&mut self, next: impl Fn(Address) -> u64) {
        for (from, line) in &mut self.senders {
            *line = line.split_off(&next(*from));
        }
        self.senders.retain(|_, line| !line.is_empty());
    }

    /// The one that a block takes next: its sender's next number, the base fee paid, the best tip, the first to come.
    pub(super) fn best(
        &self,
        base_fee_wei: u128,
        but: &BTreeSet<Address>,
        next: impl Fn(Address) -> u64,
    ) -> Option<Arc<Tx>> {
        let candidates = self.senders.iter().filter(|(from, _)| !but.contains(*from));
        candidates
            .filter_map(|(from, line)| line.get(&next(*from)))
            .filter_map(|waiting| Some((waiting.tx.tip(base_fee_wei)?, waiting)))
            .max_by_key(|(tip, waiting)| (*tip, std::cmp::Reverse(waiting.arrival)))
            .map(|(_, waiting)| Arc::clone(&waiting.tx))
    }

    /// Drops a sender's highest numbers beyond those that may wait for a gap to close. Nodes do it silently.
    pub(super) fn cap_queue(&mut self, from: Address, next: u64, queued_max: u64) {
        let executable_end = self.next_number(from, next);
        let Some(line) = self.senders.get_mut(&from) else { return };
        while line.range(executable_end..).count() as u64 > queued_max {
            line.pop_last();
        }
    }

    /// What all a sender's waiting transactions but the one of this number can cost.
    fn committed(&self, from: Address, but: u64) -> U256 {
        let line = self.senders.get(&from).into_iter().flatten();
        line.filter(|(number, _)| **number != but)
            .fold(U256::ZERO, |sum, (_, waiting)| sum.saturating_add(waiting.tx.cost()))
    }

    fn len(&self) -> u64 {
        self.senders.values().map(|line| line.len() as u64).sum()
    }

    /// Whether a node with this state would take the transaction into this pool, or what it says instead.
    pub(super) fn check(&self, config: &ModelConfig, state: &State, tx: &Tx) -> Result<(), String> {
        if self.at(tx.from, tx.number).is_some_and(|waiting| waiting.hash == tx.hash) {
            return Err("already known".to_owned());
        }
        worth(config, tx)?;
        self.next_in_line(config, state, tx)?;
        let (balance, cost) = (state.coins_of(tx.from), tx.cost());
        if balance < cost {
            return Err(format!(
                "insufficient funds for gas * price + value: balance {balance}, tx cost {cost}, overshot {}",
                cost - balance
            ));
        }
        let queued = self.committed(tx.from, tx.number);
        if balance < queued.saturating_add(cost) {
            return Err(format!(
                "insufficient funds for gas * price + value: balance {balance}, queued cost {queued}, tx cost {cost}, \
                 overshot {}",
                queued.saturating_add(cost) - balance
            ));
        }
        self.room(config, state, tx)
    }

    fn next_in_line(&self, config: &ModelConfig, state: &State, tx: &Tx) -> Result<(), String> {
        let next = state.number(tx.from);
        if tx.number < next {
            return Err(format!("nonce too low: next nonce {next}, tx nonce {}", tx.number));
        }
        let gap = self.next_number(tx.from, next);
        match config.gaps {
            Gaps::Refused if tx.number > gap => {
                Err(format!("nonce too high: tx nonce {}, gapped nonce {gap}", tx.number))
            }
            Gaps::Refused | Gaps::Queued => Ok(()),
        }
    }

    fn room(&self, config: &ModelConfig, state: &State, tx: &Tx) -> Result<(), String> {
        if let Some(waiting) = self.at(tx.from, tx.number) {
            let enough = |new: u128, old: u128| {
                let asked = U256::from(old) * U256::from(100 + config.replacement_percent) / U256::from(100);
                new > old && U256::from(new) >= asked
            };
            let paid = enough(tx.fees.max_fee_wei, waiting.fees.max_fee_wei)
                && enough(tx.fees.max_priority_wei, waiting.fees.max_priority_wei);
            return if paid { Ok(()) } else { Err("replacement transaction underpriced".to_owned()) };
        }
        let pooled = self.senders.get(&tx.from).map_or(0, |line| line.len() as u64);
        // What the chain takes next is always let in (as Reth does): a lane whose lowest number was lost would stand still.
        if pooled >= config.account_max && tx.number > state.number(tx.from) {
            return Err(format!("account limit exceeded: pooled {pooled} txs"));
        }
        if self.len() >= config.pool_max {
            return Err("txpool is full".to_owned());
        }
        Ok(())
    }
}

/// What the transaction alone shows.
fn worth(config: &ModelConfig, tx: &Tx) -> Result<(), String> {
    if tx.gas_limit > config.block_gas_limit {
        return Err("exceeds block gas limit".to_owned());
    }
    if tx.fees.max_priority_wei > tx.fees.max_fee_wei {
        return Err("max priority fee per gas higher than max fee per gas".to_owned());
    }
    let needed = intrinsic_gas(&tx.data);
    if tx.gas_limit < needed {
        return Err(format!("intrinsic gas too low: gas {}, minimum needed {needed}", tx.gas_limit));
    }
    if tx.fees.max_priority_wei < config.min_tip_wei {
        return Err(format!(
            "transaction gas price below minimum: gas tip cap {}, minimum needed {}",
            tx.fees.max_priority_wei, config.min_tip_wei
        ));
    }
    Ok(())
}

/// Reads bytes as a node of this chain does.
pub(super) fn read(chain_id: u64, raw: &Bytes, signatures: &Signatures) -> Result<Tx, String> {
    let signer = |signature: &Signature, digest| match signatures.get(&digest) {
        Some((known, signer)) if known == signature => Some(*signer),
        Some(_) | None => recover_signer(signature, digest).ok(),
    };
    let opened = open_with(raw, signer).map_err(|error| match error {
        OpenError::Encoding(_) => "rlp: expected input list for types.DynamicFeeTx".to_owned(),
        OpenError::Signature => "invalid sender: invalid transaction v, r, s values".to_owned(),
        OpenError::NoRecipient => "the model chain creates no contracts".to_owned(),
        OpenError::AccessList => "the model chain has no access lists".to_owned(),
    })?;
    let payment = opened.payment;
    if payment.chain_id != chain_id {
        return Err(format!("invalid sender: invalid chain id for signer: have {} want {chain_id}", payment.chain_id));
    }
    Ok(Tx {
        hash: opened.hash,
        from: opened.from,
        number: payment.number,
        to: payment.to,
        value: payment.value,
        data: payment.data,
        gas_limit: payment.gas_limit,
        fees: payment.fees,
        raw: Some(raw.clone()),
    })
}
