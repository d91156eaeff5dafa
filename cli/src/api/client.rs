//! Calls to the API: one at a time, repeated only where repeating is harmless.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use causeway_domain::limits::PAGE_ROWS_MAX;
use reqwest::{Client, Method, Response, Url, header::RETRY_AFTER};
use serde::de::DeserializeOwned;
use serde_json::Value;
use ulid::Ulid;

use super::{ApiError, Problem, Tokens};

/// An answer that takes longer is as good as none: the gateway itself gives up after 30 s.
const TIMEOUT: Duration = Duration::from_secs(35);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Tries of a call that may be repeated, after the first.
const RETRIES: usize = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause, also where the API asks for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The API, on behalf of one user.
#[derive(Debug)]
pub(crate) struct Api {
    http: Client,
    base: Url,
    tokens: Tokens,
}

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: Method,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    key: Option<String>,
    repeatable: bool,
}

impl Call {
    /// Reads; may be repeated.
    pub(crate) fn get(path: &[&str]) -> Self {
        Self::new(Method::GET, path, None, true)
    }

    /// Changes something each time it arrives; never repeated.
    pub(crate) fn post(path: &[&str], body: Value) -> Self {
        Self::new(Method::POST, path, Some(body), false)
    }

    /// Has the same effect however often it arrives, since its body carries an idempotency key
    /// or it only computes; may be repeated.
    pub(crate) fn post_repeatable(path: &[&str], body: Value) -> Self {
        Self::new(Method::POST, path, Some(body), true)
    }

    fn new(method: Method, path: &[&str], body: Option<Value>, repeatable: bool) -> Self {
        let path = path.iter().map(|&part| part.to_owned()).collect();
        Self { method, path, query: Vec::new(), body, key: None, repeatable }
    }

    /// With a query parameter.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// With an `Idempotency-Key` header, which makes it repeatable.
    pub(crate) fn keyed(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self.repeatable = true;
        self
    }
}

impl Api {
    /// The API at this address.
    pub(crate) fn new(http: Client, address: &str, tokens: Tokens) -> Result<Self, ApiError> {
        let wrong = || ApiError::Address { url: address.to_owned() };
        let base = Url::parse(address).map_err(|_| wrong())?;
        if matches!(base.scheme(), "http" | "https") && !base.cannot_be_a_base() {
            Ok(Self { http, base, tokens })
        } else {
            Err(wrong())
        }
    }

    /// The HTTP client that all calls of this process share.
    pub(crate) fn http() -> Result<Client, reqwest::Error> {
        // A firewall in front of the API lets nobody in who says nothing of himself.
        let me = concat!("causeway/", env!("CARGO_PKG_VERSION"));
        Client::builder().user_agent(me).timeout(TIMEOUT).connect_timeout(CONNECT_TIMEOUT).build()
    }

    /// Makes a call; a passing failure of a repeatable one is waited out.
    pub(crate) async fn call<T: DeserializeOwned>(&self, call: &Call) -> Result<T, ApiError> {
        let policy = ExponentialBuilder::default()
            .with_min_delay(FIRST_PAUSE)
            .with_max_delay(LONGEST_PAUSE)
            .with_max_times(RETRIES)
            .with_jitter();
        (|| self.once(call))
            .retry(policy)
            .when(|error: &ApiError| call.repeatable && error.is_passing())
            .adjust(|error, pause| pause.map(|pause| asked_pause(error).unwrap_or(pause).min(LONGEST_PAUSE)))
            .notify(|error, pause| eprintln!("{error}; once more in {} ms", pause.as_millis()))
            .await
    }

    /// Makes a call once, for whoever measures or counts single calls.
    pub(crate) async fn once<T: DeserializeOwned>(&self, call: &Call) -> Result<T, ApiError> {
        let url = self.url(call);
        let token = self.tokens.token(&self.http).await?;
        let mut request = self.http.request(call.method.clone(), url.clone()).bearer_auth(token);
        if let Some(key) = &call.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let no_answer =
            |source: reqwest::Error| ApiError::NoAnswer { url: url.to_string(), source: source.without_url() };
        let answer = request.send().await.map_err(no_answer)?;
        let (status, retry_after) = (answer.status(), retry_after(&answer));
        let bytes = answer.bytes().await.map_err(no_answer)?;
        if !status.is_success() {
            return Err(ApiError::Refused(Box::new(Problem::read(status, retry_after, &bytes))));
        }
        serde_json::from_slice(&bytes).map_err(|source| ApiError::Garbled { url: url.to_string(), source })
    }

    /// Reads a list page by page, at most `limit` rows; the rows are under `field`.
    pub(crate) async fn pages<T: DeserializeOwned>(
        &self,
        call: Call,
        field: &str,
        limit: usize,
    ) -> Result<Vec<T>, ApiError> {
        let mut rows: Vec<T> = Vec::new();
        let mut cursor: Option<String> = None;
        while rows.len() < limit {
            let size = PAGE_ROWS_MAX.min(limit - rows.len());
            let mut page_call = call.clone().with("limit", size.to_string());
            if let Some(cursor) = cursor.take() {
                page_call = page_call.with("cursor", cursor);
            }
            let mut page: Value = self.call(&page_call).await?;
            let items = page.get_mut(field).map(Value::take).unwrap_or_default();
            let items: Vec<T> = serde_json::from_value(items)
                .map_err(|source| ApiError::Garbled { url: self.url(&page_call).to_string(), source })?;
            rows.extend(items);
            cursor = page.get("nextCursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        rows.truncate(limit);
        Ok(rows)
    }

    fn url(&self, call: &Call) -> Url {
        let mut url = self.base.clone();
        // Parts are escaped here, so that an id can never lead to another route.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(&call.path);
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        url
    }
}

fn asked_pause(error: &ApiError) -> Option<Duration> {
    match error {
        ApiError::Refused(problem) => problem.retry_after,
        ApiError::NoAnswer { .. } | ApiError::Garbled { .. } | ApiError::Address { .. } | ApiError::Login { .. } => {
            None
        }
    }
}

fn retry_after(answer: &Response) -> Option<Duration> {
    let text = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// A new idempotency key, ordered by time, so that keys of one run lie together.
pub(crate) fn random_key(prefix: &str) -> String {
    let mut random = [0_u8; 16];
    // Keys need to be unique, not secret: the time alone tells runs apart if the system has no randomness.
    let _ = getrandom::fill(&mut random);
    let now_ms = jiff::Timestamp::now().as_millisecond().unsigned_abs();
    format!("{prefix}-{}", Ulid::from_parts(now_ms, u128::from_be_bytes(random)).to_string().to_lowercase())
}
