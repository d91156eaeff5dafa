//! The assets that this build knows, so that a person can write a symbol for a contract.

use alloy_primitives::Address;
use causeway_domain::{Asset, Networks};

use crate::error::CliError;

const NETWORKS: &str = include_str!("../../infra/networks.toml");

/// The asset of a symbol or contract address on a network that this build knows.
pub(crate) fn find(network: &str, token: &str) -> Result<Asset, CliError> {
    let networks = Networks::parse(NETWORKS, &[network]).map_err(|_| unknown_network(network))?;
    let network = networks.get(network).ok_or_else(|| unknown_network(network))?;
    let asset = match token.parse::<Address>() {
        Ok(address) => network.asset(address),
        Err(_) => network.asset_by_symbol(token),
    };
    asset.cloned().ok_or_else(|| CliError::Usage(format!("token: '{token}' is not listed on {}", network.id)))
}

/// The contract of a token that is written as a symbol or as an address.
///
/// An address is taken as it is: a deployment may list more than this build knows.
pub(crate) fn contract(network: &str, token: &str) -> Result<String, CliError> {
    if token.starts_with("0x") {
        return Ok(token.to_owned());
    }
    find(network, token).map(|asset| asset.address.to_string())
}

fn unknown_network(network: &str) -> CliError {
    CliError::Usage(format!("network: '{network}' is not known here; write the token as a contract address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_stands_for_its_contract() {
        assert_eq!(contract("local", "eth").ok(), Some(Address::ZERO.to_string()));
        let tusd = find("local", "TUSD").ok();
        assert_eq!(tusd.as_ref().map(|asset| asset.decimals), Some(6));
        assert_eq!(contract("local", "tusd").ok(), tusd.map(|asset| asset.address.to_string()));
    }

    #[test]
    fn an_address_is_taken_as_it_is() {
        assert_eq!(contract("elsewhere", "0x1234").ok().as_deref(), Some("0x1234"));
        assert!(contract("elsewhere", "ETH").is_err());
        assert!(contract("local", "NOSUCH").is_err());
    }
}
