//! Which commits' entries do not sum to zero: once a check has found that some do not.

use std::collections::BTreeMap;

use causeway_domain::{Clock, clock::Millis, limits::ACCOUNT_SHARDS};
use causeway_store::{Item, Query, Store, StoreError};

use super::{AccountId, Balances};

/// Commits that are remembered: some 100 bytes each.
const COMMITS_MAX: usize = 500_000;

/// What each commit moves in all, by commit and asset.
type Sums = BTreeMap<(String, String), i128>;

/// Names the commits whose entries do not sum to zero; `None` where there are too many entries for so long.
///
/// A commit's entries lie on several shards and can be seen half by a pass that reads one shard before it and another
/// after it, so two passes must agree on it.
pub async fn unbalanced_commits(
    store: &dyn Store,
    clock: &dyn Clock,
    budget_ms: u64,
) -> Result<Option<Vec<String>>, StoreError> {
    let until = clock.now_ms() + budget_ms;
    let (Some(open), Some(again)) = (pass(store, clock, until).await?, pass(store, clock, until).await?) else {
        return Ok(None);
    };
    let agreed = open.into_iter().filter(|(commit, sum)| again.get(commit) == Some(sum));
    Ok(Some(agreed.map(|((commit, asset), sum)| format!("commit {commit} moves {sum} of {asset}")).collect()))
}

async fn pass(store: &dyn Store, clock: &dyn Clock, until: Millis) -> Result<Option<Sums>, StoreError> {
    let mut sums = Sums::new();
    let mut accounts = Vec::new();
    let listed = each(store, AccountId::query(), |row| {
        accounts.extend(row.parse::<AccountId>().ok());
        clock.now_ms() < until
    });
    if !listed.await? {
        return Ok(None);
    }
    for account in &accounts {
        let asset = account.asset.to_string();
        for shard in 0..ACCOUNT_SHARDS {
            let read = each(store, account.entries(shard), |entry| {
                let commit = entry.text("last_commit").unwrap_or_default().to_owned();
                let moved = Balances::of(Some(entry));
                let sum = sums.entry((commit, asset.clone())).or_default();
                *sum = sum.wrapping_add(moved.available).wrapping_add(moved.held);
                clock.now_ms() < until && sums.len() <= COMMITS_MAX
            });
            if !read.await? {
                return Ok(None);
            }
        }
    }
    sums.retain(|_, sum| *sum != 0);
    Ok(Some(sums))
}

/// Hands each row to a function until that has had enough; answers whether it saw all.
async fn each(
    store: &dyn Store,
    mut query: Query,
    mut wants_more: impl FnMut(&Item) -> bool,
) -> Result<bool, StoreError> {
    loop {
        let page = store.query(&query).await?;
        if !page.items.iter().all(&mut wants_more) {
            return Ok(false);
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(true),
        }
    }
}
