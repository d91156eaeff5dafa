//! KMS keys of spec ECC_SECG_P256K1.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use alloy_primitives::{Address, B256};
use aws_sdk_kms::{
    Client,
    primitives::Blob,
    types::{MessageType, SigningAlgorithmSpec},
};
use k256::{ecdsa::VerifyingKey, pkcs8::DecodePublicKey};

use super::error;
use crate::{
    curve,
    port::{KeyError, Signature},
};

pub(super) struct KmsKeys {
    client: Client,
    /// A key's public half never changes; there are as many entries as treasuries.
    addresses: Mutex<HashMap<String, Address>>,
}

impl KmsKeys {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            addresses: Mutex::default(),
        }
    }

    pub(super) async fn address(&self, key_id: &str) -> Result<Address, KeyError> {
        let known = self.addresses().get(key_id).copied();
        if let Some(address) = known {
            return Ok(address);
        }
        count("GetPublicKey");
        let call = self.client.get_public_key().key_id(key_id).send();
        let answer = call.await.map_err(error::of_call)?;
        let der = answer
            .public_key
            .ok_or_else(|| KeyError::Unavailable("the answer holds no public key".into()))?;
        let key = VerifyingKey::from_public_key_der(der.as_ref()).map_err(|_| {
            KeyError::Denied(format!("{key_id} is no secp256k1 key: {:?}", answer.key_spec).into())
        })?;
        let address = curve::address_of(&key);
        self.addresses().insert(key_id.to_owned(), address);
        Ok(address)
    }

    /// One call: the parity follows from the signer that is expected.
    pub(super) async fn sign(
        &self,
        key_id: &str,
        signer: Address,
        digest: B256,
    ) -> Result<Signature, KeyError> {
        count("Sign");
        let call = self
            .client
            .sign()
            .key_id(key_id)
            .message(Blob::new(digest.as_slice()))
            .message_type(MessageType::Digest)
            .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
            .send();
        let answer = call.await.map_err(error::of_call)?;
        let der = answer
            .signature
            .ok_or_else(|| KeyError::Unavailable("the answer holds no signature".into()))?;
        // What is no pair of numbers within the order comes from a key of another curve.
        let raw = k256::ecdsa::Signature::from_der(der.as_ref())
            .map_err(|_| KeyError::WrongKey { expected: signer })?;
        curve::finish(&raw, signer, digest)
    }

    fn addresses(&self) -> MutexGuard<'_, HashMap<String, Address>> {
        // The map is whole at every moment, so a panic elsewhere does not spoil it.
        self.addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// One call to AWS; the bench sums these.
fn count(op: &'static str) {
    tracing::debug!(target: "calls", service = "kms", op);
}
