//! What every side of the port keeps, as test cases. `queue_contract!` runs all of them.

use async_trait::async_trait;

use crate::port::{Depth, Message, Queue, QueueError, QueueName, limits};

/// A side under test, and what the port itself does not offer.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The side.
    fn queue(&self) -> &dyn Queue;

    /// Makes an empty queue.
    async fn create(&self, queue: QueueName);

    /// Receives and acknowledges everything that is ready.
    async fn drain(&self, queue: QueueName) -> Vec<Message>;
}

const PLAIN: QueueName = QueueName("plain");
const ORDERED: QueueName = QueueName("ordered.fifo");

/// Makes one test of each case of the contract; `$subject` is an async expression.
#[macro_export]
macro_rules! queue_contract {
    ($subject:expr) => {
        $crate::queue_contract!(@cases $subject;
            messages_arrive_whole
            long_lists_are_split_and_keep_order
            large_messages_are_split_by_bytes
            repeats_of_a_dedup_id_are_swallowed
            dedup_ids_are_one_per_queue_not_per_group
            delayed_messages_wait
            depth_counts_what_is_ready
            peeking_leaves_messages_and_counts
            nothing_to_publish_is_no_call
            what_breaks_a_rule_is_refused_whole
        );
    };
    (@cases $subject:expr; $($case:ident)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                $crate::contract::$case(&$subject.await).await;
            }
        )*
    };
}

fn plain(body: impl Into<String>) -> Message {
    Message { body: body.into(), ..Message::default() }
}

fn ordered(body: impl Into<String>, group: &str, dedup: impl Into<String>) -> Message {
    Message { group: Some(group.to_owned()), dedup: Some(dedup.into()), ..plain(body) }
}

async fn publish(subject: &dyn Subject, queue: QueueName, messages: &[Message]) {
    subject.queue().publish(queue, messages).await.expect("the publish keeps all rules");
}

async fn bodies(subject: &dyn Subject, queue: QueueName) -> Vec<String> {
    subject.drain(queue).await.into_iter().map(|message| message.body).collect()
}

/// Body, group, dedup id and attributes come out as they went in, on both kinds of queue.
pub async fn messages_arrive_whole(subject: &dyn Subject) {
    let attributes = vec![("reason", "no such token: \u{1F4B8}".to_owned()), ("trace-id", "a.b".to_owned())];
    let fair = Message {
        group: Some("tenant-1".to_owned()),
        attributes: attributes.clone(),
        ..plain("{\"amount\":\"1\",\"note\":\"<&>\"}")
    };
    subject.create(PLAIN).await;
    publish(subject, PLAIN, std::slice::from_ref(&fair)).await;
    assert_eq!(subject.drain(PLAIN).await, vec![fair]);

    let laned = Message { attributes, ..ordered("{}", "1:0xabc", "1:0xabc/7/1") };
    subject.create(ORDERED).await;
    publish(subject, ORDERED, std::slice::from_ref(&laned)).await;
    assert_eq!(subject.drain(ORDERED).await, vec![laned]);
}

/// More messages than one call takes all arrive, each group in order.
pub async fn long_lists_are_split_and_keep_order(subject: &dyn Subject) {
    let list: Vec<_> = (0..23).map(|n| plain(format!("{n:02}"))).collect();
    subject.create(PLAIN).await;
    publish(subject, PLAIN, &list).await;
    let mut arrived = bodies(subject, PLAIN).await;
    arrived.sort(); // a standard queue promises no order
    assert_eq!(arrived, (0..23).map(|n| format!("{n:02}")).collect::<Vec<_>>());

    let list: Vec<_> =
        (0..23).map(|n| ordered(format!("{n}"), if n % 2 == 0 { "even" } else { "odd" }, format!("{n}"))).collect();
    subject.create(ORDERED).await;
    publish(subject, ORDERED, &list).await;
    let arrived = subject.drain(ORDERED).await;
    for (group, first) in [("even", 0), ("odd", 1)] {
        let of_group = arrived.iter().filter(|message| message.group.as_deref() == Some(group));
        let expected: Vec<_> = (first..23).step_by(2).map(|n| n.to_string()).collect();
        assert_eq!(of_group.map(|message| message.body.clone()).collect::<Vec<_>>(), expected);
    }
}

/// Messages that are small enough one by one, and too large together for one call, all arrive.
pub async fn large_messages_are_split_by_bytes(subject: &dyn Subject) {
    let size = limits::BATCH_BYTES_MAX / 3 + 1;
    let list: Vec<_> = ["a", "b", "c", "d"].map(|letter| plain(letter.repeat(size))).into();
    subject.create(PLAIN).await;
    publish(subject, PLAIN, &list).await;
    let mut arrived = bodies(subject, PLAIN).await;
    arrived.sort();
    assert!(arrived == list.iter().map(|message| message.body.clone()).collect::<Vec<_>>());

    let largest = plain("x".repeat(limits::BATCH_BYTES_MAX));
    publish(subject, PLAIN, std::slice::from_ref(&largest)).await;
    assert!(subject.drain(PLAIN).await == vec![largest], "the largest message arrives");
}

