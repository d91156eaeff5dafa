//! Scenarios, by topic.

mod cancels;
mod crashes;
mod displaced;
mod door;
mod late;
mod leaders;
mod looks;
mod metrics;
mod months;
mod opinion;
mod outcomes;
mod payments;
mod people;
mod reconciliation;
mod reorgs;
mod replacements;
mod restored;
mod restored_wishes;
mod review;
mod schedules;
mod seeds;
mod sending;
mod signing;
mod vouched;
mod waits;
mod words;
