//! Daily limits: what a UTC day has used, held against the limit as a condition of the commit that holds the money.
//!
//! The day's row has only what was used, so a limit that is lowered or raised binds at once.

use causeway_domain::{Amount, clock::Millis, id::TenantId, network::AssetId};
use causeway_store::{Expect, Item, Key, Update, Value, Write};

use crate::tables::LEDGER;

const DAY_MS: u64 = 86_400_000;
/// A day's row may go three days later.
const KEPT_S: u64 = 4 * 86_400;
/// What was used, below zero: the store compares only from below.
const BALANCE: &str = "balance";

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
        let balance = row.and_then(|row| row.number(BALANCE)).unwrap_or_default();
        let used = u128::try_from(-balance).ok().and_then(Amount::new).unwrap_or_default();
        self.limit.minus(used).unwrap_or_default()
    }

    /// The write that takes `amount` of what is left, given the row as last read. Others may have taken some since: it is
    /// refused only if they left too little.
    pub fn take(&self, row: Option<&Item>, amount: Amount) -> Write {
        match row {
            None => {
                let item = Item::new().with(BALANCE, -amount.signed()).with("expires_at", Value::from(self.expires_at));
                Write::create(self.key.clone(), item)
            }
            Some(_) => Write::Update {
                key: self.key.clone(),
                update: Update { add: vec![(BALANCE, -amount.signed())], ..Update::default() },
                expect: vec![Expect::AtLeast(BALANCE, amount.signed() - self.limit.signed())],
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use causeway_domain::Address;
    use causeway_store::{Commit, CommitToken, MemoryStore, Store};
    use futures::FutureExt;

    use super::*;

    fn amount(units: u128) -> Amount {
        Amount::new(units).unwrap_or_default()
    }

    /// The limit of one day, as the networks' file has it at some moment.
    fn limit(units: u128) -> DailyLimit {
        let asset = AssetId { network: "local".parse().expect("a name"), address: Address::ZERO };
        DailyLimit::new(&"acme".parse().expect("a name"), &asset, amount(units), 0)
    }

    fn row(store: &MemoryStore, limit: &DailyLimit) -> Option<Item> {
        store.get(limit.key()).now_or_never().expect("at once").expect("readable")
    }

    /// Whether `units` were taken, by somebody who read `seen`.
    fn takes(store: &MemoryStore, limit: &DailyLimit, seen: Option<&Item>, units: u128) -> bool {
        let name = format!("{units} of {} after {:?}", limit.limit, seen.map(Item::version));
        // What takes it is new, as a transfer is.
        let writes = [Write::create(Key::new(LEDGER, &name, "TAKER"), Item::new()), limit.take(seen, amount(units))];
        let done = store.commit(&CommitToken::new(name), &writes).now_or_never().expect("at once");
        matches!(done.expect("valid"), Commit::Committed)
    }

    #[test]
    fn what_was_used_counts_against_the_limit_that_stands_now() {
        let store = MemoryStore::new();
        let (high, low) = (limit(5000), limit(1000));
        assert_eq!(high.left(row(&store, &high).as_ref()), amount(5000));
        assert!(takes(&store, &high, None, 100));
        let used = row(&store, &high);
        assert_eq!((low.left(used.as_ref()), high.left(used.as_ref())), (amount(900), amount(4900)));
        assert!(!takes(&store, &low, used.as_ref(), 901));
        assert!(takes(&store, &low, used.as_ref(), 900));
        let used = row(&store, &low);
        assert_eq!((low.left(used.as_ref()), high.left(used.as_ref())), (Amount::ZERO, amount(4000)));
        assert!(takes(&store, &high, used.as_ref(), 4000));
        assert_eq!(low.left(row(&store, &low).as_ref()), Amount::ZERO, "more was used than may be now");
    }

    #[test]
    fn whoever_read_too_early_takes_no_more_than_there_is() {
        let store = MemoryStore::new();
        let limit = limit(1000);
        assert!(takes(&store, &limit, None, 600));
        let early = row(&store, &limit);
        assert!(!takes(&store, &limit, None, 300), "it is no longer the first");
        assert!(takes(&store, &limit, early.as_ref(), 300));
        assert!(!takes(&store, &limit, early.as_ref(), 200));
        assert!(takes(&store, &limit, early.as_ref(), 100), "who takes less meets no conflict");
    }
}
