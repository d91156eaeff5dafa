//! How far a parcel is: its stored state, refined by what lane and tracker know at this moment.

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
}

impl Told {
    /// The transaction that settled it, or the one that is to.
    pub fn hash(&self) -> Option<B256> {
        self.parcel.settled.as_ref().map(|settled| settled.hash).or(self.parcel.hash)
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
                    parcel,
                });
            }
        }
        self.refine(&mut told).await?;
        Ok(told)
    }

    async fn refine(&self, told: &mut [Told]) -> Result<(), ApiError> {
        let mut keys: Vec<Key> = Vec::new();
        let mut place = |key: Key| match keys.iter().position(|known| *known == key) {
            Some(position) => position,
            None => {
                keys.push(key);
                keys.len() - 1
            }
        };
        // Per parcel with a number: head, gate, watch.
        let wanted: Vec<Option<[usize; 3]>> = told
            .iter()
            .map(|told| {
                let hash = told.hash()?;
                let network = told.parcel.network();
                Some([
                    place(Head::key(network)),
                    place(Gate::key(&told.parcel.wallet)),
                    place(Watch::key(network, hash)),
                ])
            })
            .collect();
        let rows = self.read(&keys).await?;
        for (told, wanted) in told.iter_mut().zip(wanted) {
            let Some([head, gate, watch]) = wanted else { continue };
            let head = parse::<Head>(rows[head].as_ref())?;
            let gate = parse::<Gate>(rows[gate].as_ref())?;
            let watch = parse::<Watch>(rows[watch].as_ref())?;
            self.place(told, head, gate, watch).await?;
        }
        Ok(())
    }

    async fn place(
        &self,
        told: &mut Told,
        head: Option<Head>,
        gate: Option<Gate>,
        watch: Option<Watch>,
    ) -> Result<(), ApiError> {
        let network = told.parcel.network().clone();
        let under_way = matches!(told.parcel.state, ParcelState::Assigned | ParcelState::Reopened);
        if under_way {
            let seen = gate.as_ref().is_some_and(|gate| told.parcel.number.is_some_and(|number| number < gate.seen));
            if told.parcel.state == ParcelState::Assigned && seen {
                told.progress = Progress::Broadcast;
                told.updated_at = told.updated_at.max(gate.map(|gate| gate.moved_at).unwrap_or_default());
            }
            if let Some((height, block)) = watch.and_then(|watch| Some((watch.height?, watch.block_hash?))) {
                // Only the ring says whether that block is (still) on the chain.
                let header = self.read(&[HeaderRow::key(&network, height)]).await?.pop().flatten();
                if parse::<HeaderRow>(header.as_ref())?.is_some_and(|header| header.hash == block) {
                    told.height = Some(height);
                    if told.parcel.state == ParcelState::Assigned {
                        told.progress = Progress::Included;
                    }
                }
            }
        }
        if let (Some(height), Some(head)) = (told.height, head) {
            told.confirmations = (head.height + 1).saturating_sub(height);
        }
        Ok(())
    }

    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, ApiError> {
        let mut rows = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(100) {
            rows.extend(self.store.get_many(chunk).await.map_err(|error| ApiError::internal(&error))?);
        }
        Ok(rows)
    }
}

fn parse<T: serde::de::DeserializeOwned>(row: Option<&Item>) -> Result<Option<T>, ApiError> {
    row.map(Item::parse).transpose().map_err(|error| ApiError::internal(&error))
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
