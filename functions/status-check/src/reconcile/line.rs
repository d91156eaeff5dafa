//! A lane's numbers against its transactions, their signed bytes, their parcels and the parcels' entries.

use std::collections::BTreeMap;

use causeway_chains::{
    Chain,
    transaction::{Payment, open, payment_of},
};
use causeway_domain::{
    Network,
    clock::Millis,
    id::{ParcelId, TenantId},
    lane::LaneId,
    parcel::ParcelState,
};
use causeway_state::{
    lane::{Attempt, Gate, NUMBERS_PER_PARTITION, Outcome, Transaction},
    ledger::{AccountId, Balances, Owner, hold_entry, post_entry, release_entry},
    parcel::{HoldPart, Parcel},
    reconciliation::{Difference, Kind, Look, Parcels, Report},
    tables::{BY_TENANT, TRANSFERS},
    tracker::Head,
};
use causeway_store::{Cursor, Item, Key, Query, Range, Value};

use crate::{TrackError, Tracker, lead::RING};

/// Rows of one read.
const ROWS_PER_READ: usize = 100;
/// Parcels younger than this may not be in the index yet: the next look begins before them.
const INDEX_LAG_MS: u64 = 300_000;

/// A look at a treasury, as far as it has come.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) lane: LaneId,
    pub(super) tenant: TenantId,
    pub(super) look: Look,
    /// Since when it has its turn.
    pub(super) since: Millis,
}

impl Walk {
    /// Goes on with the report's look, or begins another one.
    pub(super) fn new(report: &Report, first: u64, next: u64, now: Millis) -> Self {
        let known = report.look.clone().filter(|look| look.first == first);
        let look = known.unwrap_or_else(|| {
            // Where people say that the lane begins elsewhere, what is settled below is another line.
            let from = if report.first == first { report.settled_to.max(first) } else { first };
            Look {
                first,
                at: from,
                next,
                settled_to: from,
                open_from: None,
                parcels: Parcels::From(report.parcels_from),
                oldest: None,
                parcels_until: now.saturating_sub(INDEX_LAG_MS),
                transactions: 0,
                found: Vec::new(),
                more: 0,
            }
        });
        Self { lane: report.lane.clone(), tenant: report.tenant.clone(), look, since: now }
    }

    pub(super) const fn has_numbers(&self) -> bool {
        self.look.at < self.look.next
    }

    pub(super) const fn has_parcels(&self) -> bool {
        !matches!(self.look.parcels, Parcels::Seen)
    }

    /// The next page of the tenant's parcels, and since when they were accepted.
    fn page(&self) -> Option<(Millis, Query)> {
        let (from, after) = match &self.look.parcels {
            Parcels::From(from) => (*from, None),
            Parcels::After(from, place) => (*from, Some(Cursor(place.clone()))),
            Parcels::Seen => return None,
        };
        // Places in the index are 15 digits and an identifier.
        let since = Range::Between(Value::from(format!("{from:015}")), Value::from("~"));
        let query = Query::index(TRANSFERS, BY_TENANT, Parcel::tenant_pk(&self.tenant), since);
        Some((from, Query { limit: ROWS_PER_READ, after, ..query }))
    }
}

/// A number's rows.
#[derive(Debug, Default)]
pub(super) struct Numbered {
    pub(super) transaction: Option<Transaction>,
    pub(super) attempts: Vec<Attempt>,
}

impl Tracker {
    /// The lane's first number.
    pub(super) async fn first_number(&self, lane: &LaneId) -> Result<u64, TrackError> {
        let gate = self.store.get(&Gate::key(lane)).await?;
        Ok(gate.map(|row| row.parse::<Gate>()).transpose()?.map_or(0, |gate| gate.first))
    }

    /// A partition's numbers from `from` on. What cannot be read is a difference.
    pub(super) async fn numbers(
        &self,
        lane: &LaneId,
        from: u64,
        found: &mut Vec<Difference>,
    ) -> Result<BTreeMap<u64, Numbered>, TrackError> {
        let mut numbers: BTreeMap<u64, Numbered> = BTreeMap::new();
        for row in self.all(Transaction::query_from(lane, from, 1000)).await? {
            if row.get("raw").is_some() {
                if let Some(attempt) = readable::<Attempt>(&row, Kind::Transaction, found) {
                    numbers.entry(attempt.number).or_default().attempts.push(attempt);
                }
            } else if let Some(transaction) = readable::<Transaction>(&row, Kind::Transaction, found) {
                let number = transaction.number;
                numbers.entry(number).or_default().transaction = Some(transaction);
            }
        }
        Ok(numbers)
    }

