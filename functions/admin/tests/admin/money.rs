//! Credits and debits: once for a key, never without a treasury, never more than there is.

use std::sync::Arc;

use async_trait::async_trait;
use causeway_domain::{Address, Networks, network::AssetId};
use causeway_state::{
    ledger::{AccountId, Buckets, EntryKind, Postings},
    tables::{AUDIT, LEDGER},
};
use causeway_store::{Commit, CommitToken, Item, Key, MemoryStore, Page, Query, Store, StoreError, Write};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::{NETWORKS, World, movement};

/// A store whose calls let others go first, so that calls at the same time really interleave.
#[derive(Debug)]
struct Polite(MemoryStore);

#[async_trait]
impl Store for Polite {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        tokio::task::yield_now().await;
        self.0.get(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        tokio::task::yield_now().await;
        self.0.get_many(keys).await
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        tokio::task::yield_now().await;
        self.0.query(query).await
    }

    async fn commit(&self, token: &CommitToken, writes: &[Write]) -> Result<Commit, StoreError> {
        tokio::task::yield_now().await;
        self.0.commit(token, writes).await
    }
}

fn busy_world() -> World {
    let store = MemoryStore::new();
    World::over(store.clone(), Arc::new(Polite(store)))
}

async fn debit(world: &World, amount: &str, key: &str) -> crate::support::Answer {
    world.post("/admin/v1/accounts/debit", movement("acme", "TUSD", amount, key)).await
}

async fn available(world: &World) -> String {
    let items = world.all("/admin/v1/accounts/acme", 100).await;
    let account = items.iter().find(|item| item["account"] == "tenant:acme" && item["symbol"] == "TUSD");
    account.expect("the account")["available"].as_str().expect("text").to_owned()
}

#[tokio::test]
async fn the_same_key_moves_money_once() {
    let world = World::new();
    world.treasury("acme").await;
    let first = world.credit("acme", "TUSD", "10", "k").await.ok();
    assert_eq!(first["available"], "10");
    assert!(first["operationId"].as_str().is_some_and(|id| id.starts_with("op_")), "{first}");
    let before = (world.rows(LEDGER), world.rows(AUDIT));
    assert_eq!(world.credit("acme", "TUSD", "10", "k").await.ok(), first);
    // The same request by meaning.
    let address = "0x700b6A60ce7EaaEA56F065753d8dcB9653dbAD35";
    assert_eq!(world.credit("acme", address, "10.000", "k").await.ok(), first);
    assert_eq!((world.rows(LEDGER), world.rows(AUDIT)), before, "a repeat writes nothing");
    // Another tenant's key is another key.
    world.treasury("globex").await;
    assert_ne!(world.credit("globex", "TUSD", "10", "k").await.ok()["operationId"], first["operationId"]);
    assert_eq!(
        world.actions().await,
        ["treasuries.register", "accounts.credit", "treasuries.register", "accounts.credit"]
    );
}

#[tokio::test]
async fn a_key_that_was_used_for_something_else_is_refused() {
    let world = World::new();
    world.treasury("acme").await;
    world.credit("acme", "TUSD", "10", "k").await.ok();
    let mut reasoned = movement("acme", "TUSD", "10", "k");
    reasoned["reason"] = json!("another reason");
    let mut changed = vec![movement("acme", "TUSD", "11", "k"), movement("acme", "TBLK", "10", "k"), reasoned];
    let refusals = [
        world.post("/admin/v1/accounts/credit", changed.remove(0)).await.refusal(),
        world.post("/admin/v1/accounts/credit", changed.remove(0)).await.refusal(),
        world.post("/admin/v1/accounts/credit", changed.remove(0)).await.refusal(),
        debit(&world, "10", "k").await.refusal(),
    ];
    for refusal in refusals {
        assert_eq!(refusal, (422, "IDEMPOTENCY_KEY_REUSED".to_owned(), "idempotencyKey".to_owned()));
    }
    assert_eq!(available(&world).await, "10");
}

