//! The leased loop: one leader per network, replaced when it falls silent.

use std::collections::BTreeMap;

use causeway_chains::{BlockAt, Chain, Header};
use causeway_domain::{
    B256, Network,
    clock::Millis,
    id::{CommitId, NetworkId},
};
use causeway_runtime::metrics;
use causeway_state::{
    commit::{CommitError, Done, commit},
    tables::TRACKER,
    tracker::{Head, HeaderRow, Inclusion},
};
use causeway_store::{Expect, Item, Query, Range, Write};

use crate::{
    TrackError, Tracker,
    follow::BLOCKS_PER_TICK,
    lanes::{LANES_AT_ONCE, LaneMemory},
    reconcile::Reconciling,
};

/// A leader that is silent for so long is replaced.
const LEASE_MS: u64 = 15_000;
/// A lease that ends later than this is no honest clock's.
const LEASE_BELIEVED_MS: u64 = 2 * LEASE_MS;
/// How often an idle leader says that it is there.
const RENEW_MS: u64 = 5_000;
/// How often a leader that goes on is measured.
const BEAT_MS: u64 = 5_000;
/// How often a follower tries.
const TRY_MS: u64 = 1_000;
/// Headers a new leader reads: deeper than any reorganisation it can walk back.
pub const RING: usize = 300;
/// Pause after a step that failed.
pub(crate) const FAILED_MS: u64 = 1_000;
/// Due parcels and lanes are looked at so often.
const SWEEP_MS: u64 = 2_000;
/// How long something has waited, and how far finality lags, is told so often; the first time at once.
const MEASURE_MS: u64 = 60_000;
/// Lanes are held against the chain so often; the first time at once.
const LANE_CHECK_MS: u64 = 60_000;
/// Where the chain gave no answer for a lane, so soon again.
const LANE_RECHECK_MS: u64 = 10_000;

/// A block of the ring.
#[derive(Debug, Clone)]
pub struct Ringed {
    /// Its hash.
    pub hash: B256,
    /// What of ours it includes; `None` where only the rows tell: an earlier leader, or another one beside this, wrote them.
    pub inclusions: Option<Vec<Inclusion>>,
}

/// A leader's memory.
#[derive(Debug)]
pub struct Lead {
    /// The head's row as this leader wrote it last.
    pub head: Head,
    /// Its version: the fence.
    pub version: u64,
    /// When it was written.
    pub written_at: Millis,
    /// The newest canonical blocks.
    pub ring: BTreeMap<u64, Ringed>,
    /// Whether blocks that left the chain are still to be told.
    pub orphans: bool,
    /// What lane checks remember.
    pub lanes: LaneMemory,
    /// What reconciliation remembers.
    pub reconciling: Reconciling,
    /// Since when blocks are deep enough that no second provider has; only where the network asks for one.
    pub doubted_since: Option<Millis>,
    /// Height of the chain when it was asked for last.
    pub(crate) newest: u64,
    swept_at: Millis,
    /// The longest wait that sweeps met since it was told.
    oldest_wait: u64,
    /// When waits and finality were told last.
    measured_at: Millis,
    /// When the newest block's age was told last.
    head_measured_at: Millis,
    checked_at: Millis,
    check_soon: bool,
    beat_at: Millis,
    /// Whether halves of signatures' commits were looked for, where a restore may have left some.
    completed: bool,
}

impl Tracker {
    /// Leads a network, or waits to lead it, until `until`.
    pub async fn run(&self, network: &NetworkId, until: Millis) {
        let (Some(network), Some(chain)) = (self.networks.get(network.as_str()), self.chains.get(network)) else {
            tracing::error!(%network, "this network is not enabled here");
            return;
        };
        let me = CommitId::new(&*self.clock).to_string();
        let mut lead: Option<Lead> = None;
        while self.clock.now_ms() < until {
            let pause = match &mut lead {
                None => match self.try_lead(network, &**chain, &me).await {
                    Ok(Some(new)) => {
                        lead = Some(new);
                        0
                    }
                    Ok(None) => TRY_MS,
                    Err(error) => {
                        tracing::warn!(network = %network.id, error = %error, "cannot try to lead");
                        TRY_MS
                    }
                },
                Some(leading) => match self.tick(network, &**chain, leading).await {
                    Ok(()) => network.poll_ms,
                    Err(error @ TrackError::Chain(_)) => {
                        tracing::warn!(network = %network.id, error = %error, "no answer from the chain; nothing changes");
                        FAILED_MS
                    }
                    Err(error) => {
                        tracing::warn!(network = %network.id, error = %error, "this leader steps back");
                        lead = None;
                        FAILED_MS
                    }
                },
            };
            self.clock.sleep_ms(pause).await;
        }
        if let Some(lead) = lead {
            self.step_down(network, lead).await;
        }
    }

