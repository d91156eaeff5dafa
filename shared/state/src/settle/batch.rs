//! Many decisions in one commit: states and merged postings.

use std::collections::BTreeMap;

use causeway_domain::{
    Address, Clock, U256, clock::Millis, id::CommitId, lane::LaneId, limits::ACCOUNT_SHARDS, network::AssetId,
};
use causeway_store::Write;

use super::{
    SettleError,
    decide::{Decision, Told, is_open},
    load::Loaded,
};
use crate::{
    cancel,
    halt::{SETTLED_LEFT, beside},
    lane::{Outcome, Transaction},
    ledger::{AccountId, Buckets, EntryKind, Owner, Postings},
    parcel::{Failure, Settled},
};

/// Where postings of accounts that every transaction touches are merged.
#[derive(Debug, Clone)]
pub struct Merge {
    entry: String,
    shard: u8,
    now: Millis,
}

impl Merge {
    /// A new entry, on a shard by chance.
    pub fn new(clock: &dyn Clock) -> Self {
        let now = clock.now_ms();
        let entry = CommitId::new(clock).to_string();
        let shard = u8::try_from(clock.random() % u128::from(ACCOUNT_SHARDS)).unwrap_or_default();
        Self { entry, shard, now }
    }
}

/// What one commit is made of.
#[derive(Debug)]
pub struct Batch {
    /// Lanes that halt, and why.
    pub halts: BTreeMap<LaneId, String>,
    states: Vec<Write>,
    postings: Postings,
    merge: Merge,
}

impl Batch {
    /// Nothing yet.
    pub fn new(merge: Merge) -> Self {
        Self { halts: BTreeMap::new(), states: Vec::new(), postings: Postings::default(), merge }
    }

    /// The writes of states and money; conditions, and lanes that halt, are the caller's to add.
    pub fn writes(self) -> Result<Vec<Write>, SettleError> {
        let mut writes = self.states;
        writes.extend(self.postings.writes(self.merge.now)?);
        Ok(writes)
    }

    /// Adds one decision; answers whether it writes anything about the transaction.
    pub fn add(&mut self, told: Told<'_>, one: &Loaded, decision: &Decision) -> Result<bool, SettleError> {
        match decision {
            Decision::Nothing | Decision::Later { .. } | Decision::AskPeople { .. } => Ok(false),
            Decision::HaltOnly { reason } => {
                self.halt(one, reason);
                Ok(false)
            }
            Decision::Pay { gas_cost_wei } => {
                self.pay(told, one, *gas_cost_wei)?;
                Ok(true)
            }
            Decision::Fail { gas_cost_wei, code, reason } => {
                self.fail(told, one, *gas_cost_wei, (code, reason))?;
                Ok(true)
            }
            Decision::Cancel { gas_cost_wei } => {
                self.cancel(told, one, *gas_cost_wei)?;
                Ok(true)
            }
            Decision::Reopen { gas_cost_wei } => {
                self.reopen(one, *gas_cost_wei)?;
                Ok(true)
            }
        }
    }

    /// Its lane halts, for this reason too.
    fn halt(&mut self, one: &Loaded, reason: &str) {
        let known = self.halts.entry(one.inclusion.lane.clone()).or_insert_with(|| reason.to_owned());
        *known = beside(known, reason);
    }

    fn pay(&mut self, told: Told<'_>, one: &Loaded, cost: U256) -> Result<(), SettleError> {
        let (hash, block_hash, height) = (one.inclusion.hash, told.block_hash, told.height);
        for (parcel, version) in one.parcels.iter().filter(|(parcel, _)| is_open(parcel.state)) {
            let id = parcel.id.bare();
            let account = AccountId { owner: Owner::Tenant(parcel.tenant.clone()), asset: parcel.asset.clone() };
            self.postings.post(&account, &parcel.hold, &id, parcel.reopened)?;
            self.treasury(one, &parcel.asset, parcel.total().signed(), EntryKind::Post)?;
            let settled = Settled { hash, height, block_hash };
            self.states.push(parcel.moved(*version, parcel.confirmed(settled, self.merge.now))?);
        }
        self.gas(one, cost, EntryKind::Gas)?;
        self.outcome(one, Some(Outcome::Paid { hash, block_hash, height, gas_cost_wei: cost }), 0)
    }

