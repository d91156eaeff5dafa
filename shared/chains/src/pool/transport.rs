//! One JSON-RPC call to one endpoint over HTTP.
//!
//! Invariant: nothing that leaves this file holds the endpoint's address or a part of it that could be a key; errors
//! are told in words of our own, and nodes' words are scrubbed.

use std::{borrow::Cow, fmt, time::Duration};

use alloy::rpc::json_rpc::{ErrorPayload, Id, Request, Response, ResponsePayload};
use reqwest::{
    Client, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER},
    redirect,
};
use serde_json::{Value, value::RawValue};

use crate::revert::printable;

/// Time to reach an endpoint: two lost SYN packets (1 s and 2 s apart) mean it is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an unused connection is kept: gateways close theirs after a minute, and a frozen function does not notice.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for what a node has at hand. Slower is an outage for us: the head is asked for several times a block.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for a node to run a call, or to collect the receipts of a full block.
const WORK_TIMEOUT: Duration = Duration::from_secs(15);
/// Time for a block with whole transactions: several MB, and a tracker's lease lasts for one such answer.
const WHOLE_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for a broadcast: gateways pass it on to a sequencer or several nodes before they answer. Short enough that
/// three providers in turn stay within request to broadcast's 30 s.
pub(super) const BROADCAST_TIMEOUT: Duration = Duration::from_secs(8);
/// Bytes of an answer: a block with 10,000 hashes has 700 KB.
const BODY_BYTES_MAX: usize = 4 << 20;
/// Bytes of a block's receipts: full blocks of today's networks stay below 10 MB.
const RECEIPTS_BYTES_MAX: usize = 32 << 20;
/// Characters of a node's words that are read: gateways answer with whole pages, and the words come first.
const WORDS_CHARS_MAX: usize = 4_000;
/// Parts of an address at least this long, with a digit in them, could be a key. Plain words are not: they also stand
/// in nodes' answers, which must still be understood when they are scrubbed.
const KEY_CHARS_MIN: usize = 8;

/// A method with its bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Op {
    pub(super) method: &'static str,
    timeout: Duration,
    bytes_max: usize,
}

impl Op {
    const fn lookup(method: &'static str) -> Self {
        Self { method, timeout: LOOKUP_TIMEOUT, bytes_max: BODY_BYTES_MAX }
    }

    const fn work(method: &'static str) -> Self {
        Self { method, timeout: WORK_TIMEOUT, bytes_max: BODY_BYTES_MAX }
    }

    pub(super) const CHAIN_ID: Self = Self::lookup("eth_chainId");
    pub(super) const HEIGHT: Self = Self::lookup("eth_blockNumber");
    pub(super) const BLOCK_BY_NUMBER: Self = Self::lookup("eth_getBlockByNumber");
    /// With whole transactions, whose input may be several MB; asked of one provider after the other.
    pub(super) const WHOLE_BLOCK: Self =
        Self { method: "eth_getBlockByNumber", timeout: WHOLE_TIMEOUT, bytes_max: RECEIPTS_BYTES_MAX };
    pub(super) const BLOCK_BY_HASH: Self = Self::lookup("eth_getBlockByHash");
    /// One of ours can have some 17 MB: what its gas pays for in logs of a recipient's contract.
    pub(super) const RECEIPT: Self =
        Self { method: "eth_getTransactionReceipt", timeout: WORK_TIMEOUT, bytes_max: RECEIPTS_BYTES_MAX };
    /// The same of every provider: who asks waits for the slowest, and a tracker's lease is as long as [`WORK_TIMEOUT`].
    pub(super) const RECEIPT_OF_EACH: Self = Self { timeout: LOOKUP_TIMEOUT, ..Self::RECEIPT };
    pub(super) const TRANSACTION: Self = Self::lookup("eth_getTransactionByHash");
    pub(super) const FEE_HISTORY: Self = Self::lookup("eth_feeHistory");
    pub(super) const NUMBER: Self = Self::lookup("eth_getTransactionCount");
    pub(super) const BALANCE: Self = Self::lookup("eth_getBalance");
    pub(super) const CALL: Self = Self::work("eth_call");
    pub(super) const ESTIMATE: Self = Self::work("eth_estimateGas");
    pub(super) const RECEIPTS: Self =
        Self { method: "eth_getBlockReceipts", timeout: WORK_TIMEOUT, bytes_max: RECEIPTS_BYTES_MAX };
    pub(super) const BROADCAST: Self =
        Self { method: "eth_sendRawTransaction", timeout: BROADCAST_TIMEOUT, bytes_max: BODY_BYTES_MAX };
}