#[tokio::test]
async fn a_repeat_gets_its_answer_whatever_became_of_its_token_and_network() {
    let tusd = |text: &str, by: &str| NETWORKS.replace(text, by);
    let line = r#"symbol = "TUSD", address = "0x700b6A60ce7EaaEA56F065753d8dcB9653dbAD35", decimals = 6"#;
    let gone = r#"symbol = "OTHER", address = "0x00000000000000000000000000000000000000aa", decimals = 6"#;
    let elsewhere = r#"symbol = "TUSD", address = "0x00000000000000000000000000000000000000aa", decimals = 6"#;
    let files = [
        (tusd(line, gone), true),
        (NETWORKS.to_owned(), false),
        (tusd(line, &line.replace("= 6", "= 2")), true),
        (tusd(line, &line.replace("= 6", "= 8")), true),
        (tusd(line, elsewhere), true),
    ];
    for (file, enabled) in files {
        let world = World::new();
        world.treasury("acme").await;
        let credited = world.credit("acme", "TUSD", "10.000001", "in").await.ok();
        let debited = debit(&world, "1.000001", "out").await.ok();
        assert_eq!(credited["available"], "10.000001");
        let before = (world.rows(LEDGER), world.rows(AUDIT));
        let networks = Networks::parse(&file, if enabled { &["local"] } else { &[] }).expect("a file");
        let later = world.told_of(networks);
        for token in ["TUSD", "0x700b6A60ce7EaaEA56F065753d8dcB9653dbAD35"] {
            let again = later.credit("acme", token, "10.0000010", "in").await.ok();
            assert_eq!((&again["operationId"], &again["available"]), (&credited["operationId"], &json!("9")));
        }
        assert_eq!(debit(&later, "1.000001", "out").await.ok(), debited);
        // What is another request is told so, and a new one is held against the file.
        for other in [debit(&later, "1.000002", "out").await, later.credit("acme", "ETH", "10.000001", "in").await] {
            assert_eq!(other.refusal().1, "IDEMPOTENCY_KEY_REUSED");
        }
        if !enabled {
            assert_eq!(later.credit("acme", "TUSD", "1", "new").await.refusal().1, "UNKNOWN_NETWORK");
        }
        assert_eq!((world.rows(LEDGER), world.rows(AUDIT)), before);
    }
}

#[tokio::test]
async fn the_same_key_at_once_moves_money_once_and_answers_alike() {
    let world = busy_world();
    world.treasury("acme").await;
    let answers = join_all((0..20).map(|_| world.credit("acme", "TUSD", "10", "k"))).await;
    let bodies: Vec<Value> = answers.into_iter().map(|answer| answer.ok()).collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    assert_eq!(available(&world).await, "10");
    assert_eq!(world.actions().await, ["treasuries.register", "accounts.credit"]);
}

#[tokio::test]
async fn different_keys_at_once_all_count_and_their_records_form_one_chain() {
    let world = busy_world();
    world.treasury("acme").await;
    let keys: Vec<String> = (0..5).map(|n| format!("k{n}")).collect();
    for answer in join_all(keys.iter().map(|key| world.credit("acme", "TUSD", "3", key))).await {
        answer.ok();
    }
    assert_eq!(available(&world).await, "15");
    assert_eq!(world.actions().await.len(), 6);
}

#[tokio::test]
async fn debits_at_once_never_take_more_than_there_is() {
    let world = busy_world();
    world.treasury("acme").await;
    world.credit("acme", "TUSD", "10", "in").await.ok();
    let keys: Vec<String> = (0..5).map(|n| format!("out{n}")).collect();
    let answers = join_all(keys.iter().map(|key| debit(&world, "4", key))).await;
    let taken = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.into_iter().filter(|answer| answer.status != 200);
    for answer in refused {
        assert_eq!(answer.body["details"], json!({"field": "amount", "available": "2", "required": "4"}));
        assert_eq!(answer.refusal(), (402, "INSUFFICIENT_FUNDS".to_owned(), "amount".to_owned()));
    }
    assert_eq!((taken, available(&world).await.as_str()), (2, "2"));
    world.must_be_sound().await;
}

#[tokio::test]
async fn a_debit_finds_the_last_coin_in_whichever_shards() {
    let world = World::new();
    world.treasury("acme").await;
    world.credit("acme", "TUSD", "0.000005", "a").await.ok();
    world.credit("acme", "TUSD", "0.00001", "b").await.ok();
    assert_eq!(debit(&world, "0.000015", "c").await.ok()["available"], "0");
    // A repeat is answered although the money is gone.
    assert_eq!(debit(&world, "0.000015", "c").await.status, 200);
    assert_eq!(debit(&world, "0.000001", "d").await.status, 402);
    world.must_be_sound().await;
}

