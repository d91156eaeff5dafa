//! What the rows say, kept up with every commit, and the rules that hold for each commit and at every moment.

mod asked;
mod books;
mod commit;
mod names;

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, U256, keccak256};
use causeway_domain::{
    id::{DeadLetterId, ParcelId, TenantId},
    lane::{LaneGate, LaneId},
    network::AssetId,
    parcel::ParcelState,
};
use causeway_state::{
    dead_letter::DeadLetter,
    lane::{Attempt, AttemptKind, Gate, Outcome, Transaction},
    ledger::{AccountId, Balances, Owner},
    parcel::Parcel,
    tables::{LEDGER, TRACKER, TRANSFERS},
};
use causeway_store::{Item, Key, memory::After};

use crate::{
    coverage::Coverage,
    deep::Deep,
    office::{Office, is_unpaid_by_word},
};
use commit::Commit;
use names::Names;

pub use crate::office::Ordered;
pub use books::Left;

/// A rule that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {what}")]
pub struct Violation {
    /// Which rule, by its number in the design, or a word.
    pub rule: &'static str,
    /// What is wrong.
    pub what: String,
}

/// Whether a rule holds.
pub type Held = Result<(), Violation>;

pub(crate) fn hold(holds: bool, rule: &'static str, what: impl FnOnce() -> String) -> Held {
    if holds { Ok(()) } else { Err(Violation { rule, what: what() }) }
}

/// One lane's line.
#[derive(Debug, Default)]
pub struct Line {
    next: Option<u64>,
    transactions: BTreeMap<u64, Transaction>,
    attempts: BTreeMap<(u64, u32), Attempt>,
    halted: bool,
    begins: bool,
}

impl Line {
    /// A transaction by its number.
    pub fn transaction(&self, number: u64) -> Option<&Transaction> {
        self.transactions.get(&number)
    }

    /// All of them, in order.
    pub fn transactions(&self) -> impl Iterator<Item = &Transaction> {
        self.transactions.values()
    }

    /// What the attempt of a hash is to do, where it is one of ours.
    pub fn kind(&self, hash: B256) -> Option<AttemptKind> {
        self.attempts.values().find(|attempt| attempt.hash == hash).map(|attempt| attempt.kind)
    }

    /// Whether this number was told as paid and its block has left.
    fn was_paid(&self, number: u64) -> bool {
        self.transactions.get(&number).is_some_and(|transaction| transaction.reopened > 0)
    }
}

/// One shard of an account: its balances, and what its entries sum to.
#[derive(Debug, Default)]
struct Shard {
    balances: Balances,
    entries: Balances,
}

/// What parcels of one tenant and asset hold, and have paid.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Claims {
    held: i128,
    posted: i128,
}

/// What the chain says, for rules that are about it.
pub trait Truth {
    /// Whether a final block has a lane's transaction, or had it when it was final.
    fn is_final(&self, lane: &LaneId, hash: B256) -> bool;
    /// Whether a block left the chain although it was final.
    fn has_left(&self, block: B256) -> bool;
    /// What a final block has under a lane's number.
    fn final_taker(&self, lane: &LaneId, number: u64) -> Option<B256>;
    /// What a lane's transaction took from its address in a block that is, or once was, on the chain.
    fn left(&self, lane: &LaneId, block: B256, hash: B256) -> Option<Left>;
    /// Whether what a parcel asks for fails whatever its treasury holds.
    fn refuses(&self, parcel: &Parcel) -> bool;
}

/// The rows that rules are about.
#[derive(Debug, Default)]
pub struct Rules {
    parcels: BTreeMap<ParcelId, Parcel>,
    lines: BTreeMap<LaneId, Line>,
    shards: BTreeMap<(AccountId, u8), Shard>,
    claims: BTreeMap<(TenantId, AssetId), Claims>,
    /// At most so much may a recipient have of an asset.
    owed: BTreeMap<(Address, Address), U256>,
    hashes: BTreeSet<B256>,
    touched: BTreeSet<AccountId>,
    /// Parcels that were settled since somebody asked.
    settled: Vec<ParcelId>,
    /// Parcels that somebody asked to cancel.
    wished: BTreeSet<ParcelId>,
    owes_less: bool,
    coverage: Coverage,
    office: Office,
    names: Names,
    deep: Deep,
    /// The chain as the tracker's rows tell it, by the rows' place.
    headers: BTreeMap<String, B256>,
    /// What recipients may have beyond what they are owed, since a release left the chain.
    excess: BTreeMap<(Address, Address), U256>,
}

