//! Random commits on both sides: they answer the same and leave the same rows behind.

use causeway_store::contract::{OTHER, ROWS};
use causeway_store::{
    Commit, CommitToken, Expect, Item, Key, MemoryStore, Query, Range, Store, StoreError, Update, Value, Write,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::emulator::Emulated;

/// Commits in one history.
const COMMITS: usize = 12;
/// Histories in one run.
const HISTORIES: u32 = 40;

const FIELDS: [&str; 3] = ["a", "b", "status"];

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (-3_i128..4).prop_map(Value::Num),
        // Far enough below the bound that no history adds its way across.
        1 => Just(Value::Num(10_i128.pow(38) - 1000)),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::Bool),
        2 => "[ab]{0,2}".prop_map(Value::Str),
        1 => prop::collection::vec((0_i128..2).prop_map(Value::Num), 0..2).prop_map(Value::List),
    ]
}

fn any_field() -> impl Strategy<Value = &'static str> {
    prop::sample::select(FIELDS.to_vec())
}

fn any_expect() -> impl Strategy<Value = Expect> {
    prop_oneof![
        Just(Expect::Absent),
        Just(Expect::Exists),
        (0_u64..4).prop_map(Expect::Version),
        (any_field(), any_value()).prop_map(|(field, value)| Expect::Equals(field, value)),
        (any_field(), -2_i128..3).prop_map(|(field, least)| Expect::AtLeast(field, least)),
    ]
}

/// What happens to each field: set, added to, removed or left.
fn any_update() -> impl Strategy<Value = Update> {
    let change = prop_oneof![
        any_value().prop_map(|value| (Some(value), None, false)),
        (-2_i128..3).prop_map(|number| (None, Some(number), false)),
        Just((None, None, true)),
        Just((None, None, false)),
    ];
    prop::collection::vec(change, FIELDS.len()).prop_map(|changes| {
        let mut update = Update::default();
        for (field, (set, add, remove)) in FIELDS.into_iter().zip(changes) {
            update.set.extend(set.map(|value| (field, value)));
            update.add.extend(add.map(|number| (field, number)));
            update.remove.extend(remove.then_some(field));
        }
        update
    })
}

fn any_item() -> impl Strategy<Value = Item> {
    prop::collection::btree_map(any_field().prop_map(Into::into), any_value(), 0..3).prop_map(Item::from)
}

/// A write of one of a few rows, which are named once the history has its partition.
fn any_write() -> impl Strategy<Value = (usize, Write)> {
    let expect = || prop::collection::vec(any_expect(), 0..3);
    let key = || Key::new(ROWS, "", "");
    let write = prop_oneof![
        3 => (any_item(), expect()).prop_map(move |(item, expect)| Write::Put { key: key(), item, expect }),
        4 => (any_update(), expect()).prop_map(move |(update, expect)| Write::Update { key: key(), update, expect }),
        1 => expect().prop_map(move |expect| Write::Delete { key: key(), expect }),
        1 => expect().prop_map(move |expect| Write::Check { key: key(), expect }),
    ];
    (0_usize..4, write)
}

/// Commits of one to four writes; some are sent twice.
fn any_history() -> impl Strategy<Value = Vec<(Vec<(usize, Write)>, bool)>> {
    let commit = (prop::collection::vec(any_write(), 1..4), prop::bool::weighted(0.2));
    prop::collection::vec(commit, 1..COMMITS)
}

fn place(partition: &str, row: usize) -> Key {
    let table = if row == 3 { OTHER } else { ROWS };
    Key::new(table, partition, format!("row-{row}"))
}

fn placed(partition: &str, (row, write): &(usize, Write)) -> Write {
    let key = place(partition, *row);
    match write.clone() {
        Write::Put { item, expect, .. } => Write::Put { key, item, expect },
        Write::Update { update, expect, .. } => Write::Update { key, update, expect },
        Write::Delete { expect, .. } => Write::Delete { key, expect },
        Write::Check { expect, .. } => Write::Check { key, expect },
    }
}

/// Refusals carry each side's own words, so only that it was refused is held against the other.
fn told(answer: Result<Commit, StoreError>) -> Option<Commit> {
    match answer {
        Ok(commit) => Some(commit),
        Err(StoreError::Refused(_)) => None,
        Err(error @ (StoreError::Unavailable(_) | StoreError::Denied(_))) => panic!("{error:?}"),
    }
}

async fn replay(
    emulated: &Emulated,
    partition: &str,
    history: &[(Vec<(usize, Write)>, bool)],
) -> Result<(), TestCaseError> {
    let memory = MemoryStore::new();
    for (number, (writes, twice)) in history.iter().enumerate() {
        let writes: Vec<Write> = writes.iter().map(|write| placed(partition, write)).collect();
        let token = CommitToken::new(format!("{}-{partition}-{number}", emulated.run));
        for _ in 0..=usize::from(*twice) {
            let here = told(memory.commit(&token, &writes).await);
            let there = told(emulated.store.commit(&token, &writes).await);
            prop_assert_eq!(here, there, "{:?}", writes);
        }
        let keys: Vec<Key> = (0..4).map(|row| place(partition, row)).collect();
        let here = memory.get_many(&keys).await.unwrap();
        prop_assert_eq!(here, emulated.store.get_many(&keys).await.unwrap(), "{:?}", writes);
    }
    let all = Query::table(ROWS, partition, Range::All);
    let here = memory.query(&all).await.unwrap().items;
    prop_assert_eq!(here, emulated.store.query(&all).await.unwrap().items);
    Ok(())
}

#[test]
fn both_sides_tell_and_keep_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let emulated = runtime.block_on(Emulated::new());
    let mut runner = TestRunner::new(Config { cases: HISTORIES, failure_persistence: None, ..Config::default() });
    let partitions = std::cell::Cell::new(0_u32);
    let outcome = runner.run(&any_history(), |history| {
        partitions.set(partitions.get() + 1);
        runtime.block_on(replay(&emulated, &partitions.get().to_string(), &history))
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
