//! What `AwsKeys` makes of answers that a healthy platform never gives, from a script of replies.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex},
};

use alloy_primitives::{Address, B256, address, hex};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
    },
    http::StatusCode,
};
use aws_smithy_types::{base64, body::SdkBody};
use causeway_keys::{KeyError, KeyRef, Keys, Signature, aws::AwsKeys};
use k256::ecdsa::{SigningKey, signature::hazmat::PrehashSigner};
use serde_json::{Value, json};

const FIRST: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const FIRST_ADDRESS: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
const SECOND: &str = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
const SECOND_ADDRESS: Address = address!("70997970C51812dc3A010C7d01b50e0d17dc79C8");
const DIGEST: B256 = B256::repeat_byte(3);

enum Reply {
    /// An answer with this status and body.
    Json(u16, Value),
    /// No connection.
    Nobody,
}

/// Replies in turn, and the operations that were called.
#[derive(Clone, Default)]
struct Script {
    replies: Arc<Mutex<VecDeque<Reply>>>,
    called: Arc<Mutex<Vec<String>>>,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script")
    }
}

impl HttpConnector for Script {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").expect("an operation").to_owned();
        self.called.lock().expect("unpoisoned").push(target);
        let reply = self.replies.lock().expect("unpoisoned").pop_front().expect("one reply a call");
        HttpConnectorFuture::ready(match reply {
            Reply::Json(status, body) => {
                let status = StatusCode::try_from(status).expect("a status");
                Ok(HttpResponse::new(status, SdkBody::from(body.to_string())))
            }
            Reply::Nobody => Err(ConnectorError::io("connection refused".into())),
        })
    }
}

impl Script {
    fn called(&self) -> Vec<String> {
        self.called.lock().expect("unpoisoned").clone()
    }
}

fn keys(replies: impl IntoIterator<Item = Reply>) -> (AwsKeys, Script) {
    let script = Script::default();
    script.replies.lock().expect("unpoisoned").extend(replies);
    let connector = SharedHttpConnector::new(script.clone());
    let http: SharedHttpClient = http_client_fn(move |_, _| connector.clone());
    let kms = aws_sdk_kms::Config::builder()
        .behavior_version(aws_sdk_kms::config::BehaviorVersion::latest())
        .region(aws_sdk_kms::config::Region::new("us-east-1"))
        .credentials_provider(aws_sdk_kms::config::Credentials::new("id", "key", None, None, "test"))
        .http_client(http.clone())
        .build();
    let secrets = aws_sdk_secretsmanager::Config::builder()
        .behavior_version(aws_sdk_kms::config::BehaviorVersion::latest())
        .region(aws_sdk_kms::config::Region::new("us-east-1"))
        .credentials_provider(aws_sdk_kms::config::Credentials::new("id", "key", None, None, "test"))
        .http_client(http)
        .build();
    let kms = aws_sdk_kms::Client::from_conf(kms);
    let secrets = aws_sdk_secretsmanager::Client::from_conf(secrets);
    (AwsKeys::new(kms, secrets, "imported".to_owned()), script)
}

fn kms() -> KeyRef {
    KeyRef::Kms { key_id: "treasury".to_owned() }
}

fn secret(name: &str) -> KeyRef {
    KeyRef::Secret { name: name.to_owned() }
}

fn fault(code: &str) -> Reply {
    Reply::Json(400, json!({"__type": code, "message": "so"}))
}

fn holds(entries: Value) -> Reply {
    Reply::Json(200, json!({"Name": "imported", "SecretString": entries.to_string()}))
}

fn signed(signature: &k256::ecdsa::Signature) -> Reply {
    Reply::Json(200, json!({"Signature": base64::encode(signature.to_der().as_bytes())}))
}

fn signing_key(text: &str) -> SigningKey {
    SigningKey::from_slice(&hex::decode(text).expect("hex")).expect("a key")
}

#[tokio::test]
async fn a_high_s_of_kms_is_brought_low() {
    let low: k256::ecdsa::Signature = signing_key(FIRST).sign_prehash(DIGEST.as_slice()).expect("signed");
    let (r, s) = low.split_scalars();
    let high = k256::ecdsa::Signature::from_scalars(r, -s).expect("a valid signature");
    let (keys, script) = keys([signed(&low), signed(&high)]);
    let of_low = keys.sign(&kms(), FIRST_ADDRESS, DIGEST).await.expect("signed");
    let of_high = keys.sign(&kms(), FIRST_ADDRESS, DIGEST).await.expect("signed");
    assert_eq!(of_low, of_high);
    assert_eq!(script.called(), vec!["TrentService.Sign"; 2], "one call a signature");
}

