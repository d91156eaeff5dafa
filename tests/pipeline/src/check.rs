//! The rules that never bend, held after every step.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::PoisonError,
};

use alloy_primitives::{Address, U256, keccak256};
use causeway_domain::{Clock, id::ParcelId, lane::LaneId, parcel::ParcelState};
use causeway_queue::QueueName;
use causeway_state::dead_letter::DeadLetter;
use causeway_state::{
    lane::{Attempt, Counter, Gate, Transaction, pair_attempts},
    ledger::{AccountId, Balances, Owner, check_accounts},
    parcel::Parcel,
    tables::{DEAD_LETTERS, TRANSFERS},
    tracker::Head,
};
use causeway_store::{Item, Key, Store};
use futures::FutureExt;

use crate::{
    inbox::READ,
    world::{TENANTS, World},
};

/// A lane as its rows tell it.
#[derive(Debug)]
pub struct LaneView {
    /// First number never given.
    pub next: u64,
    /// The gate.
    pub gate: Gate,
    /// Its transactions with their latest attempts.
    pub transactions: Vec<(Transaction, Attempt)>,
}

impl World {
    /// A row as it stands.
    pub fn row(&self, key: &Key) -> Option<Item> {
        self.rows.get(key).now_or_never().expect("memory answers at once").expect("memory does not fail")
    }

    /// All parcels.
    pub fn parcels(&self) -> Vec<Parcel> {
        let rows = self.rows.dump(TRANSFERS);
        rows.iter().filter(|row| row.text("sk") == Some("PCL")).map(|row| row.parse().expect("a parcel")).collect()
    }

