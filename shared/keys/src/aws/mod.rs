//! Keys on AWS: KMS keys, which never leave KMS, and imported keys from one secret of Secrets Manager.
//!
//! The SDK's own retries stay on: a signature has no effect outside of this process. Addresses of KMS keys
//! (feature `public`) stand apart from everything that signs (feature `aws`).

mod error;
#[cfg(feature = "aws")]
mod imported;
#[cfg(feature = "aws")]
mod kms;
mod public;
#[cfg(feature = "aws")]
mod signing;

use std::time::Duration;

use aws_sdk_kms::config::{retry::RetryConfig, timeout::TimeoutConfig};

pub use self::public::KmsPublicKeys;
#[cfg(feature = "aws")]
pub use self::signing::AwsKeys;

/// How long one call may take with all of its retries.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(8);
/// How long one try may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Tries of one call, the first included.
const ATTEMPTS_MAX: u32 = 3;

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_timeout(OPERATION_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .build()
}

fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX)
}

/// The same client with our timeouts and retries in place of its own.
fn patient(kms: &aws_sdk_kms::Client) -> aws_sdk_kms::Client {
    let config = kms.config().to_builder().timeout_config(timeouts()).retry_config(retries());
    aws_sdk_kms::Client::from_conf(config.build())
}

/// One call to KMS; the bench sums these.
fn count(op: &'static str) {
    tracing::debug!(target: "calls", service = "kms", op);
}
