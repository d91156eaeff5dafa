//! Dead letters: listed, shown, replayed as often as wanted, and set aside where no money hangs on them.

use std::sync::Arc;

use causeway_domain::{
    B256,
    fees::Priority,
    id::{DeadLetterId, ParcelId},
    parcel::ParcelState,
};
use causeway_queue::{Message, QueueName, memory::Fault};
use causeway_state::{
    dead_letter::{DeadLetter, Status},
    lane::{Intent, Transaction},
    message::queues,
    parcel::{Parcel, Settled},
};
use causeway_store::{Expect, Item, MemoryStore, Write};
use serde_json::{Value, json};

use crate::{
    refund::parcel,
    support::{Answer, Interloper, NOW, World},
};

pub(crate) fn letter(name: &str, queue: &str, body: &str, parcel: Option<ParcelId>) -> DeadLetter {
    DeadLetter {
        id: DeadLetterId::derived(&[name]),
        queue: queue.to_owned(),
        message: name.to_owned(),
        body: body.to_owned(),
        cut: false,
        reason: format!("{name} is why"),
        receives: 3,
        parcel,
        status: Status::Open,
        created_at: NOW,
        updated_at: NOW,
        by: None,
        note: None,
        settled: Vec::new(),
    }
}

pub(crate) async fn put_letter(world: &World, letter: &DeadLetter) -> String {
    world.put(letter.create().expect("a row")).await;
    letter.id.to_string()
}

pub(crate) async fn act(world: &World, id: &str, verb: &str) -> Answer {
    world.post(&format!("/admin/v1/dead-letters/{id}/{verb}"), json!({"reason": "a test"})).await
}

pub(crate) async fn show(world: &World, id: &str) -> Value {
    world.get(&format!("/admin/v1/dead-letters/{id}")).await.ok()
}