    /// All records of dead letters.
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.rows.dump(DEAD_LETTERS).iter().map(|row| row.parse().expect("a dead letter")).collect()
    }

    /// A tenant's lane, once it has begun.
    pub fn lane_view(&self, tenant: &str) -> Option<LaneView> {
        let lane = self.lane(tenant);
        let counter: Counter = self.row(&Counter::key(&lane))?.parse().expect("a counter");
        let gate: Gate = self.row(&Gate::key(&lane)).expect("counter and gate begin together").parse().expect("a gate");
        let pk = Counter::key(&lane).pk;
        let of_lane = |row: &Item| {
            row.text("pk").is_some_and(|part| part.starts_with(&pk))
                && row.text("sk").is_some_and(|sk| sk.starts_with("TX#"))
        };
        let rows: Vec<Item> = self.rows.dump(TRANSFERS).into_iter().filter(of_lane).collect();
        let attempts = rows.iter().filter(|row| row.get("raw").is_some()).count();
        let pairs = pair_attempts(&rows).expect("a lane's rows");
        let signed: u32 = pairs.iter().map(|(transaction, _)| transaction.attempts).sum();
        assert_eq!(attempts, signed as usize, "attempts of {lane} that are stored, and that are counted");
        let with_bytes = |(transaction, attempt): (Transaction, Option<Attempt>)| {
            let attempt = attempt.unwrap_or_else(|| panic!("number {} has no bytes (rule 1)", transaction.number));
            (transaction, attempt)
        };
        Some(LaneView { next: counter.next, gate, transactions: pairs.into_iter().map(with_bytes).collect() })
    }

    /// The tracker's head.
    pub fn head(&self) -> Option<Head> {
        self.row(&Head::key(&self.network.id)).map(|row| row.parse().expect("a head"))
    }

    /// Sum of an account's shards.
    pub fn balances(&self, account: &AccountId) -> Balances {
        Balances::sum(&account.shards().iter().map(|key| self.row(key)).collect::<Vec<_>>())
    }

    /// A tenant's own money of an asset.
    pub fn money(&self, tenant: &str, symbol: &str) -> Balances {
        let owner = Owner::Tenant(self.tenant(tenant));
        self.balances(&AccountId { owner, asset: self.asset(symbol) })
    }

    /// What somebody holds on chain, in smallest units.
    pub fn on_chain(&self, holder: Address, asset: Address) -> U256 {
        let token = (asset != Address::ZERO).then_some(asset);
        self.chain.holders(token).get(&holder).copied().unwrap_or_default()
    }

    /// Holds the rules if a row they are about was written since they were held last, or some time has passed.
    pub fn check_if_moved(&mut self) {
        let now = (self.store.moves(), self.clock.now_ms() / 5_000);
        if self.checked != now {
            self.checked = now;
            self.check();
        }
    }

    /// Holds the rules that hold at every moment.
    pub fn check(&self) {
        let unstored = self.unstored.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(unstored.is_empty(), "broadcast without being stored (rule 2): {unstored:?}");
        drop(unstored);
        let parcels = self.parcels();
        self.check_lanes(&parcels);
        self.check_money(&parcels);
        self.check_recipients(&parcels);
        self.check_waits(&parcels);
        let known: BTreeSet<ParcelId> = parcels.iter().map(|parcel| parcel.id).collect();
        assert!(self.told.is_subset(&known), "a client was told of a parcel that is not there");
    }

    /// Rule 1, and one number for each parcel.
    fn check_lanes(&self, parcels: &[Parcel]) {
        let mut numbers: BTreeMap<ParcelId, (LaneId, u64)> = BTreeMap::new();
        for tenant in TENANTS {
            let lane = self.lane(tenant);
            let Some(view) = self.lane_view(tenant) else { continue };
            let first = view.next - view.transactions.len() as u64;
            for ((transaction, attempt), expected) in view.transactions.iter().zip(first..) {
                assert_eq!(transaction.number, expected, "a gap or a repeat on {lane} (rule 1)");
                assert_eq!(attempt.hash, keccak256(&attempt.raw), "an attempt's hash is not its bytes'");
                for parcel in &transaction.parcels {
                    let before = numbers.insert(*parcel, (lane.clone(), transaction.number));
                    assert_eq!(before, None, "{parcel} has two numbers (rule 4)");
                }
            }
            self.check_bytes_on_chain(&lane, &view);
        }
        for parcel in parcels {
            let number = numbers.get(&parcel.id).map(|(_, number)| *number);
            assert_eq!(parcel.number, number, "{} and its lane differ about its number", parcel.id);
            let early = parcel.state.may_be_assigned() || parcel.state == ParcelState::Rejected;
            assert_eq!(number.is_none(), early, "{} is {}", parcel.id, parcel.state.as_str());
        }
    }

    /// Whatever of ours a block ever held came from a stored attempt.
    fn check_bytes_on_chain(&self, lane: &LaneId, view: &LaneView) {
        for inclusion in self.chain.inclusions(lane.address).into_values().flatten() {
            let Some(raw) = inclusion.raw else { continue };
            let stored = view.transactions.iter().any(|(_, attempt)| attempt.raw == raw);
            assert!(stored, "number {} on chain is no stored attempt", inclusion.number);
        }
    }

    /// Rule 7: nothing appears, nothing vanishes, holds are what open parcels hold, postings what was paid.
    fn check_money(&self, parcels: &[Parcel]) {
        let (reports, commits) = self.clock.run(check_accounts(&self.rows)).expect("memory does not fail");
        assert_eq!(commits, Vec::<String>::new());
        for report in reports {
            assert_eq!(report.faults, Vec::<String>::new(), "{}", report.account);
        }
        for (account, credited) in &self.credited {
            let Owner::Tenant(tenant) = &account.owner else { continue };
            let of_account = |parcel: &&Parcel| parcel.tenant == *tenant && parcel.asset == account.asset;
            let sum = |wanted: fn(ParcelState) -> bool| -> i128 {
                let wanted = parcels.iter().filter(of_account).filter(|parcel| wanted(parcel.state));
                wanted.map(|parcel| parcel.total().signed()).sum()
            };
            let held = sum(ParcelState::holds_money);
            let posted = sum(|state| state == ParcelState::Confirmed);
            let expected = Balances { available: credited - held - posted, held, posted };
            assert_eq!(self.balances(account), expected, "{account} (rule 7)");
        }
    }

    /// Nobody is paid twice, and nobody is paid of whom the client was told that he was not.
    fn check_recipients(&self, parcels: &[Parcel]) {
        let mut owed: BTreeMap<(Address, Address), U256> = BTreeMap::new();
        for parcel in parcels {
            let told_unpaid =
                matches!(parcel.state, ParcelState::Rejected | ParcelState::Failed | ParcelState::Cancelled);
            for line in &parcel.transfers {
                let owed = owed.entry((line.to, parcel.asset.address)).or_default();
                *owed += if told_unpaid { U256::ZERO } else { line.amount.to_u256() };
            }
        }
        for ((to, asset), most) in owed {
            let paid = self.on_chain(to, asset);
            assert!(paid <= most, "{to} was paid {paid} of at most {most}");
        }
    }

    /// Rule 8: what has no number yet will be looked at again.
    fn check_waits(&self, parcels: &[Parcel]) {
        for parcel in parcels.iter().filter(|parcel| parcel.state.may_be_assigned()) {
            assert!(parcel.due_at.is_some(), "{} waits for nobody (rule 9)", parcel.id);
            assert_eq!(parcel.wait.is_some(), parcel.state == ParcelState::Waiting, "{}", parcel.id);
        }
    }

    /// Whether every transfer is in its last state, told to the last depth, and nothing is under way.
    pub fn has_ended(&self) -> bool {
        let parcels = self.parcels();
        let highest = parcels.iter().filter_map(|parcel| Some(parcel.settled.as_ref()?.height)).max();
        let told = highest.is_none_or(|highest| self.head().is_some_and(|head| head.finalized >= highest));
        let ended = |parcel: &Parcel| !parcel.state.holds_money();
        told && parcels.iter().all(ended)
            && self.inbox.is_empty()
            && READ.iter().all(|queue| self.queue.len(QueueName(queue)) == 0)
    }

    /// Holds what is true once every transfer has ended: who was told to be paid is paid, and books and chain agree.
    pub fn check_end(&self) {
        self.check();
        for parcel in self.parcels().iter().filter(|parcel| parcel.state == ParcelState::Confirmed) {
            for line in &parcel.transfers {
                let paid = self.on_chain(line.to, parcel.asset.address);
                assert!(paid >= line.amount.to_u256(), "{} is confirmed and {} has {paid}", parcel.id, line.to);
            }
        }
        for account in self.credited.keys() {
            let Owner::Treasury(lane) = &account.owner else { continue };
            let books = -self.balances(account).available;
            let chain = self.on_chain(lane.address, account.asset.address);
            assert_eq!(U256::try_from(books).ok(), Some(chain), "books and chain of {account}\n{}", self.picture());
        }
    }

    /// What stands where, for a scenario that failed.
    pub fn picture(&self) -> String {
        let mut text = format!("chain at {}, head {:?}\n", self.chain.height(), self.head());
        for tenant in TENANTS {
            let Some(view) = self.lane_view(tenant) else { continue };
            let _ = writeln!(text, "{tenant}: next {}, {:?}", view.next, view.gate);
            for (transaction, _) in view.transactions.iter().filter(|(transaction, _)| transaction.outcome.is_none()) {
                let _ = writeln!(text, "  number {} is open", transaction.number);
            }
        }
        for parcel in self.parcels().iter().filter(|parcel| parcel.state.holds_money()) {
            let wait = parcel.wait.as_ref().map(|wait| wait.reason);
            let _ = writeln!(
                text,
                "{} is {}, number {:?}, waits {wait:?}",
                parcel.id,
                parcel.state.as_str(),
                parcel.number
            );
        }
        for queue in READ {
            for letter in self.inbox.of(queue) {
                let _ = writeln!(
                    text,
                    "{queue}: {} received {} times: {:.120}",
                    letter.id, letter.receives, letter.message.body
                );
            }
        }
        text
    }
}
