//! Accounts as they are listed and checked.

use causeway_store::{Expect, Key, Update, Write};
use serde_json::{Value, json};

use crate::support::{World, movement};

fn balances(items: &[Value], account: &str, symbol: &str) -> (String, String, String) {
    let found = items.iter().find(|item| item["account"] == account && item["symbol"] == symbol);
    let found = found.unwrap_or_else(|| panic!("no {symbol} of {account} in {items:?}"));
    let text = |name: &str| found[name].as_str().expect("text").to_owned();
    (text("available"), text("held"), text("posted"))
}

#[tokio::test]
async fn accounts_are_told_in_the_asset_s_unit_with_the_treasury_on_the_other_side() {
    let world = World::new();
    let address = world.treasury("acme").await;
    world.treasury("globex").await;
    world.credit("acme", "TUSD", "100.25", "k1").await.ok();
    let gas = json!({"account": "gas"});
    let mut body = movement("acme", "ETH", "0.000000000000000001", "k2");
    body["account"] = gas["account"].clone();
    world.post("/admin/v1/accounts/credit", body).await.ok();
    world.credit("globex", "TUSD", "7", "k1").await.ok();

    let treasury = format!("treasury:local/{address}");
    let mine = world.all("/admin/v1/accounts/acme", 100).await;
    let told = |available: &str| (available.to_owned(), "0".to_owned(), "0".to_owned());
    assert_eq!(balances(&mine, "tenant:acme", "TUSD"), told("100.25"));
    assert_eq!(balances(&mine, &treasury, "TUSD"), told("-100.25"));
    assert_eq!(balances(&mine, "gas:acme", "ETH"), told("0.000000000000000001"));
    assert_eq!(balances(&mine, &treasury, "ETH"), told("-0.000000000000000001"));
    assert_eq!(balances(&mine, &treasury, "TBLK"), told("0"));
    assert!(mine.iter().all(|item| !item["account"].as_str().expect("text").contains("globex")), "{mine:?}");

    let everybody = world.all("/admin/v1/accounts", 100).await;
    assert_eq!(balances(&everybody, "tenant:globex", "TUSD"), told("7"));
    assert!(everybody.len() > mine.len());
    world.must_be_sound().await;
}

#[tokio::test]
async fn pages_leave_nothing_out_and_repeat_nothing() {
    let world = World::new();
    for tenant in ["acme", "globex"] {
        world.treasury(tenant).await;
        world.credit(tenant, "TUSD", "1", "k").await.ok();
    }
    for path in ["/admin/v1/accounts", "/admin/v1/accounts/acme"] {
        let whole = world.all(path, 100).await;
        assert!(whole.len() > 5);
        for limit in [1, 2, whole.len()] {
            assert_eq!(world.all(path, limit).await, whole, "{path} by {limit}");
        }
    }
    assert_eq!(world.all("/admin/v1/accounts/nobody", 10).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_page_that_cannot_be_is_refused_by_name() {
    let world = World::new();
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "query"),
        ("cursor=x", "cursor"),
        ("cursor=7.", "cursor"),
        ("cursor=0.bm8", "cursor"),
        ("other=1", "query"),
    ] {
        let refused = world.get(&format!("/admin/v1/accounts?{query}")).await.refusal();
        assert_eq!(refused, (400, "VALIDATION_ERROR".to_owned(), field.to_owned()), "{query}");
    }
    let refused = world.get("/admin/v1/accounts/a%20b").await.refusal();
    assert_eq!(refused, (400, "VALIDATION_ERROR".to_owned(), "tenant".to_owned()));
}

#[tokio::test]
async fn a_check_tells_what_does_not_fit() {
    let world = World::new();
    world.treasury("acme").await;
    world.credit("acme", "TUSD", "8", "k").await.ok();
    let clean = world.post("/admin/v1/accounts/check", json!({})).await.ok();
    assert_eq!((&clean["clean"], &clean["unbalanced"]), (&json!(true), &json!([])));
    let tusd = "tenant:acme#local:0x700b6a60ce7eaaea56f065753d8dcb9653dbad35";
    let one = |check: &Value| {
        let accounts = check["accounts"].as_array().expect("a list").clone();
        accounts.into_iter().find(|account| account["account"] == tusd).expect("the account")
    };
    assert_eq!(
        one(&clean),
        json!({"account": tusd, "balances": ["8000000", "0", "0"], "entries": 8, "unproven": 0, "faults": []})
    );

    // Somebody changes a balance without an entry.
    let key = Key::new(causeway_state::tables::LEDGER, format!("ACC#{tusd}#3"), "BAL");
    let version = world.row(&key).await.expect("a shard").version();
    let update = Update { add: vec![("available", 1)], ..Update::default() };
    world.put(Write::Update { key, update, expect: vec![Expect::Version(version)] }).await;
    let check = world.post("/admin/v1/accounts/check", json!({})).await.ok();
    assert_eq!(check["clean"], false);
    assert_eq!(one(&check)["faults"].as_array().map(Vec::len), Some(1), "{check}");
}
