//! Adopting what the chain has of ours and the rows have not: a restore set them back to before it was signed.

use causeway_domain::{Address, B256, Bytes, U256, clock::Millis, fees::Fees, id::TraceId, lane::LaneId};
use causeway_store::{Item, RowError, Write};

use crate::{
    lane::{Attempt, AttemptKind, Counter, Intent, Signed, Transaction},
    parcel::{MoveError, Parcel},
    tracker::Watch,
};

/// A transaction of a lane's key that a final block has.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// EIP-2718 bytes.
    pub raw: Bytes,
    /// What it does.
    pub intent: Intent,
    /// Its price.
    pub fees: Fees,
}

impl Found {
    /// Whether it does what is asked for; how much gas it may use is no part of that.
    pub fn does(&self, to: Address, value: U256, data: &Bytes) -> bool {
        self.intent.to == to && self.intent.value == value && self.intent.data == *data
    }

    /// What it is to a transaction of its number: its payment, or the no-op that somebody wished for; `None` where it is
    /// neither.
    pub fn kind(&self, lane: &LaneId, ours: &Transaction, parcels: &[(Parcel, u64)]) -> Option<AttemptKind> {
        let wished = !parcels.is_empty() && parcels.iter().all(|(parcel, _)| parcel.cancel.is_some());
        if self.does(ours.intent.to, ours.intent.value, &ours.intent.data) {
            Some(AttemptKind::Payment)
        } else if wished && self.does(lane.address, U256::ZERO, &Bytes::new()) {
            Some(AttemptKind::Cancel)
        } else {
            None
        }
    }

    /// Puts it on record as one more attempt of its number.
    pub fn as_attempt(
        &self,
        lane: &LaneId,
        signed: &Signed,
        parcels: &[(Parcel, u64)],
        kind: AttemptKind,
        now: Millis,
    ) -> Result<Vec<Write>, MoveError> {
        let ours = &signed.transaction;
        let index = ours.attempts;
        let mut writes = vec![Transaction { attempts: index + 1, ..ours.clone() }.put(lane, signed.version)?];
        writes.extend(self.attempt(lane, index, kind, ours, now)?);
        for (parcel, version) in parcels {
            writes.push(parcel.noted(*version, &parcel.resigned(self.hash, now))?);
        }
        Ok(writes)
    }

    /// Puts it on record as the transaction of a parcel that asks for exactly what it does, and takes its number, which
    /// must be the next one.
    pub fn as_transaction(
        &self,
        lane: &LaneId,
        parcel: &Parcel,
        version: u64,
        now: Millis,
    ) -> Result<Vec<Write>, MoveError> {
        let ours = Transaction {
            number: self.number,
            parcels: vec![parcel.id],
            intent: self.intent.clone(),
            attempts: 1,
            send: None,
            priority: parcel.priority,
            since: 0,
            created_at: now,
            trace: parcel.trace,
            outcome: None,
            reopened: 0,
        };
        let mut writes = vec![Counter::take(lane, self.number, 1)];
        writes.push(parcel.moved(version, parcel.assigned(self.number, self.hash, now))?);
        writes.push(Write::create(Transaction::key(lane, self.number), Item::from_fields(&ours)?));
        writes.extend(self.attempt(lane, 0, AttemptKind::Payment, &ours, now)?);
        Ok(writes)
    }

    fn attempt(
        &self,
        lane: &LaneId,
        index: u32,
        kind: AttemptKind,
        ours: &Transaction,
        now: Millis,
    ) -> Result<[Write; 2], RowError> {
        let (number, hash, raw, fees) = (self.number, self.hash, self.raw.clone(), self.fees);
        let attempt = Attempt { number, index, kind, hash, raw, fees, signed_at: now };
        Ok([
            Write::create(Attempt::key(lane, number, index), Item::from_fields(&attempt)?),
            watch_of(lane, &attempt, ours.trace)?,
        ])
    }
}

/// Has an attempt's hash watched, whatever half of a commit left there.
pub fn watch_of(lane: &LaneId, attempt: &Attempt, trace: TraceId) -> Result<Write, RowError> {
    let watch = Watch {
        hash: attempt.hash,
        lane: lane.clone(),
        number: attempt.number,
        attempt: attempt.index,
        cancel: attempt.kind == AttemptKind::Cancel,
        trace,
        height: None,
        block_hash: None,
    };
    let key = Watch::key(&lane.network, attempt.hash);
    Ok(Write::Put { key, item: Item::from_fields(&watch)?, expect: vec![] })
}
