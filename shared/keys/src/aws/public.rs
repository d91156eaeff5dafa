//! Addresses of KMS keys of spec ECC_SECG_P256K1.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use alloy_primitives::Address;
use async_trait::async_trait;
use aws_sdk_kms::Client;
use k256::{ecdsa::VerifyingKey, pkcs8::DecodePublicKey};

use super::{count, error, patient};
use crate::{
    curve,
    port::{KeyError, PublicKeys},
};

/// What KMS tells of its keys' public halves.
pub struct KmsPublicKeys {
    client: Client,
    /// A key's public half never changes; there are as many entries as treasuries.
    addresses: Mutex<HashMap<String, Address>>,
}

impl KmsPublicKeys {
    /// Public keys of this KMS. The client's own timeouts and retries are replaced.
    pub fn new(kms: &Client) -> Self {
        Self::of(patient(kms))
    }

    /// Public keys by a client that has our timeouts already.
    pub(super) fn of(client: Client) -> Self {
        Self { client, addresses: Mutex::default() }
    }

    fn addresses(&self) -> MutexGuard<'_, HashMap<String, Address>> {
        // The map is whole at every moment, so a panic elsewhere does not spoil it.
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for KmsPublicKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsPublicKeys").finish_non_exhaustive()
    }
}

#[async_trait]
impl PublicKeys for KmsPublicKeys {
    async fn kms_address(&self, key_id: &str) -> Result<Address, KeyError> {
        let known = self.addresses().get(key_id).copied();
        if let Some(address) = known {
            return Ok(address);
        }
        count("GetPublicKey");
        let call = self.client.get_public_key().key_id(key_id).send();
        let answer = call.await.map_err(error::of_call)?;
        let der = answer.public_key.ok_or_else(|| KeyError::Unavailable("the answer holds no public key".into()))?;
        let key = VerifyingKey::from_public_key_der(der.as_ref())
            .map_err(|_| KeyError::Denied(format!("{key_id} is no secp256k1 key: {:?}", answer.key_spec).into()))?;
        let address = curve::address_of(&key);
        self.addresses().insert(key_id.to_owned(), address);
        Ok(address)
    }
}
