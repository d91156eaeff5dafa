//! The books against one block: the lane's numbers, a treasury's balances, and that a tenant's accounts sum to zero.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use causeway_chains::{Chain, Holdings, transaction::payment_of};
use causeway_domain::{Address, Amount, Asset, B256, Network, U256, lane::LaneId, limits::ACCOUNT_SHARDS};
use causeway_state::{
    lane::{Attempt, Counter, Gate, NUMBERS_PER_PARTITION},
    ledger::{AccountId, Balances, Owner},
    reconciliation::{Difference, Kind},
    tracker::{HeaderRow, Inclusion, Watch},
};
use causeway_store::{Item, Key};

use super::line::Walk;
use crate::{TrackError, Tracker, lead::Lead};

/// Reads of the accounts before a look gives up on finding them at rest.
const READS_MAX: usize = 5;

/// Blocks that the tracker may be behind the newest: it looks at the head several times for each.
const BEHIND_MAX: u64 = 3;

/// What blocks hold of a lane and the books do not yet, by token; the zero address is the coin.
#[derive(Debug, Default)]
struct Unsettled {
    units: BTreeMap<Address, U256>,
    /// Tokens of which a log cannot be read: what they moved is not known, and their settlement asks people.
    unreadable: BTreeSet<Address>,
}

impl Unsettled {
    fn add(&mut self, asset: Address, units: U256) {
        let sum = self.units.entry(asset).or_default();
        *sum = sum.saturating_add(units);
    }

    /// What an included attempt took from the lane's address.
    fn take(&mut self, lane: &LaneId, inclusion: &Inclusion, attempt: &Attempt) {
        self.add(Address::ZERO, U256::from(inclusion.gas_used) * U256::from(inclusion.gas_price_wei));
        if !inclusion.success {
            return;
        }
        // The bytes say what this attempt paid: another one of the number may have paid something else.
        let payment = payment_of(&attempt.raw).ok().map(|(payment, _)| payment);
        if let Some(payment) = payment.filter(|payment| payment.to != lane.address) {
            self.add(Address::ZERO, payment.value);
            if inclusion.unreadable && inclusion.moved.is_empty() {
                self.unreadable.insert(payment.to);
            }
        }
        for moved in inclusion.moved.iter().filter(|moved| moved.to != lane.address) {
            self.add(moved.token, moved.amount.to_u256());
        }
    }

    fn of(&self, asset: Address) -> U256 {
        self.units.get(&asset).copied().unwrap_or_default()
    }
}

/// A lane and what of it is not settled, as of one moment.
#[derive(Debug)]
struct Line {
    counter: Option<Counter>,
    gate: Option<Gate>,
    unsettled: Unsettled,
}

impl Tracker {
    /// What does not agree at the head's block; `None` where it cannot be said now.
    pub(super) async fn books(
        &self,
        network: &Network,
        chain: &dyn Chain,
        lead: &Lead,
        walk: &Walk,
    ) -> Result<Option<Vec<Difference>>, TrackError> {
        let tokens: Vec<Address> = network.assets().map(|asset| asset.address).filter(|at| !at.is_zero()).collect();
        let reply = chain.holdings(lead.head.height, walk.lane.address, &tokens).await?;
        // Books know of a deposit as soon as somebody saw it: a head that is far behind may not have it yet.
        let not_now = |why| {
            tracing::info!(lane = %walk.lane, height = lead.head.height, why, "cannot be reconciled now");
            Ok(None)
        };
        if reply.height.is_some_and(|newest| newest > lead.head.height + BEHIND_MAX) {
            return not_now("the tracker is behind");
        }
        // Another block of this height, or none: a provider that lags, or a branch that is not followed yet.
        let Some(holdings) = reply.value.filter(|holdings| holdings.header.hash == lead.head.hash) else {
            return not_now("the provider asked has another block, or none");
        };
        let accounts = accounts(network, lead, walk);
        let keys: Vec<Key> = accounts.iter().flat_map(AccountId::shards).collect();
        for _ in 0..READS_MAX {
            let before = self.rows(&keys).await?;
            let Some(line) = self.line(network, lead, walk).await? else {
                return not_now("a block's rows lack an attempt that is in it");
            };
            // A transaction is settled in one commit with its postings: while no account moved, none was.
            if versions(&self.rows(&keys).await?) == versions(&before) {
                let sums = accounts.iter().cloned().zip(before.chunks(usize::from(ACCOUNT_SHARDS)).map(Balances::sum));
                return Ok(Some(compare(network, walk, &holdings, &sums.collect(), &line)));
            }
        }
        not_now("its accounts never held still")
    }

