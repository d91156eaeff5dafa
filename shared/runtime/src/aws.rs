//! The ports' AWS sides, each behind a feature: a function links only what it uses.

use aws_config::{BehaviorVersion, SdkConfig};

#[cfg(any(feature = "store", feature = "queue", feature = "chains", feature = "lane-keys"))]
use crate::config::Config;

/// Loads region, credentials and endpoint once for all clients of the process.
pub async fn sdk() -> SdkConfig {
    // Pinned: a newer set of defaults is a decision, not an upgrade's side effect.
    aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await
}

/// DynamoDB.
#[cfg(feature = "store")]
pub fn store(sdk: &SdkConfig, config: &Config) -> std::sync::Arc<dyn causeway_store::Store> {
    let client = aws_sdk_dynamodb::Client::new(sdk);
    let store = causeway_store::dynamo::DynamoStore::new(client, config.prefix.clone());
    // Asked for only where calls are logged: nobody else reads it.
    let counts = tracing::enabled!(target: "calls", tracing::Level::DEBUG);
    std::sync::Arc::new(if counts { store.counting_capacity() } else { store })
}

/// SQS.
#[cfg(feature = "queue")]
pub fn queue(sdk: &SdkConfig, config: &Config) -> std::sync::Arc<dyn causeway_queue::Queue> {
    let client = aws_sdk_sqs::Client::new(sdk);
    std::sync::Arc::new(causeway_queue::sqs::SqsQueue::new(&client, config.queue_base.clone(), config.prefix.clone()))
}

/// KMS and imported keys, for validate-sign only.
#[cfg(feature = "lane-keys")]
pub fn lane_keys(sdk: &SdkConfig, config: &Config) -> std::sync::Arc<dyn causeway_keys::Keys> {
    let kms = aws_sdk_kms::Client::new(sdk);
    let secrets = aws_sdk_secretsmanager::Client::new(sdk);
    let secret_id = format!("{}-imported-keys", config.prefix);
    std::sync::Arc::new(causeway_keys::aws::AwsKeys::new(kms, secrets, secret_id))
}

/// Addresses of KMS keys, for admin: nothing that signs.
#[cfg(feature = "public-keys")]
pub fn public_keys(sdk: &SdkConfig) -> std::sync::Arc<dyn causeway_keys::PublicKeys> {
    std::sync::Arc::new(causeway_keys::aws::KmsPublicKeys::new(&aws_sdk_kms::Client::new(sdk)))
}

/// One chain per enabled network, from the secret `rpc` or the environment. A network without one that can be used is left out,
/// and waits: the others go on.
#[cfg(feature = "chains")]
pub async fn chains(
    sdk: &SdkConfig,
    config: &Config,
    clock: std::sync::Arc<dyn causeway_domain::Clock>,
) -> Result<Chains, crate::config::ConfigError> {
    use std::{collections::BTreeMap, sync::Arc};

    let mut chains: Chains = BTreeMap::new();
    let mut secret: Option<BTreeMap<String, Vec<String>>> = None;
    for network in config.networks.iter() {
        let endpoints = match Config::rpc_override(network.id.as_str()) {
            Some(endpoints) => endpoints,
            None => {
                if secret.is_none() {
                    secret = Some(rpc_secret(sdk, config).await?);
                }
                let known = secret.as_ref().and_then(|known| known.get(network.id.as_str()));
                known.cloned().unwrap_or_default()
            }
        };
        match causeway_chains::pool::RpcChain::new(network, endpoints, Arc::clone(&clock)) {
            Ok(chain) => {
                chains.insert(network.id.clone(), Arc::new(chain));
            }
            Err(error) => {
                tracing::error!(network = %network.id, error = %error, "this network's providers cannot be used; it waits");
            }
        }
    }
    Ok(chains)
}

/// Chains by network.
#[cfg(feature = "chains")]
pub type Chains =
    std::collections::BTreeMap<causeway_domain::id::NetworkId, std::sync::Arc<dyn causeway_chains::Chain>>;

#[cfg(feature = "chains")]
async fn rpc_secret(
    sdk: &SdkConfig,
    config: &Config,
) -> Result<std::collections::BTreeMap<String, Vec<String>>, crate::config::ConfigError> {
    let name = format!("{}-rpc", config.prefix);
    let unusable = |reason: String| crate::config::ConfigError::Secret { name: name.clone(), reason };
    let client = aws_sdk_secretsmanager::Client::new(sdk);
    let answer = client.get_secret_value().secret_id(&name).send().await;
    // The SDK's error names the call and the service's code, never the content.
    let answer = answer.map_err(|error| unusable(format!("{:?}", error.into_service_error())))?;
    let text = answer.secret_string().ok_or_else(|| unusable("it has no text".to_owned()))?;
    serde_json::from_str(text).map_err(|_| unusable("it is not a map of network to endpoints".to_owned()))
}
