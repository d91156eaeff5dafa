//! The one contract suite that both sides pass.
//!
//! Each function is one part of it and may run beside the others: every case has a partition of
//! its own. A side that is tested brings two empty tables, [`ROWS`] and [`OTHER`], and on [`ROWS`]
//! the indexes [`BY_OWNER`] (text sort key) and [`DUE`] (number sort key), both with only keys.

mod commits;
mod contention;
mod expectations;
mod limits;
mod queries;
mod reads;
mod repeats;

use std::fmt::{Debug, Formatter};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use commits::commits;
pub use contention::contention;
pub use expectations::expectations;
pub use limits::limits;
pub use queries::{indexes, queries};
pub use reads::reads;
pub use repeats::{lost_replies, repeats};

use crate::port::{Commit, CommitToken, Store, StoreError, Write};
use crate::row::{Index, Item, Key, Table};

/// The table that most cases use.
pub const ROWS: Table = Table("contract");
/// A second table, for what crosses tables.
pub const OTHER: Table = Table("contract-other");
/// An index of [`ROWS`] whose sort key is text.
pub const BY_OWNER: Index = Index { name: "by-owner", pk: "owner", sk: "created" };
/// An index of [`ROWS`] whose sort key is a number.
pub const DUE: Index = Index { name: "due", pk: "due_pk", sk: "due_at" };

/// What a side is asked to lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The next commit's call never arrives.
    Call,
    /// The next commit takes effect and its reply is lost.
    Reply,
}

/// A side of the port under test.
pub struct Subject {
    store: Arc<dyn Store>,
    lose: Box<dyn Fn(Loss) + Send + Sync>,
    run: String,
    issued: AtomicUsize,
}

impl Debug for Subject {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Subject").field("store", &self.store).field("run", &self.run).finish_non_exhaustive()
    }
}

impl Subject {
    /// A side, and how to make it lose its next commit. `run` tells this run's tokens from those
    /// of earlier runs, which the store may remember; at most 24 characters.
    pub fn new(run: impl Into<String>, store: Arc<dyn Store>, lose: impl Fn(Loss) + Send + Sync + 'static) -> Self {
        Self { store, lose: Box::new(lose), run: run.into(), issued: AtomicUsize::new(0) }
    }

    fn token(&self) -> CommitToken {
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        CommitToken::new(format!("{}-{number}", self.run))
    }

    /// Commits under a new token.
    async fn commit(&self, writes: &[Write]) -> Commit {
        self.send(&self.token(), writes).await
    }

    async fn send(&self, token: &CommitToken, writes: &[Write]) -> Commit {
        self.store.commit(token, writes).await.unwrap_or_else(|error| panic!("{error}: {writes:?}"))
    }

    /// Writes that must go through, if there are any.
    async fn seed(&self, writes: &[Write]) {
        if writes.is_empty() {
            return;
        }
        assert_eq!(self.commit(writes).await, Commit::Committed, "{writes:?}");
    }

    async fn row(&self, key: &Key) -> Option<Item> {
        self.store.get(key).await.unwrap_or_else(|error| panic!("{error}: {key:?}"))
    }

    /// A row that must be there.
    async fn there(&self, key: &Key) -> Item {
        self.row(key).await.unwrap_or_else(|| panic!("no row {key:?}"))
    }

    /// The reason why these writes are refused, as they must be.
    async fn refusal(&self, writes: &[Write]) -> String {
        match self.store.commit(&self.token(), writes).await {
            Err(StoreError::Refused(reason)) => reason,
            other @ (Ok(_) | Err(StoreError::Unavailable(_) | StoreError::Denied(_))) => {
                panic!("not refused but {other:?}: {writes:?}")
            }
        }
    }
}

fn key(pk: &str, sk: &str) -> Key {
    Key::new(ROWS, pk, sk)
}

fn put(key: &Key, item: Item) -> Write {
    Write::Put { key: key.clone(), item, expect: vec![] }
}

/// The row that a first put leaves behind.
fn stored(key: &Key, item: Item, version: u64, token: &CommitToken) -> Item {
    item.with("pk", key.pk.as_str())
        .with("sk", key.sk.as_str())
        .with("version", version)
        .with("last_commit", token.as_str())
}
