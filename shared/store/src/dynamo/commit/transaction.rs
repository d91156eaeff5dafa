//! A commit of several writes, or of a lone check: one `TransactWriteItems`.

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    CancellationReason, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    Update as UpdateItem,
};

use super::super::expression::Expression;
use super::super::{DynamoStore, calls, codec};
use super::{Finding, Reply, reply_of, sent_along};
use crate::port::{CommitToken, Expect, StoreError, Update, Write};
use crate::row::{Item, Key};

/// A failed condition sends the row along, so that most conflicts need no read.
const ON_FAILURE: ReturnValuesOnConditionCheckFailure = ReturnValuesOnConditionCheckFailure::AllOld;

impl DynamoStore {
    pub(super) async fn transact(&self, token: &CommitToken, writes: &[Write]) -> Result<Reply, StoreError> {
        let items = writes
            .iter()
            .map(|write| self.item(token, write))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| StoreError::Refused(error.to_string()))?;
        let result = self
            .writes
            .transact_write_items()
            .set_transact_items(Some(items))
            .client_request_token(token.as_str())
            .set_return_consumed_capacity(self.capacity())
            .send()
            .await;
        calls::record(
            "TransactWriteItems",
            result.as_ref().ok().and_then(|reply| calls::units(reply.consumed_capacity())),
        );
        let Err(error) = result else {
            return Ok(Reply::Done);
        };
        reply_of("TransactWriteItems", error, |error| {
            let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
                return Ok(Reply::Lost);
            };
            cancelled_by(cancelled.cancellation_reasons())
        })
    }

    fn item(&self, token: &CommitToken, write: &Write) -> Result<TransactWriteItem, BuildError> {
        let item = TransactWriteItem::builder();
        Ok(match write {
            Write::Put { key, item: row, expect } => item.put(self.put_part(token, key, row, expect)?),
            Write::Update { key, update, expect } => item.update(self.update_part(token, key, update, expect)?),
            Write::Delete { key, expect } => item.delete(self.delete_part(key, expect)?),
            Write::Check { key, expect } => item.condition_check(self.check_part(key, expect)?),
        }
        .build())
    }

    fn put_part(&self, token: &CommitToken, key: &Key, item: &Item, expect: &[Expect]) -> Result<Put, BuildError> {
        let mut expression = Expression::default();
        let condition = expression.marking_condition(expect, token);
        let (names, values) = expression.into_parts();
        Put::builder()
            .table_name(self.physical(key.table))
            .set_item(Some(codec::row(key, item, expect, token)))
            .condition_expression(condition)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(ON_FAILURE)
            .build()
    }

    fn update_part(
        &self,
        token: &CommitToken,
        key: &Key,
        update: &Update,
        expect: &[Expect],
    ) -> Result<UpdateItem, BuildError> {
        let mut expression = Expression::default();
        let condition = expression.marking_condition(expect, token);
        let changes = expression.update(update, token);
        let (names, values) = expression.into_parts();
        UpdateItem::builder()
            .table_name(self.physical(key.table))
            .set_key(Some(codec::key(key)))
            .update_expression(changes)
            .condition_expression(condition)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(ON_FAILURE)
            .build()
    }

    fn delete_part(&self, key: &Key, expect: &[Expect]) -> Result<Delete, BuildError> {
        let mut expression = Expression::default();
        let condition = expression.condition(expect);
        let (names, values) = expression.into_parts();
        Delete::builder()
            .table_name(self.physical(key.table))
            .set_key(Some(codec::key(key)))
            .set_condition_expression(condition)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(ON_FAILURE)
            .build()
    }

    fn check_part(&self, key: &Key, expect: &[Expect]) -> Result<ConditionCheck, BuildError> {
        let mut expression = Expression::default();
        let condition = expression.condition(expect);
        let (names, values) = expression.into_parts();
        ConditionCheck::builder()
            .table_name(self.physical(key.table))
            .set_key(Some(codec::key(key)))
            .set_condition_expression(condition)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(ON_FAILURE)
            .build()
    }
}

/// Why a transaction was cancelled. Whatever the reasons, nothing was written.
///
/// A condition that failed outweighs everything else, since another try cannot help it; then a
/// fault of ours; the rest (conflicts with other transactions, throttling) passes.
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>.
fn cancelled_by(reasons: &[CancellationReason]) -> Result<Reply, StoreError> {
    let has = |code: &str| reasons.iter().find(|reason| reason.code() == Some(code));
    if has("ConditionalCheckFailed").is_some() {
        return Ok(Reply::Failed(reasons.iter().map(finding).collect::<Result<_, _>>()?));
    }
    let ours = has("ValidationError").or_else(|| has("ItemCollectionSizeLimitExceeded"));
    match ours {
        Some(reason) => {
            let message = reason.message().unwrap_or("no message");
            Err(StoreError::Refused(format!("TransactWriteItems: {message}")))
        }
        None => Ok(Reply::Contended),
    }
}

fn finding(reason: &CancellationReason) -> Result<Finding, StoreError> {
    match reason.code() {
        Some("None") | None => Ok(Finding::Held),
        Some("ConditionalCheckFailed") => sent_along(reason.item()),
        Some(_) => Ok(Finding::Unseen),
    }
}
