//! Keys on AWS: KMS keys, which never leave KMS, and imported keys from one secret of Secrets Manager.
//!
//! The SDK's own retries stay on: a signature has no effect outside of this process.

mod error;
mod imported;
mod kms;

use std::{fmt, time::Duration};

use alloy_primitives::{Address, B256};
use async_trait::async_trait;
use aws_sdk_kms::config::{retry::RetryConfig, timeout::TimeoutConfig};

use self::{imported::ImportedKeys, kms::KmsKeys};
use crate::{
    curve,
    port::{KeyError, KeyRef, Keys, Signature},
};

/// How long one call may take with all of its retries.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(8);
/// How long one try may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Tries of one call, the first included.
const ATTEMPTS_MAX: u32 = 3;

/// The keys of one environment on AWS.
pub struct AwsKeys {
    kms: KmsKeys,
    imported: ImportedKeys,
}

impl AwsKeys {
    /// Keys of these services; `secret_id` names the secret that holds the imported keys, a JSON
    /// object of name and 0x-prefixed private key. The clients' own timeouts and retries are replaced.
    pub fn new(
        kms: aws_sdk_kms::Client,
        secrets: aws_sdk_secretsmanager::Client,
        secret_id: String,
    ) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_timeout(OPERATION_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .build();
        let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX);
        let kms = kms.config().to_builder().timeout_config(timeouts.clone());
        let kms = kms.retry_config(retries.clone()).build();
        let secrets = secrets.config().to_builder().timeout_config(timeouts);
        let secrets = secrets.retry_config(retries).build();
        Self {
            kms: KmsKeys::new(aws_sdk_kms::Client::from_conf(kms)),
            imported: ImportedKeys::new(
                aws_sdk_secretsmanager::Client::from_conf(secrets),
                secret_id,
            ),
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
            KeyRef::Kms { key_id } => self.kms.address(key_id).await,
            KeyRef::Secret { name } => Ok(self.imported.find(name, None).await?.address),
        }
    }

    async fn sign(
        &self,
        key: &KeyRef,
        signer: Address,
        digest: B256,
    ) -> Result<Signature, KeyError> {
        match key {
            KeyRef::Kms { key_id } => self.kms.sign(key_id, signer, digest).await,
            KeyRef::Secret { name } => {
                let imported = self.imported.find(name, Some(signer)).await?;
                curve::sign(&imported.key, signer, digest)
            }
        }
    }
}
