//! Scenarios, by topic.

mod crashes;
mod door;
mod leaders;
mod outcomes;
mod payments;
mod reorgs;
mod sending;
mod signing;
mod storms;
mod waits;
