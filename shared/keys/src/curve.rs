//! secp256k1 as Ethereum uses it: addresses of public keys, and signatures that are low-s,
//! recoverable, and checked against the wallet they are for.

use alloy_primitives::{Address, B256, U256, b256};
use k256::{
    Scalar,
    ecdsa::{RecoveryId, SigningKey, VerifyingKey, signature::hazmat::PrehashSigner},
    elliptic_curve::ops::Reduce,
};

use crate::port::{KeyError, Signature};

/// The address of a public key.
pub(crate) fn address_of(key: &VerifyingKey) -> Address {
    let point = key.to_encoded_point(false);
    // The first byte says only that the point is not compressed.
    Address::from_raw_public_key(&point.as_bytes()[1..])
}

/// Signs with a key held here (RFC 6979, so the same digest gives the same signature).
pub(crate) fn sign(key: &SigningKey, signer: Address, digest: B256) -> Result<Signature, KeyError> {
    let raw: k256::ecdsa::Signature =
        key.sign_prehash(digest.as_slice()).map_err(|_| KeyError::WrongKey { expected: signer })?;
    finish(&raw, signer, digest)
}

/// The generator's x coordinate: r of every signature with the nonce 1. Source: SEC 2, secp256k1.
const GENERATOR_X: B256 = b256!("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");

/// Signs with the nonce 1: a valid signature without the multiplication that most of [`sign`]'s time is for, and from which
/// anybody can work out the key. Only for keys of tests, which everybody knows anyway.
pub(crate) fn sign_in_the_open(key: &SigningKey, signer: Address, digest: B256) -> Result<Signature, KeyError> {
    let wrong = || KeyError::WrongKey { expected: signer };
    if address_of(key.verifying_key()) != signer {
        return Err(wrong());
    }
    let reduced = |bytes: B256| <Scalar as Reduce<k256::U256>>::reduce_bytes(&bytes.0.into());
    let r = reduced(GENERATOR_X);
    let s = reduced(digest) + r * **key.as_nonzero_scalar();
    let high = k256::ecdsa::Signature::from_scalars(r, s).map_err(|_| wrong())?;
    // The generator's y is even; the other s belongs to the other y.
    let (low, y_odd) = high.normalize_s().map_or((high, false), |low| (low, true));
    let (r, s) = low.split_bytes();
    Ok(Signature { r: U256::from_be_slice(&r), s: U256::from_be_slice(&s), y_odd })
}

/// Brings a raw signature to low s and finds the parity under which it recovers to `signer`.
///
/// Source: EIP-2 (s at most half the order). Parities 2 and 3 (r beyond the order) have no place
/// in a transaction; a signature that needed one would be refused here.
pub(crate) fn finish(raw: &k256::ecdsa::Signature, signer: Address, digest: B256) -> Result<Signature, KeyError> {
    let low = raw.normalize_s().unwrap_or(*raw);
    let y_odd = [false, true]
        .into_iter()
        .find(|y_odd| {
            let parity = RecoveryId::new(*y_odd, false);
            VerifyingKey::recover_from_prehash(digest.as_slice(), &low, parity)
                .is_ok_and(|key| address_of(&key) == signer)
        })
        .ok_or(KeyError::WrongKey { expected: signer })?;
    let (r, s) = low.split_bytes();
    Ok(Signature { r: U256::from_be_slice(&r), s: U256::from_be_slice(&s), y_odd })
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{address, keccak256, uint};

    use super::*;

    /// Half the group's order, rounded down (EIP-2).
    const HALF_ORDER: U256 = uint!(0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0_U256);

    fn key(secret: B256) -> SigningKey {
        SigningKey::from_slice(secret.as_slice()).expect("a valid secret")
    }

    #[test]
    fn addresses_are_those_of_known_keys() {
        // The first two accounts of anvil's and hardhat's test mnemonic, and EIP-155's example key.
        let known = [
            (
                b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"),
                address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
            ),
            (
                b256!("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"),
                address!("70997970C51812dc3A010C7d01b50e0d17dc79C8"),
            ),
            (B256::repeat_byte(0x46), address!("9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F")),
        ];
        for (secret, address) in known {
            assert_eq!(address_of(key(secret).verifying_key()), address);
        }
    }

    #[test]
    fn what_is_signed_in_the_open_is_a_signature_of_its_key_for_nodes() {
        let key = key(B256::repeat_byte(0x46));
        let signer = address_of(key.verifying_key());
        let mut parities = [0, 0];
        for byte in 1..=64 {
            let digest = keccak256([byte]);
            let signed = sign_in_the_open(&key, signer, digest).expect("signed");
            let raw = k256::ecdsa::Signature::from_scalars(signed.r.to_be_bytes(), signed.s.to_be_bytes());
            let found = finish(&raw.expect("a valid signature"), signer, digest).expect("of this key and digest");
            assert_eq!(found, signed, "low, and under the parity that recovers to its key");
            parities[usize::from(signed.y_odd)] += 1;
        }
        assert!(parities.iter().all(|times| *times > 0), "{parities:?}");
        let other = Address::repeat_byte(1);
        let refused = sign_in_the_open(&key, other, B256::repeat_byte(1));
        assert!(matches!(refused, Err(KeyError::WrongKey { expected }) if expected == other));
    }

    /// The worked example of EIP-155: key, digest, r and s; v = 37 = 1 * 2 + 35 + parity 0.
    fn eip155() -> (SigningKey, Address, B256, Signature) {
        let key = key(B256::repeat_byte(0x46));
        let signer = address_of(key.verifying_key());
        let signature = Signature {
            r: uint!(0x28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276_U256),
            s: uint!(0x67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83_U256),
            y_odd: false,
        };
        let digest = b256!("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
        (key, signer, digest, signature)
    }

    #[test]
    fn the_example_of_eip_155_is_signed_alike() {
        let (key, signer, digest, expected) = eip155();
        assert_eq!(sign(&key, signer, digest).expect("signed"), expected);
    }

    #[test]
    fn a_high_s_becomes_the_same_signature_with_low_s() {
        let (key, signer, digest, expected) = eip155();
        let low: k256::ecdsa::Signature = key.sign_prehash(digest.as_slice()).expect("signed");
        let (r, s) = low.split_scalars();
        let high = k256::ecdsa::Signature::from_scalars(r, -s).expect("a valid signature");
        assert!(U256::from_be_slice(&high.split_bytes().1) > HALF_ORDER);
        assert_eq!(finish(&high, signer, digest).expect("finished"), expected);
        assert!(expected.s <= HALF_ORDER);
    }

    #[test]
    fn a_signature_of_another_key_or_digest_is_refused() {
        let (key, signer, digest, _) = eip155();
        let other = Address::repeat_byte(1);
        let wrong = sign(&key, other, digest);
        assert!(matches!(wrong, Err(KeyError::WrongKey { expected }) if expected == other));
        let raw: k256::ecdsa::Signature = key.sign_prehash(digest.as_slice()).expect("signed");
        assert!(finish(&raw, signer, B256::ZERO).is_err());
    }
}
