//! Changes: each is committed together with its audit record, so that neither exists without the other.

use causeway_domain::{B256, clock::Millis};
use causeway_http::{ApiError, Principal};
use causeway_state::{
    audit::{End, Record},
    commit::{CommitError, Done, commit},
};
use causeway_store::{Conflict, Write};
use serde_json::Value;

use crate::Admin;

/// Rounds of appending behind others before the operator is asked to repeat.
const ROUNDS_MAX: u64 = 8;
/// Pause before the log's end is read again, times the round.
const PAUSE_MS: u64 = 10;

/// An operator's act, for the audit log.
#[derive(Debug)]
pub struct Act<'a> {
    /// Who.
    pub by: &'a Principal,
    /// What, such as `accounts.credit`.
    pub action: &'static str,
    /// On what.
    pub target: String,
    /// Why.
    pub reason: &'a str,
    /// What else belongs to the record.
    pub detail: Value,
}

impl Act<'_> {
    fn record(&self, now: Millis) -> Record {
        Record {
            seq: 0,
            at: now,
            by: self.by.user.to_string(),
            action: self.action.to_owned(),
            target: self.target.clone(),
            reason: self.reason.to_owned(),
            detail: self.detail.to_string(),
            previous: B256::ZERO,
        }
    }
}

/// How a change ended.
#[derive(Debug)]
#[must_use]
pub enum Changed {
    /// It is durable, and so is its audit record.
    Done,
    /// Nothing was written: these expectations of the change's own writes did not hold.
    Conflict(Vec<Conflict>),
}

impl Changed {
    /// A change that nothing may get in the way of; what does is told in these words.
    pub fn or_conflict(self, message: &str) -> Result<(), ApiError> {
        match self {
            Self::Done => Ok(()),
            Self::Conflict(_) => Err(ApiError::new(causeway_http::Code::Conflict, message)),
        }
    }
}

impl Admin {
    /// Commits the writes of an act and its audit record at once. Where only the log's end moved, it appends behind.
    pub async fn change(&self, act: &Act<'_>, writes: &[Write]) -> Result<Changed, ApiError> {
        for round in 1..=ROUNDS_MAX {
            let end = self.store.get(&End::key()).await.map_err(|error| ApiError::internal(&error))?;
            let end = End::of(end.as_ref()).map_err(|error| ApiError::internal(&error))?;
            let record = act.record(self.clock.now_ms());
            let appended = record.append(end).map_err(|error| ApiError::internal(&error))?;
            let all: Vec<Write> = writes.iter().cloned().chain(appended).collect();
            match commit(&*self.store, &*self.clock, &all).await {
                Ok(Done::Committed) => {
                    let Act { action, target, .. } = act;
                    // All that is left of it where a restore sets the tables back.
                    tracing::info!(action, target, by = %act.by.user, reason = act.reason, detail = %act.detail, "changed");
                    return Ok(Changed::Done);
                }
                Ok(Done::Conflict(conflicts)) => {
                    let own: Vec<Conflict> =
                        conflicts.into_iter().filter(|conflict| conflict.index < writes.len()).collect();
                    if !own.is_empty() {
                        return Ok(Changed::Conflict(own));
                    }
                }
                Err(CommitError::Busy) => return Err(ApiError::busy()),
                // It may have happened: the operator looks before repeating, and repeating is harmless.
                Err(error @ (CommitError::Unknown | CommitError::Store(_))) => return Err(ApiError::internal(&error)),
            }
            let pause = PAUSE_MS * round;
            let jitter = u64::try_from(self.clock.random() % u128::from(pause)).unwrap_or_default();
            self.clock.sleep_ms(pause + jitter).await;
        }
        Err(ApiError::busy())
    }
}
