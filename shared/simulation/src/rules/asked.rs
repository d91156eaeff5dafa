//! What must have been asked for, or deserved: nobody's transfer is cancelled unasked (rule 6), or rejected although it could be
//! paid (rule 3).

use causeway_domain::{id::ParcelId, lane::LaneId, parcel::ParcelState};
use causeway_state::{lane::AttemptKind, parcel::Parcel};

use super::{Commit, Held, Rules, Truth, hold};

impl Rules {
    /// Somebody asks that this be cancelled.
    pub fn wish(&mut self, parcel: ParcelId) {
        self.wished.insert(parcel);
    }

    /// A wish is somebody's, and nothing was cancelled without.
    pub(super) fn was_wished(&self, before: Option<&Parcel>, parcel: &Parcel) -> Held {
        let new = parcel.cancel.is_some() && before.is_none_or(|before| before.cancel.is_none());
        let asked = !new || self.wished.contains(&parcel.id);
        hold(asked, "rule 6", || format!("{} is to be cancelled, and nobody asked for that", parcel.id))?;
        let ends = parcel.state == ParcelState::Cancelled && before.is_none_or(|before| before.state != parcel.state);
        let wished = !ends || parcel.cancel.is_some();
        hold(wished, "rule 6", || format!("{} is cancelled, and nobody asked for that", parcel.id))
    }

    /// A number gets a no-op only where all that it pays is to be cancelled.
    pub(super) fn no_ops_are_wished(&self, commit: &Commit) -> Held {
        let cancels = |lane: &LaneId, number: u64, index: u32| {
            let attempt = self.lines.get(lane).and_then(|line| line.attempts.get(&(number, index)));
            attempt.is_some_and(|attempt| attempt.kind == AttemptKind::Cancel)
        };
        for (lane, number, _) in commit.signed.iter().filter(|(lane, number, index)| cancels(lane, *number, *index)) {
            let transaction = self.lines.get(lane).and_then(|line| line.transaction(*number));
            let parcels = transaction.into_iter().flat_map(|transaction| &transaction.parcels);
            let unasked = parcels.filter_map(|id| self.parcels.get(id)).find(|parcel| parcel.cancel.is_none());
            hold(unasked.is_none(), "rule 6", || {
                format!(
                    "number {number} of {lane} gets a no-op, and {:?} is not to be cancelled",
                    unasked.map(|it| it.id)
                )
            })?;
        }
        Ok(())
    }

    /// What is rejected could never be paid, or people gave it back.
    pub(super) fn rejections_are_deserved(&self, commit: &Commit, truth: &dyn Truth) -> Held {
        for parcel in commit.rejected.iter().filter_map(|id| self.parcels.get(id)) {
            let deserved = commit.turn.refunded.contains(&parcel.id) || truth.refuses(parcel);
            hold(deserved, "rule 3", || {
                format!("{} is rejected as {:?}, and the chain would take it", parcel.id, parcel.failure)
            })?;
        }
        Ok(())
    }
}
