//! The port in memory, for tests and the simulation.
//!
//! As weak as DynamoDB and no weaker: indexes may lag, pages end at 1 MB, replies get lost, and
//! a repeated commit is known only by what DynamoDB would know it by. In one thing it is stricter:
//! a token with another list of writes is always refused, so that the fault shows in a test.
//! Rows do not expire (TTL is housekeeping, nothing may depend on it).

mod faults;
mod rows;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::check;
use crate::port::{Commit, CommitToken, Page, Query, Store, StoreError, Write};
use crate::row::{Item, Key, Table};
use faults::NoFaults;
pub use faults::{CommitFault, Faults, Read, ReadFault};
pub use state::After;
use state::State;

/// Rows in memory. A clone is another handle on the same rows.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    faults: Arc<dyn Faults>,
}

/// The store that a [`ReadFault::Unavailable`] speaks of.
#[derive(Debug, thiserror::Error)]
#[error("made unavailable by the test")]
struct MadeUnavailable;

impl Default for MemoryStore {
    fn default() -> Self {
        Self { state: Arc::default(), faults: Arc::new(NoFaults) }
    }
}

impl MemoryStore {
    /// An empty store whose indexes never lag.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store whose indexes show only commits older than the last `commits`.
    pub fn with_index_lag(commits: usize) -> Self {
        let store = Self::new();
        store.set_index_lag(commits);
        store
    }

    /// Another handle on the same rows, whose calls the hook decides. Other handles stay as they are.
    pub fn with_faults(&self, faults: Arc<dyn Faults>) -> Self {
        Self { state: Arc::clone(&self.state), faults }
    }

    /// From now on indexes show only commits older than the last `commits`; 0 lets them catch up.
    pub fn set_index_lag(&self, commits: usize) {
        self.state().set_lag(commits);
    }

    /// Forgets which transactions committed, as DynamoDB does ten minutes after them.
    /// From then on only rows that carry its token tell that a commit has happened.
    pub fn forget_tokens(&self) {
        self.state().forget_tokens();
    }

    /// Lets the commits arrive that were delayed by [`CommitFault::Delay`], oldest first.
    pub fn land(&self) {
        let mut state = self.state();
        for (token, writes) in state.take_delayed() {
            // Nobody is listening any more: whatever this answers is lost, as on a network.
            if let Err(refusal) = state.commit(&token, &writes) {
                tracing::debug!(%refusal, "a delayed commit was refused");
            }
        }
    }

    /// What each commit since the last call left behind, oldest first. Recording begins with the first call, which
    /// answers nothing.
    pub fn journal(&self) -> Vec<Arc<After>> {
        self.state().journal()
    }

    /// Every row of a table in the order of its keys.
    pub fn dump(&self, table: Table) -> Vec<Item> {
        self.state().table(table)
    }

    /// A panic elsewhere leaves whole commits behind, so the rows are good even then.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reading(&self, read: Read<'_>) -> Result<MutexGuard<'_, State>, StoreError> {
        match self.faults.read(read) {
            ReadFault::Pass => Ok(self.state()),
            ReadFault::Unavailable => Err(StoreError::Unavailable(Box::new(MadeUnavailable))),
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        check::get(key)?;
        Ok(self.reading(Read::Get(key))?.get(key))
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        check::get_many(keys)?;
        let state = self.reading(Read::GetMany(keys))?;
        Ok(keys.iter().map(|key| state.get(key)).collect())
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        check::query(query)?;
        let mut state = self.reading(Read::Query(query))?;
        Ok(state.query(query)?)
    }

    async fn commit(&self, token: &CommitToken, writes: &[Write]) -> Result<Commit, StoreError> {
        check::commit(token, writes)?;
        match self.faults.commit(token, writes) {
            CommitFault::Pass => Ok(self.state().commit(token, writes)?),
            CommitFault::LoseCall => Ok(Commit::Unknown),
            CommitFault::LoseReply => {
                // The reply is what gets lost, be it good or bad.
                if let Err(refusal) = self.state().commit(token, writes) {
                    tracing::debug!(%refusal, "a commit whose reply was lost was refused");
                }
                Ok(Commit::Unknown)
            }
            CommitFault::Delay => {
                self.state().delay(token, writes);
                Ok(Commit::Unknown)
            }
            CommitFault::Contended => Ok(Commit::Contended),
        }
    }
}
