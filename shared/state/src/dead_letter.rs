//! A dead letter's record: what could not be carried out, why, and what people did about it.

use causeway_domain::{
    B256,
    clock::Millis,
    id::{DeadLetterId, ParcelId},
};
use causeway_store::{Expect, Item, Key, RowError, Write};
use serde::{Deserialize, Serialize};

use crate::tables::DEAD_LETTERS;

/// Message attribute that carries why a handler gave a message up.
pub const REASON: &str = "reason";
/// Message attribute that makes repeats of one dead letter one record.
pub const DEDUP: &str = "dedup";

/// Bytes of a body that are kept: well above the largest stage message (100 inclusions, about 50 KB), so that it can be
/// replayed, and below the 400 KB of a row.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nobody did anything yet.
    Open,
    /// Its message was published again.
    Replayed,
    /// Its money was released and the client told.
    Refunded,
    /// Set aside; no money was held.
    Discarded,
    /// An operator said what its transactions did, and their money was posted or released.
    Settled,
}

impl Status {
    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Replayed => "replayed",
            Self::Refunded => "refunded",
            Self::Discarded => "discarded",
            Self::Settled => "settled",
        }
    }

    /// Reads a word.
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Open, Self::Replayed, Self::Refunded, Self::Discarded, Self::Settled];
        all.into_iter().find(|s| s.as_str() == text)
    }
}

/// What an operator said of a transaction that its block does not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// The transaction.
    pub hash: B256,
    /// Whether it paid what was asked for.
    pub paid: bool,
}

/// The record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Its identifier.
    pub id: DeadLetterId,
    /// The dead-letter queue it lay in.
    pub queue: String,
    /// The queue's id of the message that told it last: tells a repeat of it from one that died again after a replay.
    #[serde(default)]
    pub message: String,
    /// The message's body, bounded.
    pub body: String,
    /// Whether the body was longer and is cut; what is cut cannot be replayed.
    #[serde(default)]
    pub cut: bool,
    /// Why it is here.
    pub reason: String,
    /// How often it was received before it came here.
    pub receives: u32,
    /// The parcel it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parcel: Option<ParcelId>,
    /// What became of it.
    pub status: Status,
    /// When it came.
    pub created_at: Millis,
    /// When somebody last did something.
    pub updated_at: Millis,
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why they did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What operators said of its transactions: each is settled by it, once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settled: Vec<Word>,
}

impl DeadLetter {
    /// Where it lies.
    pub fn key(id: DeadLetterId) -> Key {
        Key::new(DEAD_LETTERS, format!("DL#{}", id.bare()), "DL")
    }

    /// Index partition of a status.
    pub fn status_pk(status: Status) -> String {
        format!("STATUS#{}", status.as_str())
    }

    /// The record as a row, with its place in the index.
    pub fn item(&self) -> Result<Item, RowError> {
        Ok(Item::from_fields(self)?
            .with("status_pk", Self::status_pk(self.status))
            .with("created", format!("{:015}#{}", self.created_at, self.id.bare())))
    }

    /// The write of a new record.
    pub fn create(&self) -> Result<Write, RowError> {
        Ok(Write::create(Self::key(self.id), self.item()?))
    }

    /// The record of a message that was replayed and died again: in front of the operators once more.
    pub fn died_again(&self, version: u64, again: &Self) -> Result<Write, RowError> {
        let next = Self {
            status: Status::Open,
            message: again.message.clone(),
            reason: again.reason.clone(),
            receives: again.receives,
            updated_at: again.created_at,
            ..self.clone()
        };
        Ok(Write::Put { key: Self::key(self.id), item: next.item()?, expect: vec![Expect::Version(version)] })
    }

    /// The record with somebody's act on it; refused if it changed since it was read at `version`.
    pub fn acted(&self, version: u64, status: Status, by: &str, note: &str, now: Millis) -> Result<Write, RowError> {
        let next =
            Self { status, by: Some(by.to_owned()), note: Some(note.to_owned()), updated_at: now, ..self.clone() };
        Ok(Write::Put { key: Self::key(self.id), item: next.item()?, expect: vec![Expect::Version(version)] })
    }
}
