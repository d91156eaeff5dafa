//! Queues: their depths, and the operators' look at what clients wait for.

use causeway_admin::queues::ALL;
use causeway_domain::{id::ParcelId, parcel::ParcelState, verdict::WaitReason};
use causeway_queue::{Message, Queue, QueueName};
use causeway_state::{
    message::queues::{self, REQUESTS},
    parcel::Parcel,
};
use serde_json::{Value, json};

use crate::{
    refund::parcel,
    support::{NOW, World},
};

const TOPOLOGY: &str = include_str!("../../../../infra/topology.yaml");
const ITEMS: &str = "/withdrawal/queue/items";

async fn publish(world: &World, queue: &'static str, bodies: &[&str]) {
    let messages: Vec<_> =
        bodies.iter().map(|body| Message { body: (*body).to_owned(), ..Message::default() }).collect();
    world.queue.publish(QueueName(queue), &messages).await.expect("published");
}

#[test]
fn every_queue_of_the_topology_is_told() {
    let section = TOPOLOGY.split("\nqueues:\n").nth(1).and_then(|rest| rest.split("\ntables:").next()).expect("there");
    let names = section.lines().filter(|line| line.contains("kind:")).filter_map(|line| line.trim().split(':').next());
    let mut topology: Vec<_> = names.collect();
    let mut ours = ALL.to_vec();
    topology.sort_unstable();
    ours.sort_unstable();
    assert_eq!(ours, topology);
}

#[tokio::test]
async fn depths_are_told_queue_by_queue() {
    let world = World::new();
    publish(&world, queues::TRANSFERS_LOW, &["a", "b"]).await;
    let delayed = Message { body: "c".to_owned(), delay_s: 5, ..Message::default() };
    world.queue.publish(QueueName(queues::TRANSFERS_LOW), &[delayed]).await.expect("published");
    let told = world.get("/admin/v1/queues").await.ok();
    let items = told["items"].as_array().expect("a list");
    assert_eq!(items.len(), ALL.len());
    let of = |queue: &str| items.iter().find(|item| item["queue"] == queue).cloned().expect("told");
    assert_eq!(of("transfers-low"), json!({"queue": "transfers-low", "ready": 2, "inFlight": 0, "delayed": 1}));
    assert_eq!(of("chain-events"), json!({"queue": "chain-events", "ready": 0, "inFlight": 0, "delayed": 0}));
    assert_eq!(world.get("/admin/v1/queues?status=open").await.refusal().2, "query");
}

#[tokio::test]
async fn a_look_shows_ten_messages_the_urgent_ones_first_and_consumes_none() {
    let world = World::new();
    let bodies: Vec<String> = (0..7).map(|n| n.to_string()).collect();
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    for queue in REQUESTS {
        publish(&world, queue, &bodies).await;
    }
    let told = world.get(ITEMS).await.ok();
    let items = told["items"].as_array().expect("a list");
    let shown: Vec<_> = items.iter().map(|item| item["body"].as_str().expect("a body")).collect();
    assert_eq!(shown, ["0", "1", "2", "3", "4", "5", "6", "0", "1", "2"]);
    for item in items {
        let handle = item["receiptHandle"].as_str().expect("a handle");
        assert_eq!((handle.chars().count(), handle.ends_with('…')), (13, true), "{handle}");
        assert_eq!(item["receiveCount"], 1);
    }
    assert_eq!(REQUESTS.map(|queue| world.queue.len(QueueName(queue))), [7, 7, 7]);
}

#[tokio::test]
async fn there_is_one_look_a_second() {
    let world = World::new();
    world.get(ITEMS).await.ok();
    for pass in [0, 999] {
        world.clock.pass(pass);
        let answer = world.get(ITEMS).await;
        assert_eq!((answer.status, answer.retry_after.as_deref()), (503, Some("1")));
        assert_eq!(answer.body["error"]["code"], "BUSY", "in the withdrawals' shape");
    }
    world.clock.pass(1);
    world.get(ITEMS).await.ok();
}

#[tokio::test]
async fn the_ten_that_wake_first_are_told_whatever_they_wait_for() {
    let world = World::new();
    let address = world.treasury("acme").await;
    let new = |name: &str| Parcel { id: ParcelId::derived(&[name]), ..parcel(&address, ParcelState::Accepted) };
    // One that is only to be published again, and one that waits for room on its lane.
    let accepted = Parcel { due_at: Some(NOW), ..new("accepted") };
    let room = new("room").waiting(WaitReason::LaneFull, NOW + 5, NOW);
    world.put(accepted.create().expect("a row")).await;
    world.put(room.create().expect("a row")).await;
    let mut expected = vec![waits(&room, "lane_full", NOW + 5)];
    for n in 0..12 {
        let late = new(&n.to_string()).waiting(WaitReason::FeeAboveCap, NOW + 10 + n, NOW);
        world.put(late.create().expect("a row")).await;
        expected.push(waits(&late, "fee_above_cap", NOW + 10 + n));
    }
    expected.truncate(10);
    assert_eq!(world.get(ITEMS).await.ok()["waiting"], Value::Array(expected));
}

fn waits(parcel: &Parcel, reason: &str, wake_at: u64) -> Value {
    json!({"id": parcel.transfer_id(0), "reason": reason, "wakeAt": causeway_http::time::iso(wake_at)})
}
