//! One commit as a whole: what its rows must say together.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::B256;
use causeway_domain::{id::ParcelId, lane::LaneId, network::AssetId};
use causeway_state::ledger::AccountId;

use super::{Held, books::Books, hold};
use crate::office::Turn;

/// What one commit says as a whole.
#[derive(Debug, Default)]
pub(super) struct Commit {
    pub(super) taken: Option<(LaneId, u64, u64)>,
    pub(super) created: BTreeMap<(LaneId, u64), Vec<ParcelId>>,
    pub(super) counted: BTreeMap<(LaneId, u64), (u32, u32)>,
    pub(super) signed: BTreeSet<(LaneId, u64, u32)>,
    pub(super) hashes: Vec<(LaneId, B256)>,
    pub(super) numbered: BTreeMap<(LaneId, u64), ParcelId>,
    pub(super) given_up: BTreeMap<(LaneId, u64), ParcelId>,
    pub(super) rejected: Vec<ParcelId>,
    pub(super) displaced: BTreeSet<(LaneId, u64)>,
    pub(super) sums: BTreeMap<AssetId, i128>,
    pub(super) shards: BTreeSet<(AccountId, u8)>,
    pub(super) turn: Turn,
    pub(super) books: Books,
}

impl Commit {
    pub(super) fn must_hold(&self) -> Held {
        let taken: BTreeSet<(LaneId, u64)> =
            self.taken.iter().flat_map(|(lane, from, to)| (*from..*to).map(|number| (lane.clone(), number))).collect();
        let created: BTreeSet<(LaneId, u64)> = self.created.keys().cloned().collect();
        hold(taken == created, "rule 1", || {
            format!("numbers taken {taken:?}, numbers with a transaction {created:?}")
        })?;
        for ((lane, number), parcels) in &self.created {
            let assigned = self.numbered.get(&(lane.clone(), *number));
            let all = parcels.iter().all(|parcel| Some(parcel) == assigned);
            hold(all, "rule 1", || format!("number {number} of {lane} is without its parcels {parcels:?}"))?;
        }
        for ((lane, number), (attempts, new)) in &self.counted {
            let signed = (attempts.saturating_sub(*new)..*attempts).all(|index| self.has(lane, *number, index));
            hold(*new <= 1 && signed, "rule 1", || format!("number {number} of {lane} counts {attempts} attempts"))?;
        }
        for (lane, number, index) in &self.signed {
            let counted =
                self.counted.get(&(lane.clone(), *number)).is_some_and(|(attempts, _)| attempts - 1 == *index);
            hold(counted, "rule 1", || format!("attempt {index} of number {number} of {lane} is not counted"))?;
        }
        for (place, parcel) in &self.given_up {
            hold(self.displaced.contains(place), "rule 4", || format!("{parcel} is without its number {place:?}"))?;
        }
        for (asset, sum) in &self.sums {
            hold(*sum == 0, "rule 7", || format!("a commit moves {sum} of {asset}"))?;
        }
        Ok(())
    }

    fn has(&self, lane: &LaneId, number: u64, index: u32) -> bool {
        self.signed.contains(&(lane.clone(), number, index))
    }
}
