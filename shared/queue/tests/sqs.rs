//! The contract on SQS itself, on the local platform:
//! `python3 localstack/with_platform.py -- cargo test -p causeway-queue --features aws`.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use aws_sdk_sqs::{
    Client,
    types::{Message as SqsMessage, MessageSystemAttributeName, QueueAttributeName},
};
use causeway_queue::{Message, Queue, QueueError, QueueName, contract::Subject, queue_contract, sqs::SqsQueue};

/// The emulator's account (localstack/settings.py).
const ACCOUNT: &str = "000000000000";

struct Sqs {
    client: Client,
    prefix: String,
    queue: SqsQueue,
}

async fn subject() -> Sqs {
    let endpoint = std::env::var("AWS_ENDPOINT_URL").expect(
        "AWS_ENDPOINT_URL is not set: run `python3 localstack/with_platform.py -- \
         cargo test -p causeway-queue --features aws`",
    );
    let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let client = Client::new(&config);
    let prefix = fresh_prefix();
    let queue = SqsQueue::new(&client, format!("{endpoint}/{ACCOUNT}"), prefix.clone());
    Sqs { client, prefix, queue }
}

/// Different in each test and each run, so that a platform may be used again.
fn fresh_prefix() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("test-{:016x}", RandomState::new().hash_one((std::process::id(), count)))
}

impl Sqs {
    async fn url(&self, queue: QueueName) -> String {
        let name = format!("{}-{}", self.prefix, queue.0);
        let answer = self.client.get_queue_url().queue_name(name).send().await;
        answer.expect("the queue was made").queue_url.expect("a queue has an address")
    }
}

#[async_trait]
impl Subject for Sqs {
    fn queue(&self) -> &dyn Queue {
        &self.queue
    }

    async fn create(&self, queue: QueueName) {
        let mut call = self.client.create_queue().queue_name(format!("{}-{}", self.prefix, queue.0));
        if queue.is_fifo() {
            call = call.attributes(QueueAttributeName::FifoQueue, "true");
        }
        call.send().await.expect("the queue can be made");
    }

    async fn drain(&self, queue: QueueName) -> Vec<Message> {
        let url = self.url(queue).await;
        let mut drained = Vec::new();
        loop {
            let call = self.client.receive_message().queue_url(&url).max_number_of_messages(10);
            let call = call.message_system_attribute_names(MessageSystemAttributeName::All);
            let answer = call.message_attribute_names("All").send().await.expect("received");
            let batch = answer.messages.unwrap_or_default();
            if batch.is_empty() {
                return drained;
            }
            for message in batch {
                let call = self.client.delete_message().queue_url(&url);
                let call = call.receipt_handle(message.receipt_handle().expect("a handle"));
                call.send().await.expect("acknowledged");
                drained.push(received(message));
            }
        }
    }
}

/// A received message in the port's words. Names are made static by leaking a few bytes of a test.
fn received(message: SqsMessage) -> Message {
    let system = |name| message.attributes().and_then(|all| all.get(&name)).cloned();
    let mut attributes: Vec<(&'static str, String)> = message
        .message_attributes()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let text = value.string_value().expect("a text attribute").to_owned();
            (&*name.clone().leak(), text)
        })
        .collect();
    attributes.sort();
    Message {
        group: system(MessageSystemAttributeName::MessageGroupId),
        dedup: system(MessageSystemAttributeName::MessageDeduplicationId),
        delay_s: 0,
        attributes,
        body: message.body.expect("a body"),
    }
}

queue_contract!(subject());

#[tokio::test]
async fn a_queue_that_does_not_exist_refuses() {
    let subject = subject().await;
    let nowhere = QueueName("nowhere");
    let message = Message { body: "{}".to_owned(), ..Message::default() };
    let refused = subject.queue.publish(nowhere, &[message]).await;
    assert!(matches!(refused, Err(QueueError::Refused(_))), "{refused:?}");
    let refused = subject.queue.depth(nowhere).await;
    assert!(matches!(refused, Err(QueueError::Refused(_))), "{refused:?}");
    let refused = subject.queue.peek(nowhere, 1).await;
    assert!(matches!(refused, Err(QueueError::Refused(_))), "{refused:?}");
}
