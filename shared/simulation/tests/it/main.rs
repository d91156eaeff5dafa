//! Scenarios, by topic.

mod crashes;
mod door;
mod leaders;
mod metrics;
mod opinion;
mod outcomes;
mod payments;
mod reconciliation;
mod reorgs;
mod review;
mod seeds;
mod sending;
mod signing;
mod waits;
