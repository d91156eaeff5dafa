//! Scenarios, by topic.

mod crashes;
mod door;
mod leaders;
mod metrics;
mod outcomes;
mod payments;
mod people;
mod reorgs;
mod review;
mod schedules;
mod seeds;
mod sending;
mod signing;
mod waits;
