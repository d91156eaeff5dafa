//! Dead letters become rows: once each, with their reason, and open again where a replay did not help.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use aws_lambda_events::sqs::SqsEvent;
use causeway_dead_letters::Recorder;
use causeway_domain::{
    Address, B256, Clock,
    clock::Millis,
    id::{DeadLetterId, ParcelId},
    lane::LaneId,
    parcel::ParcelState,
};
use causeway_runtime::{
    Received, batch,
    metrics::{Metrics, Sink},
};
use causeway_state::{
    dead_letter::{BODY_BYTES_MAX, DEDUP, DeadLetter, REASON, Status},
    lane::{Outcome, Transaction},
    parcel::Parcel,
    tables::DEAD_LETTERS,
};
use causeway_store::{
    CommitToken, Item, MemoryStore, Store, Write,
    memory::{CommitFault, Faults, Read, ReadFault},
};

const NOW: Millis = 1_766_000_000_000;

#[derive(Debug)]
struct TestClock;

impl Clock for TestClock {
    fn now_ms(&self) -> Millis {
        NOW
    }

    fn random(&self) -> u128 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        u128::from(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    fn sleep_ms(&self, _: u64) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

fn recorder(store: &MemoryStore) -> Recorder {
    Recorder { store: Arc::new(store.clone()), clock: Arc::new(TestClock), metrics: Metrics::new("causeway-test") }
}

fn sample(text: &str) -> Vec<Received> {
    let event: SqsEvent = serde_json::from_str(text).expect("the sample parses");
    batch::read(event, "causeway-local")
}

fn transfers_dead() -> Vec<Received> {
    sample(include_str!("../../../events/dead-letters/transfers-dead.json"))
}

fn letters(store: &MemoryStore) -> Vec<DeadLetter> {
    store.dump(DEAD_LETTERS).iter().map(|row| row.parse().expect("a dead letter")).collect()
}

async fn put(store: &MemoryStore, write: Write) {
    let token = CommitToken::new(TestClock.random().to_string());
    assert_eq!(store.commit(&token, &[write]).await.expect("tried"), causeway_store::Commit::Committed);
}

/// The sample's record after an operator's replay.
async fn replayed(store: &MemoryStore) -> DeadLetter {
    assert!(recorder(store).handle(transfers_dead()).await.is_empty());
    let letter = letters(store).pop().expect("recorded");
    put(store, letter.acted(1, Status::Replayed, "olga", "try again", NOW).expect("a row")).await;
    letter
}

/// The sample's message as another copy of the same dead letter.
fn again() -> Vec<Received> {
    transfers_dead().into_iter().map(|message| Received { message_id: "another".to_owned(), ..message }).collect()
}

#[tokio::test]
async fn every_trigger_s_sample_is_recorded_with_its_reason() {
    let store = MemoryStore::new();
    let recorder = recorder(&store);
    assert!(recorder.handle(transfers_dead()).await.is_empty());
    let samples = [
        include_str!("../../../events/dead-letters/transactions-dead.json"),
        include_str!("../../../events/dead-letters/sign-requests-dead.json"),
        include_str!("../../../events/dead-letters/chain-events-dead.json"),
    ];
    for text in samples {
        assert!(recorder.handle(sample(text)).await.is_empty());
    }
    let mut told: Vec<_> =
        letters(&store).into_iter().map(|it| (it.queue, it.reason, it.receives, it.parcel)).collect();
    told.sort();
    let parcel: ParcelId = "pcl_01kavbz7j0000000000000000a".parse().expect("an id");
    let expected = [
        ("chain-events-dead", "no transaction of that hash", 1, None),
        ("sign-requests-dead.fifo", "gave up after 21 receives", 21, None),
        ("transactions-dead.fifo", "gave up after 21 receives", 21, None),
        ("transfers-dead", "the transfer would revert: blacklisted", 1, Some(parcel)),
    ];
    assert_eq!(told, expected.map(|(queue, reason, n, parcel)| (queue.to_owned(), reason.to_owned(), n, parcel)));
}

#[tokio::test]
async fn repeats_of_one_dead_letter_are_one_record() {
    let store = MemoryStore::new();
    let recorder = recorder(&store);
    for messages in [transfers_dead(), transfers_dead(), again()] {
        assert!(recorder.handle(messages).await.is_empty(), "a repeat is acknowledged");
    }
    assert_eq!(letters(&store).len(), 1);
    // The same dedup text in another queue is another dead letter, as is another message without one.
    let other: Vec<_> =
        again().into_iter().map(|it| Received { queue: "chain-events-dead".to_owned(), ..it }).collect();
    let poison =
        |id: &str| Received { message_id: id.to_owned(), queue: "transfers-dead".to_owned(), ..Received::default() };
    assert!(recorder.handle([other, vec![poison("a"), poison("b"), poison("a")]].concat()).await.is_empty());
    assert_eq!(letters(&store).len(), 4);
}

#[tokio::test]
async fn a_dead_letter_that_died_again_after_a_replay_lies_open_again() {
    let store = MemoryStore::new();
    replayed(&store).await;
    assert!(recorder(&store).handle(transfers_dead()).await.is_empty());
    assert_eq!(letters(&store)[0].status, Status::Replayed, "a late repeat of the first message says nothing new");
    assert!(recorder(&store).handle(again()).await.is_empty());
    let letter = letters(&store).pop().expect("there");
    assert_eq!((letter.status, letter.message.as_str(), letter.by.as_deref()), (Status::Open, "another", Some("olga")));
}

#[tokio::test]
async fn nothing_waits_for_an_operator_once_the_money_is_settled() {
    let store = MemoryStore::new();
    let letter = replayed(&store).await;
    let parcel = parcel(letter.parcel.expect("of a parcel"), ParcelState::Rejected);
    put(&store, parcel.create().expect("a row")).await;
    assert!(recorder(&store).handle(again()).await.is_empty());
    assert_eq!(letters(&store)[0].status, Status::Replayed);
}

#[tokio::test]
async fn what_died_again_over_a_row_that_cannot_be_read_lies_open_again() {
    let store = MemoryStore::new();
    let letter = replayed(&store).await;
    let key = Parcel::key(letter.parcel.expect("of a parcel"));
    let item = Item::new().with("state", "no such state");
    put(&store, Write::Put { key, item, expect: vec![] }).await;
    assert!(recorder(&store).handle(again()).await.is_empty(), "it would come again for ever");
    assert_eq!(letters(&store)[0].status, Status::Open);
}

/// The tables went back to a moment that fell into the commit of an operator's word: its stage is told again.
#[tokio::test]
async fn a_settled_letter_whose_transaction_has_not_ended_lies_open_again() {
    let lane = LaneId::try_from("local/0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266".to_owned()).expect("a lane");
    for ended in [false, true] {
        let store = MemoryStore::new();
        let inclusion = serde_json::json!({
            "hash": B256::ZERO, "lane": lane, "number": 4, "attempt": 0, "success": true, "gas_used": 1,
            "gas_price_wei": 1, "moved": [],
        });
        let body = serde_json::json!({
            "network": "local", "stage": "final", "height": 7, "block_hash": B256::ZERO, "inclusions": [inclusion],
        });
        let told = |id: &str| {
            let attributes = vec![(REASON.to_owned(), "r".to_owned()), (DEDUP.to_owned(), "one".to_owned())];
            let queue = "chain-events-dead".to_owned();
            vec![Received {
                message_id: id.to_owned(),
                queue,
                body: body.to_string(),
                attributes,
                ..Received::default()
            }]
        };
        assert!(recorder(&store).handle(told("first")).await.is_empty());
        let letter = letters(&store).pop().expect("recorded");
        put(&store, letter.acted(1, Status::Settled, "olga", "paid", NOW).expect("a row")).await;
        let transaction = serde_json::json!({
            "number": 4, "parcels": [], "attempts": 1, "created_at": NOW, "trace": "trc_01kavbz7j0000000000000000b",
            "intent": {"to": Address::ZERO, "value": "0x0", "data": "0x", "gas_limit": 21_000},
        });
        let mut transaction: Transaction = serde_json::from_value(transaction).expect("a transaction");
        transaction.outcome = ended.then_some(Outcome::Displaced { height: 1, by: Vec::new() });
        let item = Item::from_fields(&transaction).expect("a row");
        put(&store, Write::create(Transaction::key(&lane, 4), item)).await;
        assert!(recorder(&store).handle(told("first")).await.is_empty());
        assert_eq!(letters(&store)[0].status, Status::Settled, "a late repeat of the first message says nothing new");
        assert!(recorder(&store).handle(told("again")).await.is_empty());
        assert_eq!(letters(&store)[0].status, if ended { Status::Settled } else { Status::Open });
    }
}

/// Reconciliation tells a stage again each hour; a queue that gives up each of these messages names no reason, and no case.
#[tokio::test]
async fn a_stage_that_settle_gave_up_as_often_as_it_was_told_is_one_letter() {
    let store = MemoryStore::new();
    let of = |id: &str, stage: &str, height: u64| {
        let body = serde_json::json!({
            "network": "local", "stage": stage, "height": height, "block_hash": B256::ZERO, "inclusions": [],
        });
        let queue = "chain-events-dead".to_owned();
        Received { message_id: id.to_owned(), queue, body: body.to_string(), receives: 21, ..Received::default() }
    };
    assert!(
        recorder(&store).handle(vec![of("a", "final", 7), of("b", "final", 7), of("c", "final", 8)]).await.is_empty()
    );
    assert!(recorder(&store).handle(vec![of("d", "final", 7)]).await.is_empty());
    assert_eq!(letters(&store).len(), 2, "one for each block");
    assert!(recorder(&store).handle(vec![of("e", "reorged", 7), of("f", "reorged", 7)]).await.is_empty());
    assert_eq!(letters(&store).len(), 4, "a block may leave twice");
}

#[tokio::test]
async fn a_long_body_is_cut_between_characters_and_marked() {
    let store = MemoryStore::new();
    let message =
        Received { message_id: "m".to_owned(), body: "é".repeat(BODY_BYTES_MAX), ..transfers_dead().remove(0) };
    let whole = Received {
        message_id: "n".to_owned(),
        body: "x".repeat(BODY_BYTES_MAX),
        attributes: vec![(REASON, "r"), (DEDUP, "other")]
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect(),
        ..message.clone()
    };
    assert!(recorder(&store).handle(vec![message, whole]).await.is_empty());
    let mut told: Vec<_> = letters(&store).into_iter().map(|it| (it.cut, it.body.len())).collect();
    told.sort_unstable();
    assert_eq!(told, [(false, BODY_BYTES_MAX), (true, BODY_BYTES_MAX)]);
}

#[derive(Debug)]
struct Loses(CommitFault);

impl Faults for Loses {
    fn commit(&self, _: &CommitToken, writes: &[Write]) -> CommitFault {
        // Only the first of a batch meets trouble.
        let first = DeadLetter::key(DeadLetterId::derived(&["transfers-dead", "pcl_01kavbz7j0000000000000000a"]));
        if *writes[0].key() == first { self.0 } else { CommitFault::Pass }
    }

    fn read(&self, _: Read<'_>) -> ReadFault {
        ReadFault::Pass
    }
}

#[tokio::test]
async fn a_message_whose_record_is_not_sure_comes_again_alone() {
    for fault in [CommitFault::LoseCall, CommitFault::Contended] {
        let store = MemoryStore::new();
        let other = Received { message_id: "fine".to_owned(), attributes: Vec::new(), ..transfers_dead().remove(0) };
        let batch = [transfers_dead(), vec![other]].concat();
        let failed = recorder(&store.with_faults(Arc::new(Loses(fault)))).handle(batch.clone()).await;
        assert_eq!(failed, [batch[0].message_id.clone()], "{fault:?}");
        assert_eq!(letters(&store).len(), 1);
        assert!(recorder(&store).handle(batch).await.is_empty());
        assert_eq!(letters(&store).len(), 2);
    }
}

#[tokio::test]
async fn a_lost_reply_is_settled_and_leaves_one_record() {
    let store = MemoryStore::new();
    let faulty = recorder(&store.with_faults(Arc::new(Loses(CommitFault::LoseReply))));
    // The reply to every try is lost, so the message comes again and finds its record.
    assert_eq!(faulty.handle(transfers_dead()).await.len(), 1);
    assert!(recorder(&store).handle(transfers_dead()).await.is_empty());
    assert_eq!(letters(&store).len(), 1);
}

/// Replies to all commits but the first so many are lost.
#[derive(Debug)]
struct LosesAfter(AtomicU64);

impl Faults for LosesAfter {
    fn commit(&self, _: &CommitToken, _: &[Write]) -> CommitFault {
        let left = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if left.is_ok() { CommitFault::Pass } else { CommitFault::LoseReply }
    }

    fn read(&self, _: Read<'_>) -> ReadFault {
        ReadFault::Pass
    }
}

#[derive(Debug, Default)]
struct Told(Mutex<Vec<serde_json::Value>>);

impl Sink for Told {
    fn take(&self, line: &serde_json::Value) {
        self.0.lock().expect("no test panics with it").push(line.clone());
    }
}

#[tokio::test]
async fn whose_recorder_never_heard_that_it_is_recorded_is_told_all_the_same() {
    for died_again in [false, true] {
        let store = MemoryStore::new();
        if died_again {
            replayed(&store).await;
        }
        let told = Arc::new(Told::default());
        let count = || told.0.lock().expect("no test panics with it").len();
        let metrics = || Metrics::to("causeway-test", Arc::<Told>::clone(&told));
        // Where the record is there, the first finds that out.
        let lost = LosesAfter(AtomicU64::new(died_again.into()));
        let lossy = Recorder { metrics: metrics(), ..recorder(&store.with_faults(Arc::new(lost))) };
        assert_eq!((lossy.handle(again()).await.len(), count()), (1, 0), "nobody knows whether it is recorded");
        assert_eq!(letters(&store)[0].status, Status::Open, "it is");
        assert!(Recorder { metrics: metrics(), ..recorder(&store) }.handle(again()).await.is_empty());
        assert_eq!(count(), 1, "died again: {died_again}");
    }
}

fn parcel(id: ParcelId, state: ParcelState) -> Parcel {
    let json = serde_json::json!({
        "id": id, "tenant": "acme", "user": "alice", "surface": "transfer", "body_hash": "0x".to_owned() + &"00".repeat(32),
        "wallet": "local/0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "asset": "local:0x0000000000000000000000000000000000000000",
        "decimals": 18, "symbol": "ETH", "transfers": [], "priority": "normal", "state": state, "hold": [],
        "created_at": NOW, "updated_at": NOW, "trace": "trc_01kavbz7j0000000000000000b",
    });
    serde_json::from_value(json).expect("a parcel")
}
