//! How far a parcel is: its stored state, refined by what lane and tracker know at this moment.

use std::collections::{BTreeMap, BTreeSet};

use causeway_domain::{
    B256,
    clock::Millis,
    parcel::{ParcelState, Progress},
};
use causeway_http::{ApiError, Principal};
use causeway_state::{
    lane::Gate,
    parcel::Parcel,
    tracker::{Head, HeaderRow, Watch},
};
use causeway_store::{Item, Key};

use crate::Intake;

/// Rows of one read (DynamoDB: BatchGetItem takes 100).
const KEYS_PER_READ: usize = 100;

/// A parcel and how far it is.
#[derive(Debug)]
pub struct Told {
    /// The parcel.
    pub parcel: Parcel,
    /// How far.
    pub progress: Progress,
    /// Height of its block, once it is in one of the canonical chain.
    pub height: Option<u64>,
    /// Blocks on top of and including its own.
    pub confirmations: u64,
    /// When anything about it changed last.
    pub updated_at: Millis,
    /// The payment that a block holds, or else the newest one that is to pay it.
    payment: Option<B256>,
}

impl Told {
    /// The transaction that settled it, or the one that a block holds, or the one that is to. A no-op that is to cancel it
    /// pays nobody, so it is told only once it has.
    pub fn hash(&self) -> Option<B256> {
        self.parcel.settled.as_ref().map(|settled| settled.hash).or(self.payment).or(self.parcel.hash)
    }

    const fn under_way(&self) -> bool {
        match self.parcel.state {
            ParcelState::Assigned | ParcelState::Reopened => true,
            ParcelState::Accepted
            | ParcelState::Waiting
            | ParcelState::Confirmed
            | ParcelState::Rejected
            | ParcelState::Failed
            | ParcelState::Cancelled => false,
        }
    }

    /// The rows that know more of it than its own: the head, and while it is under way its lane's gate and its watch.
    fn places(&self) -> Vec<Key> {
        let mut places = vec![Head::key(self.parcel.network())];
        if self.under_way() {
            places.push(Gate::key(&self.parcel.wallet));
            places.extend(self.watch_keys());
        }
        places
    }

    /// Any attempt may be the one that a block takes; newest first.
    fn watch_keys(&self) -> impl Iterator<Item = Key> + '_ {
        let attempts = self.parcel.hash.iter().chain(self.parcel.replaced.iter().rev());
        attempts.map(|hash| Watch::key(self.parcel.network(), *hash))
    }

    /// Its lane may have handed it to a node.
    fn moved(&mut self, gate: Option<Gate>) {
        let Some(gate) = gate else { return };
        let seen = self.parcel.number.is_some_and(|number| number < gate.seen);
        if self.parcel.state == ParcelState::Assigned && seen {
            self.progress = Progress::Broadcast;
            self.updated_at = self.updated_at.max(gate.moved_at);
        }
    }

    /// A block of the chain holds its payment.
    fn included(&mut self, hash: B256, height: u64) {
        self.height = Some(height);
        self.payment = Some(hash);
        if self.parcel.state == ParcelState::Assigned {
            self.progress = Progress::Included;
        }
    }
}

impl Intake {
    /// Tells one parcel, unless it is another tenant's.
    pub async fn tell(&self, principal: &Principal, row: &Item) -> Result<Option<Told>, ApiError> {
        Ok(self.tell_all(principal, std::slice::from_ref(row)).await?.pop())
    }

    /// Tells parcels of the principal's tenant, in order. Reads lane and tracker only for those under way.
    pub async fn tell_all(&self, principal: &Principal, rows: &[Item]) -> Result<Vec<Told>, ApiError> {
        let mut told = Vec::new();
        for row in rows {
            let parcel: Parcel = row.parse().map_err(|error| ApiError::internal(&error))?;
            if parcel.tenant == principal.tenant {
                told.push(Told {
                    progress: stored(parcel.state),
                    height: parcel.settled.as_ref().map(|settled| settled.height),
                    confirmations: 0,
                    updated_at: parcel.updated_at,
                    payment: None,
                    parcel,
                });
            }
        }
        self.refine(&mut told).await?;
        Ok(told)
    }

    /// Two batch reads for a whole page: what lanes and tracker know, then the headers that decide.
    async fn refine(&self, told: &mut [Told]) -> Result<(), ApiError> {
        let keys = told.iter().filter(|told| told.hash().is_some()).flat_map(Told::places);
        let known = self.read(keys.collect()).await?;
        let mut included = Vec::new();
        for (at, told) in told.iter_mut().enumerate() {
            if told.under_way() {
                told.moved(row(&known, &Gate::key(&told.parcel.wallet))?);
                let keys: Vec<Key> = told.watch_keys().collect();
                for key in keys {
                    // A no-op is not the payment, whatever block has it: it is told once it is final.
                    let Some(watch) = row::<Watch>(&known, &key)?.filter(|watch| !watch.cancel) else { continue };
                    told.payment.get_or_insert(watch.hash);
                    let block = watch.height.zip(watch.block_hash);
                    included.extend(block.map(|(height, block)| (at, watch.hash, height, block)));
                }
            }
        }
        let header = |at: usize, height| HeaderRow::key(told[at].parcel.network(), height);
        let headers = self.read(included.iter().map(|(at, _, height, _)| header(*at, *height)).collect()).await?;
        for (at, hash, height, block) in included {
            // Only the ring says whether that block is (still) on the chain.
            let header: Option<HeaderRow> = row(&headers, &HeaderRow::key(told[at].parcel.network(), height))?;
            if header.is_some_and(|header| header.hash == block) {
                told[at].included(hash, height);
            }
        }
        for told in told.iter_mut() {
            if let Some(height) = told.height {
                let head: Option<Head> = row(&known, &Head::key(told.parcel.network()))?;
                told.confirmations = head.map_or(0, |head| (head.height + 1).saturating_sub(height));
            }
        }
        Ok(())
    }

    async fn read(&self, keys: BTreeSet<Key>) -> Result<Rows, ApiError> {
        let keys: Vec<Key> = keys.into_iter().collect();
        let mut found = Rows::new();
        for chunk in keys.chunks(KEYS_PER_READ) {
            let rows = self.store.get_many(chunk).await.map_err(|error| ApiError::internal(&error))?;
            found.extend(chunk.iter().cloned().zip(rows).filter_map(|(key, row)| Some((key, row?))));
        }
        Ok(found)
    }
}

/// Rows that were found.
type Rows = BTreeMap<Key, Item>;

fn row<T: serde::de::DeserializeOwned>(rows: &Rows, key: &Key) -> Result<Option<T>, ApiError> {
    rows.get(key).map(Item::parse).transpose().map_err(|error| ApiError::internal(&error))
}

const fn stored(state: ParcelState) -> Progress {
    match state {
        ParcelState::Accepted => Progress::Accepted,
        ParcelState::Waiting => Progress::Waiting,
        ParcelState::Assigned => Progress::Assigned,
        ParcelState::Confirmed => Progress::Confirmed,
        ParcelState::Reopened => Progress::Reopened,
        ParcelState::Rejected => Progress::Rejected,
        ParcelState::Failed => Progress::Failed,
        ParcelState::Cancelled => Progress::Cancelled,
    }
}
