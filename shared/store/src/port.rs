//! The port itself: what a handler may ask of a store, and what it may hear back.

use async_trait::async_trait;

use crate::row::{Index, Item, Key, Table, Value};

/// Names one commit. One token stands for one exact list of writes: new bytes take a new token.
///
/// A token names an intent, so it may be derived from what asks for it (a message's id), but then
/// it must also name the try: after a `Conflict` the changed writes need another token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CommitToken(String);

impl CommitToken {
    /// A token from a unique text of 1 to 36 characters (DynamoDB's bound on client request tokens).
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The token's text, as stored in `last_commit`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What must hold of a row for its write, and so for the whole commit, to happen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Expect {
    /// No such row.
    Absent,
    /// The row is there.
    Exists,
    /// The attribute has exactly this value.
    Equals(&'static str, Value),
    /// The attribute is a number of at least this.
    AtLeast(&'static str, i128),
    /// The row is at this version.
    Version(u64),
}

/// Changes to a row's attributes. On an absent row it makes one, unless an expectation forbids it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Update {
    /// Attributes to write.
    pub set: Vec<(&'static str, Value)>,
    /// Numbers to add (an absent attribute counts as 0).
    pub add: Vec<(&'static str, i128)>,
    /// Attributes to take away.
    pub remove: Vec<&'static str>,
}

/// One write of a commit. A commit touches each row at most once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Write {
    /// Writes the whole row.
    Put {
        /// Where.
        key: Key,
        /// All attributes but the keys and the port's own.
        item: Item,
        /// Under which conditions.
        expect: Vec<Expect>,
    },
    /// Changes attributes.
    Update {
        /// Where.
        key: Key,
        /// What changes.
        update: Update,
        /// Under which conditions.
        expect: Vec<Expect>,
    },
    /// Removes the row.
    Delete {
        /// Where.
        key: Key,
        /// Under which conditions.
        expect: Vec<Expect>,
    },
    /// Writes nothing, but must hold.
    Check {
        /// Where.
        key: Key,
        /// What must hold; not empty.
        expect: Vec<Expect>,
    },
}

impl Write {
    /// A row that must not exist yet.
    pub fn create(key: Key, item: Item) -> Self {
        Self::Put { key, item, expect: vec![Expect::Absent] }
    }

    /// The row this write is about.
    pub fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. } | Self::Update { key, .. } | Self::Delete { key, .. } | Self::Check { key, .. } => {
                key
            }
        }
    }

    /// What must hold of it.
    pub fn expect(&self) -> &[Expect] {
        match self {
            Self::Put { expect, .. }
            | Self::Update { expect, .. }
            | Self::Delete { expect, .. }
            | Self::Check { expect, .. } => expect,
        }
    }
}

/// A write whose expectations did not hold, with the row as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Position of the write in its commit.
    pub index: usize,
    /// The row as it stands, if there is one.
    pub current: Option<Item>,
}

/// How a commit ended.
///
/// An answer speaks of its own call. After an `Unknown`, a `Contended` settles nothing: this call
/// wrote nothing, the one before may have. A commit is settled by `Committed`, or by a `Conflict`
/// whose rows the caller then reads: DynamoDB knows a repeated transaction for ten minutes and any
/// `Put` or `Update` as long as its row keeps the token, but a lone `Delete`, or a lone write over
/// which others have written since, answers `Conflict` with the row as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Commit {
    /// Every write is durable.
    Committed,
    /// Nothing was written: these expectations did not hold.
    Conflict(Vec<Conflict>),
    /// This call wrote nothing: others were at the same rows, or the store was short of capacity. Back off with jitter.
    Contended,
    /// It may have happened or not. The same token with the same writes may be sent again.
    Unknown,
}

/// Which sort keys a query wants. On an index whose sort key is a number, use numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Range {
    /// All.
    All,
    /// Those that begin so (text only).
    Prefix(String),
    /// From the first to the second, both included.
    Between(Value, Value),
    /// Up to this, included.
    UpTo(Value),
}

/// Where a page ended; opaque to its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

/// A read of one partition in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The table.
    pub table: Table,
    /// The index, or the table itself (strongly consistent).
    pub index: Option<Index>,
    /// Partition key.
    pub pk: String,
    /// Which sort keys.
    pub range: Range,
    /// Backwards.
    pub descending: bool,
    /// At most so many rows, 1 to 1000.
    pub limit: usize,
    /// Where the page before ended.
    pub after: Option<Cursor>,
}

impl Query {
    /// A forward read of a table's partition, up to 1000 rows.
    pub fn table(table: Table, pk: impl Into<String>, range: Range) -> Self {
        Self { table, index: None, pk: pk.into(), range, descending: false, limit: 1000, after: None }
    }

    /// A forward read of an index's partition, up to 1000 rows.
    pub fn index(table: Table, index: Index, pk: impl Into<String>, range: Range) -> Self {
        Self { index: Some(index), ..Self::table(table, pk, range) }
    }
}

/// A page of rows. A query may answer fewer than its limit and still have more (1 MB pages), and
/// a page that is full has a cursor even when nothing follows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The rows; from a keys-only index just the keys.
    pub items: Vec<Item>,
    /// Where to go on, if there is more.
    pub next: Option<Cursor>,
}

/// Why a read, or a commit that was never tried, did not work. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The call breaks one of the store's limits or rules; a fault of ours.
    #[error("the store refuses this call: {0}")]
    Refused(String),
    /// Throttled or out of reach; worth another try.
    #[error("the store is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Not allowed to.
    #[error("the store denies this call")]
    Denied(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Rows with strongly consistent reads and conditional all-or-nothing commits.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// A row as it stands after every commit that was answered before.
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError>;

    /// Many rows, in the order asked for; each strongly consistent, not together a snapshot. At most 100 a call.
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError>;

    /// One page of a partition.
    async fn query(&self, query: &Query) -> Result<Page, StoreError>;

    /// All of the writes or none. See [`Commit`] for what may be heard.
    async fn commit(&self, token: &CommitToken, writes: &[Write]) -> Result<Commit, StoreError>;
}
