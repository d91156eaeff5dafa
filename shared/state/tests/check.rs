//! The ledger's proof: the same whether it is read at once or in slices, and blind to nothing that does not fit.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use causeway_domain::{Clock, clock::Millis, network::AssetId};
use causeway_state::{
    ledger::{
        AccountId, AccountReport, Buckets, End, EntryKind, Owner, Place, Postings, Slice, check_accounts,
        unbalanced_commits,
    },
    tables::LEDGER,
};
use causeway_store::{
    Commit, CommitToken, Expect, Item, Key, MemoryStore, Store, Update, Write,
    memory::{CommitFault, Faults, Read, ReadFault},
};
use futures::{FutureExt, executor::block_on};

const NOW: Millis = 1_766_000_000_000;
const HOUR_MS: u64 = 60 * 60 * 1000;
const FOREVER_MS: u64 = HOUR_MS;
/// More than one page of a shard holds.
const MANY: u64 = 2_300;

/// Time that stands still; a slice without any of it reads one page.
#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now_ms(&self) -> Millis {
        NOW
    }

    fn random(&self) -> u128 {
        0x1234_5678_9abc_def0_1122_3344_5566_7788
    }

    fn sleep_ms(&self, _: u64) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

fn account(owner: &str) -> AccountId {
    let address = "0x700b6a60ce7eaaea56f065753d8dcb9653dbad35".parse().expect("an address");
    let asset = AssetId { network: "local".parse().expect("a network"), address };
    AccountId { owner: Owner::try_from(owner.to_owned()).expect("an owner"), asset }
}

fn tenant() -> AccountId {
    account("tenant:acme")
}

fn treasury() -> AccountId {
    account("treasury:local/0x70997970c51812dc3a010c7d01b50e0d17dc79c8")
}

fn commit(store: &MemoryStore, token: &str, writes: &[Write]) {
    let done = store.commit(&CommitToken::new(token), writes).now_or_never().expect("memory answers at once");
    assert_eq!(done.expect("tried"), Commit::Committed);
}

fn by(units: i128) -> Buckets {
    Buckets { available: units, ..Buckets::default() }
}

/// A credit of one unit to a shard, and the treasury's side of it on another one.
fn credit(store: &MemoryStore, shard: u8, number: u64, at: Millis) {
    let (mut postings, name) = (Postings::new(), format!("c{number}"));
    postings.add(&tenant(), shard, name.clone(), EntryKind::Credit, by(1), "a test").expect("new");
    postings.add(&treasury(), 7 - shard, name, EntryKind::Credit, by(-1), "a test").expect("new");
    commit(store, &format!("credit-{number}"), &postings.writes(at).expect("balanced"));
}

/// A ledger of two accounts, all of it an hour old; shard 2 has more than a page.
fn ledger() -> MemoryStore {
    let store = MemoryStore::new();
    let known = [tenant(), treasury()].map(|account| account.register().expect("a row"));
    commit(&store, "accounts", &known);
    (0..MANY).for_each(|number| credit(&store, 2, number, NOW - HOUR_MS));
    (0..5).for_each(|shard| credit(&store, shard, 10_000 + u64::from(shard), NOW - HOUR_MS));
    store
}

/// One entry without another side, with the balance that fits it, as a fault of ours would write it.
fn one_sided(store: &MemoryStore, account: &AccountId, token: &str, units: i128, at: Millis) {
    let item =
        Item::new().with("available", units).with("held", 0_i128).with("posted", 0_i128).with("at", i128::from(at));
    let update = Update { add: vec![("available", units)], ..Update::default() };
    let balance = Write::Update { key: account.shard(0), update, expect: vec![] };
    commit(store, token, &[balance, Write::create(account.entry(0, token), item)]);
}

fn at_once(store: &dyn Store) -> Slice {
    block_on(check_accounts(store, &Still, Place::beginning(&Still), FOREVER_MS)).expect("read")
}

/// Page by page, each place through the hands of a caller.
fn page_by_page(store: &dyn Store) -> (Vec<AccountReport>, End, usize) {
    let (mut place, mut accounts) = (Place::beginning(&Still), Vec::new());
    for slices in 1.. {
        let slice = block_on(check_accounts(store, &Still, place, 0)).expect("read");
        accounts.extend(slice.accounts);
        match slice.end {
            End::GoOn(next) => {
                let text = serde_json::to_string(&next).expect("JSON");
                place = serde_json::from_str(&text).expect("the same");
            }
            end @ (End::Proven { .. } | End::Unbalanced) => return (accounts, end, slices),
        }
    }
    unreachable!("slices end")
}

fn named(store: &dyn Store) -> Option<Vec<String>> {
    block_on(unbalanced_commits(store, &Still, FOREVER_MS)).expect("read")
}

fn is_proven(end: &End) -> bool {
    matches!(end, End::Proven { until: NOW, all: true })
}