#[tokio::test]
async fn a_signature_that_is_not_the_wallets_is_refused() {
    let other: k256::ecdsa::Signature = signing_key(SECOND).sign_prehash(DIGEST.as_slice()).expect("signed");
    let garbage = Reply::Json(200, json!({"Signature": base64::encode([0x30, 2, 1, 0])}));
    let (keys, _) = keys([signed(&other), garbage]);
    for _ in 0..2 {
        let result = keys.sign(&kms(), FIRST_ADDRESS, DIGEST).await;
        assert!(matches!(result, Err(KeyError::WrongKey { expected }) if expected == FIRST_ADDRESS), "{result:?}");
    }
}

#[tokio::test]
async fn a_public_key_is_read_once() {
    let point = signing_key(FIRST).verifying_key().to_encoded_point(false);
    // A SubjectPublicKeyInfo of id-ecPublicKey and secp256k1 (RFC 5480, SEC 2), then the point.
    let head = hex!("3056301006072a8648ce3d020106052b8104000a034200");
    let der = base64::encode([&head, point.as_bytes()].concat());
    let (keys, script) = keys([Reply::Json(200, json!({"PublicKey": der}))]);
    assert_eq!(keys.address(&kms()).await.expect("read"), FIRST_ADDRESS);
    assert_eq!(keys.address(&kms()).await.expect("kept"), FIRST_ADDRESS);
    assert_eq!(script.called(), vec!["TrentService.GetPublicKey"]);
}

#[tokio::test]
async fn faults_are_classified() {
    for code in ["AccessDeniedException", "DisabledException", "KMSInvalidStateException"] {
        let (keys, _) = keys([fault(code), fault(code)]);
        let result = keys.sign(&kms(), FIRST_ADDRESS, DIGEST).await;
        assert!(matches!(result, Err(KeyError::Denied(_))), "{code}: {result:?}");
        let result = keys.sign(&secret("first"), FIRST_ADDRESS, DIGEST).await;
        assert!(matches!(result, Err(KeyError::Denied(_))), "{code}: {result:?}");
    }
    let (keys, _) = keys([fault("NotFoundException"), fault("ResourceNotFoundException")]);
    let result = keys.address(&kms()).await;
    assert!(matches!(result, Err(KeyError::Missing)), "{result:?}");
    let result = keys.address(&secret("first")).await;
    assert!(matches!(result, Err(KeyError::Missing)), "{result:?}");
}

#[tokio::test]
async fn throttling_and_lost_connections_are_tried_again_and_then_told() {
    let good: k256::ecdsa::Signature = signing_key(FIRST).sign_prehash(DIGEST.as_slice()).expect("signed");
    let (keys_, script) = keys([fault("ThrottlingException"), signed(&good)]);
    keys_.sign(&kms(), FIRST_ADDRESS, DIGEST).await.expect("the second try worked");
    assert_eq!(script.called().len(), 2);

    let (keys_, script) = keys([Reply::Nobody, Reply::Nobody, Reply::Nobody]);
    let result = keys_.sign(&kms(), FIRST_ADDRESS, DIGEST).await;
    assert!(matches!(result, Err(KeyError::Unavailable(_))), "{result:?}");
    assert_eq!(script.called().len(), 3);
}

#[tokio::test]
async fn a_secret_is_read_once_and_again_for_a_missing_name_or_another_signer() {
    let (keys, script) = keys([
        holds(json!({"first": FIRST})),
        holds(json!({"first": FIRST, "second": SECOND})),
        holds(json!({"first": SECOND})),
        holds(json!({"first": SECOND})),
    ]);
    let sign =
        async |name: &str, signer| -> Result<Signature, KeyError> { keys.sign(&secret(name), signer, DIGEST).await };
    sign("first", FIRST_ADDRESS).await.expect("read");
    sign("first", FIRST_ADDRESS).await.expect("kept");
    assert_eq!(script.called(), vec!["secretsmanager.GetSecretValue"]);
    sign("second", SECOND_ADDRESS).await.expect("read again for the missing name");
    sign("first", SECOND_ADDRESS).await.expect("read again, since the key was exchanged");
    let refused = sign("first", FIRST_ADDRESS).await;
    assert!(matches!(refused, Err(KeyError::WrongKey { .. })), "{refused:?}");
    assert_eq!(script.called().len(), 4);
}

#[tokio::test]
async fn a_faulty_secret_is_denied_by_name_and_not_quoted() {
    let (keys, _) = keys([holds(json!({"bad": FIRST.to_uppercase(), "good": FIRST})), holds(json!(FIRST))]);
    let result = keys.address(&secret("bad")).await;
    let Err(KeyError::Denied(reason)) = result else { panic!("{result:?}") };
    assert!(reason.to_string().contains("the entry bad of imported is no secp256k1 key"), "{reason}");
    assert!(!reason.to_string().to_lowercase().contains("ac09"), "{reason}");
    keys.address(&secret("good")).await.expect("the other entry is not spoiled");
    let result = keys.address(&secret("none")).await;
    let Err(KeyError::Denied(reason)) = result else { panic!("{result:?}") };
    assert!(reason.to_string().contains("the secret imported is no JSON object"), "{reason}");
    assert!(!reason.to_string().contains("ac09"), "{reason}");
}
