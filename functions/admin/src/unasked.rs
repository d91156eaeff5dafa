//! Before a number is given up on an operator's word: nobody may ask for exactly what its transaction paid, or that would be paid
//! once more.

use causeway_http::{ApiError, Code};
use causeway_state::{
    lane::{Gate, Transaction},
    parcel::Parcel,
    tables::TRANSFERS,
    wallet::{Scope, Treasury},
};
use causeway_store::{Key, Write};

use crate::{Admin, list::readable};

impl Admin {
    /// Refuses while a transfer of the lane asks for exactly what was paid under the number, and can still be paid; answers
    /// what its commit has to find unchanged.
    ///
    /// One that somebody wants cancelled cannot, if it has no number, or has this one, and is accepted again with that wish.
    /// What has a later number may be out before its no-op is signed, unless its payments are held back.
    pub(crate) async fn must_be_unasked(
        &self,
        treasury: &Treasury,
        (number, gate): (u64, &Gate),
        next: u64,
    ) -> Result<Option<Write>, ApiError> {
        let Some(paid) = gate.taken_for.filter(|_| gate.consumed == number) else { return Ok(None) };
        let lane = treasury.lane();
        let mut later = false;
        // A restore may have left rows of which the counter does not know.
        let out = self.networks.get(lane.network.as_str()).map_or(0, |network| network.in_flight_max);
        for parcel in self.open_parcels(treasury, number, next + out).await? {
            if !paid.is_asked_by(&lane, &parcel) || !parcel.state.holds_money() {
                continue;
            }
            let name = parcel.transfer_id(0);
            if parcel.cancel.is_none() {
                let what = format!(
                    "was used by a transaction that paid exactly what {name} asks for: if a look does not tell that one as paid \
                     within two minutes, cancel it, tell its client, and ask again"
                );
                return Err(ApiError::of_field(Code::Conflict, "number", what));
            }
            later |= parcel.number.is_some_and(|of| of > number);
        }
        if !later {
            return Ok(None);
        }
        let held = self.held_back(&Scope::of_payment(&treasury.tenant, &lane)).await?;
        held.map(Some).ok_or_else(|| {
            let what = "was used by a transaction that paid exactly what a later one is to pay, which is signed: block the lane, ask \
                        again, and unblock it once that one is cancelled or has another hash, its no-op's";
            ApiError::of_field(Code::Conflict, "number", what)
        })
    }

    /// The parcels of a lane without a number, and those of a number and the later ones before `end` that have not ended.
    async fn open_parcels(&self, treasury: &Treasury, first: u64, end: u64) -> Result<Vec<Parcel>, ApiError> {
        let lane = treasury.lane();
        let (mut keys, mut parcels) = (Vec::new(), Vec::new());
        for query in Parcel::queries_unsigned(&lane) {
            let rows = self.all(query).await?;
            keys.extend(rows.iter().filter_map(|row| Some(Key::new(TRANSFERS, row.text("pk")?, "PCL"))));
        }
        let numbers: Vec<u64> = (first..end).collect();
        let transactions: Vec<Key> = numbers.iter().map(|number| Transaction::key(&lane, *number)).collect();
        for (number, row) in numbers.iter().zip(self.read(&transactions).await?) {
            let Some(row) = row else { continue };
            let Some(ours) = readable::<Transaction>(&row) else { return Err(untold(*number)) };
            let open = ours.parcels.iter().filter(|_| ours.outcome.is_none());
            let open: Vec<Key> = open.map(|id| Parcel::key(*id)).collect();
            let rows = self.read(&open).await?;
            let known: Vec<Parcel> = rows.iter().flatten().filter_map(readable).collect();
            // What is not there is not accepted again when its number is given up; a later one is sent without it.
            let needed = if *number == first { rows.iter().flatten().count() } else { open.len() };
            if known.len() < needed {
                return Err(untold(*number));
            }
            parcels.extend(known);
        }
        let rows = self.read(&keys).await?;
        // One without a number that cannot be read cannot be signed either.
        parcels.extend(rows.iter().flatten().filter_map(readable::<Parcel>));
        Ok(parcels)
    }
}

fn untold(number: u64) -> ApiError {
    let what = format!("stays: a row of number {number} cannot be read, and may pay what was paid under this one");
    ApiError::of_field(Code::Conflict, "number", what)
}
