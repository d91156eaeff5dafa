//! A request: its client's own words, and what they mean by the networks' file, or by the row of a transfer that was taken.

use alloy_primitives::keccak256;
use causeway_domain::{Address, Amount, Asset, B256, Network, fees::Priority};
use causeway_http::{ApiError, Code, Principal};
use causeway_state::parcel::{Parcel, Surface};

use crate::Intake;

/// What a client asks for, in its own words, whichever door it came through. Their form is right.
#[derive(Debug)]
pub struct Words<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// Through which surface.
    pub surface: Surface,
    /// The client's idempotency key.
    pub key: Option<String>,
    /// A treasury the client names; else the tenant's first.
    pub from: Option<Address>,
    /// The network's name; where it is left out, `from` tells.
    pub network: Option<&'a str>,
    /// The asset's contract or symbol.
    pub token: &'a str,
    /// Who receives.
    pub to: Address,
    /// How much, in the asset's own unit.
    pub amount: &'a str,
    /// How urgent.
    pub priority: Priority,
}

/// What the words mean, once it is known which asset they name.
#[derive(Debug)]
pub struct Ask<'a> {
    /// The words.
    pub words: &'a Words<'a>,
    /// The asset.
    pub asset: &'a Asset,
    /// How much.
    pub amount: Amount,
}

impl Words<'_> {
    /// What its surface calls the recipient.
    pub const fn to_field(&self) -> &'static str {
        match self.surface {
            Surface::Withdrawal => "toAddress",
            Surface::Transfer => "to",
        }
    }

    const fn token_field(&self) -> &'static str {
        match self.surface {
            Surface::Withdrawal => "tokenAddress",
            Surface::Transfer => "token",
        }
    }

    /// What they mean if it is this asset that they name.
    pub fn of<'a>(&'a self, asset: &'a Asset) -> Result<Ask<'a>, ApiError> {
        if self.to == asset.address {
            return Err(ApiError::field(self.to_field(), "is the token's own contract; the money would be lost"));
        }
        let amount = Amount::parse(self.amount, asset.decimals).map_err(|error| ApiError::field("amount", error))?;
        Ok(Ask { words: self, asset, amount })
    }

    /// Whether they asked for this parcel. They are read by its row, as they were when it was accepted: since then its token
    /// may have left the networks' file, or its symbol, decimals or network mean something else there.
    pub fn made(&self, parcel: &Parcel) -> bool {
        let asset = Asset::written(&parcel.asset, &parcel.symbol, parcel.decimals);
        let on_network = self.network.is_none_or(|name| name == asset.network.as_str());
        let same = |ask: Ask<'_>| ask.body_hash() == parcel.body_hash;
        on_network && asset.is_named(self.token) && self.of(&asset).is_ok_and(same)
    }
}

impl Ask<'_> {
    /// Hash of what is asked for, by meaning: `1.0` and `1.00` are the same request.
    pub fn body_hash(&self) -> B256 {
        keccak256(format!(
            "{}|{}|{}|{}|{:?}|{:?}",
            self.asset.id(),
            self.words.to,
            self.amount.units(),
            self.words.surface.as_str(),
            self.words.from,
            self.words.priority,
        ))
    }
}

impl Intake {
    /// The asset that the words name by the networks' file.
    pub async fn asset(&self, words: &Words<'_>) -> Result<&Asset, ApiError> {
        let network = match words.network {
            Some(name) => self.networks.get(name).ok_or_else(|| {
                ApiError::of_field(Code::UnknownNetwork, "network", "network is not one of this deployment's")
            })?,
            None => self.network_of(words).await?,
        };
        network.asset_named(words.token).ok_or_else(|| {
            let field = words.token_field();
            ApiError::of_field(Code::UnknownToken, field, format!("{field} is not listed on {}", network.id))
        })
    }

    /// The only network on which the treasury that pays is registered.
    async fn network_of(&self, words: &Words<'_>) -> Result<&Network, ApiError> {
        let tenant = &words.principal.tenant;
        let mut found = None;
        for network in self.networks.iter() {
            let known = self.directory.treasuries(&*self.store, &*self.clock, tenant, &network.id).await?;
            if known.iter().any(|treasury| Some(treasury.address) == words.from) {
                if found.is_some() {
                    return Err(ApiError::field("network", "is missing, and from is registered on several"));
                }
                found = Some(network);
            }
        }
        found.ok_or_else(|| ApiError::field("from", "is not a treasury of yours"))
    }
}