#[tokio::test]
async fn an_operator_cannot_take_a_gas_account_below_zero() {
    let world = World::new();
    world.treasury("acme").await;
    let mut body = movement("acme", "ETH", "1", "k");
    body["account"] = json!("gas");
    assert_eq!(world.post("/admin/v1/accounts/credit", body.clone()).await.ok()["available"], "1");
    body["idempotencyKey"] = json!("k2");
    body["amount"] = json!("1.000000000000000001");
    let refused = world.post("/admin/v1/accounts/debit", body.clone()).await.refusal();
    assert_eq!(refused.1, "INSUFFICIENT_FUNDS");
    body["amount"] = json!("1");
    assert_eq!(world.post("/admin/v1/accounts/debit", body).await.ok()["available"], "0");
    world.must_be_sound().await;
}

#[tokio::test]
async fn gas_that_was_burnt_from_one_shard_is_missing_from_the_whole_account() {
    let world = World::new();
    let treasury = world.treasury("acme").await;
    let mut body = movement("acme", "ETH", "0.000000000000000008", "in");
    body["account"] = json!("gas");
    world.post("/admin/v1/accounts/credit", body.clone()).await.ok();
    let asset: AssetId = format!("local:{}", Address::ZERO).try_into().expect("an asset");
    let account = |owner: String| AccountId { owner: owner.try_into().expect("an owner"), asset: asset.clone() };
    let mut burnt = Postings::new();
    for (owner, units) in [("gas:acme".to_owned(), -5), (format!("treasury:local/{treasury}"), 5)] {
        let change = Buckets { available: units, held: 0, posted: -units };
        burnt.add(&account(owner), 3, "burnt".to_owned(), EntryKind::Gas, change, "gas").expect("a posting");
    }
    let writes = burnt.writes(0).expect("balanced");
    assert_eq!(world.store.commit(&CommitToken::new("burnt"), &writes).await.expect("tried"), Commit::Committed);
    body["idempotencyKey"] = json!("out");
    body["amount"] = json!("0.000000000000000004");
    let refused = world.post("/admin/v1/accounts/debit", body.clone()).await;
    assert_eq!((refused.status, &refused.body["details"]["available"]), (402, &json!("0.000000000000000003")));
    body["amount"] = json!("0.000000000000000003");
    assert_eq!(world.post("/admin/v1/accounts/debit", body).await.ok()["available"], "0");
    world.must_be_sound().await;
}

#[tokio::test]
async fn no_money_moves_without_a_treasury() {
    let world = World::new();
    let refused = world.credit("acme", "TUSD", "1", "k").await.refusal();
    assert_eq!(refused, (409, "NO_TREASURY".to_owned(), String::new()));
    assert_eq!((world.rows(LEDGER), world.rows(AUDIT)), (0, 0));
}

#[tokio::test]
async fn an_account_takes_no_more_than_its_sums_can_hold() {
    let world = World::new();
    world.treasury("acme").await;
    let most = format!("1{}", "0".repeat(31));
    world.credit("acme", "TUSD", &most, "most").await.ok();
    let refused = world.credit("acme", "TUSD", "0.000001", "more").await;
    assert_eq!(refused.body["details"]["field"], "amount", "{}", refused.body);
    assert!(refused.body["message"].as_str().is_some_and(|told| told.contains(&most)), "{}", refused.body);
    debit(&world, "1", "less").await.ok();
    world.credit("acme", "TUSD", "1", "again").await.ok();
    world.must_be_sound().await;
}

#[tokio::test]
async fn every_fault_of_a_body_names_its_field() {
    let world = World::new();
    world.treasury("acme").await;
    let before = (world.rows(LEDGER), world.rows(AUDIT));
    let cases: &[(&str, Value, &str, &str)] = &[
        ("tenant", json!("a b"), "VALIDATION_ERROR", "tenant"),
        ("tenant", Value::Null, "VALIDATION_ERROR", "tenant"),
        ("account", json!("other"), "VALIDATION_ERROR", "account"),
        ("account", json!("gas"), "VALIDATION_ERROR", "token"),
        ("network", json!("moon"), "UNKNOWN_NETWORK", "network"),
        ("token", json!("DOGE"), "UNKNOWN_TOKEN", "token"),
        ("amount", json!("0"), "VALIDATION_ERROR", "amount"),
        ("amount", json!("-1"), "VALIDATION_ERROR", "amount"),
        ("amount", json!("0.0000001"), "VALIDATION_ERROR", "amount"),
        ("amount", json!(1), "VALIDATION_ERROR", "amount"),
        ("reason", json!(" "), "VALIDATION_ERROR", "reason"),
        ("reason", json!("x".repeat(501)), "VALIDATION_ERROR", "reason"),
        ("idempotencyKey", json!("a b"), "VALIDATION_ERROR", "idempotencyKey"),
        ("memo", json!("x"), "VALIDATION_ERROR", "memo"),
    ];
    for (name, value, code, field) in cases {
        for verb in ["credit", "debit"] {
            let mut body = movement("acme", "TUSD", "1", "k");
            body[*name] = value.clone();
            let refused = world.post(&format!("/admin/v1/accounts/{verb}"), body).await.refusal();
            assert_eq!(refused, (400, (*code).to_owned(), (*field).to_owned()), "{verb} with {name} {value}");
        }
    }
    assert_eq!((world.rows(LEDGER), world.rows(AUDIT)), before);
}

