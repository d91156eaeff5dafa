//! What operators may do, held for every commit: nothing without its record, nothing twice, nothing that frees money
//! which signed bytes may still move.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256};
use causeway_domain::{
    id::{DeadLetterId, ParcelId, TenantId},
    lane::LaneId,
    limits::SWITCH_COPIES,
    parcel::ParcelState,
};
use causeway_state::{
    audit::Record,
    dead_letter::{DeadLetter, Status, Word},
    lane::Outcome,
    ledger::AccountId,
    message::StageMessage,
    parcel::Parcel,
    settle::decide::SETTLED_UNPAID,
    tables::{AUDIT, DEAD_LETTERS, WALLETS},
    wallet::Scope,
};
use causeway_store::{Item, Key, Value};

use crate::rules::{Held, Line, Truth, hold};

/// Money that an operator asked to move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    /// Into or out of this account.
    pub account: AccountId,
    /// Smallest units; negative out of it.
    pub units: i128,
    /// Who holds them on chain.
    pub treasury: Address,
}

/// The rows that operators' acts are about.
#[derive(Debug, Default)]
pub struct Office {
    orders: BTreeMap<String, Ordered>,
    moved: BTreeSet<String>,
    /// Operations that are in the ledger since somebody asked.
    fresh: Vec<Ordered>,
    /// What operators put into each account, and took out.
    added: BTreeMap<AccountId, i128>,
    letters: BTreeMap<DeadLetterId, DeadLetter>,
    /// The audit log's last record.
    log: (u64, B256),
    /// Copies of switches that stand.
    switches: BTreeMap<String, usize>,
    copies: BTreeSet<Key>,
    /// Switches that are told as thrown everywhere.
    whole: BTreeSet<String>,
    /// Parcels of which operators said that they are paid.
    vouched: BTreeSet<ParcelId>,
}

/// What one commit did of it.
#[derive(Debug, Default)]
pub struct Turn {
    /// Parcels that were refunded.
    pub refunded: BTreeSet<ParcelId>,
    /// Lanes that were halted and are open.
    pub opened: Vec<LaneId>,
    /// Lanes of which a number was given up, or got a no-op.
    pub cleared: BTreeSet<LaneId>,
    /// Parcels that failed by an operator's word.
    pub unpaid: BTreeSet<ParcelId>,
    /// Numbers that ended.
    pub ended: BTreeSet<(LaneId, u64)>,
    moved: BTreeMap<(String, AccountId), i128>,
    acted: Vec<(Option<DeadLetter>, DeadLetter)>,
    records: Vec<(String, String)>,
}

impl Turn {
    /// An entry of the ledger that an operation made.
    pub fn entry(&mut self, sk: &str, account: &AccountId, units: i128) {
        let entry = sk.strip_prefix("E#").unwrap_or(sk);
        if let Some(operation) = entry.strip_suffix("#credit").or_else(|| entry.strip_suffix("#debit")) {
            *self.moved.entry((operation.to_owned(), account.clone())).or_default() += units;
        }
    }

    /// Whether somebody said what became of a transaction.
    pub fn settles_by_word(&self) -> bool {
        self.records.iter().any(|(done, _)| done == "dead-letters.settle")
    }

    fn has(&self, action: &str, target: &str) -> bool {
        self.records.iter().any(|(done, on)| done == action && on == target)
    }
}

impl Office {
    /// Somebody will ask for this.
    pub fn order(&mut self, operation: String, ordered: Ordered) {
        self.orders.insert(operation, ordered);
    }

    /// Operations that are in the ledger since the last call.
    pub fn fresh(&mut self) -> Vec<Ordered> {
        std::mem::take(&mut self.fresh)
    }

    /// Whether an operation is in the ledger.
    pub fn has_moved(&self, operation: &str) -> bool {
        self.moved.contains(operation)
    }

    /// What operators put into an account.
    pub fn added(&self, account: &AccountId) -> i128 {
        self.added.get(account).copied().unwrap_or_default()
    }

