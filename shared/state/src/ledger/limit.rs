//! Daily limits: what is left of a UTC day, as a condition of the commit that holds the money.

use causeway_domain::{Amount, clock::Millis, id::TenantId, network::AssetId};
use causeway_store::{Expect, Item, Key, Update, Value, Write};

use crate::tables::LEDGER;

const DAY_MS: u64 = 86_400_000;
/// A day's row may go three days later.
const KEPT_S: u64 = 4 * 86_400;

/// A tenant's limit of an asset on one UTC day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DailyLimit {
    key: Key,
    limit: Amount,
    expires_at: u64,
}

impl DailyLimit {
    /// The limit of the day that `now` lies in.
    pub fn new(tenant: &TenantId, asset: &AssetId, limit: Amount, now: Millis) -> Self {
        let day = now / DAY_MS;
        Self {
            key: Key::new(LEDGER, format!("LIMIT#{tenant}#{asset}#{day}"), "LIMIT"),
            limit,
            expires_at: day * DAY_MS / 1000 + KEPT_S,
        }
    }

    /// Where it lies.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// What is left, given the row; all of it where there is none.
    pub fn left(&self, row: Option<&Item>) -> Amount {
        match row {
            None => self.limit,
            Some(row) => {
                let left = row.number("left").and_then(|left| u128::try_from(left).ok());
                left.and_then(Amount::new).unwrap_or_default()
            }
        }
    }

    /// The write that takes `amount` of what is left, given the row as last read.
    pub fn take(&self, row: Option<&Item>, amount: Amount) -> Write {
        match row {
            None => {
                let left = self.limit.minus(amount).unwrap_or_default();
                let item = Item::new().with("left", left.signed()).with("expires_at", Value::from(self.expires_at));
                Write::create(self.key.clone(), item)
            }
            Some(_) => Write::Update {
                key: self.key.clone(),
                update: Update { add: vec![("left", -amount.signed())], ..Update::default() },
                expect: vec![Expect::AtLeast("left", amount.signed())],
            },
        }
    }
}
