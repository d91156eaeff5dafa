//! Parcels that are due: accepted but never queued, and waits that are over (rule 9).

use std::collections::BTreeMap;

use causeway_domain::{
    Network,
    lane::{LaneId, room},
    parcel::ParcelState,
    verdict::WaitReason,
};
use causeway_runtime::metrics;
use causeway_state::{
    commit::{Done, commit},
    lane::{Counter, Gate},
    message::{ParcelMessage, SignReason, SignRequest, queues, request_queue},
    parcel::{CANCEL_AGAIN_MS, DUE_SHARDS, Parcel},
    tables::{DUE, TRANSFERS},
};
use causeway_store::{Item, Key, Query, Range, Value};

use crate::{Post, TrackError, Tracker};

/// Parcels of one shard and look.
const PARCELS_PER_LOOK: usize = 100;
/// A wait that is over for so long is an alarm: the sweep does not keep up.
const OVERDUE_MS: u64 = 60_000;

impl Tracker {
    /// Wakes what is due on a network; answers for how long the oldest of it has waited for what nobody decided.
    pub async fn sweep(&self, network: &Network) -> Result<u64, TrackError> {
        let now = self.clock.now_ms();
        let (mut overdue, mut oldest) = (0, 0);
        for shard in 0..DUE_SHARDS {
            let pk = Parcel::due_pk(&network.id, shard);
            let query =
                Query { limit: PARCELS_PER_LOOK, ..Query::index(TRANSFERS, DUE, pk, Range::UpTo(Value::from(now))) };
            let page = self.store.query(&query).await?;
            let late =
                |row: &&Item| row.number("due_at").is_some_and(|at| at + i128::from(OVERDUE_MS) < i128::from(now));
            overdue += page.items.iter().filter(late).count();
            oldest = oldest.max(self.wake(&page.items).await?);
        }
        if overdue > 0 {
            self.metrics.emit(&*self.clock, metrics::WAITS_OVERDUE, overdue as u64, Some(&network.id));
        }
        Ok(oldest)
    }

    /// Wakes as many parcels as a lane has room for, the most urgent first; answers for how long the first of them has waited,
    /// less what its priority puts it behind others.
    pub async fn feed(&self, lane: &LaneId) -> Result<u64, TrackError> {
        let Some(network) = self.networks.get(lane.network.as_str()) else { return Ok(0) };
        let query =
            Query { limit: PARCELS_PER_LOOK, ..Query::index(TRANSFERS, DUE, Parcel::lane_wait_pk(lane), Range::All) };
        let waiting = self.store.query(&query).await?.items;
        // Its place is when it was accepted, or later where it is less urgent.
        let Some(first) = waiting.first().and_then(|row| row.number("due_at")) else { return Ok(0) };
        let waited = u64::try_from(i128::from(self.clock.now_ms()) - first).unwrap_or(0);
        let rows = self.store.get_many(&[Counter::key(lane), Gate::key(lane)]).await?;
        let (Some(counter), Some(gate)) = (&rows[0], &rows[1]) else { return Ok(waited) };
        let (counter, gate): (Counter, Gate) = (counter.parse()?, gate.parse()?);
        let free = usize::try_from(room(network.in_flight_max, counter.next, gate.consumed)).unwrap_or(usize::MAX);
        self.wake(&waiting[..free.min(waiting.len())]).await?;
        Ok(waited)
    }