    /// Whether an operator said that a parcel is paid, whatever its block proves.
    pub fn vouches_for(&self, parcel: ParcelId) -> bool {
        self.vouched.contains(&parcel)
    }

    /// All dead letters.
    pub const fn letters(&self) -> &BTreeMap<DeadLetterId, DeadLetter> {
        &self.letters
    }

    /// Takes a row in.
    pub fn row(&mut self, key: &Key, item: Option<&Item>, turn: &mut Turn) -> Held {
        match (key.table, item) {
            (AUDIT, None) => hold(false, "audit", || format!("{} is deleted", key.sk)),
            (AUDIT, Some(item)) if key.sk.starts_with("R#") => self.record(item, turn),
            (DEAD_LETTERS, None) => hold(false, "rule 8", || format!("dead letter {} is deleted", key.pk)),
            (DEAD_LETTERS, Some(item)) => {
                // A row that a scenario made unreadable on purpose is nobody's row.
                let Ok(letter) = item.parse::<DeadLetter>() else { return Ok(()) };
                let before = self.letters.insert(letter.id, letter.clone());
                turn.acted.push((before, letter));
                Ok(())
            }
            (WALLETS, Some(item)) if key.pk == "SWITCHES" => self.told_of_switch(&key.sk, item),
            (WALLETS, item) if key.sk == "SWITCH" => self.switch(key, item.is_some()),
            _ => Ok(()),
        }
    }

    fn record(&mut self, item: &Item, turn: &mut Turn) -> Held {
        let Ok(record) = item.parse::<Record>() else { return hold(false, "audit", || format!("{item:?}")) };
        let (seq, hash) = self.log;
        let fits = record.seq == seq + 1 && record.previous == hash && item.version() == 1;
        hold(fits, "audit", || format!("record {} does not follow {seq}", record.seq))?;
        self.log = (record.seq, record.hash());
        turn.records.push((record.action, record.target));
        Ok(())
    }

    /// Rule 12: what is told as thrown everywhere is, whichever way.
    fn told_of_switch(&mut self, scope: &str, item: &Item) -> Held {
        let name = format!("SWITCH#{scope}");
        let says = |field| item.get(field) == Some(&Value::Bool(true));
        if !says("everywhere") {
            self.whole.remove(&name);
            return Ok(());
        }
        let copies = self.switches.get(&name).copied().unwrap_or_default();
        let all = if says("blocked") { usize::from(SWITCH_COPIES) } else { 0 };
        self.whole.insert(name);
        hold(copies == all, "rule 12", || format!("{scope} is told as thrown everywhere, and {copies} copies stand"))
    }

    fn switch(&mut self, key: &Key, stands: bool) -> Held {
        let scope = key.pk.rsplit_once('#').map_or("", |(scope, _)| scope).to_owned();
        let changed = if stands { self.copies.insert(key.clone()) } else { self.copies.remove(key) };
        let whole = changed && self.whole.contains(&scope);
        hold(!whole, "rule 12", || format!("{scope} is told as thrown everywhere, and a copy changes"))?;
        let count = self.switches.entry(scope).or_default();
        match (changed, stands) {
            (false, _) => {}
            (true, true) => *count += 1,
            (true, false) => *count -= 1,
        }
        Ok(())
    }

    /// Rule 12: once every copy of a switch stands, nothing that it blocks is given a number.
    pub fn may_sign(&self, tenant: &TenantId, lane: &LaneId) -> Held {
        for scope in Scope::of_payment(tenant, lane) {
            let name = format!("SWITCH#{}", scope.text());
            let blocked = self.switches.get(&name).is_some_and(|count| *count == scope.copies().count());
            hold(!blocked, "rule 12", || format!("{} is blocked and signs", scope.text()))?;
        }
        Ok(())
    }

