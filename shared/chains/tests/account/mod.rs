//! Keys of test accounts, for the labs of both sides.

use alloy_primitives::{Address, U256, keccak256};
use causeway_chains::transaction::{Payment, Sealed, digest, seal};
use k256::ecdsa::SigningKey;

/// A key that follows from the account's number.
fn key(account: u8) -> SigningKey {
    SigningKey::from_slice(keccak256([account]).as_slice()).expect("below the curve's order")
}

/// The account's address.
pub fn address(account: u8) -> Address {
    Address::from_public_key(key(account).verifying_key())
}

/// Signs a payment with the account's key.
pub fn sign(account: u8, payment: &Payment) -> Sealed {
    let (signature, recovery) =
        key(account).sign_prehash_recoverable(digest(payment).as_slice()).expect("a digest has 32 bytes");
    let r = U256::from_be_slice(&signature.r().to_bytes());
    let s = U256::from_be_slice(&signature.s().to_bytes());
    seal(payment, r, s, recovery.is_y_odd())
}
