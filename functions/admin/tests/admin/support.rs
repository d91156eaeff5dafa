//! A world of ports in memory, and calls as the gateway makes them.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{Router, body::Body, http::Request};
use causeway_admin::{Admin, handler, queues::Looks};
use causeway_domain::{B256, Clock, Networks, clock::Millis};
use causeway_http::Claims;
use causeway_keys::MemoryKeys;
use causeway_queue::MemoryQueue;
use causeway_state::{
    audit::{End, Record},
    tables::AUDIT,
};
use causeway_store::{
    Commit, CommitToken, Item, Key, MemoryStore, Store, Table, Write,
    memory::{CommitFault, Faults, Read, ReadFault},
};
use futures::FutureExt;
use serde_json::{Value, json};
use tower::ServiceExt;

pub(crate) const NETWORKS: &str = include_str!("../../../../infra/networks.toml");
const TEMPLATE: &str = include_str!("../../../../events/admin/credit-account.json");
/// Where the clock starts.
pub(crate) const NOW: Millis = 1_766_000_000_000;

#[derive(Debug)]
pub(crate) struct TestClock {
    now: AtomicU64,
}

/// Counts through all worlds of the process: two worlds over the same rows never draw the same commit token.
static DRAWN: AtomicU64 = AtomicU64::new(1);

impl TestClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { now: AtomicU64::new(NOW) })
    }

    pub(crate) fn pass(&self, ms: u64) {
        self.now.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> Millis {
        self.now.load(Ordering::Relaxed)
    }

    fn random(&self) -> u128 {
        u128::from(DRAWN.fetch_add(1, Ordering::Relaxed))
    }

    fn sleep_ms(&self, _: u64) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::task::yield_now())
    }
}

/// Ports in memory and the router over them.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) store: MemoryStore,
    pub(crate) queue: MemoryQueue,
    pub(crate) keys: MemoryKeys,
    pub(crate) clock: Arc<TestClock>,
    router: Router,
}

/// What a caller hears.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) retry_after: Option<String>,
}

impl Answer {
    /// Expects success and takes the body.
    pub(crate) fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        self.body
    }

    /// Expects a refusal in the operators' shape: its code, and its field if it has one.
    pub(crate) fn refusal(self) -> (u16, String, String) {
        assert_eq!(self.body["status"], "error", "{self:?}");
        assert!(self.body["message"].as_str().is_some_and(|text| !text.is_empty()), "{self:?}");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (self.status, text(&self.body["code"]), text(&self.body["details"]["field"]))
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let store = MemoryStore::new();
        Self::over(store.clone(), Arc::new(store))
    }

    /// A world whose functions see these rows through another store.
    pub(crate) fn over(store: MemoryStore, seen: Arc<dyn Store>) -> Self {
        let (queue, keys, clock) = (MemoryQueue::new(), MemoryKeys::new(), TestClock::new());
        let router = Router::new();
        Self { store, queue, keys, clock, router }.serving(seen, networks())
    }

    /// The same rows, behind functions that were told of other networks.
    pub(crate) fn told_of(&self, networks: Networks) -> Self {
        self.clone().serving(Arc::new(self.store.clone()), networks)
    }

    fn serving(self, seen: Arc<dyn Store>, networks: Networks) -> Self {
        let admin = Admin {
            store: seen,
            queue: Arc::new(self.queue.clone()),
            keys: Arc::new(self.keys.clone()),
            clock: Arc::<TestClock>::clone(&self.clock),
            networks,
            claims: claims(),
            looks: Looks::default(),
        };
        Self { router: handler::router(Arc::new(admin)), ..self }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, "operator", None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, "operator", Some(body.to_string())).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, roles: &str, body: Option<String>) -> Answer {
        send(&self.router, &event(method, path, roles, body)).await
    }

    /// Hands a sample event to the function.
    pub(crate) async fn play(&self, event: &str) -> Answer {
        send(&self.router, event).await
    }

    /// Every item of a list, page by page.
    pub(crate) async fn all(&self, path: &str, limit: usize) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        let also = if path.contains('?') { '&' } else { '?' };
        loop {
            let page = self.get(&format!("{path}{also}limit={limit}{cursor}")).await.ok();
            let rows = page["items"].as_array().expect("a list").clone();
            assert!(rows.len() <= limit, "{page}");
            items.extend(rows);
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    pub(crate) async fn put(&self, write: Write) {
        let token = CommitToken::new(format!("test-{}", self.clock.random()));
        assert_eq!(self.store.commit(&token, &[write]).await.expect("tried"), Commit::Committed);
    }

    pub(crate) async fn row(&self, key: &Key) -> Option<Item> {
        self.store.get(key).await.expect("read")
    }

    /// Registers a treasury of a tenant and answers its address.
    pub(crate) async fn treasury(&self, tenant: &str) -> String {
        let key_id = format!("key-of-{tenant}");
        self.keys.create(causeway_keys::KeyRef::Kms { key_id: key_id.clone() });
        let key = json!({"kind": "kms", "keyId": key_id});
        let body = json!({"tenant": tenant, "network": "local", "key": key, "reason": "set up"});
        self.post("/admin/v1/treasuries", body).await.ok()["address"].as_str().expect("an address").to_owned()
    }

    pub(crate) async fn credit(&self, tenant: &str, token: &str, amount: &str, key: &str) -> Answer {
        self.post("/admin/v1/accounts/credit", movement(tenant, token, amount, key)).await
    }

    /// What everything must leave behind: an unbroken audit log, and a ledger that adds up. Answers the log.
    pub(crate) async fn must_be_sound(&self) -> Vec<Record> {
        let check = self.post("/admin/v1/accounts/check", json!({})).await.ok();
        assert_eq!(check["clean"], true, "{check}");
        let rows = self.store.dump(AUDIT);
        let records = rows.iter().filter(|row| row.text("sk").is_some_and(|sk| sk.starts_with("R#")));
        let records: Vec<Record> = records.map(|row| row.parse().expect("a record")).collect();
        let mut end = End::default();
        for record in &records {
            assert_eq!((record.seq, record.previous), (end.seq + 1, end.hash), "the chain is broken at {record:?}");
            end = End { seq: record.seq, hash: record.hash() };
        }
        let kept = self.row(&End::key()).await;
        assert_eq!(End::of(kept.as_ref()).expect("an end"), end);
        assert_eq!(kept.is_none(), end.hash == B256::ZERO);
        records
    }

    /// The audit log's actions, oldest first.
    pub(crate) async fn actions(&self) -> Vec<String> {
        self.must_be_sound().await.into_iter().map(|record| record.action).collect()
    }

    pub(crate) fn rows(&self, table: Table) -> usize {
        self.store.dump(table).len()
    }
}

