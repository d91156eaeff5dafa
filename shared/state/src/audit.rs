//! The audit log: append only, each record carrying the hash of the one before.

use alloy_primitives::keccak256;
use causeway_domain::{B256, clock::Millis, limits::PAGE_ROWS_MAX};
use causeway_store::{Expect, Item, Key, Query, Range, RowError, Value, Write};
use serde::{Deserialize, Serialize};

use crate::tables::AUDIT;

/// What somebody did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Position in the log, from 1.
    pub seq: u64,
    /// When.
    pub at: Millis,
    /// Who.
    pub by: String,
    /// What, such as `accounts.credit`.
    pub action: String,
    /// On what.
    pub target: String,
    /// Why.
    pub reason: String,
    /// Details, JSON text.
    pub detail: String,
    /// Hash of the record before; zero for the first.
    pub previous: B256,
}

/// The log's end: the last record's position and hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct End {
    /// Position of the last record.
    pub seq: u64,
    /// Its hash.
    pub hash: B256,
}

impl End {
    /// Where it lies.
    pub fn key() -> Key {
        Key::new(AUDIT, "AUDIT", "END")
    }

    /// The end as a row tells it; the beginning where there is none.
    pub fn of(row: Option<&Item>) -> Result<Self, RowError> {
        row.map_or(Ok(Self::default()), Item::parse)
    }
}

impl Record {
    /// Hash over all fields, in order, the previous hash included.
    pub fn hash(&self) -> B256 {
        let fields = [&self.by, &self.action, &self.target, &self.reason, &self.detail];
        let mut text = format!("{}|{}|{}", self.seq, self.at, self.previous);
        for field in fields {
            text.push_str(&format!("|{}:{field}", field.len()));
        }
        keccak256(text)
    }

    /// The writes that append the record after `end`; refused if somebody else appended first.
    pub fn append(mut self, end: End) -> Result<[Write; 2], RowError> {
        self.seq = end.seq + 1;
        self.previous = end.hash;
        let hash = self.hash();
        let record = Item::from_fields(&self)?.with("hash", hash.to_string());
        let item = Item::from_fields(&End { seq: self.seq, hash })?;
        let expect = match end.seq {
            0 => Expect::Absent,
            seq => Expect::Equals("seq", Value::from(seq)),
        };
        Ok([
            // Put, not updated: who appends has no right to change a row in place.
            Write::Put { key: End::key(), item, expect: vec![expect] },
            Write::create(Key::new(AUDIT, "AUDIT", format!("R#{:020}", self.seq)), record),
        ])
    }

    /// Reads the newest records first.
    pub fn query_newest() -> Query {
        Query { descending: true, limit: PAGE_ROWS_MAX, ..Query::table(AUDIT, "AUDIT", Range::Prefix("R#".to_owned())) }
    }
}
