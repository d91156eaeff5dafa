//! The contract on the memory side, and what only that side can show.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use causeway_store::contract::{self, BY_OWNER, Loss, ROWS, Subject};
use causeway_store::memory::{CommitFault, Faults, Read, ReadFault};
use causeway_store::{
    Commit, CommitToken, Expect, Item, Key, MemoryStore, Page, Query, Range, Store, StoreError, Update, Value, Write,
};

/// Does to the next commit and to every read what it is told.
#[derive(Debug)]
struct Told {
    next: Mutex<CommitFault>,
    reads: ReadFault,
}

impl Told {
    fn next(fault: CommitFault) -> Arc<Self> {
        Arc::new(Self { next: Mutex::new(fault), reads: ReadFault::Pass })
    }
}

impl Faults for Told {
    fn commit(&self, _token: &CommitToken, _writes: &[Write]) -> CommitFault {
        std::mem::replace(&mut self.next.lock().unwrap(), CommitFault::Pass)
    }

    fn read(&self, _read: Read<'_>) -> ReadFault {
        self.reads
    }
}

/// Lets others go first at every call: in memory nothing would ever be interleaved otherwise.
#[derive(Debug)]
struct Yielding(MemoryStore);

#[async_trait]
impl Store for Yielding {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        tokio::task::yield_now().await;
        self.0.get(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        tokio::task::yield_now().await;
        self.0.get_many(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        tokio::task::yield_now().await;
        self.0.query(query).await
    }

    async fn commit(&self, token: &CommitToken, writes: &[Write]) -> Result<Commit, StoreError> {
        tokio::task::yield_now().await;
        self.0.commit(token, writes).await
    }
}

fn subject() -> Subject {
    let faults = Told::next(CommitFault::Pass);
    let store = MemoryStore::new().with_faults(faults.clone());
    Subject::new("memory", Arc::new(Yielding(store)), move |loss| {
        *faults.next.lock().unwrap() = match loss {
            Loss::Call => CommitFault::LoseCall,
            Loss::Reply => CommitFault::LoseReply,
        };
    })
}

#[tokio::test]
async fn commits() {
    contract::commits(&subject()).await;
}

#[tokio::test]
async fn expectations() {
    contract::expectations(&subject()).await;
}

#[tokio::test]
async fn repeats() {
    contract::repeats(&subject()).await;
}

#[tokio::test]
async fn lost_replies() {
    contract::lost_replies(&subject()).await;
}

#[tokio::test]
async fn contention() {
    contract::contention(&subject()).await;
}

#[tokio::test]
async fn limits() {
    contract::limits(&subject()).await;
}

#[tokio::test]
async fn reads() {
    contract::reads(&subject()).await;
}

#[tokio::test]
async fn queries() {
    contract::queries(&subject()).await;
}

#[tokio::test]
async fn indexes() {
    contract::indexes(&subject()).await;
}

fn key(sk: &str) -> Key {
    Key::new(ROWS, "memory", sk)
}

fn token(text: &str) -> CommitToken {
    CommitToken::new(text)
}

fn owned(sk: &str) -> Write {
    Write::create(key(sk), Item::new().with("owner", "ann").with("created", sk))
}

async fn index(store: &MemoryStore) -> Vec<String> {
    let page = store.query(&Query::index(ROWS, BY_OWNER, "ann", Range::All)).await.unwrap();
    page.items.iter().map(|row| row.text("sk").unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_index_lags_by_as_many_commits_as_it_is_told() {
    let store = MemoryStore::with_index_lag(2);
    for sk in ["a", "b", "c"] {
        assert_eq!(store.commit(&token(sk), &[owned(sk)]).await.unwrap(), Commit::Committed);
    }
    assert_eq!(index(&store).await, ["a"]);
    assert!(store.get(&key("c")).await.unwrap().is_some(), "a read by key never lags");

    let remove = [Write::Delete { key: key("a"), expect: vec![] }];
    assert_eq!(store.commit(&token("remove"), &remove).await.unwrap(), Commit::Committed);
    assert_eq!(index(&store).await, ["a", "b"], "a row that is gone is still in the index");
    store.set_index_lag(0);
    assert_eq!(index(&store).await, ["b", "c"]);
    store.set_index_lag(1);
    assert_eq!(store.commit(&token("d"), &[owned("d")]).await.unwrap(), Commit::Committed);
    assert_eq!(index(&store).await, ["b", "c"]);
}

#[tokio::test]
async fn handles_share_their_rows_but_not_their_faults() {
    let store = MemoryStore::new();
    let broken =
        store.with_faults(Arc::new(Told { next: Mutex::new(CommitFault::Contended), reads: ReadFault::Unavailable }));
    assert_eq!(broken.commit(&token("1"), &[owned("a")]).await.unwrap(), Commit::Contended);
    assert_eq!(store.dump(ROWS), vec![]);
    assert_eq!(broken.commit(&token("1"), &[owned("a")]).await.unwrap(), Commit::Committed);
    assert!(matches!(broken.get(&key("a")).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(broken.get_many(&[key("a")]).await, Err(StoreError::Unavailable(_))));
    let query = Query::table(ROWS, "memory", Range::All);
    assert!(matches!(broken.query(&query).await, Err(StoreError::Unavailable(_))));
    assert_eq!(store.clone().dump(ROWS), vec![store.get(&key("a")).await.unwrap().unwrap()]);
}

/// The case that only reading settles: the reply was lost, others went on, the call arrives late.
#[tokio::test]
async fn a_delayed_commit_lands_on_what_it_finds() {
    let store = MemoryStore::new();
    let late = || store.with_faults(Told::next(CommitFault::Delay));
    assert_eq!(late().commit(&token("late-1"), &[owned("a")]).await.unwrap(), Commit::Unknown);
    assert_eq!(late().commit(&token("late-2"), &[owned("b")]).await.unwrap(), Commit::Unknown);
    assert_eq!(store.dump(ROWS), vec![]);
    assert_eq!(store.commit(&token("quick"), &[owned("b")]).await.unwrap(), Commit::Committed);
    store.land();
    let writers: Vec<_> = store.dump(ROWS).iter().map(|row| row.text("last_commit").unwrap().to_owned()).collect();
    assert_eq!(writers, ["late-1", "quick"]);
    store.land();
    assert_eq!(store.commit(&token("late-1"), &[owned("a")]).await.unwrap(), Commit::Committed, "settled by asking");
}

/// After ten minutes DynamoDB forgets a transaction's token; then only rows tell.
#[tokio::test]
async fn a_forgotten_token_is_known_by_the_rows_alone() {
    let store = MemoryStore::new();
    let writes = [owned("a"), owned("b")];
    assert_eq!(store.commit(&token("1"), &writes).await.unwrap(), Commit::Committed);
    store.forget_tokens();
    assert_eq!(store.commit(&token("1"), &writes).await.unwrap(), Commit::Committed, "a row carries it");
    for sk in ["a", "b"] {
        let update = Update { set: vec![("more", Value::Null)], ..Update::default() };
        let write = Write::Update { key: key(sk), update, expect: vec![Expect::Exists] };
        assert_eq!(store.commit(&token(&format!("later-{sk}")), &[write]).await.unwrap(), Commit::Committed);
        store.forget_tokens();
    }
    let before = store.dump(ROWS);
    assert!(matches!(store.commit(&token("1"), &writes).await.unwrap(), Commit::Conflict(_)), "nothing tells any more");
    assert_eq!(store.dump(ROWS), before);
}

#[tokio::test]
async fn a_row_may_not_grow_beyond_its_limit() {
    let store = MemoryStore::new();
    let half = || Value::from("x".repeat(250 * 1024));
    let first = Write::create(key("a"), Item::new().with("one", half()));
    assert_eq!(store.commit(&token("1"), &[first]).await.unwrap(), Commit::Committed);
    let update = Update { set: vec![("two", half())], ..Update::default() };
    let second = [Write::Update { key: key("a"), update, expect: vec![] }];
    assert!(matches!(store.commit(&token("2"), &second).await, Err(StoreError::Refused(_))));
    let sum = Update { add: vec![("n", 10_i128.pow(38) - 1)], ..Update::default() };
    let to = |version| [Write::Update { key: key("a"), update: sum.clone(), expect: vec![Expect::Version(version)] }];
    assert_eq!(store.commit(&token("3"), &to(1)).await.unwrap(), Commit::Committed);
    assert!(matches!(store.commit(&token("4"), &to(2)).await, Err(StoreError::Refused(_))), "more than 38 digits");
}
