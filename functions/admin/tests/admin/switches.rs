//! Switches: a block is done when every copy is written, and the later of two operators wins at every copy.

use std::sync::Arc;

use causeway_domain::limits::SWITCH_COPIES;
use causeway_state::{
    tables::WALLETS,
    wallet::{Scope, Switch},
};
use causeway_store::{
    CommitToken, Key, MemoryStore, Write,
    memory::{CommitFault, Faults, Read, ReadFault},
};
use serde_json::{Value, json};

use crate::support::{Answer, Interloper, World};

pub(crate) async fn throw(world: &World, scope: &str, blocked: bool) -> Answer {
    world.post("/admin/v1/switches", json!({"scope": scope, "blocked": blocked, "reason": "a test"})).await
}

/// How many copies of a scope's switch are thrown.
async fn thrown(world: &World, scope: &str) -> u8 {
    let scope = Scope::parse(scope).expect("a scope");
    let mut count = 0;
    for key in scope.copies() {
        if let Some(row) = world.row(&key).await {
            let switch: Switch = row.parse().expect("a switch");
            assert_eq!((switch.scope, switch.reason.as_str(), switch.by.as_str()), (scope.text(), "a test", "olga"));
            count += 1;
        }
    }
    count
}

async fn listed(world: &World) -> Vec<Value> {
    world.all("/admin/v1/switches", 1).await.into_iter().map(|row| row["scope"].clone()).collect()
}

#[tokio::test]
async fn every_kind_of_scope_is_blocked_at_every_copy_and_opened_again() {
    let world = World::new();
    let address = world.treasury("acme").await;
    for scope in ["tenant:acme", &format!("lane:local/{address}"), "network:local"] {
        let answer = throw(&world, scope, true).await.ok();
        assert_eq!((&answer["scope"], &answer["blocked"]), (&json!(scope), &json!(true)));
        assert_eq!(answer["everywhere"], true);
        assert_eq!(thrown(&world, scope).await, SWITCH_COPIES);
        assert_eq!(listed(&world).await, [json!(scope)]);
        // Again changes nothing but the record.
        throw(&world, scope, true).await.ok();
        assert_eq!(thrown(&world, scope).await, SWITCH_COPIES);
        assert_eq!(throw(&world, scope, false).await.ok()["blocked"], false);
        assert_eq!(thrown(&world, scope).await, 0);
        assert!(listed(&world).await.is_empty());
    }
    let one = ["switches.block", "switches.block", "switches.unblock"];
    assert_eq!(world.actions().await[1..], [one, one, one].concat());
}

#[tokio::test]
async fn a_lane_is_blocked_whichever_way_its_address_is_spelt() {
    let world = World::new();
    let address = world.treasury("acme").await;
    throw(&world, &format!("lane:local/{}", address.to_lowercase()), true).await.ok();
    assert_eq!(thrown(&world, &format!("lane:local/{address}")).await, SWITCH_COPIES);
}

#[tokio::test]
async fn a_scope_that_nobody_pays_from_is_a_mistyped_one() {
    let world = World::new();
    world.treasury("acme").await;
    let nobody = format!("lane:local/0x{}", "11".repeat(20));
    for scope in ["tenant:acmee", "network:moon", &nobody, "lane:moon", "planet:earth", "acme", ""] {
        let refused = throw(&world, scope, true).await.refusal();
        assert_eq!(refused, (400, "VALIDATION_ERROR".to_owned(), "scope".to_owned()), "{scope:?}");
    }
    for (body, field) in [
        (json!({"scope": "tenant:acme", "reason": "x"}), "blocked"),
        (json!({"scope": "tenant:acme", "blocked": "yes", "reason": "x"}), "blocked"),
        (json!({"scope": "tenant:acme", "blocked": true}), "reason"),
        (json!({"scope": "tenant:acme", "blocked": true, "reason": "x", "until": 1}), "until"),
    ] {
        let refused = world.post("/admin/v1/switches", body).await.refusal();
        assert_eq!(refused, (400, "VALIDATION_ERROR".to_owned(), field.to_owned()));
    }
    assert!(listed(&world).await.is_empty());
}