/// A tenant's second treasury on the network.
async fn second(world: &World) -> String {
    world.keys.create(causeway_keys::KeyRef::Kms { key_id: "second".to_owned() });
    let key = json!({"kind": "kms", "keyId": "second"});
    world.clock.pass(1);
    let body = json!({"tenant": "acme", "network": "local", "key": key, "reason": "another one"});
    world.post("/admin/v1/treasuries", body).await.ok()["address"].as_str().expect("an address").to_owned()
}

/// What the books have at a treasury.
async fn at(world: &World, address: &str) -> String {
    let items = world.all("/admin/v1/accounts/acme", 100).await;
    let name = format!("treasury:local/{address}");
    let account = items.iter().find(|item| item["account"] == *name && item["symbol"] == "TUSD");
    account.expect("the account")["available"].as_str().expect("text").to_owned()
}

#[tokio::test]
async fn of_several_treasuries_the_one_that_is_named_has_it() {
    let world = World::new();
    let first = world.treasury("acme").await;
    let second = second(&world).await;
    let moved = |amount: &str, treasury: Option<&str>, key: &str| {
        let mut body = movement("acme", "TUSD", amount, key);
        if let Some(treasury) = treasury {
            body["treasury"] = json!(treasury);
        }
        body
    };
    let credit = async |body: Value| world.post("/admin/v1/accounts/credit", body).await;
    let debit = async |body: Value| world.post("/admin/v1/accounts/debit", body).await;
    credit(moved("10", None, "a")).await.ok();
    assert_eq!((at(&world, &first).await, at(&world, &second).await), ("-10".into(), "0".into()));
    let answer = credit(moved("5", Some(&second), "b")).await.ok();
    assert_eq!((at(&world, &first).await, at(&world, &second).await), ("-10".into(), "-5".into()));
    debit(moved("2", Some(&second.to_lowercase()), "c")).await.ok();
    debit(moved("1", Some(&first), "d")).await.ok();
    assert_eq!((at(&world, &first).await, at(&world, &second).await), ("-9".into(), "-3".into()));
    assert_eq!(available(&world).await, "12");
    // The treasury is part of what a key was used for.
    let before = (world.rows(LEDGER), world.rows(AUDIT));
    assert_eq!(credit(moved("5", Some(&second), "b")).await.ok()["operationId"], answer["operationId"]);
    for other in [None, Some(first.as_str())] {
        let refused = credit(moved("5", other, "b")).await.refusal();
        assert_eq!(refused, (422, "IDEMPOTENCY_KEY_REUSED".to_owned(), "idempotencyKey".to_owned()));
    }
    assert_eq!((world.rows(LEDGER), world.rows(AUDIT)), before);
    let last = world.must_be_sound().await.pop().expect("a record");
    let detail: Value = serde_json::from_str(&last.detail).expect("JSON");
    assert_eq!(detail["treasury"], format!("treasury:local/{first}"));
}

#[tokio::test]
async fn a_treasury_that_is_not_the_tenants_is_refused_by_its_field() {
    let world = World::new();
    world.treasury("acme").await;
    let others = world.treasury("globex").await;
    let before = (world.rows(LEDGER), world.rows(AUDIT));
    let unknown = "0x00000000000000000000000000000000000000aa";
    for treasury in [json!(others), json!(unknown), json!("0x12"), json!(""), json!(7)] {
        for verb in ["credit", "debit"] {
            let mut body = movement("acme", "TUSD", "1", "k");
            body["treasury"] = treasury.clone();
            let refused = world.post(&format!("/admin/v1/accounts/{verb}"), body).await.refusal();
            assert_eq!(refused, (400, "VALIDATION_ERROR".to_owned(), "treasury".to_owned()), "{verb} {treasury}");
        }
    }
    assert_eq!((world.rows(LEDGER), world.rows(AUDIT)), before);
}
