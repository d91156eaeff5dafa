//! Lanes: how far they are, and how a halted one is opened.

use std::{collections::BTreeMap, sync::Arc};

use causeway_domain::{
    Address, B256, Bytes, U256,
    fees::Fees,
    id::ParcelId,
    lane::{LaneGate, LaneId},
    verdict::WaitReason,
};
use causeway_queue::{QueueName, memory::Fault};
use causeway_state::{
    lane::{Attempt, Counter, Gate, Intent, Outcome, Transaction},
    message::{LaneMessage, queues},
    reconciliation::Report,
    tables::AUDIT,
    wallet::Treasury,
};
use causeway_store::{Item, Key, MemoryStore, Write};
use serde_json::{Value, json};

use crate::support::{Interloper, NOW, World};

const TRANSACTIONS: QueueName = QueueName(queues::TRANSACTIONS);

fn lane_of(address: &str) -> LaneId {
    LaneId { network: "local".parse().expect("a network"), address: address.parse().expect("an address") }
}

fn halted() -> Gate {
    let gate = LaneGate::Halted { reason: "nonce too high".to_owned(), limit: 7 };
    Gate { seen: 6, publications: 2, tries: 3, gate, ..Gate::new(5, NOW) }
}

async fn halt(world: &World, lane: &LaneId) {
    world.put(Counter::create(lane, 9)).await;
    world.put(halted().put(lane, 0).expect("a row")).await;
}

fn path(lane: &LaneId) -> String {
    format!("/admin/v1/lanes/local/{}", lane.address)
}

async fn release(world: &World, lane: &LaneId) -> crate::support::Answer {
    world.post(&format!("{}/release", path(lane)), json!({"reason": "looked into it"})).await
}

async fn sign(world: &World, lane: &LaneId, number: u64, attempts: u32, outcome: Option<Outcome>) {
    let intent = Intent { to: Address::ZERO, value: U256::ZERO, data: Bytes::new(), gas_limit: 21_000 };
    let parcels = vec![ParcelId::derived(&[&number.to_string()])];
    let trace = "trc_01kavbz7j0000000000000000b".parse().expect("a trace");
    let transaction = Transaction {
        number,
        parcels,
        intent,
        attempts,
        created_at: NOW,
        trace,
        outcome,
        reopened: 0,
        send: None,
        priority: Default::default(),
        since: 0,
    };
    world.put(Write::create(Transaction::key(lane, number), Item::from_fields(&transaction).expect("a row"))).await;
    for index in 0..attempts {
        let hash = hash(number, index);
        let fees = Fees { max_fee_wei: 2, max_priority_wei: 1 };
        let attempt = Attempt {
            number,
            index,
            kind: Default::default(),
            hash,
            raw: Bytes::from_static(b"raw"),
            fees,
            signed_at: NOW,
        };
        world.put(Write::create(Attempt::key(lane, number, index), Item::from_fields(&attempt).expect("a row"))).await;
    }
}

fn hash(number: u64, index: u32) -> B256 {
    alloy_primitives::keccak256(format!("{number}/{index}"))
}

#[tokio::test]
async fn every_lane_of_the_enabled_networks_is_listed_with_its_state() {
    let world = World::new();
    let (acme, globex) = (lane_of(&world.treasury("acme").await), lane_of(&world.treasury("globex").await));
    halt(&world, &acme).await;
    let row = |lanes: &[Value], lane: &LaneId| {
        lanes.iter().find(|row| row["lane"] == lane.to_string()).cloned().expect("listed")
    };
    for limit in [1, 100] {
        let lanes = world.all("/admin/v1/lanes", limit).await;
        assert_eq!(lanes.len(), 2);
        let expected = json!({
            "lane": acme.to_string(), "tenant": "acme", "next": 9, "seen": 6, "consumed": 5,
            "state": "halted", "reason": "nonce too high",
        });
        assert_eq!(row(&lanes, &acme), expected);
        let unused = json!({"lane": globex.to_string(), "tenant": "globex", "state": "unused"});
        assert_eq!(row(&lanes, &globex), unused);
    }
    let waiting = LaneGate::Waiting { reason: WaitReason::ChainUnavailable, wake_at: NOW };
    let doubted = "whether its next number is Causeway's is being looked at";
    let cases = [
        (0, waiting.clone(), None, "chain_unavailable"),
        (1, waiting, Some(NOW), doubted),
        (2, LaneGate::Open, Some(NOW), doubted),
    ];
    for (version, gate, foreign_since, reason) in cases {
        let gate = Gate { gate, foreign_since, ..Gate::new(0, NOW) };
        world.put(gate.put(&globex, version).expect("a row")).await;
        let told = row(&world.all("/admin/v1/lanes", 100).await, &globex);
        assert_eq!((&told["state"], &told["reason"]), (&json!("waiting"), &json!(reason)));
    }
}

