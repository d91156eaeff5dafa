//! intake: the clients' surfaces. One core takes a transfer whichever door it came through.
//!
//! A request's path: [`handler`] (routes) → [`withdrawal`] or [`transfer`] (reads the body's form) →
//! [`request`] (what its words mean by the networks' file) → [`accept`] (one commit: parcel, hold; then one publish). Reads go through [`progress`].
//!
//! Invariant: intake has no key and no chain; it answers after one commit and one publish, and
//! a lost publish is repeated by the sweep.

pub mod accept;
pub mod cancel;
pub mod directory;
pub mod handler;
pub mod openapi;
pub mod progress;
pub mod queue_status;
pub mod request;
pub mod transfer;
pub mod withdrawal;

use std::sync::Arc;

use causeway_domain::{Clock, Networks};
use causeway_http::Claims;
use causeway_queue::Queue;
use causeway_store::Store;

/// What intake works with.
#[derive(Debug)]
pub struct Intake {
    /// Rows.
    pub store: Arc<dyn Store>,
    /// Queues.
    pub queue: Arc<dyn Queue>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Enabled networks.
    pub networks: Networks,
    /// Names of the token's claims.
    pub claims: Claims,
    /// Treasuries and switches, for a short time from memory.
    pub directory: directory::Directory,
}
