//! What every side of the port keeps, as test cases. `keys_contract!` runs all of them.

use std::sync::Arc;

use alloy_primitives::{Address, B256, U256, keccak256, uint};
use k256::ecdsa::{RecoveryId, VerifyingKey};

use crate::port::{KeyError, KeyRef, Keys, Signature};

/// A side under test.
#[derive(Debug)]
pub struct Subject {
    /// The side.
    pub keys: Arc<dyn Keys>,
    /// Keys it holds, all different, at least two.
    pub held: Vec<KeyRef>,
    /// Keys it does not hold.
    pub missing: Vec<KeyRef>,
}

/// Half the group's order, rounded down: the largest s a transaction may carry (EIP-2).
const HALF_ORDER: U256 = uint!(0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0_U256);

/// Digests signed with each key. A signer that does not normalise gives a high s for every other one.
const DIGESTS: u64 = 40;

/// Makes one test of each case of the contract; `$subject` is an async expression.
#[macro_export]
macro_rules! keys_contract {
    ($subject:expr) => {
        $crate::keys_contract!(@cases $subject;
            addresses_are_stable_and_differ
            signatures_recover_and_are_low_s
            another_signer_is_refused
            missing_keys_are_missing
        );
    };
    (@cases $subject:expr; $($case:ident)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                $crate::contract::$case(&$subject.await).await;
            }
        )*
    };
}

fn digest(n: u64) -> B256 {
    keccak256(n.to_be_bytes())
}

async fn address(subject: &Subject, key: &KeyRef) -> Address {
    subject.keys.address(key).await.expect("the key is held")
}

/// Who signed, found from r, s and parity alone.
fn recovered(signature: &Signature, digest: B256) -> Address {
    let raw = k256::ecdsa::Signature::from_scalars(signature.r.to_be_bytes::<32>(), signature.s.to_be_bytes::<32>())
        .expect("r and s are within the order");
    let parity = RecoveryId::new(signature.y_odd, false);
    let key = VerifyingKey::recover_from_prehash(digest.as_slice(), &raw, parity).expect("the signature recovers");
    Address::from_raw_public_key(&key.to_encoded_point(false).as_bytes()[1..])
}

/// A key's address is the same each time, and no other key's.
pub async fn addresses_are_stable_and_differ(subject: &Subject) {
    assert!(subject.held.len() >= 2);
    let mut seen = Vec::new();
    for key in &subject.held {
        let first = address(subject, key).await;
        assert_eq!(address(subject, key).await, first);
        assert!(!seen.contains(&first), "{first} belongs to two keys");
        seen.push(first);
    }
}

/// Every signature recovers to the wallet with the parity it names, and none has a high s.
pub async fn signatures_recover_and_are_low_s(subject: &Subject) {
    for key in &subject.held {
        let signer = address(subject, key).await;
        for n in 0..DIGESTS {
            let signature = subject.keys.sign(key, signer, digest(n)).await.expect("signed");
            assert!(signature.s <= HALF_ORDER, "{key:?} digest {n}: s is high");
            assert_eq!(recovered(&signature, digest(n)), signer, "{key:?} digest {n}");
        }
    }
}

/// A key signs for its own wallet only.
pub async fn another_signer_is_refused(subject: &Subject) {
    let other = address(subject, &subject.held[0]).await;
    for key in &subject.held[1..] {
        let refused = subject.keys.sign(key, other, digest(1)).await;
        assert!(matches!(refused, Err(KeyError::WrongKey { expected }) if expected == other), "{refused:?}");
    }
}

/// A key that is not there is reported so, by both calls.
pub async fn missing_keys_are_missing(subject: &Subject) {
    assert!(!subject.missing.is_empty());
    for key in &subject.missing {
        let refused = subject.keys.address(key).await;
        assert!(matches!(refused, Err(KeyError::Missing)), "{key:?}: {refused:?}");
        let refused = subject.keys.sign(key, Address::repeat_byte(7), digest(1)).await;
        assert!(matches!(refused, Err(KeyError::Missing)), "{key:?}: {refused:?}");
    }
}