/// A second publish of the same dedup id is accepted and has no effect, even after the first was received.
pub async fn repeats_of_a_dedup_id_are_swallowed(subject: &dyn Subject) {
    subject.create(ORDERED).await;
    let first = ordered("first", "lane", "7/1");
    publish(subject, ORDERED, std::slice::from_ref(&first)).await;
    publish(subject, ORDERED, std::slice::from_ref(&first)).await;
    assert_eq!(bodies(subject, ORDERED).await, vec!["first"]);
    publish(subject, ORDERED, &[first.clone(), ordered("second", "lane", "7/2"), first]).await;
    assert_eq!(bodies(subject, ORDERED).await, vec!["second"]);
}

/// The same dedup id in another group is a repeat; in another queue it is not.
pub async fn dedup_ids_are_one_per_queue_not_per_group(subject: &dyn Subject) {
    const OTHER: QueueName = QueueName("other.fifo");
    subject.create(ORDERED).await;
    subject.create(OTHER).await;
    let list = [ordered("one", "lane-1", "1"), ordered("two", "lane-2", "1")];
    publish(subject, ORDERED, &list).await;
    assert_eq!(bodies(subject, ORDERED).await, vec!["one"]);
    publish(subject, OTHER, &list[1..]).await;
    assert_eq!(bodies(subject, OTHER).await, vec!["two"]);
}

/// A delayed message is counted as delayed and cannot be received or seen yet.
pub async fn delayed_messages_wait(subject: &dyn Subject) {
    subject.create(PLAIN).await;
    let later = Message { delay_s: limits::DELAY_S_MAX, ..plain("later") };
    publish(subject, PLAIN, &[later, plain("now")]).await;
    let depth = subject.queue().depth(PLAIN).await.expect("depth");
    assert_eq!(depth, Depth { ready: 1, in_flight: 0, delayed: 1 });
    let seen = subject.queue().peek(PLAIN, 10).await.expect("peek");
    assert_eq!(seen.iter().map(|peeked| peeked.body.as_str()).collect::<Vec<_>>(), vec!["now"]);
    assert_eq!(bodies(subject, PLAIN).await, vec!["now"]);
}

/// An empty queue has depth zero; what is published counts as ready until it is received.
pub async fn depth_counts_what_is_ready(subject: &dyn Subject) {
    subject.create(PLAIN).await;
    assert_eq!(subject.queue().depth(PLAIN).await.expect("depth"), Depth::default());
    publish(subject, PLAIN, &[plain("a"), plain("b"), plain("c")]).await;
    let depth = subject.queue().depth(PLAIN).await.expect("depth");
    assert_eq!(depth, Depth { ready: 3, in_flight: 0, delayed: 0 });
    subject.drain(PLAIN).await;
    assert_eq!(subject.queue().depth(PLAIN).await.expect("depth"), Depth::default());
}

/// A look leaves messages where they are, raises their receive count, and names them alike each time.
pub async fn peeking_leaves_messages_and_counts(subject: &dyn Subject) {
    subject.create(PLAIN).await;
    assert_eq!(subject.queue().peek(PLAIN, 10).await.expect("peek"), vec![]);
    publish(subject, PLAIN, &[plain("only")]).await;
    let first = subject.queue().peek(PLAIN, 1).await.expect("peek");
    let second = subject.queue().peek(PLAIN, 10).await.expect("peek");
    let [first] = first.as_slice() else { panic!("one message, not {first:?}") };
    let [second] = second.as_slice() else { panic!("one message, not {second:?}") };
    assert_eq!((first.body.as_str(), first.receive_count), ("only", 1));
    assert_eq!((second.body.as_str(), second.receive_count), ("only", 2));
    assert_eq!(first.message_id, second.message_id);
    assert!(!first.message_id.is_empty() && !first.receipt_handle.is_empty());
    assert_ne!(first.receipt_handle, second.receipt_handle);
    assert_eq!(bodies(subject, PLAIN).await, vec!["only"]);
    for most in [0, 11] {
        let refused = subject.queue().peek(PLAIN, most).await;
        assert!(matches!(refused, Err(QueueError::Refused(_))), "{most}: {refused:?}");
    }
}

/// An empty list works, even where the queue does not exist.
pub async fn nothing_to_publish_is_no_call(subject: &dyn Subject) {
    publish(subject, QueueName("never-made"), &[]).await;
}

/// One bad message refuses the whole list before anything is sent.
pub async fn what_breaks_a_rule_is_refused_whole(subject: &dyn Subject) {
    subject.create(PLAIN).await;
    subject.create(ORDERED).await;
    let no_group = Message { group: None, ..ordered("{}", "lane", "2") };
    let cases = [
        (PLAIN, [plain("good"), plain("")]),
        (PLAIN, [plain("good"), plain("x".repeat(limits::BATCH_BYTES_MAX + 1))]),
        (PLAIN, [plain("good"), Message { delay_s: limits::DELAY_S_MAX + 1, ..plain("{}") }]),
        (PLAIN, [plain("good"), Message { dedup: Some("1".to_owned()), ..plain("{}") }]),
        (ORDERED, [ordered("good", "lane", "1"), no_group]),
    ];
    for (queue, list) in cases {
        let refused = subject.queue().publish(queue, &list).await;
        assert!(matches!(refused, Err(QueueError::Refused(_))), "{refused:?}");
        assert_eq!(bodies(subject, queue).await, Vec::<String>::new());
    }
}