/// A node's error answer.
#[derive(Debug, Clone)]
pub(super) struct NodeError {
    pub(super) code: i64,
    pub(super) message: String,
    pub(super) data: Option<Value>,
}

/// Why a call has no result.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// No answer that is surely the node's; it may have acted all the same.
    Lost(String),
    /// The provider limits us; the node has not acted.
    Limited { after_ms: Option<u64> },
    /// The node answered with an error.
    Node(NodeError),
    /// An answer that cannot be.
    Nonsense(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(what) => f.write_str(what),
            Self::Limited { after_ms: Some(ms) } => write!(f, "limits us for {ms} ms"),
            Self::Limited { after_ms: None } => f.write_str("limits us"),
            Self::Node(error) => write!(f, "error {}: {}", error.code, error.message),
            Self::Nonsense(what) => write!(f, "nonsense: {what}"),
        }
    }
}

/// Makes the client that all endpoints share. No redirects: they would carry a key to another host.
pub(super) fn client() -> Result<Client, reqwest::Error> {
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .redirect(redirect::Policy::none())
        .build()
}

/// Where a provider listens; its address is a secret.
pub(super) struct Endpoint {
    url: Url,
    secrets: Vec<String>,
    client: Client,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Endpoint")
    }
}

impl Endpoint {
    /// An endpoint, if the text is an HTTP address.
    pub(super) fn new(text: &str, client: Client) -> Option<Self> {
        let url: Url = text.parse().ok()?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return None;
        }
        let parts = text.split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_'));
        let key = |part: &&str| part.len() >= KEY_CHARS_MIN && part.bytes().any(|byte| byte.is_ascii_digit());
        let mut secrets: Vec<String> = parts.filter(key).map(ToOwned::to_owned).collect();
        // Longest first, so that no part survives inside another.
        secrets.sort_by_key(|part| std::cmp::Reverse(part.len()));
        Some(Self { url, secrets, client })
    }

    /// Host and port.
    pub(super) fn host(&self) -> (&str, Option<u16>) {
        (self.url.host_str().unwrap_or_default(), self.url.port_or_known_default())
    }

    /// Calls a method; `now_ms` is only used to read a date in Retry-After.
    pub(super) async fn call(&self, op: Op, params: &Value, now_ms: u64) -> Result<Box<RawValue>, Failure> {
        let request = Request::new(Cow::Borrowed(op.method), Id::Number(1), params);
        let body = serde_json::to_vec(&request).map_err(|_| Failure::Nonsense("unwritable question".to_owned()))?;
        let sent = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        let mut response = sent.timeout(op.timeout).send().await.map_err(|error| Failure::Lost(words(&error)))?;
        let status = response.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(Failure::Limited { after_ms: retry_after(response.headers(), now_ms) });
        }
        let after_ms = retry_after(response.headers(), now_ms);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| Failure::Lost(words(&error)))? {
            if body.len() + chunk.len() > op.bytes_max {
                return Err(Failure::Lost(format!("answer of more than {} bytes", op.bytes_max)));
            }
            body.extend_from_slice(&chunk);
        }
        match serde_json::from_slice::<Response>(&body) {
            // Some gateways give a node's error a status of its own, so the body is looked at first.
            Ok(Response { payload: ResponsePayload::Failure(error), .. }) => Err(Failure::Node(self.refusal(error))),
            Ok(Response { payload: ResponsePayload::Success(result), .. }) if status.is_success() => Ok(result),
            Ok(_) | Err(_) if status == StatusCode::SERVICE_UNAVAILABLE && after_ms.is_some() => {
                Err(Failure::Limited { after_ms })
            }
            Ok(_) | Err(_) if !status.is_success() => Err(Failure::Lost(format!("HTTP {}", status.as_u16()))),
            Ok(_) | Err(_) => Err(Failure::Nonsense("not a JSON-RPC answer".to_owned())),
        }
    }

    fn refusal(&self, error: ErrorPayload) -> NodeError {
        let data = error.data.and_then(|raw| serde_json::from_str(raw.get()).ok());
        NodeError { code: error.code, message: self.scrub(&error.message), data }
    }

    /// A node's words without what could be a key of ours, bounded.
    fn scrub(&self, text: &str) -> String {
        let clean = self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"));
        printable(&clean, WORDS_CHARS_MAX)
    }
}

/// What a transport error means, in words without an address.
fn words(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "cannot be reached"
    } else {
        "the connection broke"
    };
    what.to_owned()
}

/// Seconds or a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, now_ms: u64) -> Option<u64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(seconds.saturating_mul(1000));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    let at_ms = date.duration_since(std::time::UNIX_EPOCH).ok()?.as_millis();
    Some(u64::try_from(at_ms).unwrap_or(u64::MAX).saturating_sub(now_ms))
}