fn one(world: &World, queue: &'static str) -> Message {
    let mut found = world.queue.drain(QueueName(queue));
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[tokio::test]
async fn they_are_listed_by_status_newest_first() {
    let world = World::new();
    let mut ids = Vec::new();
    for (at, name) in ["a", "b", "c"].iter().enumerate() {
        let letter = DeadLetter { created_at: NOW + at as u64, ..letter(name, queues::TRANSFERS_DEAD, "x", None) };
        ids.push(put_letter(&world, &letter).await);
    }
    let listed = |rows: Vec<Value>| rows.into_iter().map(|row| row["id"].as_str().expect("an id").to_owned());
    let open: Vec<_> = listed(world.all("/admin/v1/dead-letters", 2).await).collect();
    assert_eq!(open, [ids[2].clone(), ids[1].clone(), ids[0].clone()]);
    act(&world, &ids[1], "discard").await.ok();
    let open = world.get("/admin/v1/dead-letters?status=open").await.ok();
    assert_eq!(listed(open["items"].as_array().expect("a list").clone()).len(), 2);
    let discarded = world.get("/admin/v1/dead-letters?status=discarded").await.ok();
    let expected = json!({
        "id": ids[1], "queue": "transfers-dead", "reason": "b is why", "receives": 3, "status": "discarded",
        "createdAt": "2025-12-17T19:33:20.001Z", "updatedAt": "2025-12-17T19:33:20.000Z",
    });
    assert_eq!(discarded["items"], json!([expected]));
    let refused = world.get("/admin/v1/dead-letters?status=lost").await.refusal();
    assert_eq!(refused, (400, "VALIDATION_ERROR".to_owned(), "status".to_owned()));
}

#[tokio::test]
async fn an_index_that_lags_tells_nothing_that_is_not_so() {
    let world = World::new();
    let id = put_letter(&world, &letter("a", queues::TRANSFERS_DEAD, "x", None)).await;
    world.store.set_index_lag(1);
    act(&world, &id, "discard").await.ok();
    assert_eq!(world.get("/admin/v1/dead-letters?status=open").await.ok()["items"], json!([]));
}

#[tokio::test]
async fn one_is_shown_with_its_transfer() {
    let world = World::new();
    let address = world.treasury("acme").await;
    let parcel = parcel(&address, ParcelState::Waiting);
    world.put(parcel.create().expect("a row")).await;
    let id = put_letter(&world, &letter("a", queues::TRANSFERS_DEAD, "{}", Some(parcel.id))).await;
    let told = show(&world, &id).await;
    assert_eq!((&told["body"], &told["cut"], &told["parcel"]), (&json!("{}"), &json!(false), &json!(parcel.id)));
    let transfer = json!({
        "transferId": parcel.transfer_id(0), "tenant": "acme", "state": "waiting", "holdsMoney": true,
        "amount": "4", "token": "TUSD",
    });
    assert_eq!(told["transfer"], transfer);
    for id in ["dl_00000000000000000000000000", "dl_x", "x"] {
        let refused = world.get(&format!("/admin/v1/dead-letters/{id}")).await.refusal();
        assert_eq!(refused, (404, "NOT_FOUND".to_owned(), "id".to_owned()));
    }
}

#[tokio::test]
async fn a_request_goes_back_to_the_queue_of_its_priority() {
    let world = World::new();
    let address = world.treasury("acme").await;
    let cases = [
        (Some(Priority::High), queues::TRANSFERS_HIGH),
        (Some(Priority::Low), queues::TRANSFERS_LOW),
        (None, queues::TRANSFERS_NORMAL),
    ];
    for (priority, queue) in cases {
        let mut about = parcel(&address, ParcelState::Accepted);
        about.id = ParcelId::derived(&[queue]);
        if let Some(priority) = priority {
            about.priority = priority;
            world.put(about.create().expect("a row")).await;
        }
        let id = put_letter(&world, &letter(queue, queues::TRANSFERS_DEAD, "the body", Some(about.id))).await;
        let told = act(&world, &id, "replay").await.ok();
        assert_eq!(
            (&told["status"], &told["by"], &told["note"]),
            (&json!("replayed"), &json!("olga"), &json!("a test"))
        );
        let message = one(&world, queue);
        assert_eq!((message.body.as_str(), message.group), ("the body", priority.map(|_| "acme".to_owned())));
    }
}

#[tokio::test]
async fn a_lane_s_message_is_never_swallowed_as_a_repeat() {
    let world = World::new();
    let lane = format!("local/{}", world.treasury("acme").await);
    let body = json!({"lane": lane, "trace": "trc_01kavbz7j0000000000000000b"}).to_string();
    let id = put_letter(&world, &letter("a", queues::TRANSACTIONS_DEAD, &body, None)).await;
    for _ in 0..3 {
        act(&world, &id, "replay").await.ok();
        let message = one(&world, queues::TRANSACTIONS);
        assert_eq!((message.body, message.group.as_deref()), (body.clone(), Some(lane.as_str())));
    }
    let poison = put_letter(&world, &letter("b", queues::TRANSACTIONS_DEAD, "nonsense", None)).await;
    act(&world, &poison, "replay").await.ok();
    assert_eq!(one(&world, queues::TRANSACTIONS).body, "nonsense");
    let stage = put_letter(&world, &letter("c", queues::CHAIN_EVENTS_DEAD, "a stage", None)).await;
    act(&world, &stage, "replay").await.ok();
    assert_eq!(one(&world, queues::CHAIN_EVENTS).body, "a stage");
    assert_eq!(world.actions().await.len(), 6);
}

#[tokio::test]
async fn a_replay_that_was_not_published_is_told_and_can_be_repeated() {
    let world = World::new();
    let id = put_letter(&world, &letter("a", queues::TRANSFERS_DEAD, "body", None)).await;
    for fault in [Fault::RefuseBefore, Fault::AcceptOnly(Vec::new()), Fault::LoseReply] {
        world.queue.set_fault(move |_, _| fault.clone());
        let answer = act(&world, &id, "replay").await;
        assert_eq!((answer.status, answer.retry_after.as_deref()), (503, Some("1")));
        assert_eq!(show(&world, &id).await["status"], "replayed");
        assert_eq!(act(&world, &id, "discard").await.status, 200, "what may be lost can also be set aside");
        // Back to where it was.
        let version = world.row(&DeadLetter::key(DeadLetterId::derived(&["a"]))).await.expect("there").version();
        let back = letter("a", queues::TRANSFERS_DEAD, "body", None);
        world.put(back.acted(version, Status::Replayed, "olga", "x", NOW).expect("a row")).await;
    }
    world.queue.clear_fault();
    world.queue.drain(QueueName(queues::TRANSFERS_NORMAL));
    act(&world, &id, "replay").await.ok();
    assert_eq!(one(&world, queues::TRANSFERS_NORMAL).body, "body");
}

#[tokio::test]
async fn what_cannot_be_replayed_is_left_as_it_is() {
    let world = World::new();
    let cut = DeadLetter { cut: true, ..letter("cut", queues::TRANSFERS_DEAD, "x", None) };
    let gone = letter("gone", "old-queue-dead", "x", None);
    let done = DeadLetter { status: Status::Discarded, ..letter("done", queues::TRANSFERS_DEAD, "x", None) };
    for letter in [cut, gone, done] {
        let id = put_letter(&world, &letter).await;
        assert_eq!(act(&world, &id, "replay").await.refusal().1, "CONFLICT", "{}", letter.message);
        assert_eq!(show(&world, &id).await["status"], letter.status.as_str());
    }
    assert!(world.must_be_sound().await.is_empty());
}

#[tokio::test]
async fn what_money_hangs_on_is_not_set_aside() {
    let world = World::new();
    let address = world.treasury("acme").await;
    let states = [
        (ParcelState::Accepted, 409),
        (ParcelState::Waiting, 409),
        (ParcelState::Assigned, 409),
        (ParcelState::Reopened, 409),
        (ParcelState::Confirmed, 200),
        (ParcelState::Rejected, 200),
        (ParcelState::Failed, 200),
        (ParcelState::Cancelled, 200),
    ];
    for (state, status) in states {
        let mut about = parcel(&address, state);
        about.id = ParcelId::derived(&[state.as_str()]);
        world.put(about.create().expect("a row")).await;
        let id = put_letter(&world, &letter(state.as_str(), queues::TRANSFERS_DEAD, "x", Some(about.id))).await;
        assert_eq!(act(&world, &id, "discard").await.status, status, "{state:?}");
        // Once more says the same.
        assert_eq!(act(&world, &id, "discard").await.status, status, "{state:?}");
    }
    assert_eq!(world.actions().await.len(), 5);
}

#[tokio::test]
async fn a_stage_message_is_not_set_aside_while_it_may_have_to_settle_money() {
    let world = World::new();
    let address = world.treasury("acme").await;
    let mut about = parcel(&address, ParcelState::Assigned);
    let lane = about.wallet.clone();
    let intent = Intent {
        to: lane.address,
        value: causeway_domain::U256::ZERO,
        data: causeway_domain::Bytes::new(),
        gas_limit: 1,
    };
    let (parcels, trace) = (vec![about.id], about.trace);
    let transaction = Transaction {
        number: 4,
        parcels,
        intent,
        attempts: 1,
        created_at: NOW,
        trace,
        outcome: None,
        reopened: 0,
        send: None,
        priority: Default::default(),
        since: 0,
    };
    world.put(Write::create(Transaction::key(&lane, 4), Item::from_fields(&transaction).expect("a row"))).await;
    world.put(about.create().expect("a row")).await;
    let zero = format!("0x{}", "00".repeat(32));
    let inclusion = json!({
        "hash": zero, "lane": lane, "number": 4, "attempt": 0, "success": true, "gas_used": 1, "gas_price_wei": 1,
    });
    let body = json!({
        "network": "local", "stage": "final", "height": 1, "block_hash": zero, "inclusions": [inclusion],
    });
    let id = put_letter(&world, &letter("stage", queues::CHAIN_EVENTS_DEAD, &body.to_string(), None)).await;
    assert_eq!(act(&world, &id, "discard").await.refusal().1, "CONFLICT");
    about.state = ParcelState::Confirmed;
    about.settled = Some(Settled { hash: B256::ZERO, height: 1, block_hash: B256::ZERO });
    let item = about.item().expect("a row");
    world.put(Write::Put { key: Parcel::key(about.id), item, expect: vec![Expect::Version(1)] }).await;
    // What says that the block left which settled it is still to be carried out.
    let mut reorged = body.clone();
    reorged["stage"] = json!("reorged");
    let undone = put_letter(&world, &letter("reorged", queues::CHAIN_EVENTS_DEAD, &reorged.to_string(), None)).await;
    assert_eq!(act(&world, &undone, "discard").await.refusal().1, "CONFLICT");
    assert_eq!(act(&world, &id, "discard").await.ok()["status"], "discarded");
    reorged["block_hash"] = json!(format!("0x{}", "11".repeat(32)));
    let moot = put_letter(&world, &letter("moot", queues::CHAIN_EVENTS_DEAD, &reorged.to_string(), None)).await;
    assert_eq!(act(&world, &moot, "discard").await.ok()["status"], "discarded");
}

#[tokio::test]
async fn money_that_comes_to_hang_on_it_meanwhile_stops_a_discard() {
    let store = MemoryStore::new();
    let setup = World::over(store.clone(), Arc::new(store.clone()));
    let address = setup.treasury("acme").await;
    let settled = parcel(&address, ParcelState::Confirmed);
    setup.put(settled.create().expect("a row")).await;
    let id = put_letter(&setup, &letter("a", queues::TRANSFERS_DEAD, "x", Some(settled.id))).await;
    let reopened = settled.moved(1, settled.reopened(NOW)).expect("a move");
    let meets = Interloper::before(&store, Parcel::key(settled.id), reopened);
    let world = World::over(store, Arc::new(meets));
    assert_eq!(act(&world, &id, "discard").await.refusal().1, "CONFLICT");
    assert_eq!(show(&world, &id).await["status"], "open");
}

#[tokio::test]
async fn one_that_cannot_be_read_is_listed_beside_the_others() {
    let world = World::new();
    let whole = put_letter(&world, &letter("whole", queues::TRANSFERS_DEAD, "{}", None)).await;
    let broken = letter("broken", queues::TRANSFERS_DEAD, "{}", None);
    let Write::Put { key, mut item, expect } = broken.create().expect("a row") else { panic!("a new row") };
    item.remove("receives");
    world.put(Write::Put { key, item, expect }).await;
    let told = world.get("/admin/v1/dead-letters").await.ok();
    let told: Vec<(&str, &str)> = told["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|letter| (letter["id"].as_str().expect("an id"), letter["reason"].as_str().expect("a reason")))
        .collect();
    assert_eq!(told.len(), 2);
    assert!(told.contains(&(&whole, "whole is why")));
    assert!(told.contains(&(&broken.id.to_string(), "its row cannot be read: restore it from a backup")));
}
