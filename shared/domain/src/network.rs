//! Networks and assets: what `infra/networks.toml` says of them, checked when it is read.

use std::{collections::BTreeMap, fmt};

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

use crate::{
    amount::{Amount, AmountError},
    fees::Priority,
    id::NetworkId,
    limits::{PLAIN_TRANSFER_GAS, TRANSACTION_GAS_MAX, TRANSFER_GAS_MAX},
};

/// A coin or token on a network, as an operator lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// The network it lives on.
    pub network: NetworkId,
    /// The token's contract; the zero address is the network's own coin.
    pub address: Address,
    /// Short name.
    pub symbol: String,
    /// Decimals of its smallest unit.
    pub decimals: u8,
    /// Largest single transfer, if limited.
    pub max_per_transfer: Option<Amount>,
    /// Largest sum a tenant may send in a UTC day, if limited.
    pub max_per_day: Option<Amount>,
}

impl Asset {
    /// Whether it is the network's own coin.
    pub fn is_native(&self) -> bool {
        self.address == Address::ZERO
    }

    /// Its identifier within this deployment.
    pub fn id(&self) -> AssetId {
        AssetId { network: self.network.clone(), address: self.address }
    }

    /// An asset as a row has it: what was meant when that was written, whatever the networks' file says now.
    pub fn written(id: &AssetId, symbol: &str, decimals: u8) -> Self {
        Self {
            network: id.network.clone(),
            address: id.address,
            symbol: symbol.to_owned(),
            decimals,
            max_per_transfer: None,
            max_per_day: None,
        }
    }

    /// Whether a client's word, a contract or a symbol in any case, means this one.
    pub fn is_named(&self, word: &str) -> bool {
        word.parse() == Ok(self.address) || word.eq_ignore_ascii_case(&self.symbol)
    }
}

/// An asset's identifier: `{network}:{contract}`, the contract in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AssetId {
    /// The network.
    pub network: NetworkId,
    /// The contract, or zero for the network's own coin.
    pub address: Address,
}

impl fmt::Display for AssetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:#x}", self.network, self.address)
    }
}

impl TryFrom<String> for AssetId {
    type Error = crate::id::IdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let error = crate::id::IdError { what: "asset" };
        let (network, address) = text.rsplit_once(':').ok_or(error.clone())?;
        Ok(Self { network: network.parse()?, address: address.parse().map_err(|_| error)? })
    }
}

impl From<AssetId> for String {
    fn from(id: AssetId) -> Self {
        id.to_string()
    }
}

/// A chain with its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Its name in this deployment.
    pub id: NetworkId,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Typical time between blocks.
    pub block_time_ms: u64,
    /// Time between two looks at the head.
    pub poll_ms: u64,
    /// Blocks, the including one counted, after which success is told.
    pub confirmed_at: u64,
    /// Blocks after which money may be released.
    pub final_at: u64,
    /// Whether release also waits for the node's `finalized` tag.
    pub final_tag: bool,
    /// Whether success and release are believed only of blocks that two providers have.
    pub second_opinion: bool,
    /// More than this per gas is never offered, in wei.
    pub max_fee_per_gas_wei: u128,
    /// More than this is never tipped per gas, in wei.
    pub max_priority_fee_per_gas_wei: u128,
    /// Gas that one transfer may take, its margin included: the treasury pays for what a recipient's code does.
    pub transfer_gas_max: u64,
    /// Transactions of one lane that may wait for inclusion at once.
    pub in_flight_max: u64,
    /// Blocks after which an urgent transaction that none of them took is stuck.
    pub stuck_after: u64,
    assets: BTreeMap<Address, Asset>,
}

impl Network {
    /// The asset at a contract address; the zero address is the network's own coin.
    pub fn asset(&self, address: Address) -> Option<&Asset> {
        self.assets.get(&address)
    }

    /// The asset that a client's word means: a contract, or a symbol in any case.
    pub fn asset_named(&self, word: &str) -> Option<&Asset> {
        let by_address = word.parse().ok().and_then(|address| self.asset(address));
        by_address.or_else(|| self.asset_by_symbol(word))
    }

    /// The asset of a symbol, in any case.
    pub fn asset_by_symbol(&self, symbol: &str) -> Option<&Asset> {
        self.assets.values().find(|asset| asset.symbol.eq_ignore_ascii_case(symbol))
    }

    /// The network's own coin, which pays for gas.
    pub fn native(&self) -> &Asset {
        &self.assets[&Address::ZERO]
    }

    /// Blocks that a tracker may be behind the chain while numbers are still signed: those of five minutes, and at least 50.
    /// One that is further behind knows too little of lanes: tables that were set back to an earlier time begin like that,
    /// and numbers that they do not remember may have paid what waits to be signed.
    pub fn behind_max(&self) -> u64 {
        const BEHIND_MS: u64 = 300_000;
        const BEHIND_BLOCKS: u64 = 50;
        BEHIND_BLOCKS.max(BEHIND_MS / self.block_time_ms.max(1))
    }