impl Rules {
    /// Counts the moves that it sees.
    pub fn counting(coverage: &Coverage) -> Self {
        Self { coverage: coverage.clone(), ..Self::default() }
    }

    /// Takes a commit in, and holds what every commit must keep to.
    pub fn commit(&mut self, after: &After, truth: &dyn Truth) -> Held {
        let mut commit = Commit::default();
        for (key, item) in after {
            self.office.row(key, item.as_ref(), &mut commit.turn)?;
            match (key.table, item.as_ref()) {
                (TRANSFERS, Some(item)) => self.transfers_row(key, item, &mut commit)?,
                (LEDGER, Some(item)) => self.ledger_row(key, item, &mut commit)?,
                (TRACKER, item) if key.pk.starts_with("HDR#") => self.header(key, item),
                (LEDGER, None) => return hold(false, "rule 7", || format!("{} is deleted", key.pk)),
                (TRANSFERS, None) => hold(key.sk == "LEASE", "rule 2", || format!("{key:?} is deleted"))?,
                _ => {}
            }
        }
        for (lane, hash) in &commit.hashes {
            // What it halted at was ours all along.
            if commit.turn.opened.contains(lane) && truth.is_final(lane, *hash) {
                self.coverage.count("number: adopted");
                commit.turn.cleared.insert(lane.clone());
            }
        }
        for (lane, number) in &commit.displaced {
            let strangers = truth.final_taker(lane, *number).is_some_and(|hash| !self.hashes.contains(&hash));
            hold(strangers, "rule 4", || {
                format!("number {number} of {lane} is given up, and is no stranger's for good")
            })?;
        }
        self.may_sign(&commit)?;
        self.no_ops_are_wished(&commit)?;
        self.rejections_are_deserved(&commit, truth)?;
        self.postings_are_the_chains(&commit, truth)?;
        self.ends_are_on_the_chain(&commit)?;
        self.release_late(&commit, truth);
        self.office.must_hold(&commit.turn, &self.parcels, &self.lines, truth)?;
        commit.must_hold()
    }

    fn may_sign(&self, commit: &Commit) -> Held {
        for ((lane, _), parcels) in &commit.created {
            for parcel in parcels.iter().filter_map(|id| self.parcels.get(id)) {
                self.office.may_sign(&parcel.tenant, lane)?;
            }
        }
        let raised = |(lane, number, index): &&(LaneId, u64, u32)| {
            let attempt = self.lines.get(lane).and_then(|line| line.attempts.get(&(*number, *index)));
            *index > 0 && attempt.is_some_and(|attempt| attempt.kind == AttemptKind::Payment)
        };
        for (lane, number, _) in commit.signed.iter().filter(raised) {
            let transaction = self.lines.get(lane).and_then(|line| line.transaction(*number));
            let parcels = transaction.into_iter().flat_map(|transaction| &transaction.parcels);
            for parcel in parcels.filter_map(|id| self.parcels.get(id)) {
                self.office.may_sign(&parcel.tenant, lane)?;
            }
        }
        Ok(())
    }

