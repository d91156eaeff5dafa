//! The contract on KMS and Secrets Manager, on the local platform:
//! `python3 localstack/with_platform.py -- cargo test -p causeway-keys --features aws`.

use std::{
    hash::{BuildHasher, RandomState},
    io,
    sync::{Arc, Mutex},
};

use alloy_primitives::{Address, B256, address};
use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use causeway_keys::{KeyError, KeyRef, Keys, aws::AwsKeys, contract::Subject, keys_contract};

/// The first and second key of anvil's test mnemonic; worth nothing anywhere.
const SECRETS: [(&str, &str); 2] = [
    ("first", "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"),
    ("second", "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"),
];

struct Platform {
    kms: aws_sdk_kms::Client,
    secrets: aws_sdk_secretsmanager::Client,
}

impl Platform {
    async fn new() -> Self {
        std::env::var("AWS_ENDPOINT_URL").expect(
            "AWS_ENDPOINT_URL is not set: run `python3 localstack/with_platform.py -- \
             cargo test -p causeway-keys --features aws`",
        );
        let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
        Self { kms: aws_sdk_kms::Client::new(&config), secrets: aws_sdk_secretsmanager::Client::new(&config) }
    }

    async fn kms_key(&self, spec: KeySpec) -> KeyRef {
        let call = self.kms.create_key().key_spec(spec).key_usage(KeyUsageType::SignVerify);
        let answer = call.send().await.expect("the key can be made");
        KeyRef::Kms { key_id: answer.key_metadata.expect("a key has metadata").key_id }
    }

    /// Keys over a new secret of the two known ones.
    async fn keys(&self) -> AwsKeys {
        let unique = RandomState::new().hash_one(std::process::id());
        let secret_id = format!("test-{unique:016x}-imported-keys");
        let entries: Vec<_> = SECRETS.map(|(n, key)| format!("\"{n}\": \"{key}\"")).into();
        let call = self.secrets.create_secret().name(&secret_id);
        let call = call.secret_string(format!("{{{}}}", entries.join(", ")));
        call.send().await.expect("the secret can be made");
        AwsKeys::new(self.kms.clone(), self.secrets.clone(), secret_id)
    }
}

fn secret(name: &str) -> KeyRef {
    KeyRef::Secret { name: name.to_owned() }
}

async fn subject() -> Subject {
    let platform = Platform::new().await;
    let spec = KeySpec::EccSecgP256K1;
    let held =
        vec![platform.kms_key(spec.clone()).await, platform.kms_key(spec).await, secret("first"), secret("second")];
    let nobody = KeyRef::Kms { key_id: "00000000-0000-0000-0000-000000000000".to_owned() };
    let missing = vec![nobody, secret("third")];
    Subject { keys: Arc::new(platform.keys().await), held, missing }
}

keys_contract!(subject());

#[tokio::test]
async fn an_imported_key_has_its_known_address() {
    let keys = Platform::new().await.keys().await;
    let address = keys.address(&secret("first")).await.expect("held");
    assert_eq!(address, address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"));
}

#[tokio::test]
async fn a_secret_that_does_not_exist_holds_no_keys() {
    let platform = Platform::new().await;
    let keys = AwsKeys::new(platform.kms, platform.secrets, "never-made".to_owned());
    let result = keys.address(&secret("first")).await;
    assert!(matches!(result, Err(KeyError::Missing)), "{result:?}");
}

#[tokio::test]
async fn a_key_that_is_disabled_or_to_be_deleted_is_denied() {
    let platform = Platform::new().await;
    let keys = platform.keys().await;
    for delete in [false, true] {
        let key = platform.kms_key(KeySpec::EccSecgP256K1).await;
        let signer = keys.address(&key).await.expect("held");
        let KeyRef::Kms { key_id } = &key else { panic!("a KMS key") };
        if delete {
            let call = platform.kms.schedule_key_deletion().key_id(key_id);
            call.pending_window_in_days(7).send().await.expect("scheduled");
        } else {
            platform.kms.disable_key().key_id(key_id).send().await.expect("disabled");
        }
        let result = keys.sign(&key, signer, B256::repeat_byte(1)).await;
        assert!(matches!(result, Err(KeyError::Denied(_))), "delete {delete}: {result:?}");
    }
}

#[tokio::test]
async fn a_key_of_another_curve_has_no_address_and_does_not_sign() {
    let platform = Platform::new().await;
    let keys = platform.keys().await;
    let key = platform.kms_key(KeySpec::EccNistP256).await;
    let result = keys.address(&key).await;
    assert!(matches!(result, Err(KeyError::Denied(_))), "{result:?}");
    let result = keys.sign(&key, Address::repeat_byte(1), B256::repeat_byte(1)).await;
    assert!(matches!(result, Err(KeyError::WrongKey { .. })), "{result:?}");
}

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("unpoisoned").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_logged_at_any_level_and_each_call_is_counted() {
    let keys = Platform::new().await.keys().await;
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let signer = keys.address(&secret("first")).await.expect("held");
    keys.sign(&secret("first"), signer, B256::repeat_byte(1)).await.expect("signed");
    let refused = keys.sign(&secret("second"), signer, B256::repeat_byte(1)).await;
    drop(guard);
    let text = String::from_utf8(log.0.lock().expect("unpoisoned").clone()).expect("text");
    let text = format!("{text} {keys:?} {refused:?}").to_lowercase();
    let counted = text.matches("calls: service=\"secretsmanager\" op=\"getsecretvalue\"").count();
    assert_eq!(counted, 2, "one read, and one more for the key of another signer: {text}");
    for (name, key) in SECRETS {
        assert!(!text.contains(&key[2..]), "the key {name} was logged");
    }
}
