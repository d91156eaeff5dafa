//! `load` against an API that takes everything and moves each transfer one step a look.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use wiremock::{MockServer, Request, ResponseTemplate};

use crate::mock::{body, header, on_with, received, run};

const STEPS: [&str; 5] = ["accepted", "assigned", "broadcast", "included", "confirmed"];

/// Transfers that were taken: recipient and steps done.
type Taken = Arc<Mutex<Vec<(String, usize)>>>;

async fn api(end: &'static str) -> (MockServer, Taken) {
    let (server, taken) = (MockServer::start().await, Taken::default());
    let book = Arc::clone(&taken);
    let take = move |request: &Request| {
        let to = body(request)["toAddress"].as_str().expect("a recipient").to_owned();
        book.lock().expect("the book").push((to, 0));
        let id = "tx-1766000000000-a1b2c3d4e";
        ResponseTemplate::new(201).set_body_json(json!({"requestId": id, "status": "PENDING"}))
    };
    on_with(&server, "POST", "/withdrawal/request", take).await;
    let book = Arc::clone(&taken);
    let list = move |request: &Request| list(&mut book.lock().expect("the book"), request, end);
    on_with(&server, "GET", "/api/v1/transfers", list).await;
    (server, taken)
}

/// A page, newest first; its rows go one step further.
fn list(book: &mut [(String, usize)], request: &Request, end: &str) -> ResponseTemplate {
    let query = |wanted: &str| {
        request.url.query_pairs().find(|(name, _)| name == wanted).and_then(|(_, value)| value.parse::<usize>().ok())
    };
    let (limit, after) = (query("limit").expect("a limit"), query("cursor").unwrap_or(0));
    let total = book.len();
    let rows: Vec<Value> = book
        .iter_mut()
        .rev()
        .skip(after)
        .take(limit)
        .map(|(to, step)| {
            let state = STEPS.get(*step).copied().filter(|state| *state != "confirmed").unwrap_or(end);
            *step += 1;
            json!({"transferId": "tr_01k5c3j8000000000000000000-0", "state": state, "to": to})
        })
        .collect();
    let next = (after + limit < total).then(|| (after + limit).to_string());
    ResponseTemplate::new(200).set_body_json(json!({"transfers": rows, "nextCursor": next}))
}

fn stage<'a>(report: &'a Value, name: &str) -> &'a Value {
    let stages = report["stages"].as_array().expect("stages");
    stages.iter().find(|stage| stage["stage"] == name).unwrap_or_else(|| panic!("{name} in {report}"))
}

#[tokio::test]
async fn everything_is_followed_to_its_end() {
    let (server, taken) = api("confirmed").await;
    let arguments = [
        "--yes",
        "load",
        "--count",
        "230",
        "--seed",
        "s",
        "--follow",
        "terminal",
        "--poll-ms",
        "20",
        "--output",
        "json",
    ];
    let run = run(&server, &arguments).await;
    assert_eq!(run.code, 0, "{}", run.err);
    let report = run.json();
    assert_eq!((report["requests"].clone(), report["accepted"].clone()), (json!(230), json!(230)));
    assert_eq!((report["ended"].clone(), report["unfinished"].clone()), (json!({"confirmed": 230}), json!(0)));
    for name in [
        "request -> answer",
        "request -> accepted",
        "request -> broadcast",
        "request -> included",
        "request -> terminal",
    ] {
        assert_eq!(stage(&report, name)["count"], 230, "{name}");
    }
    assert!(report["looks"].as_u64() >= Some(5), "one look for each state at least: {report}");
    let recipients: HashSet<_> = taken.lock().expect("the book").iter().map(|(to, _)| to.clone()).collect();
    assert_eq!(recipients.len(), 230);
    let requests = received(&server).await;
    let keys: HashSet<_> = requests.iter().filter_map(|request| header(request, "idempotency-key")).collect();
    assert_eq!(keys.len(), 230);
    assert!(
        requests.iter().all(|request| !request.url.path().starts_with("/withdrawal/status")),
        "the list is read, not each id"
    );
}

