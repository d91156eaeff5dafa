//! Configuration from the environment, read once at start; `infra/topology.yaml` says who sets what.

use std::env;

use causeway_domain::{Networks, network::NetworksError};

/// The networks this project knows; `CAUSEWAY_NETWORKS_FILE` replaces them.
const NETWORKS_FILE: &str = include_str!("../../../infra/networks.toml");

/// What the environment says.
#[derive(Debug, Clone)]
pub struct Config {
    /// Prefix of every physical name, such as `causeway-prod`.
    pub prefix: String,
    /// A queue's address up to and without the last slash.
    pub queue_base: String,
    /// The enabled networks.
    pub networks: Networks,
    /// Claim that names the tenant.
    pub claim_tenant: String,
    /// Claim that names the user.
    pub claim_user: String,
    /// Claim that lists the roles.
    pub claim_roles: String,
}

/// Why a process cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A variable is missing.
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    /// The networks cannot be used.
    #[error("the networks cannot be used")]
    Networks(#[from] NetworksError),
    /// A file cannot be read.
    #[error("{path} cannot be read")]
    File {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A secret cannot be read or is not what it should be.
    #[error("the secret {name} cannot be used: {reason}")]
    Secret {
        /// Which.
        name: String,
        /// Why; never its content.
        reason: String,
    },
}

impl Config {
    /// Reads the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        let enabled = required("CAUSEWAY_NETWORKS")?;
        let names: Vec<&str> = enabled.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        let networks = match env::var("CAUSEWAY_NETWORKS_FILE") {
            Ok(path) => {
                let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::File { path, source })?;
                Networks::parse(&text, &names)?
            }
            Err(_) => Networks::parse(NETWORKS_FILE, &names)?,
        };
        Ok(Self {
            prefix: required("CAUSEWAY_PREFIX")?,
            queue_base: required("CAUSEWAY_QUEUE_BASE")?,
            networks,
            claim_tenant: optional("CAUSEWAY_CLAIM_TENANT", "custom:tenant"),
            claim_user: optional("CAUSEWAY_CLAIM_USER", "sub"),
            claim_roles: optional("CAUSEWAY_CLAIM_ROLES", "cognito:groups"),
        })
    }

    /// The endpoints that an environment variable puts in place of the secret's: `CAUSEWAY_RPC_<NETWORK>`, by comma.
    pub fn rpc_override(network: &str) -> Option<Vec<String>> {
        let name = format!("CAUSEWAY_RPC_{}", network.to_uppercase().replace(['-', '.'], "_"));
        let list: Vec<String> =
            env::var(name).ok()?.split(',').map(|url| url.trim().to_owned()).filter(|url| !url.is_empty()).collect();
        (!list.is_empty()).then_some(list)
    }
}

/// A variable that must be there.
pub fn required(name: &'static str) -> Result<String, ConfigError> {
    env::var(name).ok().filter(|value| !value.is_empty()).ok_or(ConfigError::Missing(name))
}

/// A variable, or what stands in for it.
pub fn optional(name: &str, otherwise: &str) -> String {
    env::var(name).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| otherwise.to_owned())
}
