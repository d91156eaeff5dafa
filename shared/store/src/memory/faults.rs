//! The hook by which a test or the simulation makes a store misbehave as the real one can.

use std::fmt::Debug;

use crate::port::{CommitToken, Query, Write};
use crate::row::Key;

/// What becomes of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitFault {
    /// Nothing goes wrong.
    Pass,
    /// The call never arrives: `Unknown`, without effect.
    LoseCall,
    /// The call takes effect and its reply is lost: `Unknown`, with effect.
    LoseReply,
    /// The reply is lost and the call arrives later, at [`MemoryStore::land`](super::MemoryStore::land):
    /// `Unknown`, and the effect (or the conflict) comes after the caller has gone on.
    Delay,
    /// Others are at the same rows: `Contended`, without effect.
    Contended,
}

/// What becomes of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFault {
    /// Nothing goes wrong.
    Pass,
    /// The store does not answer: `StoreError::Unavailable`.
    Unavailable,
}

/// A read as the hook sees it.
#[derive(Debug, Clone, Copy)]
pub enum Read<'a> {
    /// A `get`.
    Get(&'a Key),
    /// A `get_many`.
    GetMany(&'a [Key]),
    /// A `query`.
    Query(&'a Query),
}

/// Decides the fate of each call that is within the limits.
pub trait Faults: Debug + Send + Sync {
    /// What becomes of this commit.
    fn commit(&self, token: &CommitToken, writes: &[Write]) -> CommitFault;

    /// What becomes of this read.
    fn read(&self, read: Read<'_>) -> ReadFault;
}

/// Nothing ever goes wrong.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoFaults;

impl Faults for NoFaults {
    fn commit(&self, _token: &CommitToken, _writes: &[Write]) -> CommitFault {
        CommitFault::Pass
    }

    fn read(&self, _read: Read<'_>) -> ReadFault {
        ReadFault::Pass
    }
}