#[tokio::test]
async fn of_two_operators_at_one_switch_the_later_wins_at_every_copy() {
    let store = MemoryStore::new();
    let rival = World::over(store.clone(), Arc::new(store.clone()));
    rival.treasury("acme").await;
    throw(&rival, "tenant:acme", true).await.ok();
    // While the first opens the switch, somebody throws it anew: its row changes under the fifth copy.
    let register = Key::new(WALLETS, "SWITCHES", "tenant:acme");
    let scope = Scope::parse("tenant:acme").expect("a scope");
    let row = store_row(&rival, &register).await;
    let meets = Interloper::before(
        &store,
        scope.copy(5),
        Write::Put { key: register.clone(), item: row, expect: vec![causeway_store::Expect::Version(3)] },
    );
    let first = World::over(store.clone(), Arc::new(meets));
    assert_eq!(throw(&first, "tenant:acme", false).await.refusal().1, "CONFLICT");
    assert_eq!(thrown(&rival, "tenant:acme").await, SWITCH_COPIES - 5, "what the later one blocks stays blocked");
    throw(&rival, "tenant:acme", true).await.ok();
    assert_eq!(thrown(&rival, "tenant:acme").await, SWITCH_COPIES);
}

async fn store_row(world: &World, key: &Key) -> causeway_store::Item {
    let mut row = world.row(key).await.expect("the switch's row");
    for own in ["pk", "sk", "version", "last_commit"] {
        row.remove(own);
    }
    row
}

/// Signing commits are at one copy at every moment.
#[derive(Debug)]
struct BusyCopy(Key);

impl Faults for BusyCopy {
    fn commit(&self, _: &CommitToken, writes: &[Write]) -> CommitFault {
        if writes.iter().any(|write| *write.key() == self.0) { CommitFault::Contended } else { CommitFault::Pass }
    }

    fn read(&self, _: Read<'_>) -> ReadFault {
        ReadFault::Pass
    }
}

#[tokio::test]
async fn a_block_that_is_not_everywhere_is_not_told_as_done() {
    let store = MemoryStore::new();
    let scope = Scope::parse("tenant:acme").expect("a scope");
    let busy = store.with_faults(Arc::new(BusyCopy(scope.copy(9))));
    let world = World::over(store.clone(), Arc::new(busy));
    world.treasury("acme").await;
    let answer = throw(&world, "tenant:acme", true).await;
    assert_eq!((answer.status, answer.retry_after.as_deref()), (503, Some("1")));
    assert_eq!(thrown(&world, "tenant:acme").await, 9);
    assert_eq!(listed(&world).await, [json!("tenant:acme")], "it is in front of the operators, so that they repeat it");
    assert_eq!(everywhere(&world).await, [false]);
    let quiet = World::over(store.clone(), Arc::new(store.clone()));
    throw(&quiet, "tenant:acme", true).await.ok();
    assert_eq!(thrown(&quiet, "tenant:acme").await, SWITCH_COPIES);
    assert_eq!(everywhere(&world).await, [true]);
    // The other way: some payments are still blocked, and the list must not say that none is.
    assert_eq!(throw(&world, "tenant:acme", false).await.status, 503);
    assert_eq!((thrown(&world, "tenant:acme").await, everywhere(&world).await), (SWITCH_COPIES - 9, vec![false]));
    throw(&quiet, "tenant:acme", false).await.ok();
    assert!(thrown(&quiet, "tenant:acme").await == 0 && listed(&quiet).await.is_empty());
}

async fn everywhere(world: &World) -> Vec<bool> {
    world.all("/admin/v1/switches", 1).await.iter().map(|row| row["everywhere"] == true).collect()
}
