//! What a lane's open rows ask for, held against what a transaction of its address did.

use std::ops::Range;

use causeway_chains::{Chain, Receipt, token};
use causeway_domain::{Network, clock::Millis, lane::LaneId};
use causeway_state::{
    adopt::Found,
    lane::{Counter, Transaction},
    parcel::Parcel,
    tables::TRANSFERS,
};
use causeway_store::{Item, Key, RowError};

use crate::{
    TrackError, Tracker,
    adopt::{Read, read},
    lead::Lead,
};

/// Keys of one read.
const KEYS_PER_READ: usize = 100;
/// For so long after tables may have been set back, a payment that no row asks for may be one whose transfer was forgotten:
/// pools drop what waits behind a gap within hours, and clients ask again for what they were not told of.
const FORGOTTEN_MS: Millis = 86_400_000;

impl Tracker {
    /// Why what took a number may be a payment of ours that rows have forgotten, or still ask for under another number;
    /// `None` where it cannot be.
    pub(crate) async fn may_be_ours(
        &self,
        network: &Network,
        chain: &dyn Chain,
        lead: &mut Lead,
        (lane, number): (&LaneId, u64),
        taker: &Receipt,
    ) -> Result<Option<&'static str>, TrackError> {
        // It makes a contract, which ours never do.
        if taker.to.is_none() {
            return Ok(None);
        }
        let found = match read(chain, lane, number, taker).await? {
            Read::Found(found) => found,
            Read::Another => return Ok(None),
            Read::Unknown => return Ok(Some("no node tells what took it did")),
        };
        if taker.success && self.unsigned_asking(network, lane, &found).await?.is_some() {
            return Ok(Some("a transfer without a number asks for what took it"));
        }
        let row = self.store.get(&Counter::key(lane)).await?;
        let next = row.map(|row| row.parse::<Counter>()).transpose()?.map_or(number, |counter| counter.next);
        // A restore may have left rows of which the counter does not know.
        if self.signed_asking(network, lead, lane, &found, number + 1..next + network.in_flight_max).await? {
            return Ok(Some("a later number is to do what took it"));
        }
        let payment = found.intent.data.is_empty() || network.asset(found.intent.to).is_some();
        let now = self.clock.now_ms();
        let anew = lead.head.anew_at > 0 && lead.head.anew_at.saturating_add(FORGOTTEN_MS) > now;
        let forgotten = anew || !lead.head.vouches(now);
        Ok((payment && forgotten)
            .then_some("it may be a payment of ours of which tables that were set back know nothing"))
    }

    /// The oldest parcel of the lane without a number that asks for exactly this; last those that somebody wants cancelled,
    /// since the others would still be paid.
    pub(crate) async fn unsigned_asking(
        &self,
        network: &Network,
        lane: &LaneId,
        found: &Found,
    ) -> Result<Option<(Parcel, u64)>, TrackError> {
        let asks = |(parcel, _): &(Parcel, u64)| {
            let ([line], Some(asset)) = (parcel.transfers.as_slice(), network.asset(parcel.asset.address)) else {
                return false;
            };
            let (to, value, data) = token::payment_for(asset, line.to, line.amount);
            parcel.is_unsigned() && parcel.wallet == *lane && found.does(to, value, &data)
        };
        let mut oldest: Option<(Parcel, u64)> = None;
        for mut query in Parcel::queries_unsigned(lane) {
            loop {
                let page = self.store.query(&query).await?;
                let key = |row: &Item| Some(Key::new(TRANSFERS, row.text("pk")?, row.text("sk")?));
                let keys: Vec<Key> = page.items.iter().filter_map(key).collect();
                let all = self.parcels(&keys).await?.into_iter().chain(oldest.take());
                oldest =
                    all.filter(asks).min_by_key(|(parcel, _)| (parcel.cancel.is_some(), parcel.created_at, parcel.id));
                match page.next {
                    Some(next) => query.after = Some(next),
                    None => break,
                }
            }
        }
        Ok(oldest)
    }

    /// Whether one of these numbers is to do exactly this.
    async fn signed_asking(
        &self,
        network: &Network,
        lead: &mut Lead,
        lane: &LaneId,
        found: &Found,
        numbers: Range<u64>,
    ) -> Result<bool, TrackError> {
        let rows = self.transactions(network, lead, lane, numbers).await?;
        for ours in rows.iter().flatten().filter_map(open) {
            let (ours, _) = ours?;
            if found.does(ours.intent.to, ours.intent.value, &ours.intent.data) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The rows of these numbers' transactions, in order.
    pub(crate) async fn transactions(
        &self,
        network: &Network,
        lead: &mut Lead,
        lane: &LaneId,
        numbers: Range<u64>,
    ) -> Result<Vec<Option<Item>>, TrackError> {
        let keys: Vec<Key> = numbers.map(|number| Transaction::key(lane, number)).collect();
        let mut rows = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(KEYS_PER_READ) {
            self.keep_lease(network, lead).await?;
            rows.extend(self.store.get_many(chunk).await?);
        }
        Ok(rows)
    }

    /// Parcels and their rows' versions.
    pub(crate) async fn parcels(&self, keys: &[Key]) -> Result<Vec<(Parcel, u64)>, TrackError> {
        let mut parcels = Vec::new();
        for chunk in keys.chunks(KEYS_PER_READ) {
            for row in self.store.get_many(chunk).await?.into_iter().flatten() {
                match row.parse() {
                    Ok(parcel) => parcels.push((parcel, row.version())),
                    // One that cannot be read must not keep the others waiting.
                    Err(error) => tracing::error!(pk = row.text("pk"), error = %error, "a parcel cannot be read"),
                }
            }
        }
        Ok(parcels)
    }
}

/// A transaction that has not ended, with its row's version.
pub(crate) fn open(row: &Item) -> Option<Result<(Transaction, u64), RowError>> {
    let ours = row.parse::<Transaction>();
    let ended = ours.as_ref().is_ok_and(|ours| ours.outcome.is_some());
    (!ended).then(|| ours.map(|ours| (ours, row.version())))
}
