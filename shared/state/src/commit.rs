//! Committing with patience: contention is waited out with jitter, an unknown outcome is settled by the same token.

use causeway_domain::{Clock, id::CommitId};
use causeway_store::{Commit, CommitToken, Conflict, Store, StoreError, Write};

/// Tries of one commit before its caller is told.
const TRIES_MAX: u32 = 7;
/// First wait between tries; doubles, and is jittered by up to itself.
const BACKOFF_MS: u64 = 10;

/// How a commit surely ended.
#[derive(Debug)]
#[must_use]
pub enum Done {
    /// Every write is durable.
    Committed,
    /// Nothing was written; these expectations did not hold.
    Conflict(Vec<Conflict>),
}

/// A commit whose end is not a plain yes or no.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Nothing was written; others were always there first.
    #[error("the rows are too busy")]
    Busy,
    /// It may have been written. The caller must read before it concludes anything.
    #[error("the commit's outcome is unknown")]
    Unknown,
    /// It was never tried.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Commits under a new token, trying again while the outcome allows it.
pub async fn commit(store: &dyn Store, clock: &dyn Clock, writes: &[Write]) -> Result<Done, CommitError> {
    let token = CommitToken::new(CommitId::new(clock).to_string());
    let mut unknown = false;
    for attempt in 0..TRIES_MAX {
        match store.commit(&token, writes).await? {
            Commit::Committed => return Ok(Done::Committed),
            Commit::Conflict(conflicts) => return Ok(Done::Conflict(conflicts)),
            Commit::Contended => {}
            Commit::Unknown => unknown = true,
        }
        let base = BACKOFF_MS << attempt;
        let jitter = u64::try_from(clock.random() % u128::from(base)).unwrap_or_default();
        clock.sleep_ms(base + jitter).await;
    }
    Err(if unknown { CommitError::Unknown } else { CommitError::Busy })
}
