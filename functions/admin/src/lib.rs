//! admin: what operators see and change.
//!
//! A request's path: [`handler`] (routes; every one wants the role operator) → one file per noun, such as
//! [`accounts`] → [`change`] (one commit of the change and its audit record). [`list`] reads pages.
//!
//! Invariants: nothing changes without its audit record in the same commit; nothing here can sign: only keys'
//! public halves are linked (rule 11).

pub mod accounts;
pub mod audit;
pub mod change;
pub mod dead_letters;
pub mod handler;
pub mod lanes;
pub mod list;
pub mod money;
pub mod openapi;
pub mod queues;
pub mod reconciliation;
pub mod remedy;
pub mod routes;
pub mod settle;
pub mod switches;
pub mod transfers;
pub mod treasuries;
pub mod unasked;

use std::sync::Arc;

use causeway_domain::{Clock, Networks};
use causeway_http::Claims;
use causeway_keys::PublicKeys;
use causeway_queue::Queue;
use causeway_store::Store;

/// What admin works with.
#[derive(Debug)]
pub struct Admin {
    /// Rows.
    pub store: Arc<dyn Store>,
    /// Queues.
    pub queue: Arc<dyn Queue>,
    /// Keys' public halves.
    pub keys: Arc<dyn PublicKeys>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Enabled networks.
    pub networks: Networks,
    /// Names of the token's claims.
    pub claims: Claims,
    /// When somebody last looked into the queues.
    pub looks: queues::Looks,
}
