//! Names of tables, indexes and queues, as `infra/topology.yaml` has them.

use causeway_store::{Index, Table};

/// Parcels, transactions, attempts, lanes, waits.
pub const TRANSFERS: Table = Table("transfers");
/// Accounts, entries, daily limits.
pub const LEDGER: Table = Table("ledger");
/// Treasuries and switches.
pub const WALLETS: Table = Table("wallets");
/// Heads, headers, watches, inclusions.
pub const TRACKER: Table = Table("tracker");
/// Dead letters' records.
pub const DEAD_LETTERS: Table = Table("dead-letters");
/// What operators did.
pub const AUDIT: Table = Table("audit");

/// Parcels that somebody must look at again, by time. Sparse.
pub const DUE: Index = Index { name: "due", pk: "due_pk", sk: "due_at" };
/// A tenant's parcels, by time.
pub const BY_TENANT: Index = Index { name: "by-tenant", pk: "tenant_pk", sk: "created" };
/// Dead letters, by status and time.
pub const BY_STATUS: Index = Index { name: "by-status", pk: "status_pk", sk: "created" };
