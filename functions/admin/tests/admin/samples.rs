//! The sample events of both HTTP functions, played one after the other: money comes in, and is asked for.

use std::sync::Arc;

use causeway_intake::{Intake, directory::Directory, handler};
use causeway_queue::QueueName;
use causeway_state::message::queues;
use serde_json::json;

use crate::support::{TestClock, World, claims, networks, send};

const CREDIT: &str = include_str!("../../../../events/admin/credit-account.json");
const ITEMS: &str = include_str!("../../../../events/admin/queue-items.json");
const WITHDRAWAL: &str = include_str!("../../../../events/intake/request-withdrawal.json");
const TRANSFER: &str = include_str!("../../../../events/intake/create-transfer.json");

#[tokio::test]
async fn the_samples_tell_a_story_that_works() {
    let world = World::new();
    let intake = handler::router(Arc::new(Intake {
        store: Arc::new(world.store.clone()),
        queue: Arc::new(world.queue.clone()),
        clock: Arc::<TestClock>::clone(&world.clock),
        networks: networks(),
        claims: claims(),
        directory: Directory::default(),
    }));
    let key = json!({"kind": "secret", "name": "old", "address": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"});
    let treasury = json!({"tenant": "acme", "network": "local", "key": key, "reason": "set up"});
    world.post("/admin/v1/treasuries", treasury).await.ok();

    assert_eq!(world.play(CREDIT).await.ok()["available"], "100");
    assert_eq!(world.play(CREDIT).await.ok()["available"], "100");
    let withdrawal = send(&intake, WITHDRAWAL).await;
    assert_eq!((withdrawal.status, &withdrawal.body["status"]), (201, &json!("PENDING")));
    let transfer = send(&intake, TRANSFER).await;
    assert_eq!((transfer.status, &transfer.body["status"]), (202, &json!("accepted")));
    assert_eq!(send(&intake, WITHDRAWAL).await.body, withdrawal.body);

    assert_eq!(world.queue.len(QueueName(queues::TRANSFERS_HIGH)), 1);
    let look = world.play(ITEMS).await.ok();
    assert_eq!(look["items"].as_array().map(Vec::len), Some(2), "{look}");
    let accounts = world.all("/admin/v1/accounts/acme", 100).await;
    let mine = accounts.iter().find(|it| it["account"] == "tenant:acme").expect("the account");
    assert_eq!((&mine["available"], &mine["held"]), (&json!("86.25"), &json!("13.75")));
    world.must_be_sound().await;
}
