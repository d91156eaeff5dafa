//! Proving the ledger: each account against its entries at one version, and every commit's sum.

use std::collections::BTreeMap;

use causeway_domain::limits::ACCOUNT_SHARDS;
use causeway_store::{Item, Query, Store, StoreError};
use serde::{Deserialize, Serialize};

use super::{AccountId, Balances};

/// Reads of one shard before the check gives up on finding it at rest.
const READS_MAX: usize = 20;

/// What a check found for one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountReport {
    /// The account.
    pub account: String,
    /// Balances by its rows; decimal strings of smallest units.
    pub balances: [String; 3],
    /// Entries read.
    pub entries: u64,
    /// What does not fit; empty where all does.
    pub faults: Vec<String>,
}

/// Proves all known accounts, and that each commit's entries sum to zero per asset. Answers the accounts and the
/// commits that do not.
///
/// Each shard is compared with its entries at one version: read the balance, the entries, and the balance again; a
/// shard that changed meanwhile is read anew. A commit's entries lie on several shards and can be seen half by a pass
/// that reads one shard before it and another after it, so a commit is a fault only if two passes agree on it.
pub async fn check_accounts(store: &dyn Store) -> Result<(Vec<AccountReport>, Vec<String>), StoreError> {
    let (reports, open) = pass(store).await?;
    if open.is_empty() {
        return Ok((reports, Vec::new()));
    }
    let (_, again) = pass(store).await?;
    let agreed = open.into_iter().filter(|(commit, sum)| again.get(commit) == Some(sum));
    let text = agreed.map(|((commit, asset), sum)| format!("commit {commit} moves {sum} of {asset}"));
    Ok((reports, text.collect()))
}

type Sums = BTreeMap<(String, String), i128>;

async fn pass(store: &dyn Store) -> Result<(Vec<AccountReport>, Sums), StoreError> {
    let mut reports = Vec::new();
    let mut commits = Sums::new();
    for row in all(store, AccountId::query()).await? {
        match row.parse::<AccountId>() {
            Ok(account) => reports.push(check_account(store, &account, &mut commits).await?),
            Err(error) => reports.push(AccountReport {
                account: row.text("sk").unwrap_or_default().to_owned(),
                balances: Default::default(),
                entries: 0,
                faults: vec![error.to_string()],
            }),
        }
    }
    commits.retain(|_, sum| *sum != 0);
    Ok((reports, commits))
}

async fn check_account(
    store: &dyn Store,
    account: &AccountId,
    commits: &mut Sums,
) -> Result<AccountReport, StoreError> {
    let mut faults = Vec::new();
    let mut sum = Balances::default();
    let mut count = 0_u64;
    for shard in 0..ACCOUNT_SHARDS {
        let Some((row, entries)) = at_rest(store, account, shard).await? else {
            faults.push(format!("shard {shard} never rested; try again when it is quieter"));
            continue;
        };
        let balances = Balances::of(row.as_ref());
        let proven = entries.iter().map(|entry| Balances::of(Some(entry))).fold(Balances::default(), add);
        if balances != proven {
            faults.push(format!("shard {shard} has {balances:?}, its entries sum to {proven:?}"));
        }
        for entry in &entries {
            let commit = entry.text("last_commit").unwrap_or_default().to_owned();
            let moved = Balances::of(Some(entry));
            *commits.entry((commit, account.asset.to_string())).or_default() += moved.available + moved.held;
        }
        count += entries.len() as u64;
        sum = add(sum, balances);
    }
    Ok(AccountReport {
        account: account.to_string(),
        balances: [sum.available, sum.held, sum.posted].map(|units| units.to_string()),
        entries: count,
        faults,
    })
}

fn add(a: Balances, b: Balances) -> Balances {
    Balances { available: a.available + b.available, held: a.held + b.held, posted: a.posted + b.posted }
}

async fn at_rest(
    store: &dyn Store,
    account: &AccountId,
    shard: u8,
) -> Result<Option<(Option<Item>, Vec<Item>)>, StoreError> {
    for _ in 0..READS_MAX {
        let before = store.get(&account.shard(shard)).await?;
        let entries = all(store, account.entries(shard)).await?;
        let after = store.get(&account.shard(shard)).await?;
        let version = |row: &Option<Item>| row.as_ref().map(Item::version);
        if version(&before) == version(&after) {
            return Ok(Some((after, entries)));
        }
    }
    Ok(None)
}

async fn all(store: &dyn Store, mut query: Query) -> Result<Vec<Item>, StoreError> {
    let mut rows = Vec::new();
    loop {
        let page = store.query(&query).await?;
        rows.extend(page.items);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(rows),
        }
    }
}