pub(crate) fn networks() -> Networks {
    Networks::parse(NETWORKS, &["local", "sepolia"]).expect("the project's own networks")
}

pub(crate) fn claims() -> Claims {
    Claims { tenant: "custom:tenant".to_owned(), user: "sub".to_owned(), roles: "cognito:groups".to_owned() }
}

pub(crate) fn movement(tenant: &str, token: &str, amount: &str, key: &str) -> Value {
    json!({"tenant": tenant, "network": "local", "token": token, "amount": amount, "reason": "a test", "idempotencyKey": key})
}

/// The gateway's event of a request. Without roles nobody checked a token.
fn event(method: &str, path: &str, roles: &str, body: Option<String>) -> String {
    let mut event: Value = serde_json::from_str(TEMPLATE).expect("the sample parses");
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    event["rawPath"] = path.into();
    event["rawQueryString"] = query.into();
    event["requestContext"]["http"]["method"] = method.into();
    event["requestContext"]["http"]["path"] = path.into();
    event["headers"]["content-length"] = body.as_deref().map_or(0, str::len).to_string().into();
    event["body"] = body.into();
    match roles {
        "" => event["requestContext"]["authorizer"] = Value::Null,
        roles => event["requestContext"]["authorizer"]["jwt"]["claims"]["cognito:groups"] = format!("[{roles}]").into(),
    }
    event.to_string()
}

/// Hands an event to a router as the runtime does.
pub(crate) async fn send(router: &Router, event: &str) -> Answer {
    let request: Request<_> = lambda_http::request::from_str(event).expect("an event of the gateway");
    let request = request.map(|body| Body::from(body.to_vec()));
    let response = router.clone().oneshot(request).await.expect("the router always answers");
    let status = response.status().as_u16();
    let retry_after = response.headers().get("retry-after").map(|text| text.to_str().expect("text").to_owned());
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body in memory");
    Answer { status, body: serde_json::from_slice(&bytes).unwrap_or_default(), retry_after }
}

/// Somebody who writes a row just before a commit that touches it.
#[derive(Debug)]
pub(crate) struct Interloper {
    store: MemoryStore,
    at: Key,
    write: Mutex<Option<Write>>,
}

impl Interloper {
    /// A store over the same rows that meets the interloper.
    pub(crate) fn before(store: &MemoryStore, at: Key, write: Write) -> MemoryStore {
        store.with_faults(Arc::new(Self { store: store.clone(), at, write: Mutex::new(Some(write)) }))
    }
}

impl Faults for Interloper {
    fn commit(&self, _: &CommitToken, writes: &[Write]) -> CommitFault {
        if writes.iter().any(|write| *write.key() == self.at)
            && let Some(write) = self.write.lock().expect("unpoisoned").take()
        {
            let done = self.store.commit(&CommitToken::new("interloper"), &[write]).now_or_never();
            assert!(matches!(done, Some(Ok(Commit::Committed))), "{done:?}");
        }
        CommitFault::Pass
    }

    fn read(&self, _: Read<'_>) -> ReadFault {
        ReadFault::Pass
    }
}
