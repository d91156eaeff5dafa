//! The Store port: rows, strongly consistent reads and all-or-nothing commits with typed expectations.
//!
//! Two sides keep one contract (`contract`): `memory` for tests and the simulation, `dynamo`
//! (feature `aws`) for DynamoDB. Both enforce DynamoDB's limits, so that nothing passes a
//! test on one side and is refused on the other.
//!
//! Invariant: when `commit` answers `Committed` every write is durable; when it answers
//! `Conflict` or `Contended` none is; when it answers `Unknown` the same token with the same
//! writes may be sent again and settles it.

mod check;
pub mod contract;
mod cursor;
#[cfg(feature = "aws")]
pub mod dynamo;
pub mod memory;
mod port;
mod row;

pub use check::limits;
pub use memory::MemoryStore;
pub use port::{Commit, CommitToken, Conflict, Cursor, Expect, Page, Query, Range, Store, StoreError, Update, Write};
pub use row::{Fields, Index, Item, Key, RowError, Table, Value};
