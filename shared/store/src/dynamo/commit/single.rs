//! A commit of one write: one plain call, at half the price of a transaction.

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;

use super::super::expression::Expression;
use super::super::{DynamoStore, calls, codec};
use super::{Reply, reply_of, sent_along};
use crate::port::{CommitToken, Expect, StoreError, Update};
use crate::row::{Item, Key};

/// A failed condition sends the row along, so that most conflicts need no read.
const ON_FAILURE: ReturnValuesOnConditionCheckFailure = ReturnValuesOnConditionCheckFailure::AllOld;

impl DynamoStore {
    pub(super) async fn put(
        &self,
        token: &CommitToken,
        key: &Key,
        item: &Item,
        expect: &[Expect],
    ) -> Result<Reply, StoreError> {
        let mut expression = Expression::default();
        let condition = expression.marking_condition(expect, token);
        let (names, values) = expression.into_parts();
        let result = self
            .writes
            .put_item()
            .table_name(self.physical(key.table))
            .set_item(Some(codec::row(key, item, expect, token)))
            .condition_expression(condition)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(ON_FAILURE)
            .set_return_consumed_capacity(self.capacity())
            .send()
            .await;
        calls::record("PutItem", result.as_ref().ok().and_then(|reply| calls::units(reply.consumed_capacity())));
        let Err(error) = result else {
            return Ok(Reply::Done);
        };
        reply_of("PutItem", error, |error| {
            let PutItemError::ConditionalCheckFailedException(failed) = error else {
                return Ok(Reply::Lost);
            };
            Ok(Reply::Failed(vec![sent_along(failed.item())?]))
        })
    }

    pub(super) async fn update(
        &self,
        token: &CommitToken,
        key: &Key,
        update: &Update,
        expect: &[Expect],
    ) -> Result<Reply, StoreError> {
        let mut expression = Expression::default();
        let condition = expression.marking_condition(expect, token);
        let changes = expression.update(update, token);
        let (names, values) = expression.into_parts();
        let result = self
            .writes
            .update_item()
            .table_name(self.physical(key.table))
            .set_key(Some(codec::key(key)))
            .update_expression(changes)
            .condition_expression(condition)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(ON_FAILURE)
            .set_return_consumed_capacity(self.capacity())
            .send()
            .await;
        calls::record("UpdateItem", result.as_ref().ok().and_then(|reply| calls::units(reply.consumed_capacity())));
        let Err(error) = result else {
            return Ok(Reply::Done);
        };
        reply_of("UpdateItem", error, |error| {
            let UpdateItemError::ConditionalCheckFailedException(failed) = error else {
                return Ok(Reply::Lost);
            };
            Ok(Reply::Failed(vec![sent_along(failed.item())?]))
        })
    }

    pub(super) async fn delete(&self, key: &Key, expect: &[Expect]) -> Result<Reply, StoreError> {
        let mut expression = Expression::default();
        let condition = expression.condition(expect);
        let (names, values) = expression.into_parts();
        let result = self
            .writes
            .delete_item()
            .table_name(self.physical(key.table))
            .set_key(Some(codec::key(key)))
            .set_condition_expression(condition)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values)
            .return_values_on_condition_check_failure(ON_FAILURE)
            .set_return_consumed_capacity(self.capacity())
            .send()
            .await;
        calls::record("DeleteItem", result.as_ref().ok().and_then(|reply| calls::units(reply.consumed_capacity())));
        let Err(error) = result else {
            return Ok(Reply::Done);
        };
        reply_of("DeleteItem", error, |error| {
            let DeleteItemError::ConditionalCheckFailedException(failed) = error else {
                return Ok(Reply::Lost);
            };
            Ok(Reply::Failed(vec![sent_along(failed.item())?]))
        })
    }
}
