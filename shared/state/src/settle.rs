//! Settling: what a stage of a block means for a transaction's number, parcels and money, and the writes that say so.
//!
//! [`load`] (transactions, parcels, header) → [`decide`] (pure) → [`batch`] (one commit for many, merged postings).
//! The function settle does so for each stage; an operator's word goes the same way where settle asked people.
//!
//! Invariants: success is posted at `confirmed_at`, money is released only at `final_at` (rule 5); every commit that
//! follows from a block holds on the condition that the block is still on the chain.

pub mod batch;
pub mod decide;
pub mod load;

use causeway_store::{RowError, StoreError};

use crate::{commit::CommitError, ledger::PostingsError, parcel::MoveError};

/// Why a stage is not settled.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// It never will be: people must look.
    #[error("{0}")]
    Hopeless(String),
    /// Not now.
    #[error("{0}")]
    Later(String),
    /// Rows cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row does not parse.
    #[error(transparent)]
    Row(#[from] RowError),
    /// A write did not surely happen.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A move that does not exist; a fault of ours.
    #[error(transparent)]
    Move(#[from] MoveError),
    /// Postings that do not balance; a fault of ours.
    #[error(transparent)]
    Postings(#[from] PostingsError),
}
