//! Queues on SQS.
//!
//! The SDK's own retries stay on: a publish that is repeated after a lost reply makes a second
//! message at worst, and receivers bear repeats; on a FIFO queue the dedup id swallows it.

mod error;

use std::{fmt, ops::Range, time::Duration};

use async_trait::async_trait;
use aws_sdk_sqs::{
    Client,
    config::{retry::RetryConfig, timeout::TimeoutConfig},
    operation::{get_queue_attributes::GetQueueAttributesOutput, send_message_batch::SendMessageBatchOutput},
    types::{
        Message as SqsMessage, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
        SendMessageBatchRequestEntry,
    },
};

use crate::{
    check,
    port::{Depth, Message, Peeked, Queue, QueueError, QueueName},
};

/// How long one call may take with all of its retries.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(8);
/// How long one try may take; enough for a batch of 1 MiB.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Tries of one call, the first included.
const ATTEMPTS_MAX: u32 = 3;

/// The queues of one environment on SQS.
pub struct SqsQueue {
    client: Client,
    base: String,
    prefix: String,
}

impl SqsQueue {
    /// Queues at `{queue_base}/{prefix}-{logical name}`; `queue_base` is the queues' address up to
    /// the account, without a trailing slash. The client's own timeouts and retries are replaced.
    pub fn new(client: &Client, queue_base: String, prefix: String) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_timeout(OPERATION_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .build();
        let config = client
            .config()
            .to_builder()
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX))
            .build();
        Self { client: Client::from_conf(config), base: queue_base, prefix }
    }

    fn url(&self, queue: QueueName) -> String {
        format!("{}/{}-{}", self.base, self.prefix, queue.0)
    }

    /// Sends one batch and answers the positions that were not accepted.
    async fn send(
        &self,
        queue: QueueName,
        messages: &[Message],
        batch: Range<usize>,
    ) -> Result<Vec<usize>, QueueError> {
        let entries = batch.clone().map(|position| entry(position, &messages[position]));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        count("SendMessageBatch");
        let answer = self
            .client
            .send_message_batch()
            .queue_url(self.url(queue))
            .set_entries(Some(entries))
            .send()
            .await
            .map_err(error::of_call)?;
        Ok(not_accepted(queue, &answer, batch))
    }
}

impl fmt::Debug for SqsQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqsQueue").field("base", &self.base).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

#[async_trait]
impl Queue for SqsQueue {
    async fn publish(&self, queue: QueueName, messages: &[Message]) -> Result<(), QueueError> {
        check::publish(queue, messages)?;
        let mut lost = Vec::new();
        for batch in check::batches(messages) {
            let end = batch.end;
            match self.send(queue, messages, batch.clone()).await {
                Ok(failed) => lost.extend(failed),
                Err(error) if batch.start == 0 => return Err(error),
                Err(error) => {
                    // What went before was settled call by call; the service is not pressed further.
                    tracing::warn!(
                        queue = queue.0,
                        error = &error as &dyn std::error::Error,
                        "publishing stopped after {} messages",
                        batch.start
                    );
                    lost.extend(batch.start..messages.len());
                    break;
                }
            }
            if queue.is_fifo() && !lost.is_empty() {
                // A later message must not overtake a failed one of its group.
                lost.extend(end..messages.len());
                break;
            }
        }
        if lost.is_empty() { Ok(()) } else { Err(QueueError::Incomplete(lost)) }
    }

    async fn depth(&self, queue: QueueName) -> Result<Depth, QueueError> {
        use QueueAttributeName::{
            ApproximateNumberOfMessages, ApproximateNumberOfMessagesDelayed, ApproximateNumberOfMessagesNotVisible,
        };
        count("GetQueueAttributes");
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(self.url(queue))
            .attribute_names(ApproximateNumberOfMessages)
            .attribute_names(ApproximateNumberOfMessagesNotVisible)
            .attribute_names(ApproximateNumberOfMessagesDelayed)
            .send()
            .await
            .map_err(error::of_call)?;
        Ok(Depth {
            ready: number(&answer, ApproximateNumberOfMessages)?,
            in_flight: number(&answer, ApproximateNumberOfMessagesNotVisible)?,
            delayed: number(&answer, ApproximateNumberOfMessagesDelayed)?,
        })
    }

    async fn peek(&self, queue: QueueName, most: u8) -> Result<Vec<Peeked>, QueueError> {
        check::peek(most)?;
        count("ReceiveMessage");
        let answer = self
            .client
            .receive_message()
            .queue_url(self.url(queue))
            .max_number_of_messages(i32::from(most))
            // Nothing is hidden from the queue's real receivers, and an empty queue answers at once.
            .visibility_timeout(0)
            .wait_time_seconds(0)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .map_err(error::of_call)?;
        Ok(answer.messages.unwrap_or_default().into_iter().map(peeked).collect())
    }
}

/// One call to AWS; the bench sums these.
fn count(op: &'static str) {
    tracing::debug!(target: "calls", service = "sqs", op);
}

/// A message as an entry of a batch, its position as the entry's id.
fn entry(position: usize, message: &Message) -> Result<SendMessageBatchRequestEntry, QueueError> {
    let mut entry = SendMessageBatchRequestEntry::builder()
        .id(position.to_string())
        .message_body(&message.body)
        .set_message_group_id(message.group.clone())
        .set_message_deduplication_id(message.dedup.clone());
    if message.delay_s > 0 {
        entry = entry.delay_seconds(i32::from(message.delay_s));
    }
    for (name, value) in &message.attributes {
        let value = MessageAttributeValue::builder()
            .data_type(check::ATTRIBUTE_TYPE)
            .string_value(value)
            .build()
            .map_err(|fault| QueueError::Refused(fault.to_string()))?;
        entry = entry.message_attributes(*name, value);
    }
    entry.build().map_err(|fault| QueueError::Refused(fault.to_string()))
}

/// The positions of a batch that the answer does not name as accepted. Silence is no acceptance.
fn not_accepted(queue: QueueName, answer: &SendMessageBatchOutput, batch: Range<usize>) -> Vec<usize> {
    for failed in answer.failed() {
        tracing::warn!(
            queue = queue.0,
            position = failed.id(),
            code = failed.code(),
            reason = failed.message().unwrap_or_default(),
            "a message was not accepted"
        );
    }
    let accepted = |position: &usize| {
        let id = position.to_string();
        answer.successful().iter().any(|accepted| accepted.id() == id)
    };
    batch.filter(|position| !accepted(position)).collect()
}

fn number(answer: &GetQueueAttributesOutput, name: QueueAttributeName) -> Result<u64, QueueError> {
    let text = answer.attributes().and_then(|attributes| attributes.get(&name));
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| QueueError::Unavailable(format!("{name} is {text:?}, expected a number").into()))
}

fn peeked(message: SqsMessage) -> Peeked {
    let receive_count = message
        .attributes()
        .and_then(|all| all.get(&MessageSystemAttributeName::ApproximateReceiveCount))
        .and_then(|text| text.parse().ok())
        // This look was one; the count is for display only.
        .unwrap_or(1);
    Peeked {
        receive_count,
        message_id: message.message_id.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        receipt_handle: message.receipt_handle.unwrap_or_default(),
    }
}