#[test]
fn a_check_in_slices_finds_what_one_at_once_finds() {
    let store = ledger();
    let whole = at_once(&store);
    let (accounts, end, slices) = page_by_page(&store);
    assert!(is_proven(&whole.end) && is_proven(&end), "{:?} {end:?}", whole.end);
    assert_eq!(accounts, whole.accounts);
    assert!(slices > 2 * 8 + 2, "a shard of several pages takes several slices: {slices}");
    let sums: Vec<_> = accounts.iter().map(|one| (one.entries, one.balances[0].as_str(), one.faults.len())).collect();
    assert_eq!(sums, [(MANY + 5, "2305", 0), (MANY + 5, "-2305", 0)]);
    assert_eq!(named(&store), Some(vec![]));
}

#[test]
fn a_balance_that_its_entries_do_not_add_up_to_is_told_also_beyond_a_page() {
    let store = ledger();
    let key = tenant().shard(2);
    let version = block_on(store.get(&key)).expect("read").expect("there").version();
    let update = Update { add: vec![("available", 1)], ..Update::default() };
    commit(&store, "thief", &[Write::Update { key, update, expect: vec![Expect::Version(version)] }]);
    let (accounts, ..) = page_by_page(&store);
    assert_eq!(accounts, at_once(&store).accounts);
    assert_eq!(accounts.iter().map(|one| one.faults.len()).collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn commits_that_do_not_sum_to_zero_are_noticed_and_named() {
    let store = ledger();
    one_sided(&store, &tenant(), "one-sided", 5, NOW - HOUR_MS);
    let (accounts, end, _) = page_by_page(&store);
    assert!(matches!(end, End::Unbalanced), "{end:?}");
    assert!(accounts.iter().all(|one| one.faults.is_empty()), "each account fits its own entries");
    let asset = tenant().asset;
    assert_eq!(named(&store), Some(vec![format!("commit one-sided moves 5 of {asset}")]));
    // Another fault makes up for it in the sum of all; each is one.
    one_sided(&store, &treasury(), "other-sided", -5, NOW - HOUR_MS);
    assert!(matches!(page_by_page(&store).1, End::Unbalanced));
    assert_eq!(named(&store).map(|names| names.len()), Some(2));
}

#[test]
fn what_was_written_just_now_may_have_been_seen_in_part_and_is_no_proof_of_a_fault() {
    let store = ledger();
    one_sided(&store, &tenant(), "just-now", 5, NOW);
    let end = page_by_page(&store).1;
    assert!(matches!(end, End::Proven { until, all: false } if until < NOW), "{end:?}");
    assert_eq!(named(&store).map(|names| names.len()), Some(1), "two looks agree on it");
}

#[test]
fn more_than_there_is_time_for_is_not_searched() {
    let store = ledger();
    assert_eq!(block_on(unbalanced_commits(&store, &Still, 0)).expect("read"), None);
}

/// Somebody who writes to a shard whenever its entries are read, so many times.
#[derive(Debug)]
struct Busy {
    store: MemoryStore,
    left: AtomicU64,
}

impl Faults for Busy {
    fn commit(&self, _: &CommitToken, _: &[Write]) -> CommitFault {
        CommitFault::Pass
    }

    fn read(&self, read: Read<'_>) -> ReadFault {
        if let Read::Query(query) = read
            && query.pk == tenant().entries(2).pk
            && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
        {
            let number = 20_000 + self.left.load(Ordering::Relaxed);
            credit(&self.store, 2, number, NOW);
        }
        ReadFault::Pass
    }
}

fn busy(store: &MemoryStore, times: u64) -> MemoryStore {
    store.with_faults(Arc::new(Busy { store: store.clone(), left: AtomicU64::new(times) }))
}

#[test]
fn a_shard_that_is_written_meanwhile_is_read_anew() {
    let store = ledger();
    let (accounts, end, _) = page_by_page(&busy(&store, 3));
    assert_eq!(accounts.iter().map(|one| (one.unproven, one.faults.len())).collect::<Vec<_>>(), [(0, 0), (0, 0)]);
    assert_eq!(accounts[0].entries, MANY + 5 + 3);
    assert!(is_proven(&end), "both sides of what came were seen: {end:?}");
}

#[test]
fn a_shard_that_is_written_whenever_it_is_read_is_not_proven_and_no_fault() {
    let store = ledger();
    let (accounts, end, slices) = page_by_page(&busy(&store, 1_000));
    assert_eq!(accounts.iter().map(|one| (one.unproven, one.faults.len())).collect::<Vec<_>>(), [(1, 0), (0, 0)]);
    assert!(matches!(end, End::Proven { .. }), "{end:?}");
    assert!(slices < 60, "it ends: {slices}");
}

#[test]
fn a_row_that_is_no_account_is_told() {
    let store = ledger();
    let key = Key::new(LEDGER, "ACCOUNTS", "nobody#nothing");
    commit(&store, "nobody", &[Write::create(key, Item::new().with("owner", "nobody"))]);
    let (accounts, ..) = page_by_page(&store);
    let told: Vec<_> = accounts.iter().filter(|one| !one.faults.is_empty()).map(|one| one.account.as_str()).collect();
    assert_eq!((told, accounts.len()), (vec!["nobody#nothing"], 3));
}
