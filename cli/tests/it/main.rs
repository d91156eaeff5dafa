//! The whole program, run as a person or a script runs it, against an API that each test plays.

mod accounts;
mod help;
mod load;
mod login;
mod mock;
mod money;
mod reconciliation;
mod refusals;
mod retries;
mod transfers;