    fn transfers_row(&mut self, key: &Key, item: &Item, commit: &mut Commit) -> Held {
        // A row that a scenario made unreadable on purpose is nobody's row.
        if key.sk == "PCL" {
            return item.parse().map_or(Ok(()), |parcel| self.parcel(parcel, commit));
        }
        let Some(lane) = key.pk.strip_prefix("LANE#").and_then(|rest| rest.split('#').next()) else { return Ok(()) };
        let Some(lane) = self.names.lane(lane) else { return Ok(()) };
        let line = self.lines.entry(lane.clone()).or_default();
        if key.sk == "NEXT" {
            let next = item.number("next").and_then(|next| u64::try_from(next).ok());
            let before = std::mem::replace(&mut line.next, next);
            // Before its first number a lane whose key others used begins where people say.
            if line.transactions.is_empty() && (line.begins || commit.turn.opened.contains(&lane)) {
                self.coverage.count("lane: begins elsewhere");
                return Ok(());
            }
            hold(next >= before, "rule 1", || format!("the counter of {lane} went from {before:?} to {next:?}"))?;
            commit.taken = before.zip(next).map(|(from, to)| (lane, from, to));
        } else if key.sk == "GATE" {
            let gate = item.parse::<Gate>();
            line.begins = gate.as_ref().is_ok_and(Gate::is_beginning);
            let gate = gate.map(|gate| gate.gate);
            match gate {
                Ok(LaneGate::Waiting { reason, .. }) => self.coverage.count(format!("lane: waiting for {reason:?}")),
                Ok(LaneGate::Halted { .. }) => self.coverage.count("lane: halted"),
                Ok(LaneGate::Open) if line.halted => {
                    self.coverage.count("lane: released");
                    commit.turn.opened.push(lane);
                }
                Ok(LaneGate::Open) | Err(_) => {}
            }
            line.halted = matches!(gate, Ok(LaneGate::Halted { .. }));
        } else if key.sk.contains("#A") {
            let Ok(attempt) = item.parse::<Attempt>() else { return Ok(()) };
            let in_place = *key == Attempt::key(&lane, attempt.number, attempt.index);
            hold(in_place, "rule 2", || format!("{} holds attempt {} of {lane}", key.sk, attempt.index))?;
            return self.attempt(&lane, attempt, commit);
        } else if key.sk.starts_with("TX#") {
            return item.parse().map_or(Ok(()), |transaction| self.transaction(&lane, transaction, commit));
        }
        Ok(())
    }

    fn parcel(&mut self, parcel: Parcel, commit: &mut Commit) -> Held {
        let id = parcel.id;
        self.was_wished(self.parcels.get(&id), &parcel)?;
        if let Some(before) = self.parcels.remove(&id) {
            let before = &before;
            if parcel.state == ParcelState::Rejected && before.state != parcel.state {
                commit.rejected.push(id);
            }
            let intent = |it: &Parcel| {
                (it.tenant.clone(), it.wallet.clone(), it.asset.clone(), it.transfers.clone(), it.body_hash)
            };
            hold(intent(before) == intent(&parcel), "intent", || format!("{id} is another request now"))?;
            // Somebody may repair a row to what it was; attempts and wishes are noted while it is signed, and attempts also
            // after its block has left.
            let signed = |it: &Parcel| Parcel { hash: None, replaced: Vec::new(), updated_at: 0, ..it.clone() };
            let noted = before.state == parcel.state
                && (parcel.state == ParcelState::Assigned
                    || (parcel.state == ParcelState::Reopened && signed(before) == signed(&parcel)));
            let moves = *before == parcel || noted || before.state.may_become(parcel.state);
            hold(moves, "states", || format!("{id} went from {:?} to {:?}", before.state, parcel.state))?;
            self.coverage.count(format!("parcel: {} -> {}", before.state.as_str(), parcel.state.as_str()));
            if let (Some(number), ParcelState::Accepted) = (before.number, parcel.state) {
                commit.given_up.insert((parcel.wallet.clone(), number), id);
            } else {
                let kept = before.number.is_none() || before.number == parcel.number;
                hold(kept, "rule 4", || format!("{id} had number {:?}, has {:?}", before.number, parcel.number))?;
            }
            let account = claim(before);
            let change = claims(before);
            let entry = self.claims.entry(account).or_default();
            *entry = Claims { held: entry.held - change.held, posted: entry.posted - change.posted };
            self.owe(before, false);
            let refunded = parcel.failure.as_ref().is_some_and(|failure| failure.code == "REFUNDED");
            if refunded && before.state != parcel.state {
                commit.turn.refunded.insert(id);
            }
            if is_unpaid_by_word(&parcel) && before.state != parcel.state {
                commit.turn.unpaid.insert(id);
            }
        } else {
            hold(parcel.state == ParcelState::Accepted, "states", || format!("{id} begins as {:?}", parcel.state))?;
        }
        let early = parcel.state.may_be_assigned() || parcel.state == ParcelState::Rejected;
        let fits = parcel.number.is_none() == early || parcel.state == ParcelState::Cancelled;
        hold(fits, "states", || format!("{id} is {:?} with {:?}", parcel.state, parcel.number))?;
        let waits = (parcel.state == ParcelState::Waiting) == parcel.wait.is_some();
        let seen_again = !parcel.state.may_be_assigned() || parcel.due_at.is_some();
        hold(waits && seen_again, "rule 9", || format!("{id} is {:?} and waits for nobody", parcel.state))?;
        if let Some(wait) = &parcel.wait {
            self.coverage.count(format!("waits: {:?}", wait.reason));
        }
        let held: i128 = parcel.hold.iter().map(|part| part.amount.signed()).sum();
        hold(held == parcel.total().signed(), "rule 7", || format!("{id} holds {held} of {:?}", parcel.total()))?;
        let entry = self.claims.entry(claim(&parcel)).or_default();
        let change = claims(&parcel);
        *entry = Claims { held: entry.held + change.held, posted: entry.posted + change.posted };
        self.owe(&parcel, true);
        self.touched.insert(AccountId { owner: Owner::Tenant(parcel.tenant.clone()), asset: parcel.asset.clone() });
        if parcel.settled.is_some() {
            self.settled.push(id);
        }
        if let Some(number) = parcel.number {
            commit.numbered.insert((parcel.wallet.clone(), number), id);
        }
        self.parcels.insert(id, parcel);
        Ok(())
    }