/// Overwrites a row with one that is none.
async fn spoil(world: &World, key: Key) {
    world.put(Write::Put { key, item: Item::new().with("spoilt", true), expect: vec![] }).await;
}

#[tokio::test]
async fn what_cannot_be_read_hides_no_other_lane_treasury_transfer_or_report() {
    let world = World::new();
    let (acme, globex) = (lane_of(&world.treasury("acme").await), lane_of(&world.treasury("globex").await));
    halt(&world, &globex).await;
    spoil(&world, Treasury::lane_key(&acme)).await;
    let states = |lanes: Vec<Value>| {
        let pair = |row: &Value| (row["lane"].as_str().map(ToOwned::to_owned), row["state"].clone());
        lanes.iter().map(pair).collect::<BTreeMap<_, _>>()
    };
    let expected =
        BTreeMap::from([(Some(acme.to_string()), json!("unreadable")), (Some(globex.to_string()), json!("halted"))]);
    assert_eq!(states(world.all("/admin/v1/lanes", 1).await), expected);
    let treasuries = world.all("/admin/v1/treasuries", 100).await;
    let spoilt = treasuries.iter().find(|row| row.get("key").is_none()).expect("by its place");
    assert_eq!((treasuries.len(), &spoilt["address"]), (2, &json!(acme.address.to_string())));
    assert!(world.get("/admin/v1/transfers/waiting").await.ok()["items"].is_array(), "what waits is told");
    spoil(&world, Gate::key(&globex)).await;
    let both = states(world.all("/admin/v1/lanes", 100).await);
    assert_eq!(both[&Some(globex.to_string())], json!("unreadable"));
    let report = Report { at: NOW, height: 7, ..Report::new(acme.clone(), "acme".parse().expect("a tenant"), 0) };
    let Write::Put { key, .. } = report.put(0).expect("a row") else { panic!("a row") };
    spoil(&world, key).await;
    let told = world.get("/admin/v1/reconciliation").await.ok();
    let local = told["items"].as_array().expect("a list").iter().find(|it| it["network"] == "local").expect("told");
    assert_eq!(local["clean"], json!(false), "nobody has looked at it");
}

#[tokio::test]
async fn one_lane_is_told_with_its_newest_twenty_transactions() {
    let world = World::new();
    let lane = lane_of(&world.treasury("acme").await);
    let unused = world.get(&path(&lane)).await.ok();
    assert_eq!((&unused["state"], &unused["transactions"]), (&json!("unused"), &json!([])));
    world.put(Counter::create(&lane, 135)).await;
    world.put(Gate::new(130, NOW).put(&lane, 0).expect("a row")).await;
    // On both sides of a partition's end.
    for number in 110..135 {
        let (hash, block_hash, height) = (hash(number, 0), B256::ZERO, 1);
        let outcome = match number {
            133 => {
                Some(Outcome::Reverted { hash, block_hash, height, gas_cost_wei: U256::ZERO, reason: "paused".into() })
            }
            132 => Some(Outcome::Paid { hash, block_hash, height, gas_cost_wei: U256::ZERO }),
            _ => None,
        };
        sign(&world, &lane, number, if number == 134 { 3 } else { 1 }, outcome).await;
    }
    let told = world.get(&path(&lane)).await.ok();
    let transactions = told["transactions"].as_array().expect("a list");
    let numbers: Vec<_> = transactions.iter().map(|one| one["number"].as_u64().expect("a number")).collect();
    assert_eq!(numbers, (115..135).rev().collect::<Vec<_>>());
    let parcel = |number: &str| ParcelId::derived(&[number]).to_string();
    let hashes: Vec<String> = (0..3).map(|index| hash(134, index).to_string()).collect();
    let bumped = json!({
        "number": 134, "hash": hashes[2], "hashes": hashes, "attempts": 3, "parcels": [parcel("134")],
    });
    assert_eq!(transactions[0], bumped, "of several attempts the latest is told first");
    assert_eq!((&transactions[1]["outcome"], &transactions[1]["reason"]), (&json!("reverted"), &json!("paused")));
    assert_eq!(transactions[2]["outcome"], "paid");
}

#[tokio::test]
async fn a_released_lane_goes_on_under_a_new_publication() {
    let world = World::new();
    let lane = lane_of(&world.treasury("acme").await);
    halt(&world, &lane).await;
    let told = release(&world, &lane).await.ok();
    assert_eq!((&told["state"], &told["next"], &told["seen"]), (&json!("open"), &json!(9), &json!(6)));
    let gate: Gate = world.row(&Gate::key(&lane)).await.expect("a gate").parse().expect("a gate");
    assert_eq!(gate, Gate { gate: LaneGate::Open, tries: 0, publications: 3, ..halted() });
    let published = world.queue.drain(TRANSACTIONS);
    assert_eq!(published.len(), 1);
    let body: LaneMessage = serde_json::from_str(&published[0].body).expect("a lane's message");
    assert_eq!(body.lane, lane);
    assert_eq!(published[0].group.as_deref(), Some(lane.to_string().as_str()));
    assert_eq!(published[0].dedup, Some(format!("{lane}:6:r3")));
    assert_eq!(world.actions().await, ["treasuries.register", "lanes.release"]);
    // It is not halted any more.
    assert_eq!(release(&world, &lane).await.refusal(), (409, "CONFLICT".to_owned(), String::new()));
    assert_eq!(world.queue.len(TRANSACTIONS), 0);
}