#[tokio::test]
async fn following_stops_at_its_goal() {
    let (server, _taken) = api("confirmed").await;
    let arguments = ["--yes", "load", "--count", "5", "--follow", "broadcast", "--poll-ms", "20", "--output", "json"];
    let run = run(&server, &arguments).await;
    assert_eq!(run.code, 0, "{}", run.err);
    let report = run.json();
    assert_eq!(stage(&report, "request -> broadcast")["count"], 5);
    let stages = report["stages"].as_array().expect("stages");
    assert!(stages.iter().all(|stage| stage["stage"] != "request -> terminal"), "{report}");
}

#[tokio::test]
async fn the_same_seed_asks_for_the_same() {
    let bodies = async || {
        let (server, _taken) = api("confirmed").await;
        let run = run(
            &server,
            &["--yes", "load", "--count", "4", "--concurrency", "1", "--seed", "again", "--amount", "0.1..9"],
        )
        .await;
        assert_eq!(run.code, 0, "{}", run.err);
        let requests = received(&server).await;
        let sent = requests.iter().filter(|request| request.url.path() == "/withdrawal/request");
        sent.map(|request| (header(request, "idempotency-key"), body(request))).collect::<Vec<_>>()
    };
    let (first, second) = (bodies().await, bodies().await);
    assert_eq!(first.len(), 4);
    assert_eq!(first, second);
}

#[tokio::test]
async fn a_pace_sends_rate_times_seconds() {
    let (server, taken) = api("confirmed").await;
    let run = run(&server, &["--yes", "load", "--rate", "200", "--seconds", "1"]).await;
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(taken.lock().expect("the book").len(), 200);
    assert!(run.out.contains("requests 200, accepted 200, refused none"), "{}", run.out);
}

#[tokio::test]
async fn refusals_are_counted_by_their_code() {
    let server = MockServer::start().await;
    let refuse =
        |_: &Request| ResponseTemplate::new(503).set_body_json(json!({"error": {"code": "BUSY", "message": "later"}}));
    on_with(&server, "POST", "/withdrawal/request", refuse).await;
    on_with(&server, "GET", "/api/v1/transfers", ResponseTemplate::new(200).set_body_json(json!({"transfers": []})))
        .await;
    let run = run(&server, &["--yes", "load", "--count", "6", "--follow", "terminal", "--output", "json"]).await;
    assert_eq!(run.code, 5, "{}", run.err);
    assert_eq!((run.json()["accepted"].clone(), run.json()["refused"].clone()), (json!(0), json!({"BUSY": 6})));
    let sent = received(&server).await.iter().filter(|request| request.url.path() == "/withdrawal/request").count();
    assert_eq!(sent, 6, "each is sent once: what is measured is not hidden by repeats");
}

#[tokio::test]
async fn what_ends_otherwise_is_not_success() {
    let (server, _taken) = api("failed").await;
    let run =
        run(&server, &["--yes", "load", "--count", "3", "--follow", "terminal", "--poll-ms", "20", "--output", "json"])
            .await;
    assert_eq!(run.code, 5);
    assert_eq!(run.json()["ended"], json!({"failed": 3}));
    assert!(run.err.contains("error: 3 of 3 did not go through"), "{}", run.err);
}

#[tokio::test]
async fn what_does_not_get_there_is_told() {
    let (server, _taken) = api("included").await;
    let arguments = [
        "--yes",
        "load",
        "--count",
        "3",
        "--follow",
        "terminal",
        "--poll-ms",
        "20",
        "--timeout-s",
        "0",
        "--output",
        "json",
    ];
    let run = run(&server, &arguments).await;
    assert_eq!(run.code, 1);
    assert_eq!(run.json()["unfinished"], 3);
}
