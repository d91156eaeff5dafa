//! A wire between the SDK and the service that loses, replaces and records calls.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::config::http::HttpRequest;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, RuntimeComponents};
use aws_sdk_dynamodb::{Client, Config};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;

/// What becomes of one call.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    /// The connection breaks before the call is sent.
    LoseCall,
    /// The service carries the call out, and the connection breaks before its reply.
    LoseReply,
    /// The service carries the call out, and this arrives in place of its reply.
    Replace(u16, String),
    /// This arrives, and the service never hears of the call.
    Answer(u16, String),
    /// Nothing ever arrives.
    Silence,
}

/// Calls that a fate can be set for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Calls {
    Reads,
    Writes,
}

/// The wire. A clone is the same wire.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    service: SharedHttpClient,
    fates: Arc<Mutex<VecDeque<(Calls, Fate)>>>,
    sent: Arc<Mutex<Vec<(String, String)>>>,
}

impl Wire {
    pub(crate) fn new() -> Self {
        Self {
            service: aws_smithy_http_client::Builder::new().build_http(),
            fates: Arc::default(),
            sent: Arc::default(),
        }
    }

    /// A client whose calls go over this wire.
    pub(crate) fn client(&self, endpoint: &str) -> Client {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(endpoint)
            .http_client(self.clone())
            .build();
        Client::from_conf(config)
    }

    /// The next call of that sort that has no fate yet meets this one.
    pub(crate) fn next(&self, calls: Calls, fate: Fate) {
        self.fates.lock().unwrap().push_back((calls, fate));
    }

    /// Operation and body of each call so far.
    pub(crate) fn sent(&self) -> Vec<(String, String)> {
        self.sent.lock().unwrap().clone()
    }

    /// Operations called so far.
    pub(crate) fn operations(&self) -> Vec<String> {
        self.sent().into_iter().map(|(operation, _)| operation).collect()
    }

    fn record(&self, request: &HttpRequest) -> Option<Fate> {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let calls = match operation.as_str() {
            "GetItem" | "BatchGetItem" | "Query" => Some(Calls::Reads),
            "PutItem" | "UpdateItem" | "DeleteItem" | "TransactWriteItems" => Some(Calls::Writes),
            _ => None,
        };
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        self.sent.lock().unwrap().push((operation, body));
        let mut fates = self.fates.lock().unwrap();
        let place = fates.iter().position(|(of, _)| Some(*of) == calls)?;
        fates.remove(place).map(|(_, fate)| fate)
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let service = self.service.http_connector(settings, components);
        SharedHttpConnector::new(Line { wire: self.clone(), service })
    }
}

#[derive(Debug)]
struct Line {
    wire: Wire,
    service: SharedHttpConnector,
}

impl HttpConnector for Line {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let fate = self.wire.record(&request);
        let service = self.service.clone();
        HttpConnectorFuture::new(async move {
            match fate {
                None => service.call(request).await,
                Some(Fate::LoseCall) => Err(broken()),
                Some(Fate::LoseReply) => {
                    service.call(request).await?;
                    Err(broken())
                }
                Some(Fate::Replace(status, body)) => {
                    service.call(request).await?;
                    Ok(response(status, body))
                }
                Some(Fate::Answer(status, body)) => Ok(response(status, body)),
                Some(Fate::Silence) => std::future::pending().await,
            }
        })
    }
}

fn broken() -> ConnectorError {
    ConnectorError::io("the connection broke".into())
}

fn response(status: u16, body: String) -> HttpResponse {
    let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    response
}