    fn fail(
        &mut self,
        told: Told<'_>,
        one: &Loaded,
        cost: U256,
        (code, reason): (&str, &str),
    ) -> Result<(), SettleError> {
        let (hash, block_hash, height) = (one.inclusion.hash, told.block_hash, told.height);
        for (parcel, version) in one.parcels.iter().filter(|(parcel, _)| is_open(parcel.state)) {
            let account = AccountId { owner: Owner::Tenant(parcel.tenant.clone()), asset: parcel.asset.clone() };
            self.postings.release(&account, &parcel.hold, &parcel.id.bare())?;
            let settled = Settled { hash, height, block_hash };
            let failure = Failure { code: code.to_owned(), reason: reason.to_owned() };
            self.states.push(parcel.moved(*version, parcel.failed(settled, failure, self.merge.now))?);
        }
        self.gas(one, cost, EntryKind::Gas)?;
        let reason = reason.to_owned();
        self.outcome(one, Some(Outcome::Reverted { hash, block_hash, height, gas_cost_wei: cost, reason }), 0)
    }

    fn cancel(&mut self, told: Told<'_>, one: &Loaded, cost: U256) -> Result<(), SettleError> {
        let (hash, block_hash, height) = (one.inclusion.hash, told.block_hash, told.height);
        for (parcel, version) in one.parcels.iter().filter(|(parcel, _)| is_open(parcel.state)) {
            let account = AccountId { owner: Owner::Tenant(parcel.tenant.clone()), asset: parcel.asset.clone() };
            self.postings.release(&account, &parcel.hold, &parcel.id.bare())?;
            let settled = Some(Settled { hash, height, block_hash });
            self.states.push(parcel.moved(*version, parcel.cancelled(settled, cancel::failure(), self.merge.now))?);
        }
        self.gas(one, cost, EntryKind::Gas)?;
        self.outcome(one, Some(Outcome::Cancelled { hash, block_hash, height, gas_cost_wei: cost }), 0)
    }

    fn reopen(&mut self, one: &Loaded, cost: U256) -> Result<(), SettleError> {
        for (parcel, version) in &one.parcels {
            let account = AccountId { owner: Owner::Tenant(parcel.tenant.clone()), asset: parcel.asset.clone() };
            self.postings.reverse(&account, &parcel.hold, &parcel.id.bare(), parcel.reopened)?;
            self.treasury(one, &parcel.asset, -parcel.total().signed(), EntryKind::Reverse)?;
            self.states.push(parcel.moved(*version, parcel.reopened(self.merge.now))?);
        }
        // Burnt gas of a block that is gone was not burnt.
        let back = -signed(cost)?;
        self.gas_units(one, back, EntryKind::Reverse)?;
        let number = one.transaction.number;
        self.halt(one, &format!("number {number} {SETTLED_LEFT}"));
        self.outcome(one, None, 1)
    }

    fn outcome(&mut self, one: &Loaded, outcome: Option<Outcome>, reopened: u32) -> Result<(), SettleError> {
        // What was told as paid goes out again as it was, also where a no-op was signed after it (rule 5).
        let send = if reopened > 0 { Some(one.inclusion.attempt) } else { one.transaction.send };
        let reopened = one.transaction.reopened + reopened;
        let next = Transaction { outcome, reopened, send, ..one.transaction.clone() };
        self.states.push(next.put(&one.inclusion.lane, one.version)?);
        Ok(())
    }

    fn gas(&mut self, one: &Loaded, cost: U256, kind: EntryKind) -> Result<(), SettleError> {
        self.gas_units(one, signed(cost)?, kind)
    }

    /// Gas leaves the treasury's coins and what the tenant set aside for gas.
    fn gas_units(&mut self, one: &Loaded, units: i128, kind: EntryKind) -> Result<(), SettleError> {
        let Some((parcel, _)) = one.parcels.first() else { return Ok(()) };
        if units == 0 {
            return Ok(());
        }
        let coin = AssetId { network: one.inclusion.lane.network.clone(), address: Address::ZERO };
        let gas = AccountId { owner: Owner::Gas(parcel.tenant.clone()), asset: coin.clone() };
        let change = Buckets { available: -units, held: 0, posted: units };
        self.postings.merge(&gas, self.merge.shard, &self.merge.entry, kind, change, "gas")?;
        self.treasury(one, &coin, units, kind)
    }

    fn treasury(&mut self, one: &Loaded, asset: &AssetId, units: i128, kind: EntryKind) -> Result<(), SettleError> {
        let account = AccountId { owner: Owner::Treasury(one.inclusion.lane.clone()), asset: asset.clone() };
        let change = Buckets { available: units, held: 0, posted: 0 };
        Ok(self.postings.merge(&account, self.merge.shard, &self.merge.entry, kind, change, "on chain")?)
    }
}

fn signed(units: U256) -> Result<i128, SettleError> {
    i128::try_from(units).map_err(|_| SettleError::Hopeless("a gas cost beyond all bounds".to_owned()))
}