#[tokio::test]
async fn a_lost_publication_is_left_to_the_sweep() {
    let world = World::new();
    let lane = lane_of(&world.treasury("acme").await);
    halt(&world, &lane).await;
    world.queue.set_fault(|_, _| Fault::RefuseBefore);
    assert_eq!(release(&world, &lane).await.ok()["state"], "open");
}

#[tokio::test]
async fn a_release_does_not_undo_what_the_sender_did_at_the_same_time() {
    let store = MemoryStore::new();
    let setup = World::over(store.clone(), Arc::new(store.clone()));
    let lane = lane_of(&setup.treasury("acme").await);
    halt(&setup, &lane).await;
    // The sender finds a lower number refused for good, just before the release commits.
    let worse = Gate { gate: LaneGate::Halted { reason: "underpriced".to_owned(), limit: 6 }, tries: 0, ..halted() };
    let meets = Interloper::before(&store, Gate::key(&lane), worse.put(&lane, 1).expect("a row"));
    let world = World::over(store, Arc::new(meets));
    release(&world, &lane).await.ok();
    let record = world.must_be_sound().await.pop().expect("recorded");
    let detail: Value = serde_json::from_str(&record.detail).expect("JSON");
    assert_eq!(detail, json!({"halted": "underpriced", "limit": 6, "seen": 6}), "what was released is what was there");
}

#[tokio::test]
async fn what_is_not_a_halted_lane_is_refused() {
    let world = World::new();
    let lane = lane_of(&world.treasury("acme").await);
    assert_eq!(release(&world, &lane).await.refusal().1, "CONFLICT");
    let refused = world.post(&format!("{}/release", path(&lane)), json!({"why": "x"})).await.refusal();
    assert_eq!(refused, (400, "VALIDATION_ERROR".to_owned(), "why".to_owned()));
    let nobody = format!("0x{}", "11".repeat(20));
    for path in [format!("local/{nobody}"), "local/x".to_owned(), format!("moon/{nobody}")] {
        assert_eq!(world.get(&format!("/admin/v1/lanes/{path}")).await.refusal().1, "NOT_FOUND", "{path}");
        let refused = world.post(&format!("/admin/v1/lanes/{path}/release"), json!({"reason": "x"})).await.refusal();
        assert_eq!(refused.1, "NOT_FOUND", "{path}");
    }
    assert_eq!(world.rows(AUDIT), 2, "only the registration and the log's end");
}

#[tokio::test]
async fn a_lane_whose_key_was_used_before_begins_where_an_operator_says() {
    let words = [
        (json!({"from": 0}), Ok(0)),
        (json!({"from": 4}), Ok(4)),
        (json!({"others": true}), Ok(4)),
        (json!({"from": 5}), Err("from")),
        (json!({"from": 2, "others": true}), Err("from")),
        (json!({"others": false}), Err("from")),
        (json!({}), Err("from")),
    ];
    for (mut body, expected) in words {
        let world = World::new();
        let lane = lane_of(&world.treasury("acme").await);
        world.put(Counter::create(&lane, 4)).await;
        world.put(Gate::new(4, NOW).beginning_at(4).put(&lane, 0).expect("a row")).await;
        body["reason"] = json!("a test");
        let told = world.post(&format!("{}/release", path(&lane)), body.clone()).await;
        let first = match expected {
            Ok(first) => first,
            Err(field) => {
                assert_eq!(told.refusal(), (409, "CONFLICT".to_owned(), field.to_owned()), "{body}");
                continue;
            }
        };
        let told = told.ok();
        assert_eq!((&told["state"], &told["next"]), (&json!("waiting"), &json!(first)), "the tracker looks first");
        let gate: Gate = world.row(&Gate::key(&lane)).await.expect("a gate").parse().expect("a gate");
        assert_eq!((gate.first, gate.seen, gate.consumed), (first, first, first));
        assert!(!gate.is_beginning() && !gate.takes_more());
    }
}

#[tokio::test]
async fn a_lane_that_has_begun_begins_nowhere_else() {
    let world = World::new();
    let lane = lane_of(&world.treasury("acme").await);
    halt(&world, &lane).await;
    for (field, word) in [("from", json!(0)), ("others", json!(true))] {
        let body = json!({field: word, "reason": "x"});
        let refused = world.post(&format!("{}/release", path(&lane)), body).await.refusal();
        assert_eq!(refused, (409, "CONFLICT".to_owned(), field.to_owned()));
    }
}