    /// The lane's rows from its first unsettled number on; `None` where a block's inclusions are not to be had.
    async fn line(&self, network: &Network, lead: &Lead, walk: &Walk) -> Result<Option<Line>, TrackError> {
        let lane = &walk.lane;
        let rows = self.rows(&[Counter::key(lane), Gate::key(lane)]).await?;
        let counter = rows[0].as_ref().map(Item::parse::<Counter>).transpose()?;
        let gate = rows[1].as_ref().map(Item::parse::<Gate>).transpose()?;
        let next = counter.map_or(0, |counter| counter.next);
        let consumed = gate.as_ref().map_or(next, |gate| gate.consumed);
        let mut at = walk.look.open_from.unwrap_or(next).min(consumed);
        let mut open = Vec::new();
        while at < next {
            // What cannot be read was found by the walk.
            let numbers = self.numbers(lane, at, &mut Vec::new()).await?.into_values();
            let unsettled = |known: &super::line::Numbered| {
                known.transaction.as_ref().is_some_and(|transaction| transaction.outcome.is_none())
            };
            open.extend(numbers.filter(unsettled).flat_map(|known| known.attempts));
            at = (at / NUMBERS_PER_PARTITION + 1) * NUMBERS_PER_PARTITION;
        }
        let unsettled = self.unsettled(network, lead, lane, &open).await?;
        Ok(unsettled.map(|unsettled| Line { counter, gate, unsettled }))
    }

    /// What the chain up to the head holds of these attempts.
    async fn unsettled(
        &self,
        network: &Network,
        lead: &Lead,
        lane: &LaneId,
        open: &[Attempt],
    ) -> Result<Option<Unsettled>, TrackError> {
        let mut unsettled = Unsettled::default();
        let mut blocks: BTreeMap<(u64, B256), Vec<Inclusion>> = BTreeMap::new();
        let keys: Vec<Key> = open.iter().map(|attempt| Watch::key(&network.id, attempt.hash)).collect();
        for (attempt, row) in open.iter().zip(self.rows(&keys).await?) {
            let Some(watch) = row.map(|row| row.parse::<Watch>()).transpose()? else { continue };
            let (Some(height), Some(hash)) = (watch.height, watch.block_hash) else { continue };
            if height > lead.head.height || !self.is_followed(network, lead, height, hash).await? {
                continue;
            }
            if let Entry::Vacant(block) = blocks.entry((height, hash)) {
                block.insert(self.inclusions(network, height, hash).await?);
            }
            let inclusions = blocks.get(&(height, hash)).map(Vec::as_slice).unwrap_or_default();
            let Some(inclusion) = inclusions.iter().find(|inclusion| inclusion.hash == attempt.hash) else {
                return Ok(None);
            };
            unsettled.take(lane, inclusion, attempt);
        }
        Ok(Some(unsettled))
    }

    /// Whether this leader follows the chain through a block.
    async fn is_followed(&self, network: &Network, lead: &Lead, height: u64, hash: B256) -> Result<bool, TrackError> {
        if let Some(block) = lead.ring.get(&height) {
            return Ok(block.hash == hash);
        }
        let row = self.store.get(&HeaderRow::key(&network.id, height)).await?;
        Ok(row.map(|row| row.parse::<HeaderRow>()).transpose()?.is_some_and(|header| header.hash == hash))
    }
}

/// The accounts of a treasury's tenant on the network, and of all its treasuries there: each commit's postings are
/// among them.
fn accounts(network: &Network, lead: &Lead, walk: &Walk) -> Vec<AccountId> {
    let treasuries = lead.reconciling.lanes_of(walk).map(|lane| Owner::Treasury(lane.clone()));
    let owners = [Owner::Tenant(walk.tenant.clone()), Owner::Gas(walk.tenant.clone())].into_iter().chain(treasuries);
    let of = |owner: Owner| network.assets().map(move |asset| AccountId { owner: owner.clone(), asset: asset.id() });
    owners.flat_map(of).collect()
}

fn versions(rows: &[Option<Item>]) -> Vec<Option<u64>> {
    rows.iter().map(|row| row.as_ref().map(Item::version)).collect()
}

