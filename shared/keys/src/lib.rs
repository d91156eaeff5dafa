//! The Keys port: secp256k1 signatures over 32-byte digests, and public keys.
//!
//! Sides: `memory` (keys made for tests), `aws` (feature): KMS keys and imported keys from
//! Secrets Manager. One contract (`contract`) holds for all.
//!
//! Invariant: every signature is low-s, and is checked against the expected signer by recovery
//! before it is returned; a secret is wiped from memory when it is dropped.

#[cfg(feature = "aws")]
pub mod aws;
pub mod contract;
mod curve;
pub mod memory;
mod port;

pub use memory::MemoryKeys;
pub use port::{KeyError, KeyRef, Keys, Signature};