    /// Blocks below the newest at which a lane's used numbers are taken as settled: those of finality, as far as every full
    /// node still has the state (they keep 128).
    pub fn settled_depth(&self) -> u64 {
        const STATES_KEPT: u64 = 100;
        self.final_at.min(STATES_KEPT)
    }

    /// Milliseconds after which a transaction that waits with nodes is stuck: who pays less for speed waits longer
    /// before more is offered.
    pub const fn stuck_after_ms(&self, priority: Priority) -> u64 {
        let times = match priority {
            Priority::High => 1,
            Priority::Normal => 2,
            Priority::Low => 6,
        };
        self.block_time_ms.saturating_mul(self.stuck_after).saturating_mul(times)
    }

    /// All assets, the own coin first.
    pub fn assets(&self) -> impl Iterator<Item = &Asset> {
        self.assets.values()
    }
}

/// The enabled networks of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Networks(BTreeMap<NetworkId, Network>);

/// Why the networks' file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NetworksError {
    /// Not the TOML it should be.
    #[error("the networks' file does not parse")]
    Syntax(#[source] toml::de::Error),
    /// A name is not one.
    #[error("network {0}: the name is not valid")]
    Name(String),
    /// Named twice.
    #[error("network {0} is there twice")]
    Twice(String),
    /// Two enabled ones are the same chain: their lanes would share each address's line of numbers.
    #[error("networks {0} and {1} are enabled and have the same chain_id; leave one of them out")]
    SameChain(String, String),
    /// Enabled, but not in the file.
    #[error("network {0} is enabled but not described")]
    Missing(String),
    /// A value that cannot be.
    #[error("network {network}: {what}")]
    Value {
        /// Which network.
        network: String,
        /// What is wrong.
        what: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    network: Vec<NetworkText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkText {
    id: String,
    chain_id: u64,
    native: AssetText,
    block_time_ms: u64,
    poll_ms: Option<u64>,
    confirmed_at: u64,
    final_at: u64,
    final_tag: bool,
    #[serde(default)]
    second_opinion: bool,
    max_fee_per_gas_wei: u64,
    max_priority_fee_per_gas_wei: u64,
    transfer_gas_max: Option<u64>,
    in_flight_max: u64,
    stuck_after: u64,
    #[serde(default)]
    token: Vec<AssetText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AssetText {
    symbol: String,
    address: Option<Address>,
    decimals: u8,
    max_per_transfer: Option<String>,
    max_per_day: Option<String>,
}

impl Networks {
    /// Reads the networks' file and keeps the enabled ones.
    pub fn parse(text: &str, enabled: &[&str]) -> Result<Self, NetworksError> {
        let file: FileText = toml::from_str(text).map_err(NetworksError::Syntax)?;
        let mut all = BTreeMap::new();
        for network in file.network {
            let network = network.check()?;
            if let Some(twice) = all.insert(network.id.clone(), network) {
                return Err(NetworksError::Twice(twice.id.to_string()));
            }
        }
        let mut kept: BTreeMap<NetworkId, Network> = BTreeMap::new();
        for name in enabled {
            let id: NetworkId = name.parse().map_err(|_| NetworksError::Name((*name).to_owned()))?;
            let network = all.remove(&id).ok_or_else(|| NetworksError::Missing((*name).to_owned()))?;
            if let Some(same) = kept.values().find(|known| known.chain_id == network.chain_id) {
                return Err(NetworksError::SameChain(same.id.to_string(), network.id.to_string()));
            }
            kept.insert(id, network);
        }
        Ok(Self(kept))
    }

    /// A network by name.
    pub fn get(&self, id: &str) -> Option<&Network> {
        self.0.iter().find(|(known, _)| known.as_str() == id).map(|(_, network)| network)
    }

    /// All enabled networks.
    pub fn iter(&self) -> impl Iterator<Item = &Network> {
        self.0.values()
    }

    /// An asset by its identifier.
    pub fn asset(&self, id: &AssetId) -> Option<&Asset> {
        self.0.get(&id.network).and_then(|network| network.asset(id.address))
    }
}

impl NetworkText {
    fn check(self) -> Result<Network, NetworksError> {
        let id: NetworkId = self.id.parse().map_err(|_| NetworksError::Name(self.id.clone()))?;
        let wrong = |what: String| NetworksError::Value { network: self.id.clone(), what };
        if self.confirmed_at == 0 || self.final_at < self.confirmed_at {
            return Err(wrong("1 <= confirmed_at <= final_at must hold".to_owned()));
        }
        if self.in_flight_max == 0 || self.block_time_ms == 0 || self.stuck_after == 0 {
            return Err(wrong("in_flight_max, block_time_ms and stuck_after must be positive".to_owned()));
        }
        if self.max_priority_fee_per_gas_wei > self.max_fee_per_gas_wei {
            return Err(wrong("the priority fee's cap is above the fee's cap".to_owned()));
        }
        let transfer_gas_max = self.transfer_gas_max.unwrap_or(TRANSFER_GAS_MAX);
        if !(PLAIN_TRANSFER_GAS..=TRANSACTION_GAS_MAX).contains(&transfer_gas_max) {
            return Err(wrong(format!("transfer_gas_max must be from {PLAIN_TRANSFER_GAS} to {TRANSACTION_GAS_MAX}")));
        }
        let mut assets = BTreeMap::new();
        let native = AssetText { address: Some(Address::ZERO), ..self.native };
        for text in std::iter::once(native).chain(self.token) {
            let asset = text.check(&id).map_err(&wrong)?;
            let symbol = asset.symbol.clone();
            let again = assets.values().any(|known: &Asset| known.symbol.eq_ignore_ascii_case(&symbol));
            if again || assets.insert(asset.address, asset).is_some() {
                return Err(wrong(format!("{symbol} is there twice")));
            }
        }
        Ok(Network {
            id,
            chain_id: self.chain_id,
            block_time_ms: self.block_time_ms,
            poll_ms: self.poll_ms.unwrap_or(self.block_time_ms / 4).max(100),
            confirmed_at: self.confirmed_at,
            final_at: self.final_at,
            final_tag: self.final_tag,
            second_opinion: self.second_opinion,
            max_fee_per_gas_wei: u128::from(self.max_fee_per_gas_wei),
            max_priority_fee_per_gas_wei: u128::from(self.max_priority_fee_per_gas_wei),
            transfer_gas_max,
            in_flight_max: self.in_flight_max,
            stuck_after: self.stuck_after,
            assets,
        })
    }
}

impl AssetText {
    fn check(self, network: &NetworkId) -> Result<Asset, String> {
        let address = self.address.ok_or_else(|| format!("{}: the address is missing", self.symbol))?;
        if self.decimals > 36 {
            return Err(format!("{}: more than 36 decimals", self.symbol));
        }
        let limit = |text: Option<String>| -> Result<Option<Amount>, String> {
            let parse = |text: String| {
                Amount::parse(&text, self.decimals)
                    .map_err(|error: AmountError| format!("{}: limit {text} {error}", self.symbol))
            };
            text.map(parse).transpose()
        };
        Ok(Asset {
            network: network.clone(),
            address,
            decimals: self.decimals,
            max_per_transfer: limit(self.max_per_transfer)?,
            max_per_day: limit(self.max_per_day)?,
            symbol: self.symbol,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = include_str!("../../../infra/networks.toml");

    #[test]
    fn the_projects_own_file_is_valid() {
        let networks = Networks::parse(FILE, &["ethereum", "polygon", "sepolia", "local"]).expect("valid");
        let ethereum = networks.get("ethereum").expect("there");
        assert_eq!(ethereum.asset_by_symbol("usdt").map(|asset| asset.decimals), Some(6));
        assert!(ethereum.native().is_native());
        assert!(networks.get("mainnet").is_none());
    }

    #[test]
    fn a_contract_or_a_symbol_names_an_asset() {
        let networks = Networks::parse(FILE, &["local"]).expect("valid");
        let local = networks.get("local").expect("there");
        let tusd = local.asset_by_symbol("TUSD").expect("listed");
        for word in ["TUSD", "tusd", &tusd.address.to_string(), &tusd.address.to_string().to_lowercase()] {
            assert_eq!(local.asset_named(word), Some(tusd));
            assert!(Asset::written(&tusd.id(), &tusd.symbol, tusd.decimals).is_named(word));
            assert!(!local.native().is_named(word));
        }
        assert_eq!(local.asset_named("DOGE"), None);
    }

    #[test]
    fn only_enabled_networks_are_kept_and_unknown_ones_refused() {
        let networks = Networks::parse(FILE, &["local"]).expect("valid");
        assert!(networks.get("ethereum").is_none());
        assert!(matches!(Networks::parse(FILE, &["moon"]), Err(NetworksError::Missing(name)) if name == "moon"));
    }

    #[test]
    fn two_names_of_one_chain_are_not_enabled_together() {
        let text = FILE.replace("chain_id = 1\n", "chain_id = 31337\n");
        assert_ne!(text, FILE);
        assert!(Networks::parse(&text, &["local"]).is_ok());
        let same = Networks::parse(&text, &["local", "ethereum"]).expect_err("one chain");
        assert!(same.to_string().contains("networks local and ethereum"), "{same}");
    }

    #[test]
    fn a_second_opinion_is_asked_for_only_where_the_file_says_so() {
        let asks =
            |text: &str| Networks::parse(text, &["local"]).expect("valid").get("local").expect("there").second_opinion;
        assert!(!asks(FILE));
        assert!(asks(&FILE.replace("final_at = 6\n", "final_at = 6\nsecond_opinion = true\n")));
        assert!(!asks(&FILE.replace("final_at = 6\n", "final_at = 6\nsecond_opinion = false\n")));
    }

    #[test]
    fn impossible_depths_are_refused() {
        let text = FILE.replace("confirmed_at = 3\nfinal_at = 6", "confirmed_at = 7\nfinal_at = 6");
        assert!(matches!(Networks::parse(&text, &["local"]), Err(NetworksError::Value { .. })));
    }
}
