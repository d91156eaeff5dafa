//! Treasuries, and the switches that block whoever may pay.

use causeway_domain::{
    Address,
    clock::Millis,
    id::{NetworkId, TenantId},
    lane::LaneId,
    limits::SWITCH_COPIES,
};
use causeway_keys::KeyRef;
use causeway_store::{Expect, Item, Key, Query, Range, RowError, Write};
use serde::{Deserialize, Serialize};

use crate::tables::WALLETS;

/// A wallet that pays for a tenant's transfers on a network. Its own address is its only lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Treasury {
    /// Whose it is.
    pub tenant: TenantId,
    /// Where.
    pub network: NetworkId,
    /// The address that holds the funds and sends.
    pub address: Address,
    /// How its key is held.
    pub key: KeyRef,
    /// When it was registered.
    pub created_at: Millis,
}

impl Treasury {
    /// Where a tenant's treasury lies.
    pub fn key(&self) -> Key {
        Key::new(WALLETS, tenant_pk(&self.tenant), format!("TREASURY#{}#{:#x}", self.network, self.address))
    }

    /// Its lane.
    pub fn lane(&self) -> LaneId {
        LaneId { network: self.network.clone(), address: self.address }
    }

    /// A tenant's treasuries on a network, oldest registration not first: by address.
    pub fn query(tenant: &TenantId, network: &NetworkId) -> Query {
        Query::table(WALLETS, tenant_pk(tenant), Range::Prefix(format!("TREASURY#{network}#")))
    }

    /// All treasuries of a tenant.
    pub fn query_all(tenant: &TenantId) -> Query {
        Query::table(WALLETS, tenant_pk(tenant), Range::Prefix("TREASURY#".to_owned()))
    }

    /// All lanes of a network, for sweeps and checks.
    pub fn query_network(network: &NetworkId) -> Query {
        Query::table(WALLETS, format!("NETWORK#{network}"), Range::Prefix("LANE#".to_owned()))
    }

    /// Where the lane's treasury lies when only the lane is known.
    pub fn lane_key(lane: &LaneId) -> Key {
        Key::new(WALLETS, format!("NETWORK#{}", lane.network), format!("LANE#{:#x}", lane.address))
    }

    /// Whose lane a treasury's row is of, by its place: also where the row cannot be read.
    pub fn lane_at(row: &Item) -> Option<LaneId> {
        let (pk, sk) = (row.text("pk")?, row.text("sk")?);
        let (network, address) = match pk.strip_prefix("NETWORK#") {
            Some(network) => (network, sk.strip_prefix("LANE#")?),
            None => sk.strip_prefix("TREASURY#")?.split_once('#')?,
        };
        Some(LaneId { network: network.parse().ok()?, address: address.parse().ok()? })
    }

    /// The writes that register it: once per address, so that two tenants never share a lane.
    pub fn register(&self) -> Result<Vec<Write>, RowError> {
        let item = Item::from_fields(self)?;
        Ok(vec![Write::create(self.key(), item.clone()), Write::create(Self::lane_key(&self.lane()), item)])
    }
}

fn tenant_pk(tenant: &TenantId) -> String {
    format!("TENANT#{tenant}")
}

/// What a switch blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All payments of a tenant.
    Tenant(TenantId),
    /// All payments of a lane.
    Lane(LaneId),
    /// All payments on a network.
    Network(NetworkId),
}

impl Scope {
    /// The scope's text: `tenant:acme`, `lane:local/0x…`, `network:local`.
    pub fn text(&self) -> String {
        match self {
            Self::Tenant(tenant) => format!("tenant:{tenant}"),
            Self::Lane(lane) => format!("lane:{lane}"),
            Self::Network(network) => format!("network:{network}"),
        }
    }

    /// Reads a scope's text.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once(':')?;
        match kind {
            "tenant" => name.parse().ok().map(Self::Tenant),
            "lane" => LaneId::try_from(name.to_owned()).ok().map(Self::Lane),
            "network" => name.parse().ok().map(Self::Network),
            _ => None,
        }
    }

    /// Everything that can block a payment from this lane.
    pub fn of_payment(tenant: &TenantId, lane: &LaneId) -> [Self; 3] {
        [Self::Tenant(tenant.clone()), Self::Lane(lane.clone()), Self::Network(lane.network.clone())]
    }

    /// Where one copy of the switch lies.
    pub fn copy(&self, copy: u8) -> Key {
        Key::new(WALLETS, format!("SWITCH#{}#{copy}", self.text()), "SWITCH")
    }

    /// All copies.
    pub fn copies(&self) -> impl Iterator<Item = Key> + '_ {
        (0..SWITCH_COPIES).map(|copy| self.copy(copy))
    }

    /// The condition that nothing is blocked, on one random copy (rule 12).
    pub fn open(&self, random: u128) -> Write {
        let copy = u8::try_from(random % u128::from(SWITCH_COPIES)).unwrap_or_default();
        Write::Check { key: self.copy(copy), expect: vec![Expect::Absent] }
    }
}

/// A switch that is thrown. A block is done when all its copies are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// What it blocks.
    pub scope: String,
    /// Why.
    pub reason: String,
    /// Who threw it.
    pub by: String,
    /// When.
    pub at: Millis,
}
