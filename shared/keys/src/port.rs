//! The port itself.

use alloy_primitives::{Address, B256, U256};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// How a wallet's key is held.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum KeyRef {
    /// A KMS key of spec ECC_SECG_P256K1; the key never leaves KMS.
    Kms {
        /// Key id or ARN.
        key_id: String,
    },
    /// An imported key in the secret `imported-keys`.
    Secret {
        /// Its name within the secret.
        name: String,
    },
}

/// A recoverable secp256k1 signature with low s (EIP-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// First half.
    pub r: U256,
    /// Second half, at most half the group's order.
    pub s: U256,
    /// Whether the point's y is odd (EIP-1559's `signature_y_parity`).
    pub y_odd: bool,
}

/// Why a key did not sign. Nothing left the house in any of these cases.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not allowed, disabled, or pending deletion.
    #[error("the key's use is denied")]
    Denied(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No such key.
    #[error("there is no such key")]
    Missing,
    /// Throttled or out of reach; worth another try.
    #[error("the key service is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The signature does not recover to the wallet's address, or the key is not what it should be.
    #[error("the key does not belong to {expected}")]
    WrongKey {
        /// The wallet's address.
        expected: Address,
    },
}

/// Keys that sign for lanes.
#[async_trait]
pub trait Keys: Send + Sync + std::fmt::Debug {
    /// The address of a key (last 20 bytes of the public key's keccak hash; Yellow Paper, appendix F).
    async fn address(&self, key: &KeyRef) -> Result<Address, KeyError>;

    /// Signs a digest; the signature is low-s and recovers to `signer`.
    async fn sign(&self, key: &KeyRef, signer: Address, digest: B256) -> Result<Signature, KeyError>;
}

/// Addresses of KMS keys, for whoever registers them and must not sign (rule 11).
#[async_trait]
pub trait PublicKeys: Send + Sync + std::fmt::Debug {
    /// The address of a KMS key, by id or ARN.
    async fn kms_address(&self, key_id: &str) -> Result<Address, KeyError>;
}