    /// Holds what is true of each commit of an operator.
    pub fn must_hold(
        &mut self,
        turn: &Turn,
        parcels: &BTreeMap<ParcelId, Parcel>,
        lines: &BTreeMap<LaneId, Line>,
        truth: &dyn Truth,
    ) -> Held {
        self.moves(turn)?;
        self.words(turn, parcels, lines, truth)?;
        for lane in &turn.opened {
            let name = lane.to_string();
            let recorded = turn.has("lanes.release", &name) || turn.has("lanes.displace", &name);
            // What it halted at is out of the way: given up, or replaced by a no-op.
            hold(recorded || turn.cleared.contains(lane), "audit", || {
                format!("{lane} is open again and nobody did it")
            })?;
        }
        for (before, letter) in &turn.acted {
            let id = letter.id.to_string();
            let (action, about) = match letter.status {
                Status::Open => continue,
                // The same mark may be written again: a replay of what was replayed.
                Status::Replayed => ("dead-letters.replay", None),
                Status::Refunded => ("dead-letters.refund", letter.parcel),
                Status::Discarded => ("dead-letters.discard", None),
                Status::Settled => ("dead-letters.settle", None),
            };
            hold(turn.has(action, &id), "audit", || format!("{id} is {} and nobody did it", letter.status.as_str()))?;
            let before = before.as_ref().map(|before| before.status);
            let ended = matches!(before, Some(Status::Refunded | Status::Discarded | Status::Settled));
            hold(!ended, "rule 8", || format!("{id} was {before:?} and is {}", letter.status.as_str()))?;
            let refunds = about.is_none_or(|parcel| turn.refunded.contains(&parcel));
            hold(refunds, "rule 7", || format!("{id} is refunded and its parcel is not"))?;
            if letter.status == Status::Discarded {
                holds_no_money(letter, parcels, lines)?;
            }
        }
        for parcel in &turn.refunded {
            let by = turn
                .acted
                .iter()
                .any(|(_, letter)| letter.status == Status::Refunded && letter.parcel == Some(*parcel));
            hold(by, "rule 7", || format!("{parcel} is refunded without a dead letter"))?;
        }
        Ok(())
    }

    /// What people said of a transaction is on record, is carried out in the same commit, and was said of what is final:
    /// a number that nothing else had ended, its parcels with it.
    fn words(
        &mut self,
        turn: &Turn,
        parcels: &BTreeMap<ParcelId, Parcel>,
        lines: &BTreeMap<LaneId, Line>,
        truth: &dyn Truth,
    ) -> Held {
        let mut unpaid = BTreeSet::new();
        for (before, letter) in &turn.acted {
            let id = letter.id;
            let known = before.as_ref().map_or(&[][..], |before| &before.settled);
            let new = letter.settled.strip_prefix(known);
            hold(new.is_some(), "rule 5", || format!("a word on {id} is taken back: {known:?}"))?;
            let new = new.unwrap_or_default();
            let ends = letter.status == Status::Settled
                && before.as_ref().map(|before| before.status) != Some(Status::Settled);
            hold(!ends || !new.is_empty(), "rule 8", || format!("{id} is settled and nobody said a word"))?;
            if new.is_empty() {
                continue;
            }
            let open = before.as_ref().is_none_or(|before| before.status == Status::Open);
            hold(open, "rule 8", || format!("{id} was {before:?} and is settled"))?;
            let recorded = turn.has("dead-letters.settle", &id.to_string());
            hold(recorded, "audit", || format!("somebody has a word on {id}, and nobody did it"))?;
            let stage = serde_json::from_str::<StageMessage>(&letter.body).ok();
            let included = stage.as_ref().map_or(&[][..], |stage| &stage.inclusions);
            for word in new {
                let one = included.iter().find(|one| one.hash == word.hash);
                hold(one.is_some(), "rule 5", || format!("{id} does not tell of {}", word.hash))?;
                let Some(one) = one else { continue };
                let ended = turn.ended.contains(&(one.lane.clone(), one.number));
                let transaction = lines.get(&one.lane).and_then(|line| line.transaction(one.number));
                let as_said = transaction.is_some_and(|transaction| follows(*word, transaction.outcome.as_ref()));
                hold(ended && as_said, "rule 7", || {
                    format!("{word:?} does not end number {}: {transaction:?}", one.number)
                })?;
                hold(truth.is_final(&one.lane, word.hash), "rule 5", || format!("{word:?} on what is not final"))?;
                for parcel in transaction.iter().flat_map(|transaction| &transaction.parcels) {
                    let state = if word.paid { ParcelState::Confirmed } else { ParcelState::Failed };
                    let is = parcels.get(parcel).map(|parcel| parcel.state);
                    hold(is == Some(state), "rule 7", || format!("{parcel} is {is:?} after {word:?}"))?;
                    if word.paid {
                        self.vouched.insert(*parcel)
                    } else {
                        unpaid.insert(*parcel)
                    };
                }
            }
            let left = included.iter().any(|one| {
                let transaction = lines.get(&one.lane).and_then(|line| line.transaction(one.number));
                transaction.is_none_or(|transaction| transaction.outcome.is_none())
            });
            hold(!ends || !left, "rule 8", || format!("{id} is settled, and one of its transactions is not"))?;
        }
        hold(turn.unpaid == unpaid, "rule 7", || format!("{:?} failed on a word about {unpaid:?}", turn.unpaid))
    }

