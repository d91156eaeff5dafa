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

use crate::{TrackError, Tracker, adopt::read, lead::Lead};

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
        let Some(found) = read(chain, lane, number, taker).await? else {
            // Of another kind than ours, if a node knows it at all.
            let known = chain.knows(taker.hash).await?.value;
            return Ok((!known).then_some("no node tells what took it did"));
        };
        if self.unsigned_asking(network, lane, &found, taker).await?.is_some() {
            return Ok(Some("a transfer without a number asks for what took it"));
        }
        let row = self.store.get(&Counter::key(lane)).await?;
        let next = row.map(|row| row.parse::<Counter>()).transpose()?.map_or(number, |counter| counter.next);
        if self.signed_asking(network, lead, lane, &found, number + 1..next).await? {
            return Ok(Some("a later number is to do what took it"));
        }
        let payment = found.intent.data.is_empty() || network.asset(found.intent.to).is_some();
        let forgotten = lead.head.anew_at > 0 && lead.head.anew_at.saturating_add(FORGOTTEN_MS) > self.clock.now_ms();
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
        taker: &Receipt,
    ) -> Result<Option<(Parcel, u64)>, TrackError> {
        let asks = |(parcel, _): &(Parcel, u64)| {
            let ([line], Some(asset)) = (parcel.transfers.as_slice(), network.asset(parcel.asset.address)) else {
                return false;
            };
            let (to, value, data) = token::payment_for(asset, line.to, line.amount);
            let units = || token::transferred(&taker.logs, asset.address, lane.address, line.to);
            // What reverted, or moved nothing, is nobody's payment.
            let paid = taker.success && (asset.is_native() || units() == line.amount.to_u256());
            parcel.is_unsigned() && paid && parcel.wallet == *lane && found.does(to, value, &data)
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
        for ours in self.open_transactions(network, lead, lane, numbers).await? {
            let (ours, _) = ours?;
            if found.does(ours.intent.to, ours.intent.value, &ours.intent.data) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The transactions of these numbers that have not ended, with their rows' versions.
    pub(crate) async fn open_transactions(
        &self,
        network: &Network,
        lead: &mut Lead,
        lane: &LaneId,
        numbers: Range<u64>,
    ) -> Result<Vec<Result<(Transaction, u64), RowError>>, TrackError> {
        let numbers: Vec<u64> = numbers.collect();
        let mut open = Vec::new();
        for chunk in numbers.chunks(KEYS_PER_READ) {
            self.keep_lease(network, lead).await?;
            let keys: Vec<Key> = chunk.iter().map(|number| Transaction::key(lane, *number)).collect();
            for row in self.store.get_many(&keys).await?.into_iter().flatten() {
                let ours = row.parse::<Transaction>();
                if ours.as_ref().is_ok_and(|ours| ours.outcome.is_some()) {
                    continue;
                }
                open.push(ours.map(|ours| (ours, row.version())));
            }
        }
        Ok(open)
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