    /// The rest of the partition in which the walk stands.
    pub(super) async fn walk_numbers(
        &self,
        network: &Network,
        chain: &dyn Chain,
        head: &Head,
        walk: &mut Walk,
    ) -> Result<(), TrackError> {
        let (lane, look, mut all) = (&walk.lane, &mut walk.look, Vec::new());
        let end = look.next.min((look.at / NUMBERS_PER_PARTITION + 1) * NUMBERS_PER_PARTITION);
        let mut numbers = self.numbers(lane, look.at, &mut all).await?;
        let left = self.tell_again(network, chain, (head, lane), &numbers).await?;
        let keys = parcel_keys(&numbers);
        let rows = self.rows(&keys).await?;
        let readable = rows.iter().flatten().filter_map(|row| readable::<Parcel>(row, Kind::Parcel, &mut all));
        let parcels: BTreeMap<ParcelId, Parcel> = readable.map(|parcel| (parcel.id, parcel)).collect();
        let (mut entries, wanted) = wanted_entries(&numbers, &parcels);
        let keys: Vec<Key> = wanted.iter().map(|(_, key, _)| key.clone()).collect();
        for ((id, key, wanted), row) in wanted.into_iter().zip(self.rows(&keys).await?) {
            let there = Balances::of(row.as_ref());
            if there != wanted {
                entries.entry(id).or_insert_with(|| format!("{} is {there:?}, not {wanted:?}", key.sk));
            }
        }
        for number in look.at..end {
            let numbered = numbers.remove(&number).unwrap_or_default();
            let mut found = numbered.faults(network, lane, number);
            let transaction = numbered.transaction;
            if let Some(transaction) = &transaction {
                look.transactions += 1;
                for id in &transaction.parcels {
                    let fault = match parcels.get(id) {
                        Some(parcel) => parcel_fault(lane, transaction, parcel),
                        None => Some(format!("number {number} settles it and it is not there")),
                    };
                    found.extend(fault.map(|fault| Difference::new(Kind::Parcel, id.to_string(), fault)));
                    found.extend(entries.remove(id).map(|fault| Difference::new(Kind::Entries, id.to_string(), fault)));
                }
            }
            let outcome = transaction.as_ref().and_then(|transaction| transaction.outcome.as_ref());
            if outcome.is_none() {
                look.open_from.get_or_insert(number);
            }
            let ended = outcome.is_some_and(|outcome| stands(head, decided_at(outcome)));
            let done = ended && found.is_empty() && !left.contains(&number);
            if done && look.settled_to == number {
                look.settled_to = number + 1;
            }
            all.append(&mut found);
        }
        look.at = end;
        look.find(all);
        Ok(())
    }

    /// A page of the tenant's parcels: each that waits for its transaction is named by it. Those that were settled were
    /// settled by what names them.
    pub(super) async fn walk_parcels(&self, walk: &mut Walk) -> Result<(), TrackError> {
        let Some((from, query)) = walk.page() else { return Ok(()) };
        let page = self.store.query(&query).await?;
        let key = |row: &Item| Some(Key::new(TRANSFERS, row.text("pk")?, row.text("sk")?));
        let keys: Vec<Key> = page.items.iter().filter_map(key).collect();
        let (lane, look) = (&walk.lane, &mut walk.look);
        let (mut open, mut found) = (Vec::new(), Vec::new());
        for row in self.rows(&keys).await?.into_iter().flatten() {
            let Some(parcel) = readable::<Parcel>(&row, Kind::Parcel, &mut found) else { continue };
            if parcel.wallet != *lane {
                continue;
            }
            if parcel.state.holds_money() {
                look.oldest = Some(look.oldest.map_or(parcel.created_at, |oldest| oldest.min(parcel.created_at)));
            }
            match (parcel.state, parcel.number) {
                (ParcelState::Assigned | ParcelState::Reopened, Some(number)) => open.push((parcel.id, number)),
                (ParcelState::Assigned | ParcelState::Reopened, None) => {
                    let fault = format!("is {} without a number", parcel.state.as_str());
                    found.push(Difference::new(Kind::Parcel, parcel.id.to_string(), fault));
                }
                (
                    ParcelState::Accepted
                    | ParcelState::Waiting
                    | ParcelState::Confirmed
                    | ParcelState::Rejected
                    | ParcelState::Failed
                    | ParcelState::Cancelled,
                    _,
                ) => {}
            }
        }
        let keys: Vec<Key> = open.iter().map(|(_, number)| Transaction::key(lane, *number)).collect();
        for ((id, number), row) in open.into_iter().zip(self.rows(&keys).await?) {
            let named = row.and_then(|row| row.parse::<Transaction>().ok()).is_some_and(|it| it.parcels.contains(&id));
            if !named {
                let fault = format!("has number {number}, whose transaction does not name it");
                found.push(Difference::new(Kind::Parcel, id.to_string(), fault));
            }
        }
        look.parcels = page.next.map_or(Parcels::Seen, |place| Parcels::After(from, place.0));
        look.find(found);
        Ok(())
    }

