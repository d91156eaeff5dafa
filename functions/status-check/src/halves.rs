//! Halves of a signature's commit. A restore does not keep a commit whole, not even within one table (AWS, "Amazon DynamoDB
//! transactions: how it works"): a number's transaction may name a parcel whose own row still waits for a number, or the
//! counter may not know of the number. Its bytes may be out, and the parcel would be signed once more under another one.

use causeway_domain::{B256, Network, id::ParcelId, lane::LaneId};
use causeway_state::{
    commit::{Done, commit},
    lane::{Attempt, Counter, Gate, Transaction},
    parcel::Parcel,
};
use causeway_store::{Expect, Key, Write};

use crate::{TrackError, Tracker, asked::open, lead::Lead};

/// Tries of one half against those who move the same rows: signers and operators, a few times.
const TRIES_MAX: u32 = 8;

impl Tracker {
    /// Gives each parcel without a number the one whose open transaction names it, before anybody vouches for rows that may
    /// have been set back; answers whether all that were found have theirs.
    ///
    /// Looked at are the numbers that a lane may have had out at the moment of the restore, and those behind its counter.
    pub(crate) async fn complete_signatures(&self, network: &Network, lead: &mut Lead) -> Result<bool, TrackError> {
        let mut all = true;
        for (lane, counter, gate) in self.lanes(network).await? {
            self.keep_lease(network, lead).await?;
            all &= self.complete_lane(network, lead, &lane, counter, &gate).await?;
        }
        Ok(all)
    }

    async fn complete_lane(
        &self,
        network: &Network,
        lead: &mut Lead,
        lane: &LaneId,
        counter: Counter,
        gate: &Gate,
    ) -> Result<bool, TrackError> {
        let out = network.in_flight_max;
        let from = gate.consumed.saturating_sub(out).max(gate.first);
        let rows = self.transactions(network, lead, lane, from..counter.next + out).await?;
        let known = |number: u64| rows.get(usize::try_from(number.checked_sub(from)?).ok()?)?.as_ref();
        let behind = known(counter.next).is_some();
        let mut named = Vec::new();
        for ours in rows.iter().flatten().filter_map(open) {
            match ours {
                Ok((ours, _)) => named.extend(ours.parcels.iter().map(|id| (ours.number, *id))),
                // What it names nobody can tell; reconciliation tells people of it.
                Err(error) => tracing::error!(lane = %lane, error = %error, "a transaction cannot be read"),
            }
        }
        let keys: Vec<Key> = named.iter().map(|(_, id)| Parcel::key(*id)).collect();
        let parcels = self.parcels(&keys).await?;
        let halves = |(_, id): &&(u64, ParcelId)| {
            parcels.iter().any(|(parcel, _)| parcel.id == *id && parcel.is_unsigned() && parcel.wallet == *lane)
        };
        let mut all = true;
        for (number, id) in named.iter().filter(halves) {
            all &= self.complete(lane, *number, *id).await?;
        }
        // Last: behind it nobody looks for halves any more.
        if all && behind {
            all = self.step_over(network, lane).await?;
        }
        Ok(all)
    }

    /// Has the counter go on behind numbers that have their transactions, of which it does not know; answers whether it did.
    /// A number before them may be free when halves are looked for, and be taken later.
    pub(crate) async fn step_over(&self, network: &Network, lane: &LaneId) -> Result<bool, TrackError> {
        let row = self.store.get(&Counter::key(lane)).await?;
        let Some(counter) = row.map(|row| row.parse::<Counter>()).transpose()? else { return Ok(false) };
        let mut behind = 0;
        while behind < network.in_flight_max
            && self.store.get(&Transaction::key(lane, counter.next + behind)).await?.is_some()
        {
            behind += 1;
        }
        if behind == 0 {
            return Ok(false);
        }
        let done = commit(&*self.store, &*self.clock, &[Counter::take(lane, counter.next, behind)]).await?;
        tracing::error!(lane = %lane, next = counter.next, behind, ?done, "the counter goes on behind numbers that are signed");
        Ok(matches!(done, Done::Committed))
    }

    /// Gives a parcel its number, unless it is no half after all; answers `false` where others moved the rows each time.
    async fn complete(&self, lane: &LaneId, number: u64, id: ParcelId) -> Result<bool, TrackError> {
        for _ in 0..TRIES_MAX {
            let rows = self.store.get_many(&[Transaction::key(lane, number), Parcel::key(id)]).await?;
            let [Some(transaction), Some(row)] = rows.as_slice() else { return Ok(true) };
            let (Some(Ok((ours, version))), Ok(parcel)) = (open(transaction), row.parse::<Parcel>()) else {
                return Ok(true);
            };
            if !parcel.is_unsigned() {
                return Ok(true);
            }
            let next = self.signed_by(lane, &ours, &parcel).await?;
            let parcel = match parcel.moved(row.version(), next) {
                Ok(write) => write,
                Err(error) => {
                    tracing::error!(lane = %lane, number, parcel = %id, error = %error, "a half is not completed");
                    return Ok(true);
                }
            };
            let still = Write::Check { key: Transaction::key(lane, number), expect: vec![Expect::Version(version)] };
            if let Done::Committed = commit(&*self.store, &*self.clock, &[parcel, still]).await? {
                tracing::error!(lane = %lane, number, parcel = %id, "signed: its number's transaction names it");
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The parcel as the commit that signed it left it. Attempts that are not on record are told by reconciliation; it has
    /// its number all the same, since they may be out.
    async fn signed_by(&self, lane: &LaneId, ours: &Transaction, parcel: &Parcel) -> Result<Parcel, TrackError> {
        let (number, now) = (ours.number, self.clock.now_ms());
        let mut signed: Option<Parcel> = None;
        for row in self.store.query(&Attempt::query(lane, number)).await?.items {
            match row.parse::<Attempt>() {
                Ok(Attempt { hash, .. }) => {
                    let next = signed.map_or_else(|| parcel.assigned(number, hash, now), |all| all.resigned(hash, now));
                    signed = Some(next);
                }
                Err(error) => tracing::error!(lane = %lane, number, error = %error, "an attempt cannot be read"),
            }
        }
        let signed = signed.unwrap_or_else(|| Parcel { hash: None, ..parcel.assigned(number, B256::ZERO, now) });
        // Who wished it cancelled still does: the sweep asks for a no-op.
        Ok(Parcel { due_at: parcel.cancel.as_ref().map(|_| now), ..signed })
    }
}