    /// Takes the lease if nobody has it, and reads what a leader must know.
    pub async fn try_lead(&self, network: &Network, chain: &dyn Chain, me: &str) -> Result<Option<Lead>, TrackError> {
        let now = self.clock.now_ms();
        let row = self.store.get(&Head::key(&network.id)).await?;
        let (head, version, fell) = match row {
            Some(row) => {
                let head: Head = row.parse()?;
                // A leader that stepped back may lead again at once: its own writes are fenced by the new version.
                // A lease beyond all leases was taken by a clock that is ahead, and its holder may be long dead.
                let held = head.lease_until > now && head.lease_until <= now + LEASE_BELIEVED_MS;
                if held && head.leader != me {
                    return Ok(None);
                }
                let next =
                    Head { epoch: head.epoch + 1, leader: me.to_owned(), lease_until: now + LEASE_MS, ..head.clone() };
                // Who ends in order gives its lease back.
                (next, row.version(), head.lease_until != 0)
            }
            None => return self.first_lead(network, chain, me).await,
        };
        let write = put_head(&network.id, &head, version)?;
        match commit(&*self.store, &*self.clock, &[write]).await {
            Ok(Done::Committed) => {}
            Ok(Done::Conflict(_)) | Err(CommitError::Busy | CommitError::Unknown) => return Ok(None),
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
        tracing::info!(network = %network.id, epoch = head.epoch, height = head.height, "leads");
        let ring = self.read_ring(&network.id).await?;
        Ok(Some(Lead::new(head, version + 1, now, ring, fell)))
    }

    /// A network's first leader begins where its oldest lane began, or else at the newest block: nothing of ours is older.
    /// It begins as many blocks before that as a leader walks back, since a block it cannot walk back from must never leave
    /// the chain: a young network takes as deep a branch as an old one.
    async fn first_lead(&self, network: &Network, chain: &dyn Chain, me: &str) -> Result<Option<Lead>, TrackError> {
        let now = self.clock.now_ms();
        let newest = chain.head().await?.value;
        let begun = self.lanes(network).await?;
        for lanes in self.unused(network).await?.chunks(LANES_AT_ONCE) {
            self.begin_if_used(network, chain, lanes, newest.number).await?;
        }
        let since = begun.iter().map(|(_, _, gate)| gate.since).min().unwrap_or(newest.number);
        let first = since.min(newest.number).saturating_sub((RING as u64).max(network.final_at));
        let newest = match chain.block(BlockAt::Number(first)).await?.value {
            Some(block) => block.header,
            None => return Ok(None),
        };
        let head = Head {
            height: newest.number,
            hash: newest.hash,
            confirmed: newest.number,
            finalized: newest.number,
            epoch: 1,
            leader: me.to_owned(),
            lease_until: now + LEASE_MS,
            // Lanes that begin now have no number that rows could have forgotten.
            looked_at: if begun.is_empty() { now } else { 0 },
            anew_at: 0,
        };
        let header = HeaderRow { height: newest.number, hash: newest.hash, parent: newest.parent };
        let writes = [
            Write::create(Head::key(&network.id), Item::from_fields(&head)?),
            Write::Put {
                key: HeaderRow::key(&network.id, newest.number),
                item: Item::from_fields(&header)?,
                expect: vec![],
            },
        ];
        match commit(&*self.store, &*self.clock, &writes).await? {
            Done::Committed => {
                let ring = BTreeMap::from([(newest.number, Ringed { hash: newest.hash, inclusions: None })]);
                Ok(Some(Lead::new(head, 1, now, ring, true)))
            }
            Done::Conflict(_) => Ok(None),
        }
    }

    async fn read_ring(&self, network: &NetworkId) -> Result<BTreeMap<u64, Ringed>, TrackError> {
        let pk = HeaderRow::key(network, 0).pk;
        let query = Query { descending: true, limit: RING, ..Query::table(TRACKER, pk, Range::All) };
        let mut ring = BTreeMap::new();
        for row in self.store.query(&query).await?.items {
            let header: HeaderRow = row.parse()?;
            ring.insert(header.height, Ringed { hash: header.hash, inclusions: None });
        }
        Ok(ring)
    }

    /// One look: orphans first, then blocks, then stages; less often sweeps, lanes and reconciliation.
    pub async fn tick(&self, network: &Network, chain: &dyn Chain, lead: &mut Lead) -> Result<(), TrackError> {
        let now = self.clock.now_ms();
        self.keep_lease(network, lead).await?;
        if !lead.completed {
            // Before blocks, and what they settle.
            lead.completed = lead.head.vouches(now) || self.complete_signatures(network, lead).await?;
            if !lead.completed {
                return Ok(());
            }
        }
        // Sweeps need no chain: they go on while every provider is down.
        if now.saturating_sub(lead.swept_at) >= SWEEP_MS {
            lead.swept_at = now;
            lead.oldest_wait = lead.oldest_wait.max(self.sweep(network).await?);
            lead.oldest_wait = lead.oldest_wait.max(self.sweep_lanes(network, &mut lead.lanes).await?);
        }
        self.measure_waits(network, lead);
        if lead.orphans {
            self.tell_orphans(network, lead).await?;
        }
        self.follow(network, chain, lead).await?;
        // Before lanes, of which there may be many: what is deep enough need not wait for questions about them.
        let told = self.tell_stages(network, chain, lead).await;
        if matches!(told, Err(TrackError::Lost)) {
            return told;
        }
        // Nor may what cannot be told keep every lane of the network closed.
        self.look_at_lanes(network, chain, lead).await?;
        told?;
        self.reconcile(network, chain, lead).await?;
        // Only who came this far goes on: a leader without an answer from the chain, without the second one that it must
        // have, or behind which nothing is signed, stands still. How long that may last is the alarm's.
        let stands = lead.doubted_since.is_some() || !lead.head.vouches(now);
        if now.saturating_sub(lead.beat_at) >= BEAT_MS && !stands {
            lead.beat_at = now;
            self.metrics.emit(&*self.clock, metrics::HEARTBEAT, 1, Some(&network.id));
        }
        Ok(())
    }

    /// Tells for how long something has waited, and by how much finality lags, whether or not the chain answers: neither ends
    /// by itself where a key is gone, a fee cap is too low, or a node's tag stands still.
    fn measure_waits(&self, network: &Network, lead: &mut Lead) {
        let now = self.clock.now_ms();
        if now.saturating_sub(lead.measured_at) < MEASURE_MS {
            return;
        }
        lead.measured_at = now;
        let wait = std::mem::take(&mut lead.oldest_wait);
        self.metrics.emit(&*self.clock, metrics::OLDEST_WAIT_AGE, wait, Some(&network.id));
        let due = (lead.head.height + 1).saturating_sub(network.final_at);
        let lag = due.saturating_sub(lead.head.finalized) * network.block_time_ms;
        self.metrics.emit(&*self.clock, metrics::FINALITY_LAG, lag, Some(&network.id));
    }

    /// Tells how old the newest block is. A node that has stopped to follow its chain answers as ever, rows and answers agree,
    /// and what waits for a later block waits for ever: only this tells.
    pub(crate) fn measure_head(&self, network: &Network, lead: &mut Lead, newest: &Header) {
        let now = self.clock.now_ms();
        if now.saturating_sub(lead.head_measured_at) < MEASURE_MS {
            return;
        }
        lead.head_measured_at = now;
        let age = now.saturating_sub(newest.timestamp_s.saturating_mul(1000));
        self.metrics.emit(&*self.clock, metrics::HEAD_AGE, age, Some(&network.id));
    }

    /// Holds lanes against the chain when it is time to, and vouches for them.
    async fn look_at_lanes(&self, network: &Network, chain: &dyn Chain, lead: &mut Lead) -> Result<(), TrackError> {
        let now = self.clock.now_ms();
        let anew = !lead.head.vouches(now);
        let soon = lead.check_soon || lead.lanes.awaits_look || anew;
        if now.saturating_sub(lead.checked_at) < if soon { LANE_RECHECK_MS } else { LANE_CHECK_MS } {
            return Ok(());
        }
        (lead.checked_at, lead.check_soon) = (now, false);
        let far = lead.is_far_behind(network);
        let looked = match self.check_lanes(network, chain, lead, anew && !far).await {
            Ok(()) if anew && !far => self.begin_used(network, chain, lead).await,
            looked => looked,
        };
        match looked {
            Ok(()) if far => Ok(()),
            Ok(()) => {
                lead.head.looked_at = self.clock.now_ms();
                if !anew {
                    return Ok(());
                }
                lead.head.anew_at = lead.head.looked_at;
                self.write_head(network, lead).await
            }
            // What questions about lanes cannot be told must not keep every block from being followed.
            Err(TrackError::Chain(error)) => {
                tracing::warn!(network = %network.id, error = %error, "lanes are not held against the chain");
                lead.check_soon = true;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Renews the lease where it is time to.
    pub(crate) async fn keep_lease(&self, network: &Network, lead: &mut Lead) -> Result<(), TrackError> {
        if self.clock.now_ms().saturating_sub(lead.written_at) < RENEW_MS {
            return Ok(());
        }
        self.write_head(network, lead).await
    }

    /// Writes the head under the fence, and with it renews the lease.
    pub async fn write_head(&self, network: &Network, lead: &mut Lead) -> Result<(), TrackError> {
        self.commit_head(network, lead, Vec::new()).await
    }

    /// Writes the head and something else under the fence.
    pub async fn commit_head(
        &self,
        network: &Network,
        lead: &mut Lead,
        mut beside: Vec<Write>,
    ) -> Result<(), TrackError> {
        let now = self.clock.now_ms();
        lead.head.lease_until = now + LEASE_MS;
        beside.push(put_head(&network.id, &lead.head, lead.version)?);
        match commit(&*self.store, &*self.clock, &beside).await {
            Ok(Done::Committed) => {
                lead.version += 1;
                lead.written_at = now;
                Ok(())
            }
            Ok(Done::Conflict(_)) | Err(CommitError::Busy | CommitError::Unknown) => Err(TrackError::Lost),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }

    /// Ends the lease now, so that the successor need not wait for it, and leaves it the look that is under way.
    pub async fn step_down(&self, network: &Network, mut lead: Lead) {
        if let Err(error) = self.put_away(&mut lead).await {
            tracing::debug!(network = %network.id, error = %error, "a look is not kept; it is made again");
        }
        let head = Head { lease_until: 0, ..lead.head };
        let Ok(write) = put_head(&network.id, &head, lead.version) else { return };
        if let Err(error) = commit(&*self.store, &*self.clock, &[write]).await {
            tracing::debug!(network = %network.id, error = %error, "the lease is not given back; it ends by itself");
        }
    }
}

impl Lead {
    /// Learns how far the chain is. Where the head is behind, or the tables were set back, lanes may have moved without it.
    pub(crate) fn sees(&mut self, network: &Network, newest: u64) {
        self.newest = newest;
        self.check_soon |= newest.saturating_sub(self.head.height) > u64::from(BLOCKS_PER_TICK);
        if self.is_far_behind(network) {
            self.head.looked_at = 0;
        }
    }

    /// Whether the head is so far behind that nothing is signed.
    pub(crate) fn is_far_behind(&self, network: &Network) -> bool {
        self.newest.saturating_sub(self.head.height) > network.behind_max()
    }

    fn new(head: Head, version: u64, now: Millis, ring: BTreeMap<u64, Ringed>, fell: bool) -> Self {
        // Orphans may be left from the leader before; sweeps and checks are due at once.
        Self {
            head,
            version,
            written_at: now,
            ring,
            orphans: true,
            lanes: LaneMemory::default(),
            reconciling: Reconciling::new(now, fell),
            doubted_since: None,
            newest: 0,
            swept_at: 0,
            oldest_wait: 0,
            measured_at: 0,
            head_measured_at: 0,
            checked_at: 0,
            check_soon: false,
            beat_at: 0,
            completed: false,
        }
    }
}

fn put_head(network: &NetworkId, head: &Head, version: u64) -> Result<Write, TrackError> {
    let item = Item::from_fields(head)?;
    Ok(Write::Put { key: Head::key(network), item, expect: vec![Expect::Version(version)] })
}
