//! What `SqsQueue` makes of answers that a healthy platform never gives, from a script of replies.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use aws_sdk_sqs::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region},
};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use causeway_queue::{Message, Queue, QueueError, QueueName, sqs::SqsQueue};
use serde_json::{Value, json};

const PLAIN: QueueName = QueueName("plain");
const ORDERED: QueueName = QueueName("ordered.fifo");

enum Reply {
    /// Every entry of a batch is accepted but these positions; the last are not even named.
    Batch { failed: Vec<usize>, silent: Vec<usize> },
    /// An answer with this status and body.
    Json(u16, Value),
    /// No connection.
    Nobody,
}

/// Replies in turn, and the bodies of the requests they answered.
#[derive(Clone, Default)]
struct Script {
    replies: Arc<Mutex<VecDeque<Reply>>>,
    requests: Arc<Mutex<Vec<Value>>>,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Script")
    }
}

impl HttpConnector for Script {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = request.body().bytes().expect("a body in memory");
        let body: Value = serde_json::from_slice(body).expect("a JSON body");
        let reply = self.replies.lock().expect("unpoisoned").pop_front().expect("one reply a call");
        let answer = match reply {
            Reply::Batch { failed, silent } => Ok(json(200, &batch_answer(&body, &failed, &silent))),
            Reply::Json(status, answer) => Ok(json(status, &answer)),
            Reply::Nobody => Err(ConnectorError::io("connection refused".into())),
        };
        self.requests.lock().expect("unpoisoned").push(body);
        HttpConnectorFuture::ready(answer)
    }
}

fn json(status: u16, body: &Value) -> HttpResponse {
    let status = StatusCode::try_from(status).expect("a status");
    HttpResponse::new(status, SdkBody::from(body.to_string()))
}

fn batch_answer(request: &Value, failed: &[usize], silent: &[usize]) -> Value {
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    for entry in request["Entries"].as_array().expect("entries") {
        let id = entry["Id"].as_str().expect("an id");
        let position: usize = id.parse().expect("a position");
        if failed.contains(&position) {
            refused.push(json!({"Id": id, "SenderFault": false, "Code": "InternalError"}));
        } else if !silent.contains(&position) {
            accepted.push(json!({"Id": id, "MessageId": id, "MD5OfMessageBody": ""}));
        }
    }
    json!({"Successful": accepted, "Failed": refused})
}

fn fault(code: &str) -> Reply {
    Reply::Json(400, json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": "so"}))
}

fn all() -> Reply {
    Reply::Batch { failed: vec![], silent: vec![] }
}

fn queue(replies: impl IntoIterator<Item = Reply>) -> (SqsQueue, Script) {
    let script = Script { replies: Arc::new(Mutex::new(replies.into_iter().collect())), ..Script::default() };
    let connector = SharedHttpConnector::new(script.clone());
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    let base = "https://queues.test/000000000000".to_owned();
    (SqsQueue::new(&Client::from_conf(config), base, "env".to_owned()), script)
}

fn messages(count: usize, queue: QueueName) -> Vec<Message> {
    let laned = |n: usize| queue.is_fifo().then(|| n.to_string());
    (0..count)
        .map(|n| Message { body: n.to_string(), group: laned(0), dedup: laned(n), ..Message::default() })
        .collect()
}

impl Script {
    fn entries_of_each_call(&self) -> Vec<usize> {
        let requests = self.requests.lock().expect("unpoisoned");
        requests.iter().map(|body| body["Entries"].as_array().expect("entries").len()).collect()
    }
}

fn positions(result: Result<(), QueueError>) -> Vec<usize> {
    match result {
        Err(QueueError::Incomplete(positions)) => positions,
        other => panic!("expected Incomplete, not {other:?}"),
    }
}

#[tokio::test]
async fn a_list_takes_as_few_calls_as_the_limits_allow() {
    let (queue, script) = queue([all(), all(), all()]);
    queue.publish(PLAIN, &messages(23, PLAIN)).await.expect("published");
    assert_eq!(script.entries_of_each_call(), vec![10, 10, 3]);
    let requests = script.requests.lock().expect("unpoisoned");
    assert_eq!(requests[0]["QueueUrl"], "https://queues.test/000000000000/env-plain");
}

#[tokio::test]
async fn refused_entries_are_named_by_their_position_in_the_list() {
    let second = Reply::Batch { failed: vec![13], silent: vec![17] };
    let (queue, script) = queue([all(), second, all()]);
    let lost = positions(queue.publish(PLAIN, &messages(23, PLAIN)).await);
    assert_eq!(lost, vec![13, 17], "silence is no acceptance");
    assert_eq!(script.entries_of_each_call(), vec![10, 10, 3]);
}

#[tokio::test]
async fn an_ordered_queue_is_not_sent_what_follows_a_failure() {
    let first = Reply::Batch { failed: vec![4], silent: vec![] };
    let (queue, script) = queue([first]);
    let lost = positions(queue.publish(ORDERED, &messages(12, ORDERED)).await);
    assert_eq!(lost, vec![4, 10, 11]);
    assert_eq!(script.entries_of_each_call(), vec![10]);
}

#[tokio::test]
async fn a_call_that_fails_after_others_leaves_the_rest_unsure() {
    let (queue, script) = queue([all(), fault("AccessDeniedException")]);
    let lost = positions(queue.publish(PLAIN, &messages(23, PLAIN)).await);
    assert_eq!(lost, (10..23).collect::<Vec<_>>());
    assert_eq!(script.entries_of_each_call(), vec![10, 10]);
}

#[tokio::test]
async fn a_first_call_that_fails_is_classified() {
    for code in ["AccessDeniedException", "KmsAccessDenied", "ExpiredTokenException"] {
        let (queue, _) = queue([fault(code)]);
        let result = queue.publish(PLAIN, &messages(1, PLAIN)).await;
        assert!(matches!(result, Err(QueueError::Denied(_))), "{code}: {result:?}");
    }
    for code in ["QueueDoesNotExist", "BatchRequestTooLong", "InvalidMessageContents"] {
        let (queue, _) = queue([fault(code)]);
        let result = queue.publish(PLAIN, &messages(1, PLAIN)).await;
        assert!(matches!(&result, Err(QueueError::Refused(why)) if why.contains(code)), "{code}: {result:?}");
    }
    let (queue, _) = queue([fault("NobodyKnows")]);
    let result = queue.publish(PLAIN, &messages(1, PLAIN)).await;
    assert!(matches!(result, Err(QueueError::Unavailable(_))), "{result:?}");
}

#[tokio::test]
async fn throttling_and_lost_connections_are_tried_again_and_then_told() {
    let (queue_, script) = queue([fault("RequestThrottled"), all()]);
    queue_.publish(PLAIN, &messages(2, PLAIN)).await.expect("the second try worked");
    assert_eq!(script.entries_of_each_call(), vec![2, 2]);

    let (queue_, script) = queue([Reply::Nobody, Reply::Nobody, Reply::Nobody]);
    let result = queue_.publish(PLAIN, &messages(2, PLAIN)).await;
    assert!(matches!(result, Err(QueueError::Unavailable(_))), "{result:?}");
    assert_eq!(script.entries_of_each_call(), vec![2, 2, 2]);
}

#[tokio::test]
async fn a_depth_that_is_no_number_is_not_taken_for_zero() {
    let answer = json!({"Attributes": {"ApproximateNumberOfMessages": "3"}});
    let (queue, _) = queue([Reply::Json(200, answer)]);
    let result = queue.depth(PLAIN).await;
    assert!(matches!(result, Err(QueueError::Unavailable(_))), "{result:?}");
}
