//! A node that answers by a script, over real HTTP, and what the tests say with it.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use alloy_primitives::{B256, U64};
use causeway_domain::{Clock, Network, Networks};
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Bytes, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};

use crate::pool::RpcChain;

/// Where the tests' clock begins, and the time of the newest block.
pub(super) const NOW_MS: u64 = 1_000_000_000;

/// What a node does with a call.
pub(super) enum Answer {
    Result(Value),
    Error(i64, &'static str, Value),
    Http(u16, Vec<(&'static str, String)>, String),
    /// Takes the call and closes the connection.
    Drop,
    /// Takes the call and never answers.
    Hang,
}

/// A node that listens until it is dropped.
pub(super) struct Node {
    pub(super) url: String,
    calls: Arc<Mutex<Vec<(String, Value)>>>,
    hung: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Node {
    #[expect(clippy::disallowed_methods, reason = "a test's server is not a function that can be frozen")]
    pub(super) async fn start(script: impl Fn(&str, &Value) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let (calls, hung) = (Arc::<Mutex<Vec<(String, Value)>>>::default(), Arc::new(Notify::new()));
        let (noted, noted_hung, script) = (calls.clone(), hung.clone(), Arc::new(script));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("accepted");
                let (calls, hung, script) = (noted.clone(), noted_hung.clone(), script.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let (calls, hung, script) = (calls.clone(), hung.clone(), script.clone());
                    async move {
                        let body = request.into_body().collect().await.expect("a body").to_bytes();
                        let call: Value = serde_json::from_slice(&body).expect("JSON");
                        let method = call["method"].as_str().expect("a method").to_owned();
                        let answer = script(&method, &call["params"]);
                        calls.lock().expect("whole").push((method, call["params"].clone()));
                        respond(answer, &call["id"], &hung).await
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { url, calls, hung, task }
    }

    /// Waits until a call hangs.
    pub(super) async fn hangs(&self) {
        self.hung.notified().await;
    }

    /// Parameters of each call of a method so far.
    pub(super) fn calls(&self, method: &str) -> Vec<Value> {
        let calls = self.calls.lock().expect("whole");
        calls.iter().filter(|(called, _)| called == method).map(|(_, params)| params.clone()).collect()
    }

    /// How many calls there were, of any method.
    pub(super) fn count(&self) -> usize {
        self.calls.lock().expect("whole").len()
    }
}

async fn respond(answer: Answer, id: &Value, hung: &Notify) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let json = |body: Value| Ok(Response::new(Full::from(body.to_string())));
    match answer {
        Answer::Result(result) => json(json!({ "jsonrpc": "2.0", "id": id, "result": result })),
        Answer::Error(code, message, data) => {
            let mut error = json!({ "code": code, "message": message });
            if !data.is_null() {
                error["data"] = data;
            }
            json(json!({ "jsonrpc": "2.0", "id": id, "error": error }))
        }
        Answer::Http(status, headers, body) => {
            let builder = headers
                .iter()
                .fold(Response::builder().status(status), |builder, (name, value)| builder.header(*name, value));
            Ok(builder.body(Full::from(body)).expect("a valid response"))
        }
        Answer::Drop => Err(std::io::Error::other("dropped by the script")),
        Answer::Hang => {
            hung.notify_one();
            std::future::pending().await
        }
    }
}

/// The hash of the block at a height, in the tests' chain.
pub(super) fn hash(number: u64) -> B256 {
    B256::left_padding_from(&number.to_be_bytes())
}

/// A block at a height, as nodes send it.
pub(super) fn block(number: u64, timestamp_s: u64, transactions: &[B256]) -> Value {
    json!({
        "number": U64::from(number),
        "hash": hash(number),
        "parentHash": hash(number.saturating_sub(1)),
        "timestamp": U64::from(timestamp_s),
        "transactions": transactions,
        "miner": "0x0000000000000000000000000000000000000000",
    })
}

/// A receipt, as nodes send it.
pub(super) fn receipt(transaction: B256, block: B256) -> Value {
    json!({
        "transactionHash": transaction, "blockHash": block, "blockNumber": "0x64", "status": "0x1", "type": "0x7e",
        "gasUsed": "0x5208", "effectiveGasPrice": "0x3b9aca00", "from": "0x0000000000000000000000000000000000000001",
        "to": null, "logs": [],
    })
}

/// What a node at a height answers when nothing is wrong; its newest block is as new as the clock.
pub(super) fn healthy(method: &str, height: u64) -> Answer {
    Answer::Result(match method {
        "eth_chainId" => json!("0x7a69"),
        "eth_blockNumber" => json!(U64::from(height)),
        "eth_getBlockByNumber" => block(height, NOW_MS / 1000, &[]),
        "eth_getTransactionCount" => json!("0x7"),
        other => return Answer::Error(-32601, "Method not found", json!(other)),
    })
}

/// The network that the scripts serve: chain id 31337, a block each second.
pub(super) fn network() -> Network {
    let file = include_str!("../../../../../infra/networks.toml");
    Networks::parse(file, &["local"]).expect("valid").get("local").expect("there").clone()
}

/// A clock that a test moves.
#[derive(Debug)]
pub(super) struct TestClock(AtomicU64);

impl TestClock {
    pub(super) fn advance(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn random(&self) -> u128 {
        0
    }

    fn sleep_ms(&self, _: u64) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

/// A pool over these nodes, and its clock.
pub(super) fn pool(nodes: &[&Node]) -> (RpcChain, Arc<TestClock>) {
    let urls: Vec<&str> = nodes.iter().map(|node| node.url.as_str()).collect();
    pool_of(&urls)
}

/// A pool over these addresses, and its clock.
pub(super) fn pool_of(urls: &[&str]) -> (RpcChain, Arc<TestClock>) {
    let clock = Arc::new(TestClock(AtomicU64::new(NOW_MS)));
    let urls = urls.iter().map(|url| (*url).to_owned()).collect();
    (RpcChain::new(&network(), urls, clock.clone()).expect("valid"), clock)
}

/// An address where nobody listens.
pub(super) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    format!("http://{}", listener.local_addr().expect("bound"))
}
