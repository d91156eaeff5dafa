//! The contract on the in-memory side, and what only that side has: made keys and faults.

use std::sync::Arc;

use alloy_primitives::{B256, address, b256};
use causeway_keys::{KeyError, KeyRef, Keys, MemoryKeys, contract::Subject, keys_contract, memory::Fault};

fn kms(key_id: &str) -> KeyRef {
    KeyRef::Kms { key_id: key_id.to_owned() }
}

fn secret(name: &str) -> KeyRef {
    KeyRef::Secret { name: name.to_owned() }
}

fn subject() -> Subject {
    let keys = MemoryKeys::new();
    let held = vec![kms("treasury"), secret("treasury"), secret("other")];
    for key in &held {
        keys.create(key.clone());
    }
    Subject { keys: Arc::new(keys), held, missing: vec![kms("other"), secret("nobody")] }
}

keys_contract!(async { subject() });

#[tokio::test]
async fn a_name_gives_the_same_key_in_every_run() {
    let keys = MemoryKeys::new();
    let made = keys.create(kms("treasury"));
    assert_eq!(MemoryKeys::new().create(kms("treasury")), made);
    assert_eq!(made, address!("1bcbbd2af75cf4b14ab67356e62a7e68cb7831e7"));
}

#[tokio::test]
async fn a_known_secret_can_be_imported_and_clones_share_it() {
    let keys = MemoryKeys::new();
    let anvil = b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
    let expected = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    assert_eq!(keys.clone().import(secret("anvil"), anvil), Some(expected));
    assert_eq!(keys.address(&secret("anvil")).await.expect("held"), expected);
    assert_eq!(keys.import(secret("zero"), B256::ZERO), None);
    assert_eq!(keys.import(secret("beyond"), B256::repeat_byte(0xff)), None);
}

#[tokio::test]
async fn the_test_decides_on_faults() {
    let keys = MemoryKeys::new();
    let signer = keys.create(kms("treasury"));
    let mut script = vec![Fault::Pass, Fault::Unavailable, Fault::Denied];
    keys.set_fault(move |key| {
        assert_eq!(key, &kms("treasury"));
        script.pop().expect("one fault for each call")
    });
    let denied = keys.sign(&kms("treasury"), signer, B256::ZERO).await;
    assert!(matches!(denied, Err(KeyError::Denied(_))), "{denied:?}");
    let unavailable = keys.address(&kms("treasury")).await;
    assert!(matches!(unavailable, Err(KeyError::Unavailable(_))), "{unavailable:?}");
    keys.address(&kms("treasury")).await.expect("passed");
    keys.clear_fault();
    keys.sign(&kms("treasury"), signer, B256::ZERO).await.expect("no fault any more");
}

#[test]
fn secrets_are_not_printed() {
    let keys = MemoryKeys::new();
    keys.import(secret("anvil"), B256::repeat_byte(0x46));
    let printed = format!("{keys:?}");
    assert!(!printed.contains("4646"), "{printed}");
    assert!(printed.contains("held: 1"), "{printed}");
}
