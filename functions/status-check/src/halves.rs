//! Halves of a signature's commit. A restore does not keep a commit whole, not even within one table (AWS, "Amazon DynamoDB
//! transactions: how it works"): a number's transaction may name a parcel whose own row still waits for a number. Its bytes
//! may be out, and the parcel would be signed once more under another one.

use causeway_domain::{Network, lane::LaneId};
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
    /// have been set back. Where that one's bytes are not all there, its lane halts.
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
            let Some(next) = self.signed_by(lane, ours, &parcel).await? else {
                self.halt_half(lane, ours, &parcel).await?;
                continue;
            };
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

    /// The parcel as the commit that signed it left it; `None` where not all of its attempts are on record.
    async fn signed_by(
        &self,
        lane: &LaneId,
        ours: &Transaction,
        parcel: &Parcel,
    ) -> Result<Option<Parcel>, TrackError> {
        let mut hashes = Vec::new();
        for row in self.store.query(&Attempt::query(lane, ours.number)).await?.items {
            match row.parse::<Attempt>() {
                Ok(attempt) => hashes.push(attempt.hash),
                Err(error) => {
                    tracing::error!(lane = %lane, number = ours.number, error = %error, "an attempt cannot be read")
                }
            }
        }
        let now = self.clock.now_ms();
        let (Some((first, later)), true) = (hashes.split_first(), hashes.len() == ours.attempts as usize) else {
            return Ok(None);
        };
        let signed = parcel.assigned(ours.number, *first, now);
        Ok(Some(later.iter().fold(signed, |parcel, hash| parcel.resigned(*hash, now))))
    }

    async fn halt_half(&self, lane: &LaneId, ours: &Transaction, parcel: &Parcel) -> Result<(), TrackError> {
        let number = ours.number;
        let reason = format!(
            "number {number} is to pay {}, which has no number, and not all of its attempts are on record",
            parcel.id
        );
        tracing::error!(lane = %lane, number, parcel = %parcel.id, "{reason}");
        self.update_gate(lane, |gate, _| {
            let next = gate.halted(&reason, number);
            (next != *gate).then_some(next)
        })
        .await?;
        Ok(())
    }
}