type Sums = BTreeMap<AccountId, Balances>;

fn compare(network: &Network, walk: &Walk, holdings: &Holdings, sums: &Sums, line: &Line) -> Vec<Difference> {
    let mut found = numbers(&walk.lane, holdings, line);
    let units = std::iter::once(Some(holdings.coin)).chain(holdings.tokens.iter().copied());
    for (asset, on_chain) in network.assets().zip(units) {
        found.extend(unbalanced(walk, asset, sums));
        if !line.unsettled.unreadable.contains(&asset.address) {
            found.extend(against_chain(walk, asset, sums, &line.unsettled, on_chain, holdings.header.number));
        }
    }
    found
}

/// The counter, the gate and the chain's own count.
fn numbers(lane: &LaneId, holdings: &Holdings, line: &Line) -> Vec<Difference> {
    let (Some(counter), Some(gate)) = (&line.counter, &line.gate) else {
        // Nothing was ever signed for it. One without the other is not: they begin in one commit.
        let one = line.counter.is_some() || line.gate.is_some();
        let fault = || Difference::new(Kind::Lane, lane.to_string(), "has a counter or a gate without the other");
        return if one { vec![fault()] } else { Vec::new() };
    };
    let (used, height) = (holdings.number, holdings.header.number);
    let mut found = Vec::new();
    if counter.next < used {
        let fault = format!("the chain has used {used} numbers at block {height}, only {} were assigned", counter.next);
        found.push(Difference::new(Kind::Lane, format!("{lane}#next"), fault));
    }
    // What lies below the lane's beginning was never ours.
    if gate.consumed != used.max(gate.first) {
        let fault = format!("the chain has used {used} numbers at block {height}, the gate knows {}", gate.consumed);
        // A gate that moves between two looks is being set right, a page at a time: what is told stands still.
        found.push(Difference::new(Kind::Lane, format!("{lane}#consumed {}", gate.consumed), fault));
    }
    found
}

/// Whether each commit moved money from somewhere to somewhere: what is left over of all of them together.
fn unbalanced(walk: &Walk, asset: &Asset, sums: &Sums) -> Option<Difference> {
    let of_asset = sums.iter().filter(|(account, _)| account.asset == asset.id());
    let sum: i128 = of_asset.map(|(_, balances)| balances.available + balances.held).sum();
    let subject = AccountId { owner: Owner::Tenant(walk.tenant.clone()), asset: asset.id() };
    let fault = || format!("its accounts and its treasuries' sum to {}", told(sum, asset));
    (sum != 0).then(|| Difference::new(Kind::Unbalanced, subject.to_string(), fault()))
}

fn against_chain(
    walk: &Walk,
    asset: &Asset,
    sums: &Sums,
    unsettled: &Unsettled,
    on_chain: Option<U256>,
    height: u64,
) -> Option<Difference> {
    let account = AccountId { owner: Owner::Treasury(walk.lane.clone()), asset: asset.id() };
    let books = sums.get(&account).copied().unwrap_or_default().available.saturating_neg();
    let pending = signed(unsettled.of(asset.address));
    // A contract that gives no number holds nothing for us.
    let chain = signed(on_chain.unwrap_or_default());
    let more = chain.saturating_sub(books).saturating_add(pending);
    let kind = match more.cmp(&0) {
        std::cmp::Ordering::Equal => return None,
        std::cmp::Ordering::Less => Kind::Short,
        std::cmp::Ordering::Greater => Kind::Uncredited,
    };
    let than = if kind == Kind::Short { "less" } else { "more" };
    let fault = format!(
        "the chain has {} at block {height}, {} {than} than the books' {} without the {} that are not settled yet",
        told(chain, asset),
        told(more.saturating_abs(), asset),
        told(books, asset),
        told(pending, asset),
    );
    Some(Difference::new(kind, account.to_string(), fault))
}

/// Nothing that is kept in books is beyond this; an absurd token is as much more as can be said.
fn signed(units: U256) -> i128 {
    i128::try_from(units).unwrap_or(i128::MAX)
}

/// Signed units in the asset's own unit, with its symbol.
fn told(units: i128, asset: &Asset) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let amount = Amount::new(units.unsigned_abs()).map(|amount| amount.format(asset.decimals));
    amount.map_or_else(|| format!("{units} units of {}", asset.symbol), |text| format!("{sign}{text} {}", asset.symbol))
}
