//! The Keys port on AWS: what signs.

use std::fmt;

use alloy_primitives::{Address, B256};
use async_trait::async_trait;

use super::{imported::ImportedKeys, kms::KmsKeys, patient, retries, timeouts};
use crate::{
    curve,
    port::{KeyError, KeyRef, Keys, PublicKeys, Signature},
};

/// The keys of one environment on AWS.
pub struct AwsKeys {
    kms: KmsKeys,
    imported: ImportedKeys,
}

impl AwsKeys {
    /// Keys of these services; `secret_id` names the secret that holds the imported keys, a JSON
    /// object of name and 0x-prefixed private key. The clients' own timeouts and retries are replaced.
    pub fn new(kms: aws_sdk_kms::Client, secrets: aws_sdk_secretsmanager::Client, secret_id: String) -> Self {
        let secrets = secrets.config().to_builder().timeout_config(timeouts());
        let secrets = secrets.retry_config(retries()).build();
        Self {
            kms: KmsKeys::new(patient(&kms)),
            imported: ImportedKeys::new(aws_sdk_secretsmanager::Client::from_conf(secrets), secret_id),
        }
    }
}

impl fmt::Debug for AwsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By hand, so that no key can ever slip into a log with it.
        f.debug_struct("AwsKeys").finish_non_exhaustive()
    }
}

#[async_trait]
impl Keys for AwsKeys {
    async fn address(&self, key: &KeyRef) -> Result<Address, KeyError> {
        match key {
            KeyRef::Kms { key_id } => self.kms.public.kms_address(key_id).await,
            KeyRef::Secret { name } => Ok(self.imported.find(name, None).await?.address),
        }
    }

    async fn sign(&self, key: &KeyRef, signer: Address, digest: B256) -> Result<Signature, KeyError> {
        match key {
            KeyRef::Kms { key_id } => self.kms.sign(key_id, signer, digest).await,
            KeyRef::Secret { name } => {
                let imported = self.imported.find(name, Some(signer)).await?;
                curve::sign(&imported.key, signer, digest)
            }
        }
    }
}
