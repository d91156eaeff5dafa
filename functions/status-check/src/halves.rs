//! Halves of a signature's commit. A restore does not keep a commit whole, not even within one table (AWS, "Amazon DynamoDB
//! transactions: how it works"): a number's transaction may name a parcel whose own row still waits for a number. Its bytes
//! may be out, and the parcel would be signed once more under another one.

use causeway_domain::{B256, Network, lane::LaneId};
use causeway_state::{
    commit::{Done, commit},
    lane::{Attempt, Gate, Transaction},
    parcel::Parcel,
    reconciliation::Report,
};
use causeway_store::{Expect, Key, Write};

use crate::{TrackError, Tracker, lead::Lead};

impl Tracker {
    /// Gives each parcel without a number the one whose open transaction names it, before anybody vouches for rows that may
    /// have been set back.
    pub(crate) async fn complete_signatures(&self, network: &Network, lead: &mut Lead) -> Result<(), TrackError> {
        for (lane, counter, gate) in self.lanes(network).await? {
            let from = self.unsettled_from(&lane, &gate).await?;
            for ours in self.open_transactions(network, lead, &lane, from..counter.next).await? {
                match ours {
                    Ok((ours, version)) => self.complete(&lane, &ours, version).await?,
                    // What it names nobody can tell; reconciliation tells people of it.
                    Err(error) => tracing::error!(lane = %lane, error = %error, "a transaction cannot be read"),
                }
            }
        }
        Ok(())
    }

    /// The first number that may have no outcome: below it all are settled and final.
    async fn unsettled_from(&self, lane: &LaneId, gate: &Gate) -> Result<u64, TrackError> {
        let row = self.store.get(&Report::key(lane)).await?;
        let report = row.and_then(|row| row.parse::<Report>().ok()).filter(|report| report.first == gate.first);
        Ok(report.map_or(gate.first, |report| report.settled_to.max(gate.first)))
    }

    async fn complete(&self, lane: &LaneId, ours: &Transaction, version: u64) -> Result<(), TrackError> {
        let keys: Vec<Key> = ours.parcels.iter().map(|id| Parcel::key(*id)).collect();
        for (parcel, parcel_version) in self.parcels(&keys).await? {
            if !parcel.is_unsigned() || parcel.wallet != *lane {
                continue;
            }
            let next = self.signed_by(lane, ours, &parcel).await?;
            let parcel_write =
                parcel.moved(parcel_version, next).map_err(|error| TrackError::Stuck(error.to_string()))?;
            let still =
                Write::Check { key: Transaction::key(lane, ours.number), expect: vec![Expect::Version(version)] };
            // Where somebody moved one of them, it was no half.
            if let Done::Committed = commit(&*self.store, &*self.clock, &[parcel_write, still]).await? {
                tracing::error!(lane = %lane, number = ours.number, parcel = %parcel.id, "signed: its number's transaction names it");
            }
        }
        Ok(())
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
        Ok(signed.unwrap_or_else(|| Parcel { hash: None, ..parcel.assigned(number, B256::ZERO, now) }))
    }
}
