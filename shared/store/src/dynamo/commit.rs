//! Commits: sent once, and never reported without knowing what became of them.
//!
//! Each `Put` and `Update` leaves the commit's token on its row under the condition that it is not
//! there yet. So a repeat of a commit fails on a row that shows why, and after a lost reply a
//! strong read of the rows shows whether the commit has happened.

mod single;
mod transaction;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use super::DynamoStore;
use super::codec::{self, Attributes};
use super::fault::{self, Kind};
use crate::check::{self, LAST_COMMIT};
use crate::port::{Commit, CommitToken, Conflict, Store as _, StoreError, Write};
use crate::row::{Item, Key};

/// What a call said, before anything is concluded from it.
enum Reply {
    /// It took effect.
    Done,
    /// Nothing was written: conditions failed. What it said of each write, in their order.
    Failed(Vec<Finding>),
    /// Nothing was written: others were at the same rows, or capacity was short.
    Contended,
    /// It may have taken effect, or may still.
    Lost,
}

/// What a failed call said of one write.
enum Finding {
    /// Its condition held, so its row does not carry our token.
    Held,
    /// Its condition failed on this row; none if there is no such row, or it was not sent along.
    Failed(Option<Item>),
    /// Nothing: something else was wrong with it.
    Unseen,
}

impl DynamoStore {
    /// See [`crate::port::Store::commit`].
    pub(super) async fn carry_out(&self, token: &CommitToken, writes: &[Write]) -> Result<Commit, StoreError> {
        check::commit(token, writes)?;
        let reply = match writes {
            [Write::Put { key, item, expect }] => self.put(token, key, item, expect).await,
            [Write::Update { key, update, expect }] => self.update(token, key, update, expect).await,
            [Write::Delete { key, expect }] => self.delete(key, expect).await,
            [Write::Check { .. }] | [] | [_, _, ..] => self.transact(token, writes).await,
        }?;
        match reply {
            Reply::Done => Ok(Commit::Committed),
            Reply::Contended => Ok(Commit::Contended),
            Reply::Lost => self.settle(token, writes).await,
            Reply::Failed(findings) => self.conflict(token, writes, findings).await,
        }
    }

    /// After a lost reply: our token on any row means that all was written. Its absence means
    /// nothing, since the call may still be under way.
    async fn settle(&self, token: &CommitToken, writes: &[Write]) -> Result<Commit, StoreError> {
        let marked: Vec<Key> =
            writes.iter().filter(|write| leaves_token(write)).map(|write| write.key().clone()).collect();
        let Some(rows) = self.reread(&marked).await else {
            return Ok(Commit::Unknown);
        };
        let happened = rows.iter().flatten().any(|row| carries(row, token));
        Ok(if happened { Commit::Committed } else { Commit::Unknown })
    }

    /// After failed conditions: either an earlier call of this very commit succeeded, or it is a conflict.
    async fn conflict(
        &self,
        token: &CommitToken,
        writes: &[Write],
        findings: Vec<Finding>,
    ) -> Result<Commit, StoreError> {
        let mut conflicts = Vec::new();
        let mut missing = Vec::new();
        for (index, (write, finding)) in writes.iter().zip(findings).enumerate() {
            match finding {
                Finding::Held => {}
                Finding::Unseen if !leaves_token(write) => {}
                Finding::Unseen => missing.push((index, write, false)),
                Finding::Failed(None) => missing.push((index, write, true)),
                Finding::Failed(Some(row)) if leaves_token(write) && carries(&row, token) => {
                    return Ok(Commit::Committed);
                }
                Finding::Failed(row) => conflicts.push(Conflict { index, current: row }),
            }
        }
        let keys: Vec<Key> = missing.iter().map(|(_, write, _)| write.key().clone()).collect();
        let Some(rows) = self.reread(&keys).await else {
            return Ok(Commit::Unknown);
        };
        for ((index, write, failed), current) in missing.into_iter().zip(rows) {
            if leaves_token(write) && current.as_ref().is_some_and(|row| carries(row, token)) {
                return Ok(Commit::Committed);
            }
            if failed {
                conflicts.push(Conflict { index, current });
            }
        }
        conflicts.sort_by_key(|conflict| conflict.index);
        Ok(Commit::Conflict(conflicts))
    }

    /// Rows read strongly to settle a commit; none if they cannot be read now.
    async fn reread(&self, keys: &[Key]) -> Option<Vec<Option<Item>>> {
        match self.get_many(keys).await {
            Ok(rows) => Some(rows),
            Err(error) => {
                tracing::warn!(error = %DisplayErrorContext(&error), "cannot settle a commit by reading");
                None
            }
        }
    }
}

/// Whether this write leaves the commit's token on its row.
fn leaves_token(write: &Write) -> bool {
    match write {
        Write::Put { .. } | Write::Update { .. } => true,
        Write::Delete { .. } | Write::Check { .. } => false,
    }
}

fn carries(row: &Item, token: &CommitToken) -> bool {
    row.text(LAST_COMMIT) == Some(token.as_str())
}

/// What a failed call said. `failed` reads the service's error where conditions failed.
fn reply_of<E>(
    operation: &'static str,
    error: SdkError<E, HttpResponse>,
    failed: impl FnOnce(&E) -> Result<Reply, StoreError>,
) -> Result<Reply, StoreError>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match (fault::kind(&error), error.as_service_error()) {
        (Kind::ConditionFailed | Kind::Cancelled, Some(error)) => failed(error),
        (Kind::Contended, _) => Ok(Reply::Contended),
        (Kind::Lost, _) | (Kind::ConditionFailed | Kind::Cancelled, None) => {
            tracing::warn!(operation, error = %DisplayErrorContext(&error), "a commit's reply was lost");
            Ok(Reply::Lost)
        }
        (Kind::NotSent | Kind::Refused | Kind::Denied, _) => Err(fault::store_error(operation, error)),
    }
}

/// The row that a failed condition sent along.
fn sent_along(item: Option<&Attributes>) -> Result<Finding, StoreError> {
    Ok(Finding::Failed(item.cloned().map(codec::item).transpose()?))
}
