//! Holding money: from one shard where one has enough, else from several.

use causeway_domain::{Amount, limits::ACCOUNT_SHARDS};
use causeway_store::Item;

use super::{AccountId, Balances, Buckets, EntryKind, Postings, PostingsError};
use crate::parcel::HoldPart;

/// Why no hold can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HoldError {
    /// All shards together have too little, by a strong read.
    #[error("{available} of the {required} required are available")]
    Insufficient {
        /// What all shards have.
        available: Amount,
        /// What is asked for.
        required: Amount,
    },
}

/// Name of the entry that sets a parcel's money aside.
pub fn hold_entry(parcel: &str) -> String {
    format!("{parcel}#hold")
}

/// Name of the entry that makes a parcel's held money free again.
pub fn release_entry(parcel: &str) -> String {
    format!("{parcel}#release")
}

/// Name of the entry that takes a parcel's held money out, after it was reopened `round` times.
pub fn post_entry(parcel: &str, round: u32) -> String {
    format!("{parcel}#post#{round}")
}

/// Chooses the shards a hold is taken from, given a strong read of all of them: the one `preferred` if it has enough,
/// else any that has, else the fullest ones together.
pub fn plan_hold(shards: &[Option<Item>], amount: Amount, preferred: u8) -> Result<Vec<HoldPart>, HoldError> {
    let available = |row: &Option<Item>| {
        u128::try_from(Balances::of(row.as_ref()).available).ok().and_then(Amount::new).unwrap_or_default()
    };
    let mut parts: Vec<(u8, Amount)> = (0..).zip(shards.iter().map(available)).collect();
    let total = parts.iter().try_fold(Amount::ZERO, |sum, (_, part)| sum.plus(*part)).unwrap_or(Amount::MAX);
    if total < amount {
        return Err(HoldError::Insufficient { available: total, required: amount });
    }
    let distance = |shard: u8| shard.wrapping_sub(preferred % ACCOUNT_SHARDS) % ACCOUNT_SHARDS;
    if let Some((shard, _)) = parts.iter().filter(|(_, part)| *part >= amount).min_by_key(|(s, _)| distance(*s)) {
        return Ok(vec![HoldPart { shard: *shard, amount }]);
    }
    parts.sort_by_key(|(_, part)| std::cmp::Reverse(*part));
    let mut missing = amount;
    let mut plan = Vec::new();
    for (shard, part) in parts {
        let taken = part.min(missing);
        if taken > Amount::ZERO {
            plan.push(HoldPart { shard, amount: taken });
        }
        missing = missing.minus(taken).unwrap_or_default();
        if missing == Amount::ZERO {
            break;
        }
    }
    Ok(plan)
}

impl Postings {
    /// Sets a parcel's money aside.
    pub fn hold(&mut self, account: &AccountId, parts: &[HoldPart], parcel: &str) -> Result<(), PostingsError> {
        self.for_parts(account, parts, hold_entry(parcel), EntryKind::Hold, parcel, |units| Buckets {
            available: -units,
            held: units,
            posted: 0,
        })
    }

    /// Makes a parcel's held money free again.
    pub fn release(&mut self, account: &AccountId, parts: &[HoldPart], parcel: &str) -> Result<(), PostingsError> {
        self.for_parts(account, parts, release_entry(parcel), EntryKind::Release, parcel, |units| Buckets {
            available: units,
            held: -units,
            posted: 0,
        })
    }

    /// Takes a parcel's held money out of the account: it was paid on chain. `round` counts how often it was reopened.
    pub fn post(
        &mut self,
        account: &AccountId,
        parts: &[HoldPart],
        parcel: &str,
        round: u32,
    ) -> Result<(), PostingsError> {
        self.for_parts(account, parts, post_entry(parcel, round), EntryKind::Post, parcel, |units| Buckets {
            available: 0,
            held: -units,
            posted: units,
        })
    }

    /// Takes back a posting: the money is held again.
    pub fn reverse(
        &mut self,
        account: &AccountId,
        parts: &[HoldPart],
        parcel: &str,
        round: u32,
    ) -> Result<(), PostingsError> {
        self.for_parts(account, parts, format!("{parcel}#reverse#{round}"), EntryKind::Reverse, parcel, |units| {
            Buckets { available: 0, held: units, posted: -units }
        })
    }

    fn for_parts(
        &mut self,
        account: &AccountId,
        parts: &[HoldPart],
        entry: String,
        kind: EntryKind,
        parcel: &str,
        change: impl Fn(i128) -> Buckets,
    ) -> Result<(), PostingsError> {
        for part in parts {
            self.add(account, part.shard, entry.clone(), kind, change(part.amount.signed()), parcel)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shards(available: [u64; 8]) -> Vec<Option<Item>> {
        available.iter().map(|units| Some(Item::new().with("available", *units))).collect()
    }

    fn amount(units: u128) -> Amount {
        Amount::new(units).unwrap_or_default()
    }

    #[test]
    fn one_shard_is_enough_where_it_is() {
        let plan = plan_hold(&shards([10, 10, 10, 10, 10, 10, 10, 10]), amount(10), 5);
        assert_eq!(plan, Ok(vec![HoldPart { shard: 5, amount: amount(10) }]));
        let plan = plan_hold(&shards([0, 0, 9, 10, 0, 0, 0, 0]), amount(10), 5);
        assert_eq!(plan, Ok(vec![HoldPart { shard: 3, amount: amount(10) }]));
    }

    #[test]
    fn the_last_coin_is_found_across_shards() {
        let plan = plan_hold(&shards([1, 2, 3, 4, 5, 6, 7, 8]), amount(36), 0).expect("enough together");
        assert_eq!(plan.iter().map(|part| part.amount.units()).sum::<u128>(), 36);
        assert_eq!(plan.len(), 8);
    }

    #[test]
    fn too_little_says_how_much_there_is() {
        let plan = plan_hold(&shards([1, 2, 3, 4, 5, 6, 7, 8]), amount(37), 0);
        assert_eq!(plan, Err(HoldError::Insufficient { available: amount(36), required: amount(37) }));
    }

    #[test]
    fn an_absent_or_overdrawn_shard_counts_as_empty() {
        let mut rows = shards([0; 8]);
        rows[0] = None;
        rows[1] = Some(Item::new().with("available", -5_i128));
        rows[2] = Some(Item::new().with("available", 5_i128));
        let plan = plan_hold(&rows, amount(5), 0);
        assert_eq!(plan, Ok(vec![HoldPart { shard: 2, amount: amount(5) }]));
    }
}
