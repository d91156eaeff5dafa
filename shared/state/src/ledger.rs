//! The off-chain double-entry ledger: accounts in shards, immutable entries, holds.
//!
//! Signs: a tenant's account is what Causeway owes the tenant, so it is positive. A treasury's
//! account is what the chain holds, seen from the other side, so it is negative: its negated
//! sum is the balance an explorer shows. Gas is paid from an account of its own.
//!
//! Invariant: every commit's postings sum to zero per asset over `available` and `held`
//! (rule 7); `posted` only counts what was paid out and is outside of that sum.

mod check;
mod hold;
mod limit;
mod postings;
mod search;

pub use check::{AccountReport, End, Place, Slice, check_accounts};
pub use hold::{HoldError, hold_entry, plan_hold, post_entry, release_entry};
pub use limit::DailyLimit;
pub use postings::{Buckets, EntryKind, Postings, PostingsError};
pub use search::unbalanced_commits;

use std::fmt;

use causeway_domain::{Amount, id::TenantId, lane::LaneId, limits::ACCOUNT_SHARDS, network::AssetId};
use causeway_store::{Item, Key, Query, Range, Write};
use serde::{Deserialize, Serialize};

use crate::tables::LEDGER;

/// Whose account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Owner {
    /// What is owed to a tenant.
    Tenant(TenantId),
    /// What a treasury holds on chain, negated.
    Treasury(LaneId),
    /// What a tenant set aside for gas.
    Gas(TenantId),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(tenant) => write!(f, "tenant:{tenant}"),
            Self::Treasury(lane) => write!(f, "treasury:{lane}"),
            Self::Gas(tenant) => write!(f, "gas:{tenant}"),
        }
    }
}

impl TryFrom<String> for Owner {
    type Error = causeway_domain::id::IdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (kind, name) = text.split_once(':').unwrap_or_default();
        match kind {
            "tenant" => name.parse().map(Self::Tenant),
            "gas" => name.parse().map(Self::Gas),
            "treasury" => LaneId::try_from(name.to_owned()).map(Self::Treasury),
            _ => Err(causeway_domain::id::IdError { what: "account owner" }),
        }
    }
}

impl From<Owner> for String {
    fn from(owner: Owner) -> Self {
        owner.to_string()
    }
}

/// One account: an owner's units of one asset.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountId {
    /// Whose.
    pub owner: Owner,
    /// Of what.
    pub asset: AssetId,
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.owner, self.asset)
    }
}

impl AccountId {
    fn shard_pk(&self, shard: u8) -> String {
        format!("ACC#{self}#{shard}")
    }

    /// Where a shard's balances lie.
    pub fn shard(&self, shard: u8) -> Key {
        Key::new(LEDGER, self.shard_pk(shard), "BAL")
    }

    /// All shards.
    pub fn shards(&self) -> Vec<Key> {
        (0..ACCOUNT_SHARDS).map(|shard| self.shard(shard)).collect()
    }

    /// Reads a shard's entries.
    pub fn entries(&self, shard: u8) -> Query {
        Query::table(LEDGER, self.shard_pk(shard), Range::Prefix("E#".to_owned()))
    }

    /// Where an entry of a shard lies.
    pub fn entry(&self, shard: u8, entry: &str) -> Key {
        Key::new(LEDGER, self.shard_pk(shard), format!("E#{entry}"))
    }

    /// Makes the account known to listings and checks; harmless when it is already.
    pub fn register(&self) -> Result<Write, causeway_store::RowError> {
        Ok(Write::Put {
            key: Key::new(LEDGER, "ACCOUNTS", self.to_string()),
            item: Item::from_fields(self)?,
            expect: vec![],
        })
    }

    /// Reads the known accounts.
    pub fn query() -> Query {
        Query::table(LEDGER, "ACCOUNTS", Range::All)
    }
}

/// An account's balances, in smallest units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Balances {
    /// Free to use.
    pub available: i128,
    /// Held for transfers under way.
    pub held: i128,
    /// Paid out so far.
    pub posted: i128,
}

impl Balances {
    /// Reads a shard's row; an absent shard has nothing.
    pub fn of(row: Option<&Item>) -> Self {
        let field = |name| row.and_then(|row: &Item| row.number(name)).unwrap_or(0);
        Self { available: field("available"), held: field("held"), posted: field("posted") }
    }

    /// Sum over shards; the most that is told where shards together have more than a number holds: each alone is exact.
    pub fn sum(rows: &[Option<Item>]) -> Self {
        rows.iter().map(Option::as_ref).map(Self::of).fold(Self::default(), |sum, part| Self {
            available: sum.available.saturating_add(part.available),
            held: sum.held.saturating_add(part.held),
            posted: sum.posted.saturating_add(part.posted),
        })
    }
}

/// An even split of an amount over all shards; the first ones take the rest.
pub fn spread(amount: Amount) -> Vec<(u8, Amount)> {
    let count = u128::from(ACCOUNT_SHARDS);
    let (share, rest) = (amount.units() / count, amount.units() % count);
    (0..ACCOUNT_SHARDS)
        .filter_map(|shard| {
            let units = share + u128::from(u128::from(shard) < rest);
            (units > 0).then(|| Amount::new(units)).flatten().map(|amount| (shard, amount))
        })
        .collect()
}
