//! Postings of one commit: collected, merged per account shard, checked, turned into writes.

use std::collections::BTreeMap;

use causeway_domain::clock::Millis;
use causeway_store::{Expect, Item, Update, Value, Write};
use serde::{Deserialize, Serialize};

use super::AccountId;

/// Why an entry exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// Money set aside for a parcel.
    Hold,
    /// A parcel's money went out.
    Post,
    /// A parcel's money is free again.
    Release,
    /// A posting taken back, since its transaction left the chain.
    Reverse,
    /// Gas a transaction cost.
    Gas,
    /// An operator added money.
    Credit,
    /// An operator took money away.
    Debit,
}

impl EntryKind {
    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Post => "post",
            Self::Release => "release",
            Self::Reverse => "reverse",
            Self::Gas => "gas",
            Self::Credit => "credit",
            Self::Debit => "debit",
        }
    }
}

/// What changes in one account, in smallest units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Buckets {
    /// Change of `available`.
    pub available: i128,
    /// Change of `held`.
    pub held: i128,
    /// Change of `posted`.
    pub posted: i128,
}

/// Postings that must not be written; a fault of ours.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostingsError {
    /// Money would appear or vanish.
    #[error("postings in {asset} sum to {sum}")]
    Unbalanced {
        /// The asset.
        asset: String,
        /// What is too much.
        sum: i128,
    },
    /// A sum leaves the store's numbers.
    #[error("postings overflow")]
    Overflow,
    /// The same entry twice.
    #[error("entry {0} is there twice")]
    Twice(String),
}

#[derive(Debug)]
struct Entry {
    kind: EntryKind,
    change: Buckets,
    about: String,
}

/// The postings of one commit.
#[derive(Debug, Default)]
pub struct Postings {
    changes: BTreeMap<(AccountId, u8), Buckets>,
    entries: BTreeMap<(AccountId, u8, String), Entry>,
}

impl Postings {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing moves.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Adds a posting to a shard. `entry` names it within the account for ever: the same name can be written
    /// only once, which is what makes a hold be released or posted exactly once. `about` says what it is for.
    pub fn add(
        &mut self,
        account: &AccountId,
        shard: u8,
        entry: String,
        kind: EntryKind,
        change: Buckets,
        about: &str,
    ) -> Result<(), PostingsError> {
        let total = self.changes.entry((account.clone(), shard)).or_default();
        *total = plus(*total, change)?;
        let key = (account.clone(), shard, entry);
        if self.entries.contains_key(&key) {
            return Err(PostingsError::Twice(key.2));
        }
        self.entries.insert(key, Entry { kind, change, about: about.to_owned() });
        Ok(())
    }

    /// As [`Postings::add`], merging into an entry of the same name in this commit: for accounts that every parcel
    /// of a batch touches.
    pub fn merge(
        &mut self,
        account: &AccountId,
        shard: u8,
        entry: &str,
        kind: EntryKind,
        change: Buckets,
        about: &str,
    ) -> Result<(), PostingsError> {
        let total = self.changes.entry((account.clone(), shard)).or_default();
        *total = plus(*total, change)?;
        let merged = self.entries.entry((account.clone(), shard, entry.to_owned())).or_insert(Entry {
            kind,
            change: Buckets::default(),
            about: about.to_owned(),
        });
        merged.change = plus(merged.change, change)?;
        Ok(())
    }

    /// The writes: one update per account shard and one new row per entry. What an update takes must be there.
    pub fn writes(&self, now: Millis) -> Result<Vec<Write>, PostingsError> {
        self.must_balance()?;
        let mut writes = Vec::with_capacity(self.changes.len() + self.entries.len());
        for ((account, shard), change) in &self.changes {
            let mut expect = Vec::new();
            if account.owner_may_not_owe() && change.available < 0 {
                expect.push(Expect::AtLeast("available", -change.available));
            }
            if change.held < 0 {
                expect.push(Expect::AtLeast("held", -change.held));
            }
            let add = [("available", change.available), ("held", change.held), ("posted", change.posted)]
                .into_iter()
                .filter(|(_, delta)| *delta != 0)
                .collect();
            let update = Update { add, ..Update::default() };
            writes.push(Write::Update { key: account.shard(*shard), update, expect });
        }
        for ((account, shard, name), entry) in &self.entries {
            let item = Item::new()
                .with("kind", entry.kind.as_str())
                .with("available", entry.change.available)
                .with("held", entry.change.held)
                .with("posted", entry.change.posted)
                .with("about", entry.about.as_str())
                .with("at", Value::from(now));
            writes.push(Write::create(account.entry(*shard, name), item));
        }
        Ok(writes)
    }

    fn must_balance(&self) -> Result<(), PostingsError> {
        let mut sums: BTreeMap<String, i128> = BTreeMap::new();
        for ((account, _), change) in &self.changes {
            let sum = sums.entry(account.asset.to_string()).or_default();
            let delta = change.available.checked_add(change.held).ok_or(PostingsError::Overflow)?;
            *sum = sum.checked_add(delta).ok_or(PostingsError::Overflow)?;
        }
        match sums.into_iter().find(|(_, sum)| *sum != 0) {
            Some((asset, sum)) => Err(PostingsError::Unbalanced { asset, sum }),
            None => Ok(()),
        }
    }
}

impl AccountId {
    /// Only a tenant's own money is refused when it runs out: a treasury's account is negative by nature, and gas
    /// that was burnt was burnt, whether or not it was set aside.
    fn owner_may_not_owe(&self) -> bool {
        match self.owner {
            super::Owner::Tenant(_) => true,
            super::Owner::Treasury(_) | super::Owner::Gas(_) => false,
        }
    }
}

fn plus(a: Buckets, b: Buckets) -> Result<Buckets, PostingsError> {
    let add = |x: i128, y: i128| x.checked_add(y).ok_or(PostingsError::Overflow);
    Ok(Buckets {
        available: add(a.available, b.available)?,
        held: add(a.held, b.held)?,
        posted: add(a.posted, b.posted)?,
    })
}
