//! What holds for every route: operators only, bounded bodies, reasons, and a record of every change.

use std::collections::BTreeSet;

use causeway_admin::openapi::Document;
use causeway_domain::limits::BODY_BYTES_MAX;
use causeway_state::tables::{AUDIT, DEAD_LETTERS, LEDGER, TRANSFERS, WALLETS};
use serde_json::{Value, json};
use utoipa::OpenApi;

use crate::support::World;

/// Method and path of every documented route, with something in place of its parameters.
fn documented() -> Vec<(String, String)> {
    let document = serde_json::to_value(Document::openapi()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let mut routes = Vec::new();
    for (path, methods) in paths {
        let parts = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part });
        let path = parts.collect::<Vec<_>>().join("/");
        let methods = methods.as_object().expect("methods").keys();
        routes.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    assert_eq!(routes.len(), 25);
    routes
}

fn code(body: &Value) -> &Value {
    body.get("error").unwrap_or(body).get("code").unwrap_or(&Value::Null)
}

#[tokio::test]
async fn nobody_but_an_operator_comes_in() {
    let world = World::new();
    for (method, path) in documented() {
        for (roles, status, expected) in
            [("", 401, "UNAUTHENTICATED"), ("client", 403, "FORBIDDEN"), ("operators admin", 403, "FORBIDDEN")]
        {
            let answer = world.call(&method, &path, roles, Some("{}".to_owned())).await;
            assert_eq!((answer.status, code(&answer.body)), (status, &json!(expected)), "{method} {path} as {roles:?}");
            let shaped = if path.starts_with("/withdrawal") { "error" } else { "status" };
            assert!(answer.body.get(shaped).is_some(), "{answer:?}");
        }
        let answer = world.call(&method, &path, "client operator", Some("{}".to_owned())).await;
        assert!(![401, 403, 405].contains(&answer.status), "{method} {path}: {answer:?}");
    }
    for table in [TRANSFERS, LEDGER, WALLETS, DEAD_LETTERS, AUDIT] {
        assert_eq!(world.rows(table), 0, "nothing was written to {}", table.0);
    }
}

#[tokio::test]
async fn every_change_wants_a_body_it_can_read() {
    let world = World::new();
    let changes: BTreeSet<_> = documented()
        .into_iter()
        .filter(|(method, path)| method == "POST" && !path.ends_with("/check"))
        .map(|(_, path)| path)
        .collect();
    assert_eq!(changes.len(), 11);
    for path in changes {
        let post = async |body: String| world.call("POST", &path, "operator", Some(body)).await.refusal();
        let malformed = |field: &str| (400, "VALIDATION_ERROR".to_owned(), field.to_owned());
        for body in ["", "{", "[]", "null", "\"reason\""] {
            assert_eq!(post(body.to_owned()).await, malformed("body"), "{path} {body:?}");
        }
        assert_eq!(post(r#"{"surprise": 1}"#.to_owned()).await, malformed("surprise"), "{path}");
        assert_eq!(post(r#"{"reason": "a", "reason": "b"}"#.to_owned()).await, malformed("reason"), "{path}");
        let large = json!({"reason": "x".repeat(BODY_BYTES_MAX)}).to_string();
        assert_eq!(post(large).await, (413, "BODY_TOO_LARGE".to_owned(), String::new()), "{path}");
    }
}

#[tokio::test]
async fn what_is_no_route_is_not_found() {
    let world = World::new();
    for (method, path) in [
        ("GET", "/admin/v1"),
        ("GET", "/admin/v1/users"),
        ("DELETE", "/admin/v1/accounts"),
        ("POST", "/admin/v1/lanes"),
        ("GET", "/admin/v2/accounts"),
        ("GET", "/"),
    ] {
        let answer = world.call(method, path, "operator", None).await;
        assert_eq!(answer.refusal(), (404, "NOT_FOUND".to_owned(), String::new()), "{method} {path}");
    }
}

#[tokio::test]
async fn the_audit_log_tells_who_did_what_and_why_newest_first() {
    let world = World::new();
    world.treasury("acme").await;
    world.credit("acme", "TUSD", "2.5", "k").await.ok();
    let records = world.all("/admin/v1/audit", 1).await;
    assert_eq!(records.len(), 2);
    let (newest, oldest) = (&records[0], &records[1]);
    for (field, value) in [
        ("seq", json!(2)),
        ("by", json!("olga")),
        ("at", json!("2025-12-17T19:33:20.000Z")),
        ("action", json!("accounts.credit")),
        ("target", json!("tenant:acme#local:0x700b6a60ce7eaaea56f065753d8dcb9653dbad35")),
        ("reason", json!("a test")),
        ("previous", oldest["hash"].clone()),
    ] {
        assert_eq!(newest[field], value, "{field}");
    }
    assert_eq!(newest["detail"]["amount"], "2.5");
    assert_eq!(oldest["previous"], format!("0x{}", "00".repeat(32)));
    world.must_be_sound().await;
}

#[tokio::test]
async fn a_store_that_is_out_of_reach_is_our_fault_and_tells_nothing_of_the_inside() {
    use std::sync::Arc;

    use causeway_store::{
        CommitToken, MemoryStore, Write,
        memory::{CommitFault, Faults, Read, ReadFault},
    };

    #[derive(Debug)]
    struct Away;
    impl Faults for Away {
        fn commit(&self, _: &CommitToken, _: &[Write]) -> CommitFault {
            CommitFault::LoseCall
        }
        fn read(&self, _: Read<'_>) -> ReadFault {
            ReadFault::Unavailable
        }
    }
    let store = MemoryStore::new();
    let world = World::over(store.clone(), Arc::new(store.with_faults(Arc::new(Away))));
    for path in ["accounts", "lanes", "treasuries", "switches", "audit", "dead-letters"] {
        let answer = world.get(&format!("/admin/v1/{path}")).await;
        assert_eq!((answer.status, &answer.body["code"]), (500, &json!("INTERNAL")), "{path}");
        assert!(!answer.body.to_string().contains("test"), "{answer:?}");
    }
}
