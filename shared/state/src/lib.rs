//! Rows of every table, and the commits that change them.
//!
//! One file per noun: its row, where it lies, and the writes that move it. Handlers read rows
//! with these types and put the writes of several nouns together into one commit.
//!
//! Invariant: money moves only through [`ledger::Postings`], which refuses what does not sum to
//! zero; a parcel changes its state only through [`parcel::Parcel::moved`], which refuses moves
//! that do not exist.

pub mod adopt;
pub mod audit;
pub mod cancel;
pub mod commit;
pub mod dead_letter;
pub mod displace;
pub mod halt;
pub mod lane;
pub mod ledger;
pub mod message;
pub mod parcel;
pub mod reconciliation;
pub mod settle;
pub mod tables;
pub mod taken;
pub mod tracker;
pub mod wallet;