    /// What a parcel lets its recipients have at most: nothing once its client was told that they were not paid.
    fn owe(&mut self, parcel: &Parcel, more: bool) {
        if told_unpaid(parcel.state) {
            self.owes_less |= more;
            return;
        }
        for line in &parcel.transfers {
            let owed = self.owed.entry((line.to, parcel.asset.address)).or_default();
            let units = line.amount.to_u256();
            *owed = if more { *owed + units } else { *owed - units };
        }
    }

    fn transaction(&mut self, lane: &LaneId, transaction: Transaction, commit: &mut Commit) -> Held {
        let number = transaction.number;
        let name = || format!("number {number} of {lane}");
        let line = self.lines.entry(lane.clone()).or_default();
        let signed = match line.transactions.get(&number) {
            None => {
                commit.created.insert((lane.clone(), number), transaction.parcels.clone());
                if matches!(transaction.outcome, Some(Outcome::Displaced { .. })) {
                    self.coverage.count("number: passed over");
                    commit.displaced.insert((lane.clone(), number));
                }
                transaction.attempts
            }
            Some(before) => {
                let fixed = |it: &Transaction| (it.parcels.clone(), it.intent.clone(), it.created_at);
                hold(fixed(before) == fixed(&transaction), "rule 2", || format!("{} is another one now", name()))?;
                let taken_back = transaction.reopened - before.reopened;
                let outcome = match (&before.outcome, &transaction.outcome) {
                    (None, _) => taken_back == 0,
                    (Some(Outcome::Paid { .. }), None) => taken_back == 1,
                    (Some(one), Some(other)) => one == other,
                    (Some(Outcome::Reverted { .. } | Outcome::Cancelled { .. } | Outcome::Displaced { .. }), None) => {
                        false
                    }
                };
                hold(outcome, "rule 5", || format!("{} ended twice", name()))?;
                commit.books.turned(lane, before.outcome.as_ref(), &transaction);
                if before.outcome.is_none() && transaction.outcome.is_some() {
                    commit.turn.ended.insert((lane.clone(), number));
                }
                match (&before.outcome, &transaction.outcome) {
                    (None, Some(Outcome::Paid { .. })) => self.coverage.count("number: paid"),
                    (None, Some(Outcome::Reverted { .. })) => self.coverage.count("number: reverted"),
                    (None, Some(Outcome::Cancelled { .. })) => self.coverage.count("number: cancelled"),
                    (None, Some(Outcome::Displaced { .. })) => {
                        self.coverage.count("number: displaced");
                        commit.displaced.insert((lane.clone(), number));
                        commit.turn.cleared.insert(lane.clone());
                    }
                    (Some(_), None) => self.coverage.count("number: taken back"),
                    (None, None) | (Some(_), Some(_)) => {}
                }
                transaction.attempts.checked_sub(before.attempts).unwrap_or(u32::MAX)
            }
        };
        commit.counted.insert((lane.clone(), number), (transaction.attempts, signed));
        line.transactions.insert(number, transaction);
        Ok(())
    }

