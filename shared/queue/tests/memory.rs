//! The contract on the in-memory side, and what only that side has: its clock and its faults.

use async_trait::async_trait;
use causeway_queue::{
    Depth, MemoryQueue, Message, Queue, QueueError, QueueName, contract::Subject, memory::Fault, queue_contract,
};

const PLAIN: QueueName = QueueName("plain");
const ORDERED: QueueName = QueueName("ordered.fifo");

struct Memory(MemoryQueue);

#[async_trait]
impl Subject for Memory {
    fn queue(&self) -> &dyn Queue {
        &self.0
    }

    async fn create(&self, queue: QueueName) {
        assert_eq!(self.0.len(queue), 0);
    }

    async fn drain(&self, queue: QueueName) -> Vec<Message> {
        self.0.drain(queue)
    }
}

queue_contract!(async { Memory(MemoryQueue::new()) });

fn message(body: &str) -> Message {
    Message { body: body.to_owned(), ..Message::default() }
}

fn bodies(queue: &MemoryQueue, name: QueueName) -> Vec<String> {
    queue.drain(name).into_iter().map(|message| message.body).collect()
}

#[tokio::test]
async fn a_dedup_id_is_forgotten_after_five_minutes() {
    let queue = MemoryQueue::new();
    queue.set_now_ms(1_000);
    let mut again = message("again");
    (again.group, again.dedup) = (Some("lane".to_owned()), Some("1".to_owned()));
    let list = [again];
    queue.publish(ORDERED, &list).await.expect("published");
    queue.set_now_ms(300_999);
    queue.publish(ORDERED, &list).await.expect("swallowed");
    assert_eq!(queue.len(ORDERED), 1);
    queue.set_now_ms(301_000);
    queue.publish(ORDERED, &list).await.expect("published");
    assert_eq!(queue.len(ORDERED), 2);
}

#[tokio::test]
async fn a_delay_ends_by_the_clock_of_the_test() {
    let queue = MemoryQueue::new();
    queue.publish(PLAIN, &[Message { delay_s: 2, ..message("late") }]).await.expect("published");
    queue.set_now_ms(1_999);
    assert_eq!(bodies(&queue, PLAIN), Vec::<String>::new());
    assert_eq!(queue.len(PLAIN), 1);
    queue.set_now_ms(2_000);
    let depth = queue.depth(PLAIN).await.expect("depth");
    assert_eq!(depth, Depth { ready: 1, in_flight: 0, delayed: 0 });
    assert_eq!(bodies(&queue, PLAIN), vec!["late"]);
}

#[tokio::test]
async fn clones_share_their_queues() {
    let queue = MemoryQueue::new();
    queue.clone().publish(PLAIN, &[message("a")]).await.expect("published");
    assert_eq!(bodies(&queue, PLAIN), vec!["a"]);
}

#[tokio::test]
async fn faults_happen_before_after_and_in_part() {
    let queue = MemoryQueue::new();
    let list = [message("a"), message("b"), message("c")];
    let mut script = vec![
        Fault::Pass,
        Fault::AcceptOnly(vec![0, 1, 2]),
        Fault::AcceptOnly(vec![1]),
        Fault::LoseReply,
        Fault::RefuseBefore,
    ];
    queue.set_fault(move |name, messages| {
        assert_eq!((name, messages.len()), (PLAIN, 3));
        script.pop().expect("one fault for each call")
    });

    let refused = queue.publish(PLAIN, &list).await;
    assert!(matches!(refused, Err(QueueError::Unavailable(_))), "{refused:?}");
    assert_eq!(bodies(&queue, PLAIN), Vec::<String>::new());

    let lost = queue.publish(PLAIN, &list).await;
    assert!(matches!(lost, Err(QueueError::Unavailable(_))), "{lost:?}");
    assert_eq!(bodies(&queue, PLAIN), vec!["a", "b", "c"]);

    let partial = queue.publish(PLAIN, &list).await;
    assert!(matches!(&partial, Err(QueueError::Incomplete(p)) if *p == [0, 2]), "{partial:?}");
    assert_eq!(bodies(&queue, PLAIN), vec!["b"]);

    queue.publish(PLAIN, &list).await.expect("all were accepted");
    queue.publish(PLAIN, &list).await.expect("passed");
    queue.clear_fault();
    queue.publish(PLAIN, &list).await.expect("no fault any more");
    assert_eq!(queue.len(PLAIN), 9);
}
