//! Many decisions in one commit: states, merged postings, and the condition that the block is still there.

use std::collections::BTreeMap;

use causeway_domain::{
    U256,
    id::CommitId,
    lane::LaneId,
    limits::{ACCOUNT_SHARDS, COMMIT_WRITES_MAX},
    network::AssetId,
};
use causeway_runtime::metrics;
use causeway_state::{
    cancel,
    commit::{CommitError, Done, commit},
    lane::{Gate, Outcome, Transaction, beside},
    ledger::{AccountId, Buckets, EntryKind, Owner, Postings, PostingsError},
    message::StageMessage,
    parcel::{Failure, MoveError, Settled},
    tracker::Inclusion,
};
use causeway_store::{RowError, StoreError, Write};

use crate::{
    Settler,
    decide::{Decision, Told, decide, is_open},
    load::{Anchor, Loaded},
};

/// Rounds of reading anew after a conflict.
const ROUNDS_MAX: u32 = 6;

/// Why a stage is not settled.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// It never will be: people must look.
    #[error("{0}")]
    Hopeless(String),
    /// Not now.
    #[error("{0}")]
    Later(String),
    /// Rows cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row does not parse.
    #[error(transparent)]
    Row(#[from] RowError),
    /// A write did not surely happen.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A move that does not exist; a fault of ours.
    #[error(transparent)]
    Move(#[from] MoveError),
    /// Postings that do not balance; a fault of ours.
    #[error(transparent)]
    Postings(#[from] PostingsError),
}

/// What one commit is made of.
#[derive(Debug, Default)]
struct Batch {
    states: Vec<Write>,
    postings: Postings,
    halts: BTreeMap<LaneId, String>,
}

impl Settler {
    /// Settles a stage: again and again until its commit holds, or it has nothing to do.
    pub async fn settle(&self, stage: &StageMessage) -> Result<(), SettleError> {
        let (anchor, rows) = self.look(stage).await?;
        let Some(anchor) = anchor else {
            tracing::info!(network = %stage.network, height = stage.height, "the chain has turned since this was told");
            return Ok(());
        };
        let mut left = Left::default();
        let mut rest = vec![stage.inclusions.clone()];
        let mut known = Some(rows);
        while let Some(inclusions) = rest.pop() {
            let mut done = false;
            for _ in 0..ROUNDS_MAX {
                let loaded = match self.load(stage.stage, &inclusions, known.take()).await {
                    Ok(loaded) => loaded,
                    // Rows that will never be read, or are not there, must not keep the others unsettled.
                    Err(SettleError::Row(_) | SettleError::Hopeless(_)) if inclusions.len() > 1 => {
                        rest.extend(halves(&inclusions));
                        done = true;
                        break;
                    }
                    Err(error @ (SettleError::Row(_) | SettleError::Hopeless(_))) => {
                        left.people = Some(error.to_string());
                        done = true;
                        break;
                    }
                    Err(error) => return Err(error),
                };
                match self.settle_group(stage, &anchor, &loaded, &mut left).await? {
                    Progress::Done => {
                        done = true;
                        break;
                    }
                    Progress::TooLarge if inclusions.len() > 1 => {
                        rest.extend(halves(&inclusions));
                        done = true;
                        break;
                    }
                    Progress::TooLarge => {
                        return Err(SettleError::Hopeless("one transaction does not fit a commit".to_owned()));
                    }
                    Progress::Conflict => {}
                }
            }
            if !done {
                // The anchor may have gone meanwhile; the message comes again and finds out.
                return Err(SettleError::Later("its rows never held still".to_owned()));
            }
        }
        match left {
            Left { people: Some(reason), .. } => Err(SettleError::Hopeless(reason)),
            Left { later: Some(reason), .. } => Err(SettleError::Later(reason)),
            Left { people: None, later: None } => Ok(()),
        }
    }

    async fn settle_group(
        &self,
        stage: &StageMessage,
        anchor: &Anchor,
        loaded: &[Loaded],
        left: &mut Left,
    ) -> Result<Progress, SettleError> {
        let now = self.clock.now_ms();
        let entry = CommitId::new(&*self.clock).to_string();
        let shard = u8::try_from(self.clock.random() % u128::from(ACCOUNT_SHARDS)).unwrap_or_default();
        let mut batch = Batch::default();
        let mut touched = Vec::new();
        for one in loaded {
            let told = Told {
                stage: stage.stage,
                height: stage.height,
                block_hash: stage.block_hash,
                inclusion: &one.inclusion,
            };
            let parcels: Vec<_> = one.parcels.iter().map(|(parcel, _)| parcel.clone()).collect();
            let decision = decide(told, &one.transaction, &parcels);
            let written = batch.add(told, one, &decision, Merge { entry: &entry, shard, now })?;
            if written {
                touched.push(one.clone());
            }
            match decision {
                Decision::Later { reason } => left.later = Some(reason),
                Decision::AskPeople { reason } => left.people = Some(reason),
                Decision::Nothing
                | Decision::Pay { .. }
                | Decision::Fail { .. }
                | Decision::Cancel { .. }
                | Decision::Reopen { .. }
                | Decision::HaltOnly { .. } => {}
            }
        }
        if touched.is_empty() && batch.halts.is_empty() {
            return Ok(Progress::Done);
        }
        let mut writes = anchor.checks(&touched);
        writes.extend(batch.states);
        writes.extend(batch.postings.writes(now)?);
        writes.extend(self.halts(&batch.halts).await?);
        if writes.len() > COMMIT_WRITES_MAX {
            return Ok(Progress::TooLarge);
        }
        match commit(&*self.store, &*self.clock, &writes).await? {
            Done::Committed => {
                for one in &touched {
                    let (lane, number, hash) = (&one.inclusion.lane, one.inclusion.number, one.inclusion.hash);
                    tracing::info!(%lane, number, %hash, trace = %one.transaction.trace, stage = ?stage.stage, "settled");
                }
                for lane in batch.halts.keys() {
                    self.metrics.emit(&*self.clock, metrics::LANES_HALTED, 1, Some(&lane.network));
                }
                Ok(Progress::Done)
            }
            Done::Conflict(_) => Ok(Progress::Conflict),
        }
    }

    /// A settled transaction that leaves halts its lane in the same commit; what was out may go again, nothing new.
    async fn halts(&self, halts: &BTreeMap<LaneId, String>) -> Result<Vec<Write>, SettleError> {
        let mut writes = Vec::new();
        for (lane, reason) in halts {
            let Some(row) = self.store.get(&Gate::key(lane)).await? else { continue };
            let gate: Gate = row.parse()?;
            tracing::error!(lane = %lane, reason, "the lane halts");
            // The tracker has set `seen` back already; the halt is above everything that was ever signed.
            let next = self.store.get(&causeway_state::lane::Counter::key(lane)).await?;
            let limit = next.and_then(|row| row.number("next")).and_then(|next| u64::try_from(next).ok());
            writes.push(gate.halted(reason, limit.unwrap_or(gate.seen)).put(lane, row.version())?);
        }
        Ok(writes)
    }
}

/// What a stage leaves undone, and why: for another message's sake, or for people.
#[derive(Debug, Default)]
struct Left {
    later: Option<String>,
    people: Option<String>,
}

fn halves(inclusions: &[Inclusion]) -> [Vec<Inclusion>; 2] {
    let (left, right) = inclusions.split_at(inclusions.len() / 2);
    [left.to_vec(), right.to_vec()]
}

/// How far a group's commit came.
enum Progress {
    Done,
    Conflict,
    TooLarge,
}

/// Where postings of accounts that every transaction touches are merged.
#[derive(Clone, Copy)]
struct Merge<'a> {
    entry: &'a str,
    shard: u8,
    now: u64,
}

impl Batch {
    /// Adds one decision; answers whether it writes anything about the transaction.
    fn add(
        &mut self,
        told: Told<'_>,
        one: &Loaded,
        decision: &Decision,
        merge: Merge<'_>,
    ) -> Result<bool, SettleError> {
        match decision {
            Decision::Nothing | Decision::Later { .. } | Decision::AskPeople { .. } => Ok(false),
            Decision::HaltOnly { reason } => {
                self.halt(one, reason);
                Ok(false)
            }
            Decision::Pay { gas_cost_wei } => {
                self.pay(told, one, *gas_cost_wei, merge)?;
                Ok(true)
            }
            Decision::Fail { gas_cost_wei, code, reason } => {
                self.fail(told, one, *gas_cost_wei, (code, reason), merge)?;
                Ok(true)
            }
            Decision::Cancel { gas_cost_wei } => {
                self.cancel(told, one, *gas_cost_wei, merge)?;
                Ok(true)
            }
            Decision::Reopen { gas_cost_wei } => {
                self.reopen(one, *gas_cost_wei, merge)?;
                Ok(true)
            }
        }
    }

    /// Its lane halts, for this reason too.
    fn halt(&mut self, one: &Loaded, reason: &str) {
        let known = self.halts.entry(one.inclusion.lane.clone()).or_insert_with(|| reason.to_owned());
        *known = beside(known, reason);
    }

    fn pay(&mut self, told: Told<'_>, one: &Loaded, cost: U256, merge: Merge<'_>) -> Result<(), SettleError> {
        let (hash, block_hash, height) = (one.inclusion.hash, told.block_hash, told.height);
        for (parcel, version) in one.parcels.iter().filter(|(parcel, _)| is_open(parcel.state)) {
            let id = parcel.id.bare();
            let account = AccountId { owner: Owner::Tenant(parcel.tenant.clone()), asset: parcel.asset.clone() };
            self.postings.post(&account, &parcel.hold, &id, parcel.reopened)?;
            self.treasury(one, &parcel.asset, parcel.total().signed(), EntryKind::Post, merge)?;
            let settled = Settled { hash, height, block_hash };
            self.states.push(parcel.moved(*version, parcel.confirmed(settled, merge.now))?);
        }
        self.gas(one, cost, EntryKind::Gas, merge)?;
        self.outcome(one, Some(Outcome::Paid { hash, block_hash, height, gas_cost_wei: cost }), 0)
    }

    fn fail(
        &mut self,
        told: Told<'_>,
        one: &Loaded,
        cost: U256,
        (code, reason): (&str, &str),
        merge: Merge<'_>,
    ) -> Result<(), SettleError> {
        let (hash, block_hash, height) = (one.inclusion.hash, told.block_hash, told.height);
        for (parcel, version) in one.parcels.iter().filter(|(parcel, _)| is_open(parcel.state)) {
            let account = AccountId { owner: Owner::Tenant(parcel.tenant.clone()), asset: parcel.asset.clone() };
            self.postings.release(&account, &parcel.hold, &parcel.id.bare())?;
            let settled = Settled { hash, height, block_hash };
            let failure = Failure { code: code.to_owned(), reason: reason.to_owned() };
            self.states.push(parcel.moved(*version, parcel.failed(settled, failure, merge.now))?);
        }
        self.gas(one, cost, EntryKind::Gas, merge)?;
        let reason = reason.to_owned();
        self.outcome(one, Some(Outcome::Reverted { hash, block_hash, height, gas_cost_wei: cost, reason }), 0)
    }

    fn cancel(&mut self, told: Told<'_>, one: &Loaded, cost: U256, merge: Merge<'_>) -> Result<(), SettleError> {
        let (hash, block_hash, height) = (one.inclusion.hash, told.block_hash, told.height);
        for (parcel, version) in one.parcels.iter().filter(|(parcel, _)| is_open(parcel.state)) {
            let account = AccountId { owner: Owner::Tenant(parcel.tenant.clone()), asset: parcel.asset.clone() };
            self.postings.release(&account, &parcel.hold, &parcel.id.bare())?;
            let settled = Some(Settled { hash, height, block_hash });
            self.states.push(parcel.moved(*version, parcel.cancelled(settled, cancel::failure(), merge.now))?);
        }
        self.gas(one, cost, EntryKind::Gas, merge)?;
        self.outcome(one, Some(Outcome::Cancelled { hash, block_hash, height, gas_cost_wei: cost }), 0)
    }

    fn reopen(&mut self, one: &Loaded, cost: U256, merge: Merge<'_>) -> Result<(), SettleError> {
        for (parcel, version) in &one.parcels {
            let account = AccountId { owner: Owner::Tenant(parcel.tenant.clone()), asset: parcel.asset.clone() };
            self.postings.reverse(&account, &parcel.hold, &parcel.id.bare(), parcel.reopened)?;
            self.treasury(one, &parcel.asset, -parcel.total().signed(), EntryKind::Reverse, merge)?;
            self.states.push(parcel.moved(*version, parcel.reopened(merge.now))?);
        }
        // Burnt gas of a block that is gone was not burnt.
        let back = -signed(cost)?;
        self.gas_units(one, back, EntryKind::Reverse, merge)?;
        let number = one.transaction.number;
        self.halt(one, &format!("number {number} was settled and its block left the chain"));
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

    fn gas(&mut self, one: &Loaded, cost: U256, kind: EntryKind, merge: Merge<'_>) -> Result<(), SettleError> {
        self.gas_units(one, signed(cost)?, kind, merge)
    }

    /// Gas leaves the treasury's coins and what the tenant set aside for gas.
    fn gas_units(&mut self, one: &Loaded, units: i128, kind: EntryKind, merge: Merge<'_>) -> Result<(), SettleError> {
        let Some((parcel, _)) = one.parcels.first() else { return Ok(()) };
        if units == 0 {
            return Ok(());
        }
        let coin = AssetId { network: one.inclusion.lane.network.clone(), address: causeway_domain::Address::ZERO };
        let gas = AccountId { owner: Owner::Gas(parcel.tenant.clone()), asset: coin.clone() };
        let change = Buckets { available: -units, held: 0, posted: units };
        self.postings.merge(&gas, merge.shard, merge.entry, kind, change, "gas")?;
        self.treasury(one, &coin, units, kind, merge)
    }

    fn treasury(
        &mut self,
        one: &Loaded,
        asset: &AssetId,
        units: i128,
        kind: EntryKind,
        merge: Merge<'_>,
    ) -> Result<(), SettleError> {
        let account = AccountId { owner: Owner::Treasury(one.inclusion.lane.clone()), asset: asset.clone() };
        let change = Buckets { available: units, held: 0, posted: 0 };
        Ok(self.postings.merge(&account, merge.shard, merge.entry, kind, change, "on chain")?)
    }
}

fn signed(units: U256) -> Result<i128, SettleError> {
    i128::try_from(units).map_err(|_| SettleError::Hopeless("a gas cost beyond all bounds".to_owned()))
}
