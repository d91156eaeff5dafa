//! The rules that never bend, held after every step.

use std::{collections::BTreeMap, fmt::Write as _};

use alloy_primitives::{Address, B256, U256};
use causeway_chains::{model::Inclusion, token};
use causeway_domain::{Clock, lane::LaneId, parcel::ParcelState};
use causeway_queue::QueueName;
use causeway_state::dead_letter::{DeadLetter, Status};
use causeway_state::{
    lane::{Attempt, Counter, Gate, Signed, Transaction},
    ledger::{AccountId, Balances, End, Owner, Place, Slice, check_accounts, unbalanced_commits},
    parcel::{Parcel, Settled},
    tables::{DEAD_LETTERS, TRANSFERS},
    tracker::Head,
};
use causeway_store::{Item, Key, Store};
use futures::FutureExt;

use crate::{
    clock::SimClock,
    deep::cost,
    inbox::READ,
    people::Promise,
    rules::{Left, Rules, Truth, Violation},
    world::{ASSETS, TENANTS, World},
};

/// A lane as its rows tell it.
#[derive(Debug)]
pub struct LaneView {
    /// First number never given.
    pub next: u64,
    /// The gate.
    pub gate: Gate,
    /// Its transactions with the attempts that are to be sent.
    pub transactions: Vec<(Transaction, Attempt)>,
}

impl Truth for World {
    fn is_final(&self, lane: &LaneId, hash: B256) -> bool {
        let all = self.chain.inclusions(lane.address).into_values().flatten();
        let mut of_hash = all.filter(|inclusion| inclusion.receipt.hash == hash);
        of_hash.any(|inclusion| self.is_deep(&inclusion) || self.has_left(inclusion.receipt.block_hash))
    }

    fn has_left(&self, block: B256) -> bool {
        self.left.borrow().contains(&block)
    }

    fn final_taker(&self, lane: &LaneId, number: u64) -> Option<B256> {
        let inclusions = self.chain.inclusions(lane.address);
        let all = inclusions.get(&number)?;
        all.iter().find(|inclusion| self.is_deep(inclusion)).map(|inclusion| inclusion.receipt.hash)
    }

    fn left(&self, lane: &LaneId, block: B256, hash: B256) -> Option<Left> {
        let included = self.chain.included(block, hash).filter(|it| it.receipt.from == lane.address)?;
        let value = if included.receipt.success { included.value } else { U256::ZERO };
        let wei = i128::try_from(cost(&included) + value).expect("what there is");
        let mut left = Left::from([(Address::ZERO, wei)]);
        // Whoever tells of it: what counts is what was called.
        let called = included.receipt.to.filter(|to| ASSETS.iter().any(|(asset, ..)| asset == to));
        if let Some(asset) = called {
            let moved = token::movements_from(&included.receipt.logs, lane.address, usize::MAX);
            left.insert(asset, moved.into_iter().map(|(_, _, units)| units.signed()).sum());
        }
        Some(left)
    }

    fn refuses(&self, parcel: &Parcel) -> bool {
        let token = parcel.asset.address;
        parcel.transfers.iter().any(|line| self.chain.refuses(token, parcel.wallet.address, line.to))
    }
}

impl World {
    /// Whether an inclusion is on the chain and final.
    fn is_deep(&self, inclusion: &Inclusion) -> bool {
        let height = inclusion.receipt.block_number;
        let called_final = !self.network.final_tag || height <= self.called_final();
        inclusion.canonical && height + self.depths.1 <= self.chain.height() + 1 && called_final
    }

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
        let all = Signed::read(&rows).expect("a lane's rows");
        for signed in &all {
            let Signed { transaction, attempts, .. } = signed;
            let places: Vec<u32> = attempts.iter().map(|attempt| attempt.index).collect();
            let counted: Vec<u32> = (0..transaction.attempts).collect();
            let number = transaction.number;
            assert!(places == counted, "rule 2: number {number} of {lane} has attempts {places:?}, not {counted:?}");
        }
        let with_bytes = |signed: Signed| {
            let attempt = signed.to_send().cloned();
            let number = signed.transaction.number;
            (signed.transaction, attempt.unwrap_or_else(|| panic!("number {number} has no bytes (rule 1)")))
        };
        // What somebody else's transaction took before it was ever assigned has none.
        let ours = all.into_iter().filter(|signed| signed.transaction.attempts > 0);
        Some(LaneView { next: counter.next, gate, transactions: ours.map(with_bytes).collect() })
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