    /// Many rows, however many, in the order asked for.
    pub(super) async fn rows(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, TrackError> {
        let mut rows = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(ROWS_PER_READ) {
            rows.extend(self.store.get_many(chunk).await?);
        }
        Ok(rows)
    }
}

impl Numbered {
    /// What is wrong with a number's transaction and its bytes.
    fn faults(&self, network: &Network, lane: &LaneId, number: u64) -> Vec<Difference> {
        let difference = |fault: String| Difference::new(Kind::Transaction, format!("{lane}#{number}"), fault);
        let Some(transaction) = &self.transaction else {
            return vec![difference("was assigned and has no transaction".to_owned())];
        };
        let mut faults = Vec::new();
        let indexes: Vec<u32> = self.attempts.iter().map(|attempt| attempt.index).collect();
        // What nobody was given, and another's transaction took, never had any.
        let passed_over =
            transaction.parcels.is_empty() && matches!(transaction.outcome, Some(Outcome::Displaced { .. }));
        if indexes != (0..transaction.attempts).collect::<Vec<_>>() || (indexes.is_empty() && !passed_over) {
            faults.push(format!("has attempts {indexes:?} of {}", transaction.attempts));
        }
        for attempt in &self.attempts {
            let of_number = |payment: &Payment, hash| {
                hash == attempt.hash && (payment.number, payment.chain_id) == (number, network.chain_id)
            };
            // Once its number is used, no node takes another's bytes for it, and the chain knows whose used it.
            let fits = match transaction.outcome {
                None => open(&attempt.raw)
                    .is_ok_and(|opened| opened.from == lane.address && of_number(&opened.payment, opened.hash)),
                Some(_) => payment_of(&attempt.raw).is_ok_and(|(payment, hash)| of_number(&payment, hash)),
            };
            if !fits {
                faults.push(format!("attempt {} is not of this lane and number", attempt.index));
            }
        }
        // One difference for each number: its subject is the number.
        if faults.is_empty() { Vec::new() } else { vec![difference(faults.join("; "))] }
    }
}

/// At which height it was decided.
const fn decided_at(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Paid { height, .. }
        | Outcome::Reverted { height, .. }
        | Outcome::Cancelled { height, .. }
        | Outcome::Displaced { height, .. } => *height,
    }
}

/// Whether what a height decided stays so: it is final, and deeper than a leader walks back. A branch below what is final can
/// take a payment away, and the word of that can be lost with its queue: until then looks must see it.
const fn stands(head: &Head, height: u64) -> bool {
    height <= head.finalized && height + RING as u64 <= head.height
}

/// The state that a transaction demands of its parcels; none where it gave them up to another number.
const fn demanded(outcome: Option<&Outcome>) -> Option<&'static [ParcelState]> {
    match outcome {
        None => Some(&[ParcelState::Assigned, ParcelState::Reopened]),
        Some(Outcome::Paid { .. }) => Some(&[ParcelState::Confirmed]),
        Some(Outcome::Reverted { .. }) => Some(&[ParcelState::Failed]),
        Some(Outcome::Cancelled { .. }) => Some(&[ParcelState::Cancelled]),
        Some(Outcome::Displaced { .. }) => None,
    }
}

fn parcel_fault(lane: &LaneId, transaction: &Transaction, parcel: &Parcel) -> Option<String> {
    let number = transaction.number;
    let demanded = demanded(transaction.outcome.as_ref())?;
    if (parcel.number, &parcel.wallet) != (Some(number), lane) {
        return Some(format!("number {number} settles it, but it has {:?} on {}", parcel.number, parcel.wallet));
    }
    if !demanded.contains(&parcel.state) {
        let wanted: Vec<&str> = demanded.iter().map(|state| state.as_str()).collect();
        return Some(format!("is {}, number {number} demands {}", parcel.state.as_str(), wanted.join(" or ")));
    }
    let by = transaction.outcome.as_ref().and_then(Outcome::hash);
    let settled = parcel.settled.as_ref().map(|settled| settled.hash);
    (by.is_some() && by != settled).then(|| format!("was settled by {settled:?}, number {number} by {by:?}"))
}

fn parcel_keys(numbers: &BTreeMap<u64, Numbered>) -> Vec<Key> {
    let transactions = numbers.values().filter_map(|number| number.transaction.as_ref());
    transactions.flat_map(|transaction| &transaction.parcels).map(|id| Parcel::key(*id)).collect()
}