    /// What was moved is what was ordered, once.
    fn moves(&mut self, turn: &Turn) -> Held {
        let operations: BTreeSet<&String> = turn.moved.keys().map(|(operation, _)| operation).collect();
        for operation in operations {
            let ordered = self.orders.get(operation).cloned();
            hold(ordered.is_some(), "rule 7", || format!("operation {operation} was never ordered"))?;
            let Some(ordered) = ordered else { continue };
            let units = turn.moved.get(&(operation.clone(), ordered.account.clone())).copied();
            hold(units == Some(ordered.units), "rule 7", || format!("{units:?} moved of {ordered:?}"))?;
            let first = self.moved.insert(operation.clone());
            hold(first, "rule 7", || format!("operation {operation} was carried out twice"))?;
            let verb = if ordered.units < 0 { "accounts.debit" } else { "accounts.credit" };
            hold(turn.has(verb, &ordered.account.to_string()), "audit", || format!("{operation}: nobody did it"))?;
            *self.added.entry(ordered.account.clone()).or_default() += ordered.units;
            self.fresh.push(ordered);
        }
        Ok(())
    }
}

/// Whether a number's outcome is what was said of its transaction.
fn follows(word: Word, outcome: Option<&Outcome>) -> bool {
    match outcome {
        Some(Outcome::Paid { hash, .. }) => word.paid && *hash == word.hash,
        Some(Outcome::Reverted { hash, .. }) => !word.paid && *hash == word.hash,
        Some(Outcome::Cancelled { .. } | Outcome::Displaced { .. }) | None => false,
    }
}

/// Whether a parcel has failed since somebody said that its transaction paid nobody.
pub(crate) fn is_unpaid_by_word(parcel: &Parcel) -> bool {
    parcel.failure.as_ref().is_some_and(|failure| failure.code == SETTLED_UNPAID)
}

/// What is set aside holds nobody's money, now that it is.
fn holds_no_money(letter: &DeadLetter, parcels: &BTreeMap<ParcelId, Parcel>, lines: &BTreeMap<LaneId, Line>) -> Held {
    let stage = serde_json::from_str::<StageMessage>(&letter.body).ok();
    let included = stage.iter().flat_map(|stage| &stage.inclusions);
    let of_numbers = included.filter_map(|one| lines.get(&one.lane)?.transaction(one.number));
    let behind = of_numbers.flat_map(|transaction| transaction.parcels.iter().copied()).chain(letter.parcel);
    for id in behind {
        let holds = parcels.get(&id).is_some_and(|parcel| parcel.state.holds_money());
        hold(!holds, "rule 8", || format!("{} is discarded and money is held for {id}", letter.id))?;
    }
    Ok(())
}