    /// Holds the rules that hold at every moment.
    pub fn check(&self) {
        if let Err(violation) = self.rules_hold() {
            panic!("{violation}\n{}", self.picture());
        }
    }

    /// The first rule that does not hold, of those that hold for each commit and at every moment.
    pub fn rules_hold(&self) -> Result<(), Violation> {
        if let Some(violation) = self.caught.first() {
            return Err(violation);
        }
        let (journal, told) = (self.rows.journal(), self.told.len());
        let newest = self.chain.header(self.chain.height()).map(|header| header.hash);
        let stands = self.newest.get() == newest && self.checked.replace(told) == told;
        if journal.is_empty() && stands && self.people.promised.borrow().is_empty() {
            // Neither rows nor chain nor anybody's word is another one than when all of it held.
            return Ok(());
        }
        let mut rules = self.rules.borrow_mut();
        for after in journal {
            rules.commit(&after, self)?;
        }
        rules.accounts(&self.credited)?;
        self.promises_hold(&mut rules)?;
        rules.depths(self, self.chain.height(), self.depths)?;
        if let Some(lost) = self.told.iter().find(|told| !rules.parcels().contains_key(*told)) {
            return Err(Violation { rule: "rule 8", what: format!("a client was told of {lost}, which is not there") });
        }
        if rules.owes_less() || self.newest.replace(newest) != newest {
            self.nobody_has_too_much(&rules)?;
        }
        Ok(())
    }

    /// What operators heard is so (rule 8 at their door).
    fn promises_hold(&self, rules: &mut Rules) -> Result<(), Violation> {
        for promise in self.people.promised.take() {
            let kept = match &promise {
                Promise::Nothing => true,
                Promise::Moved(operation) => rules.office().has_moved(operation),
                Promise::Refunded(letter) => {
                    rules.letters().get(letter).is_some_and(|letter| letter.status == Status::Refunded)
                }
                Promise::Said(letter, hash) => {
                    let said = |letter: &DeadLetter| letter.settled.iter().any(|word| word.hash.to_string() == *hash);
                    rules.letters().get(letter).is_some_and(said)
                }
                Promise::Settled(letter) => {
                    rules.letters().get(letter).is_some_and(|letter| letter.status == Status::Settled)
                }
            };
            if !kept {
                return Err(Violation {
                    rule: "rule 8",
                    what: format!("an operator was told of {promise:?}, which is not so"),
                });
            }
        }
        let moved = rules.office().fresh();
        self.move_outside(moved);
        Ok(())
    }

    /// Nobody is paid twice, and nobody is paid of whom the client was told that he was not.
    fn nobody_has_too_much(&self, rules: &Rules) -> Result<(), Violation> {
        let of = |asset: Address| self.chain.holders((asset != Address::ZERO).then_some(asset));
        let held: BTreeMap<Address, _> = ASSETS.into_iter().map(|(asset, ..)| (asset, of(asset))).collect();
        for ((to, asset), most) in rules.owed() {
            let paid = held.get(asset).and_then(|holders| holders.get(to)).copied().unwrap_or_default();
            if paid > *most + rules.excess(&(*to, *asset)) {
                return Err(Violation { rule: "paid", what: format!("{to} was paid {paid} of at most {most}") });
            }
        }
        Ok(())
    }

    /// Whatever of ours a block ever held came from a stored attempt.
    fn check_bytes_on_chain(&self) {
        let rules = self.rules.borrow();
        for lane in TENANTS.map(|tenant| self.lane(tenant)) {
            for inclusion in self.chain.inclusions(lane.address).into_values().flatten() {
                let Some(raw) = inclusion.raw else { continue };
                assert!(rules.stored(&raw), "number {} on chain is no stored attempt", inclusion.number);
            }
        }
    }

