//! Treasuries: registered once, with the ledger accounts that their postings touch.

use causeway_domain::{Address, id::TenantId, lane::LaneId};
use causeway_keys::{KeyRef, memory::Fault};
use causeway_state::{
    tables::{LEDGER, WALLETS},
    wallet::Treasury,
};
use serde_json::{Value, json};

use crate::support::World;

const ADDRESS: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

fn request(key: Value) -> Value {
    json!({"tenant": "acme", "network": "local", "key": key, "reason": "set up"})
}

fn secret(name: &str, address: &str) -> Value {
    request(json!({"kind": "secret", "name": name, "address": address}))
}

async fn register(world: &World, body: Value) -> crate::support::Answer {
    world.post("/admin/v1/treasuries", body).await
}

#[tokio::test]
async fn a_kms_key_gives_the_address_and_an_imported_one_is_believed() {
    let world = World::new();
    let key = KeyRef::Kms { key_id: "arn:key".to_owned() };
    let address = world.keys.create(key.clone());
    let answer = register(&world, request(json!({"kind": "kms", "keyId": "arn:key"}))).await;
    assert_eq!((answer.status, answer.body), (201, json!({"address": address.to_string()})));
    let answer = register(&world, secret("old", ADDRESS)).await;
    assert_eq!((answer.status, answer.body), (201, json!({"address": ADDRESS})));

    let tenant: TenantId = "acme".parse().expect("a tenant");
    let lane = LaneId { network: "local".parse().expect("a network"), address };
    let row = world.row(&Treasury::lane_key(&lane)).await.expect("the lane is known");
    let treasury: Treasury = row.parse().expect("a treasury");
    assert_eq!((treasury.tenant, treasury.key), (tenant, key));
    assert_eq!(world.actions().await, ["treasuries.register", "treasuries.register"]);
}

#[tokio::test]
async fn both_sides_of_every_later_posting_are_known_accounts() {
    let world = World::new();
    register(&world, secret("old", ADDRESS)).await.ok();
    let accounts = world.all("/admin/v1/accounts", 100).await;
    let mut known: Vec<_> = accounts.iter().map(|it| format!("{} {}", it["account"], it["symbol"])).collect();
    known.sort();
    let treasury = |symbol: &str| format!("\"treasury:local/{ADDRESS}\" \"{symbol}\"");
    let mut expected: Vec<_> = ["ETH", "TUSD", "TUSDT", "TBLK", "TFALSE"].map(treasury).into();
    expected.push("\"gas:acme\" \"ETH\"".to_owned());
    expected.sort();
    assert_eq!(known, expected);
}

#[tokio::test]
async fn they_are_listed_by_tenant_or_all() {
    let world = World::new();
    let acme = world.treasury("acme").await;
    let globex = world.treasury("globex").await;
    let shown = |tenant: &str, address: &str| {
        let key = json!({"kind": "kms", "keyId": format!("key-of-{tenant}")});
        json!({"tenant": tenant, "network": "local", "address": address, "key": key})
    };
    let mine = world.get("/admin/v1/treasuries?tenant=acme&limit=100").await.ok();
    assert_eq!(mine["items"], json!([shown("acme", &acme)]));
    let all = world.all("/admin/v1/treasuries", 1).await;
    assert_eq!(all.len(), 2);
    assert!(all.contains(&shown("acme", &acme)) && all.contains(&shown("globex", &globex)), "{all:?}");
    let refused = world.get("/admin/v1/treasuries?tenant=a%20b").await.refusal();
    assert_eq!(refused, (400, "VALIDATION_ERROR".to_owned(), "tenant".to_owned()));
}

#[tokio::test]
async fn an_address_is_registered_once() {
    let world = World::new();
    register(&world, secret("old", ADDRESS)).await.ok();
    let before = (world.rows(WALLETS), world.rows(LEDGER));
    let mut others = secret("old", &ADDRESS.to_lowercase());
    others["tenant"] = json!("globex");
    for body in [secret("old", ADDRESS), secret("other", ADDRESS), others] {
        assert_eq!(register(&world, body).await.refusal(), (409, "CONFLICT".to_owned(), String::new()));
    }
    assert_eq!((world.rows(WALLETS), world.rows(LEDGER)), before);
    assert_eq!(world.actions().await.len(), 1);
    // On another network it is another lane.
    let mut elsewhere = secret("old", ADDRESS);
    elsewhere["network"] = json!("sepolia");
    register(&world, elsewhere).await.ok();
}

#[tokio::test]
async fn every_fault_names_its_field_in_full() {
    let world = World::new();
    let cases = [
        (request(json!({"kind": "kms", "keyId": "unknown"})), "key.keyId"),
        (request(json!({"kind": "kms"})), "key.keyId"),
        (request(json!({"kind": "kms", "keyId": "x", "address": ADDRESS})), "key.address"),
        (request(json!({"kind": "secret", "name": "x"})), "key.address"),
        (request(json!({"kind": "secret", "address": ADDRESS})), "key.name"),
        (request(json!({"kind": "secret", "name": "x", "address": ADDRESS, "keyId": "x"})), "key.keyId"),
        (secret("x", "0xF39fd6e51aad88F6F4ce6aB8827279cffFb92266"), "key.address"),
        (secret("x", &Address::ZERO.to_string()), "key.address"),
        (request(json!({"kind": "paper"})), "key.kind"),
        (request(json!({"kind": "kms", "id": "x"})), "key.id"),
        (request(json!("kms")), "key"),
        (request(Value::Null), "key"),
        (json!({"tenant": "a b", "network": "local", "key": {}, "reason": "x"}), "tenant"),
        (json!({"tenant": "acme", "network": "local", "key": {}}), "reason"),
    ];
    for (body, field) in cases {
        let told = body.to_string();
        let refused = register(&world, body).await.refusal();
        assert_eq!(refused, (400, "VALIDATION_ERROR".to_owned(), field.to_owned()), "{told}");
    }
    let mut moon = secret("x", ADDRESS);
    moon["network"] = json!("moon");
    assert_eq!(register(&world, moon).await.refusal().1, "UNKNOWN_NETWORK");
    assert_eq!((world.rows(WALLETS), world.rows(LEDGER)), (0, 0));
}

#[tokio::test]
async fn a_key_service_that_does_not_answer_is_not_the_operator_s_fault() {
    let world = World::new();
    let body = request(json!({"kind": "kms", "keyId": "k"}));
    world.keys.create(KeyRef::Kms { key_id: "k".to_owned() });
    world.keys.set_fault(|_| Fault::Unavailable);
    let answer = register(&world, body.clone()).await;
    assert_eq!((answer.status, answer.retry_after.as_deref()), (503, Some("1")));
    world.keys.set_fault(|_| Fault::Denied);
    assert_eq!(register(&world, body.clone()).await.refusal().2, "key.keyId");
    world.keys.clear_fault();
    register(&world, body).await.ok();
}