    fn attempt(&mut self, lane: &LaneId, attempt: Attempt, commit: &mut Commit) -> Held {
        let place = (attempt.number, attempt.index);
        let name = || format!("attempt {place:?} of {lane}");
        hold(attempt.hash == keccak256(&attempt.raw), "rule 2", || format!("{}: another hash than its bytes", name()))?;
        hold(self.hashes.insert(attempt.hash), "rule 2", || format!("{}: these bytes were signed before", name()))?;
        let told = self.lines.get(lane).filter(|line| line.was_paid(attempt.number));
        if let Some(line) = told {
            // What was told as paid is raised only once people have opened its lane, and never cancelled.
            let may = !line.halted && attempt.kind == AttemptKind::Payment;
            hold(may, "rule 5", || format!("{} was signed after its number had been told as paid", name()))?;
            self.coverage.count("number: raised after it was told as paid");
        }
        commit.signed.insert((lane.clone(), attempt.number, attempt.index));
        commit.hashes.push((lane.clone(), attempt.hash));
        match (attempt.index, attempt.kind) {
            (0, AttemptKind::Payment) => {}
            (0, AttemptKind::Cancel) => hold(false, "rule 6", || format!("{} begins as a no-op", name()))?,
            (_, AttemptKind::Payment) => self.coverage.count("attempt: raised"),
            (_, AttemptKind::Cancel) => {
                commit.turn.cleared.insert(lane.clone());
                self.coverage.count("attempt: cancels");
            }
        }
        self.replaces(lane, &attempt)?;
        let line = self.lines.entry(lane.clone()).or_default();
        hold(line.attempts.insert(place, attempt).is_none(), "rule 2", || format!("{} is overwritten", name()))
    }

    /// What replaces an attempt must be one that nodes take for it, and never pays what was to be cancelled.
    fn replaces(&self, lane: &LaneId, attempt: &Attempt) -> Held {
        let Some(line) = self.lines.get(lane) else { return Ok(()) };
        let Some(before) = attempt.index.checked_sub(1).and_then(|index| line.attempts.get(&(attempt.number, index)))
        else {
            return Ok(());
        };
        let name = || format!("attempt {} of number {} of {lane}", attempt.index, attempt.number);
        let step = |new: u128, old: u128| new * 10 >= old * 11;
        let raised = step(attempt.fees.max_fee_wei, before.fees.max_fee_wei)
            && step(attempt.fees.max_priority_wei, before.fees.max_priority_wei);
        hold(raised, "replacement", || format!("{} offers {:?} after {:?}", name(), attempt.fees, before.fees))?;
        let pays_again = (before.kind, attempt.kind) == (AttemptKind::Cancel, AttemptKind::Payment)
            && !line.was_paid(attempt.number);
        hold(!pays_again, "rule 6", || format!("{} pays what was to be cancelled", name()))
    }

    fn ledger_row(&mut self, key: &Key, item: &Item, commit: &mut Commit) -> Held {
        let Some((account, shard)) = self.names.account(&key.pk) else { return Ok(()) };
        let row = self.shards.entry((account.clone(), shard)).or_default();
        let said = Balances::of(Some(item));
        if key.sk == "BAL" {
            row.balances = said;
        } else {
            hold(item.version() == 1, "rule 7", || format!("entry {} of {account} is written again", key.sk))?;
            row.entries = plus(row.entries, said);
            commit.turn.entry(&key.sk, &account, said.available);
            commit.books.entry(&account, item, said.available);
            *commit.sums.entry(account.asset.clone()).or_default() += said.available + said.held;
        }
        commit.shards.insert((account.clone(), shard));
        self.touched.insert(account);
        Ok(())
    }

    /// Holds what is true between commits of every account that they touched; `credited` is what operators put in.
    pub fn accounts(&mut self, credited: &BTreeMap<AccountId, i128>) -> Held {
        for account in std::mem::take(&mut self.touched) {
            let mut sum = Balances::default();
            for (_, shard) in self.shards.range((account.clone(), 0)..=(account.clone(), u8::MAX)) {
                hold(shard.balances == shard.entries, "rule 7", || {
                    format!("{account} has {:?}, its entries sum to {:?}", shard.balances, shard.entries)
                })?;
                sum = plus(sum, shard.balances);
            }
            if let (Owner::Tenant(tenant), Some(credited)) = (&account.owner, credited.get(&account)) {
                let claims = self.claims.get(&(tenant.clone(), account.asset.clone())).copied().unwrap_or_default();
                let Claims { held, posted } = claims;
                let credited = credited + self.office.added(&account);
                let expected = Balances { available: credited - held - posted, held, posted };
                hold(sum == expected, "rule 7", || format!("{account} has {sum:?}, its parcels {expected:?}"))?;
            }
        }
        Ok(())
    }

