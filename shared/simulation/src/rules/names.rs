//! What keys name, read once each.

use std::collections::HashMap;

use causeway_domain::{lane::LaneId, network::AssetId};
use causeway_state::ledger::{AccountId, Owner};

/// What keys name, read once each: addresses carry checksums, and the same few come again and again.
#[derive(Debug, Default)]
pub(super) struct Names {
    lanes: HashMap<String, Option<LaneId>>,
    accounts: HashMap<String, Option<(AccountId, u8)>>,
}

impl Names {
    pub(super) fn lane(&mut self, text: &str) -> Option<LaneId> {
        if let Some(known) = self.lanes.get(text) {
            return known.clone();
        }
        let read = LaneId::try_from(text.to_owned()).ok();
        self.lanes.insert(text.to_owned(), read.clone());
        read
    }

    pub(super) fn account(&mut self, pk: &str) -> Option<(AccountId, u8)> {
        if let Some(known) = self.accounts.get(pk) {
            return known.clone();
        }
        let read = account_of(pk);
        self.accounts.insert(pk.to_owned(), read.clone());
        read
    }
}

/// The account and shard of a ledger row.
fn account_of(pk: &str) -> Option<(AccountId, u8)> {
    let mut parts = pk.strip_prefix("ACC#")?.split('#');
    let (owner, asset, shard) = (parts.next()?, parts.next()?, parts.next()?);
    let owner = Owner::try_from(owner.to_owned()).ok()?;
    let asset = AssetId::try_from(asset.to_owned()).ok()?;
    Some((AccountId { owner, asset }, shard.parse().ok()?))
}