type Wanted = Vec<(ParcelId, Key, Balances)>;

/// The entries that settled parcels must have, and which parcels' holds cannot be right whatever their entries.
fn wanted_entries(
    numbers: &BTreeMap<u64, Numbered>,
    parcels: &BTreeMap<ParcelId, Parcel>,
) -> (BTreeMap<ParcelId, String>, Wanted) {
    let (mut faults, mut wanted) = (BTreeMap::new(), Wanted::new());
    for transaction in numbers.values().filter_map(|number| number.transaction.as_ref()) {
        let Some(outcome) = &transaction.outcome else { continue };
        for parcel in transaction.parcels.iter().filter_map(|id| parcels.get(id)) {
            let held: i128 = parcel.hold.iter().map(|part| part.amount.signed()).sum();
            if held != parcel.total().signed() {
                faults.insert(parcel.id, format!("{held} units were held for {}", parcel.total().units()));
            }
            wanted.extend(parcel.hold.iter().flat_map(|part| entries(parcel, outcome, part)));
        }
    }
    (faults, wanted)
}

/// The entries that a part of a settled parcel's hold must have; what was given up to another number has its end there.
fn entries(parcel: &Parcel, outcome: &Outcome, part: &HoldPart) -> Wanted {
    let account = AccountId { owner: Owner::Tenant(parcel.tenant.clone()), asset: parcel.asset.clone() };
    let (bare, units) = (parcel.id.bare(), part.amount.signed());
    let entry = |name: String, balances| (parcel.id, account.entry(part.shard, &name), balances);
    let ended = match outcome {
        Outcome::Paid { .. } => {
            entry(post_entry(&bare, parcel.reopened), Balances { available: 0, held: -units, posted: units })
        }
        Outcome::Reverted { .. } | Outcome::Cancelled { .. } => {
            entry(release_entry(&bare), Balances { available: units, held: -units, posted: 0 })
        }
        Outcome::Displaced { .. } => return Wanted::new(),
    };
    vec![entry(hold_entry(&bare), Balances { available: -units, held: units, posted: 0 }), ended]
}

/// A row as a struct; one that is none is a difference.
fn readable<T: serde::de::DeserializeOwned>(row: &Item, kind: Kind, found: &mut Vec<Difference>) -> Option<T> {
    match row.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            let place = format!("{} {}", row.text("pk").unwrap_or_default(), row.text("sk").unwrap_or_default());
            found.push(Difference::new(kind, place, format!("the row cannot be read: {error}")));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(first: u64, settled_to: u64) -> Report {
        let lane = LaneId { network: "local".parse().expect("a network"), address: Default::default() };
        Report { first, settled_to, ..Report::new(lane, "acme".parse().expect("a tenant"), 5) }
    }

    #[test]
    fn a_look_begins_behind_what_is_settled_and_anew_where_the_lane_begins_elsewhere() {
        let at = |report: &Report, first| Walk::new(report, first, 12, 0).look.at;
        assert_eq!(at(&report(0, 7), 0), 7);
        assert_eq!(at(&report(10, 10), 10), 10);
        assert_eq!(at(&report(10, 11), 0), 0, "people said that it begins at 0");
        assert_eq!(at(&report(0, 3), 9), 9, "what others did before is not its");
    }

    #[test]
    fn a_look_that_was_kept_goes_on_unless_the_lane_begins_elsewhere() {
        let mut report = report(0, 3);
        let mut kept = Walk::new(&report, 0, 12, 1_000_000).look;
        (kept.at, kept.parcels) = (12, Parcels::After(5, "there".to_owned()));
        report.look = Some(kept.clone());
        let walk = Walk::new(&report, 0, 99, 2_000_000);
        assert_eq!((&walk.look, walk.has_numbers(), walk.has_parcels()), (&kept, false, true));
        let page = walk.page().expect("another page").1;
        assert_eq!((page.after, page.limit), (Some(Cursor("there".to_owned())), ROWS_PER_READ));
        assert_eq!(Walk::new(&report, 4, 99, 2_000_000).look.parcels, Parcels::From(5));
    }

    #[test]
    fn what_a_branch_could_take_away_or_is_not_final_does_not_stand() {
        let head = |height, finalized| Head {
            height,
            hash: Default::default(),
            confirmed: height,
            finalized,
            epoch: 1,
            leader: "one".to_owned(),
            lease_until: 0,
            looked_at: 0,
            anew_at: 0,
        };
        let ring = RING as u64;
        assert!(stands(&head(100 + ring, 100), 100));
        assert!(!stands(&head(99 + ring, 99 + ring), 100), "a leader could walk back to it");
        assert!(!stands(&head(500 + ring, 99), 100), "its finality stands still");
    }
}
