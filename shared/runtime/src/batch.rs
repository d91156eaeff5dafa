//! The batch runner: SQS records in, partial failures out, one bad record never costing the others.

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use futures::FutureExt;
use lambda_runtime::{Error, LambdaEvent, service_fn};

/// A message as a handler sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Received {
    /// The queue's id of the message.
    pub message_id: String,
    /// Logical name of the queue it came from.
    pub queue: String,
    /// The body.
    pub body: String,
    /// How often it was received, this time included.
    pub receives: u32,
    /// FIFO: its group.
    pub group: Option<String>,
    /// Text attributes beside the body.
    pub attributes: Vec<(String, String)>,
}

/// Messages that must come again.
pub type Failed = Vec<String>;

/// Runs a handler of message batches until the platform ends the process.
///
/// A batch whose handling panics is handled again message by message, so that only the message that does it fails.
pub async fn run_batches<H, F>(prefix: String, handle: H) -> Result<(), Error>
where
    H: Fn(Vec<Received>) -> F + Send + Sync + 'static,
    F: Future<Output = Failed> + Send,
{
    let handle = Arc::new(handle);
    let prefix = Arc::new(prefix);
    let service = service_fn(move |event: LambdaEvent<SqsEvent>| {
        let (handle, prefix) = (Arc::clone(&handle), Arc::clone(&prefix));
        async move {
            let messages = read(event.payload, &prefix);
            let count = messages.len();
            let failed = handle_all(&*handle, messages).await;
            tracing::info!(messages = count, failed = failed.len(), "batch");
            let mut response = SqsBatchResponse::default();
            for id in failed {
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = id;
                response.batch_item_failures.push(failure);
            }
            Ok::<_, Error>(response)
        }
    });
    lambda_runtime::run(service).await
}

/// Handles a batch; where that panics, each message alone.
pub async fn handle_all<H, F>(handle: &H, messages: Vec<Received>) -> Failed
where
    H: Fn(Vec<Received>) -> F,
    F: Future<Output = Failed>,
{
    if let Ok(failed) = AssertUnwindSafe(handle(messages.clone())).catch_unwind().await {
        return failed;
    }
    let mut failed = Vec::new();
    for message in messages {
        let id = message.message_id.clone();
        match AssertUnwindSafe(handle(vec![message])).catch_unwind().await {
            Ok(ids) => failed.extend(ids),
            Err(_) => {
                tracing::error!(message.id = %id, "handling this message panics");
                failed.push(id);
            }
        }
    }
    failed
}

/// Reads an event's records; a queue's name loses the environment's prefix.
pub fn read(event: SqsEvent, prefix: &str) -> Vec<Received> {
    let logical = |arn: Option<String>| {
        let name = arn.as_deref().and_then(|arn| arn.rsplit(':').next()).unwrap_or_default().to_owned();
        name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-')).map(ToOwned::to_owned).unwrap_or(name)
    };
    event
        .records
        .into_iter()
        .map(|record| Received {
            message_id: record.message_id.unwrap_or_default(),
            queue: logical(record.event_source_arn),
            body: record.body.unwrap_or_default(),
            receives: record
                .attributes
                .get("ApproximateReceiveCount")
                .and_then(|count| count.parse().ok())
                .unwrap_or(1),
            group: record.attributes.get("MessageGroupId").cloned(),
            attributes: record
                .message_attributes
                .into_iter()
                .filter_map(|(name, value)| value.string_value.map(|text| (name, text)))
                .collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str) -> Received {
        Received { message_id: id.to_owned(), body: id.to_owned(), ..Received::default() }
    }

    #[tokio::test]
    async fn a_message_that_panics_fails_alone() {
        let handle = |messages: Vec<Received>| async move {
            assert!(messages.iter().all(|message| message.body != "poison"), "poison");
            messages.into_iter().filter(|message| message.body == "bad").map(|message| message.message_id).collect()
        };
        let failed = handle_all(&handle, ["a", "poison", "bad", "b"].map(message).to_vec()).await;
        assert_eq!(failed, ["poison", "bad"]);
    }

    #[test]
    fn a_record_is_read_with_its_logical_queue() {
        let json = include_str!("../../../events/validate-sign/parcel.json");
        let event: SqsEvent = serde_json::from_str(json).expect("the sample parses");
        let read = read(event, "causeway-local");
        assert_eq!(read[0].queue, "transfers-normal");
        assert_eq!(read[0].receives, 1);
    }
}