    /// An index is a hint: each parcel is read, moved under its version, and only then published. Answers the age of the
    /// oldest that waits for what nobody decided.
    async fn wake(&self, hints: &[Item]) -> Result<u64, TrackError> {
        let mut oldest = 0;
        let key = |row: &Item| Some(Key::new(TRANSFERS, row.text("pk")?, row.text("sk")?));
        let keys: Vec<Key> = hints.iter().filter_map(key).collect();
        let mut woken: BTreeMap<&'static str, Vec<Post<ParcelMessage>>> = BTreeMap::new();
        for chunk in keys.chunks(100) {
            for row in self.store.get_many(chunk).await?.into_iter().flatten() {
                // One row that cannot be read must not keep the network's other rows, and its blocks, waiting.
                let parcel: Parcel = match row.parse() {
                    Ok(parcel) => parcel,
                    Err(error) => {
                        tracing::error!(row = row.text("pk"), error = %error, "a due row cannot be read");
                        continue;
                    }
                };
                if parcel.wait.as_ref().is_some_and(|wait| is_nobodys(wait.reason)) {
                    oldest = oldest.max(self.clock.now_ms().saturating_sub(parcel.created_at));
                }
                if parcel.state == ParcelState::Assigned {
                    self.ask_to_cancel(&parcel, row.version()).await?;
                } else if let Some(next) = self.next_of(&parcel) {
                    let write = match parcel.moved(row.version(), next) {
                        Ok(write) => write,
                        Err(error) => {
                            tracing::error!(parcel = %parcel.id, error = %error, "cannot be woken");
                            continue;
                        }
                    };
                    match commit(&*self.store, &*self.clock, &[write]).await? {
                        Done::Committed => {
                            tracing::info!(parcel = %parcel.id, trace = %parcel.trace, state = parcel.state.as_str(), "published again");
                            let body = ParcelMessage { parcel: parcel.id, trace: parcel.trace };
                            let group = Some(parcel.tenant.to_string());
                            woken.entry(request_queue(parcel.priority)).or_default().push(Post {
                                body,
                                group,
                                dedup: None,
                            });
                        }
                        // Somebody else moved it meanwhile.
                        Done::Conflict(_) => {}
                    }
                }
            }
        }
        for (queue, posts) in woken {
            self.publish(queue, posts).await?;
        }
        Ok(oldest)
    }

    /// A cancellation that was asked for and for which no no-op is signed yet is asked for again.
    async fn ask_to_cancel(&self, parcel: &Parcel, version: u64) -> Result<(), TrackError> {
        let now = self.clock.now_ms();
        let (Some(number), Some(due), true) = (parcel.number, parcel.due_at, parcel.cancel.is_some()) else {
            return Ok(());
        };
        if due > now {
            return Ok(());
        }
        let later = Parcel { due_at: Some(now + CANCEL_AGAIN_MS), ..parcel.clone() };
        let write = match parcel.noted(version, &later) {
            Ok(write) => write,
            Err(error) => {
                tracing::error!(parcel = %parcel.id, error = %error, "cannot be asked for again");
                return Ok(());
            }
        };
        match commit(&*self.store, &*self.clock, &[write]).await? {
            Done::Committed => {
                let (lane, trace) = (parcel.wallet.clone(), parcel.trace);
                let (group, dedup) = (Some(lane.to_string()), Some(format!("{}:{due}", parcel.id)));
                let body = SignRequest { lane, number, reason: SignReason::Cancel, trace };
                self.publish(queues::SIGN_REQUESTS, vec![Post { body, group, dedup }]).await
            }
            Done::Conflict(_) => Ok(()),
        }
    }

    fn next_of(&self, parcel: &Parcel) -> Option<Parcel> {
        let now = self.clock.now_ms();
        match parcel.state {
            ParcelState::Accepted => parcel.due_at.is_some_and(|at| at <= now).then(|| parcel.woken(now)),
            ParcelState::Waiting => Some(Parcel { tries: 0, ..parcel.woken(now) }),
            ParcelState::Assigned
            | ParcelState::Confirmed
            | ParcelState::Reopened
            | ParcelState::Rejected
            | ParcelState::Failed
            | ParcelState::Cancelled => None,
        }
    }
}

/// Whether a wait is for what nobody decided, and of which no other alarm surely tells: it may last for ever unseen. A lane
/// that is closed without having begun is in no other measure.
const fn is_nobodys(reason: WaitReason) -> bool {
    match reason {
        WaitReason::FeeAboveCap
        | WaitReason::ChainUnavailable
        | WaitReason::KeysUnavailable
        | WaitReason::LaneFull
        | WaitReason::LaneClosed
        | WaitReason::NotAllowed => true,
        WaitReason::Blocked | WaitReason::TreasuryShort => false,
    }
}
