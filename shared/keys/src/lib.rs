//! The Keys port: secp256k1 signatures over 32-byte digests, and public keys.
//!
//! Sides: `memory` (keys made for tests), `aws` (feature): KMS keys and imported keys from
//! Secrets Manager. One contract (`contract`) holds for all. Who may only know a key's address
//! sees [`PublicKeys`] and builds with the feature `public`, which has nothing that signs on AWS.
//!
//! Invariant: every signature is low-s, and is checked against the expected signer by recovery
//! before it is returned; a secret is wiped from memory when it is dropped.

#[cfg(feature = "public")]
pub mod aws;
pub mod contract;
mod curve;
pub mod memory;
mod port;

pub use memory::MemoryKeys;
pub use port::{KeyError, KeyRef, Keys, PublicKeys, Signature};