    /// The ledger proves itself as operators see it.
    fn check_ledger(&self) {
        // Looking changes nothing, no chance either.
        let aside = SimClock::new(self.clock.now_ms());
        let check = check_accounts(&self.rows, &aside, Place::beginning(&aside), u64::MAX / 2);
        let Slice { accounts, end } = self.clock.run(check).expect("memory does not fail");
        if !matches!(end, End::Proven { all: true, .. }) {
            let search = unbalanced_commits(&self.rows, &aside, u64::MAX / 2);
            panic!("commits that do not sum to zero: {:?}", self.clock.run(search));
        }
        for report in accounts {
            assert_eq!(report.faults, Vec::<String>::new(), "{}", report.account);
        }
    }

    /// Whether every transfer is in its last state, told to the last depth, and nothing is under way; nor is anything still to
    /// be told by reconciliation: what is told as paid by a block that left, since a purge took the word of that.
    pub fn has_ended(&self) -> bool {
        self.check();
        let quiet = self.inbox.is_empty() && READ.iter().all(|queue| self.queue.len(QueueName(queue)) == 0);
        let rules = self.rules.borrow();
        let parcels = rules.parcels().values();
        quiet && parcels.clone().all(|parcel| !parcel.state.holds_money() && self.is_told_as_it_is(parcel)) && {
            let highest = parcels.filter_map(|parcel| Some(parcel.settled.as_ref()?.height)).max();
            highest
                .is_none_or(|highest| self.head().is_some_and(|head| head.finalized >= highest && self.is_seen(&head)))
        }
    }

    /// Whether a parcel that is told as paid is so by a block that is on the chain. What was released is told once only.
    fn is_told_as_it_is(&self, parcel: &Parcel) -> bool {
        let is_there = |settled: &Settled| {
            self.chain.header(settled.height).is_some_and(|header| header.hash == settled.block_hash)
        };
        parcel.state != ParcelState::Confirmed || parcel.settled.as_ref().is_some_and(is_there)
    }

    /// Whether the tracker stands on the chain as it is.
    fn is_seen(&self, head: &Head) -> bool {
        self.chain.header(head.height).is_some_and(|header| header.hash == head.hash)
    }

    /// Holds what is true once every transfer has ended: who was told to be paid is paid, unless that is people's word,
    /// and books and chain agree.
    pub fn check_end(&self) {
        self.check();
        self.check_ledger();
        self.check_bytes_on_chain();
        let vouched = |id| self.rules.borrow_mut().office().vouches_for(id);
        let confirmed = |parcel: &&Parcel| parcel.state == ParcelState::Confirmed && !vouched(parcel.id);
        for parcel in self.parcels().iter().filter(confirmed) {
            for line in &parcel.transfers {
                let paid = self.on_chain(line.to, parcel.asset.address);
                assert!(paid >= line.amount.to_u256(), "paid: {} is confirmed and {} has {paid}", parcel.id, line.to);
            }
        }
        for account in self.credited.keys() {
            let Owner::Treasury(lane) = &account.owner else { continue };
            let books = -self.balances(account).available;
            let chain = self.on_chain(lane.address, account.asset.address);
            let strangers = if account.asset.address == Address::ZERO { self.strangers_cost(lane) } else { U256::ZERO };
            let strangers = i128::try_from(strangers).expect("what gas costs");
            let expected = books + self.deep_difference(lane, account.asset.address) - strangers;
            assert_eq!(U256::try_from(expected).ok(), Some(chain), "books and chain of {account}\n{}", self.picture());
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
        for letter in self.dead_letters() {
            let _ = writeln!(text, "{} is {:?} by {:?}: {}", letter.id, letter.status, letter.by, letter.reason);
            let _ = writeln!(text, "  {:.200} {:?}", letter.body, letter.settled);
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