    /// Rule 5: success was told, and money released, only as deep as they may be, `height` being the chain's; and what money was
    /// released by is in a final block.
    pub fn depths(&mut self, truth: &dyn Truth, height: u64, (confirmed_at, final_at): (u64, u64)) -> Held {
        for id in std::mem::take(&mut self.settled) {
            let Some(parcel) = self.parcels.get(&id) else { continue };
            let Some(settled) = &parcel.settled else { continue };
            let least = if told_unpaid(parcel.state) { final_at } else { confirmed_at };
            let depth = (height + 1).saturating_sub(settled.height);
            hold(depth >= least, "rule 5", || format!("{id} is {:?} {depth} deep, not {least}", parcel.state))?;
            let proven = !told_unpaid(parcel.state) || truth.is_final(&parcel.wallet, settled.hash);
            hold(proven, "rule 5", || format!("{id} is {:?} by {}, which is not final", parcel.state, settled.hash))?;
        }
        Ok(())
    }

    /// Whether these are the bytes of a payment, not of a no-op.
    pub fn is_payment(&self, lane: &LaneId, hash: B256) -> bool {
        self.line(lane).and_then(|line| line.kind(hash)) == Some(AttemptKind::Payment)
    }

    /// A lane's line.
    pub fn line(&self, lane: &LaneId) -> Option<&Line> {
        self.lines.get(lane)
    }

    /// Releases whose blocks left the chain.
    pub const fn deep(&self) -> &Deep {
        &self.deep
    }

    /// What somebody may have beyond what he is owed.
    pub fn excess(&self, of: &(Address, Address)) -> U256 {
        self.excess.get(of).copied().unwrap_or_default()
    }

    /// An operator will ask for this.
    pub fn order(&mut self, operation: String, ordered: Ordered) {
        self.office.order(operation, ordered);
    }

    /// What operators did.
    pub const fn office(&mut self) -> &mut Office {
        &mut self.office
    }

    /// Lanes that are halted.
    pub fn halted(&self) -> impl Iterator<Item = &LaneId> {
        self.lines.iter().filter(|(_, line)| line.halted).map(|(lane, _)| lane)
    }

    /// All dead letters.
    pub const fn letters(&self) -> &BTreeMap<DeadLetterId, DeadLetter> {
        self.office.letters()
    }

    /// Whether somebody has just been told that he is not paid.
    pub fn owes_less(&mut self) -> bool {
        std::mem::take(&mut self.owes_less)
    }

    /// What recipients may have at most, by recipient and asset.
    pub fn owed(&self) -> &BTreeMap<(Address, Address), U256> {
        &self.owed
    }

    /// Whether these bytes were ever stored.
    pub fn stored(&self, raw: &[u8]) -> bool {
        self.hashes.contains(&keccak256(raw))
    }

    /// All parcels.
    pub fn parcels(&self) -> &BTreeMap<ParcelId, Parcel> {
        &self.parcels
    }
}

/// Whether a parcel's client was told that nobody is paid.
pub const fn told_unpaid(state: ParcelState) -> bool {
    match state {
        ParcelState::Rejected | ParcelState::Failed | ParcelState::Cancelled => true,
        ParcelState::Accepted
        | ParcelState::Waiting
        | ParcelState::Assigned
        | ParcelState::Confirmed
        | ParcelState::Reopened => false,
    }
}

fn claim(parcel: &Parcel) -> (TenantId, AssetId) {
    (parcel.tenant.clone(), parcel.asset.clone())
}

fn claims(parcel: &Parcel) -> Claims {
    let units = |counts: bool| if counts { parcel.total().signed() } else { 0 };
    Claims { held: units(parcel.state.holds_money()), posted: units(parcel.state == ParcelState::Confirmed) }
}

fn plus(a: Balances, b: Balances) -> Balances {
    Balances { available: a.available + b.available, held: a.held + b.held, posted: a.posted + b.posted }
}
