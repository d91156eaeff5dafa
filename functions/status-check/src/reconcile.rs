//! Reconciliation: lanes against the chain, parcels against transactions, the ledger against the chain and itself.
//!
//! Each treasury has a report of its own, with the time at which it is looked at again. A leader that took over from one
//! that fell looks at all of them at once; one that was handed the lease goes on where the other stood. A look goes in
//! slices: a partition of the lane's numbers (`line`), a page of the tenant's parcels, and at last the balances
//! (`books`), between two looks at the chain. A look that takes long is kept with its report, and gives the other treasuries
//! their turn: it ends however many leaders it takes.
//!
//! What reached nobody is told again on the way (`untold`).
//!
//! Invariants: it changes nothing but its reports, and what it tells again is decided where it always is; what cannot be
//! asked, or moved meanwhile, is asked again and never told; only what two looks in a row found is told; what it cannot do
//! keeps no block waiting.

mod books;
mod line;
mod untold;

use std::collections::BTreeMap;

use causeway_chains::Chain;
use causeway_domain::{Network, clock::Millis, lane::LaneId};
use causeway_runtime::metrics;
use causeway_state::{
    commit::{Done, commit},
    lane::Counter,
    reconciliation::{Difference, Report},
    wallet::Treasury,
};
use causeway_store::{Item, Query};

use crate::{TrackError, Tracker, lead::Lead};
use line::Walk;

/// From one look at a treasury to the next: a difference is known within the hour, and an hour's reads are those of what
/// was settled in it, and in the blocks that a branch could still take away, once more each.
pub const EVERY_MS: u64 = 3_600_000;
/// What was found is looked at again after so long: the lanes' own check, each minute, has had its turn by then.
const AGAIN_MS: u64 = 90_000;
/// As long as something is told it is looked at so often, so that the alarm ends soon after its cause.
const TOLD_MS: u64 = 600_000;
/// A look that could not be made is tried again after so long.
const RETRY_MS: u64 = 10_000;
/// After a leader that fell, looks younger than this are not made again: leaders that keep falling have other work.
const FELL_MS: u64 = 300_000;
/// Time of one tick for slices at most; where blocks are asked for more often, no longer than from one to the next.
const SLICE_MS: u64 = 1_000;
/// A look that has not ended after so long is kept, and others that are due have their turn.
const TURN_MS: u64 = 10_000;
/// Treasuries and their reports are read anew, and their differences told, so often.
const LIST_MS: u64 = 60_000;

/// What a leader remembers of reconciliation.
#[derive(Debug, Default)]
pub struct Reconciling {
    /// Reports older than this are due whatever they say.
    since: Millis,
    listed_at: Option<Millis>,
    known: BTreeMap<LaneId, Known>,
    walk: Option<Walk>,
}

/// A treasury's report as this leader knows it.
#[derive(Debug)]
struct Known {
    report: Report,
    /// Of its row; 0 where there is none yet.
    version: u64,
    retry_at: Millis,
    /// When the treasury was registered.
    created_at: Millis,
}

impl Reconciling {
    /// Nothing yet. `fell`: the leader before did not give its lease back, so nobody knows what it left.
    pub(crate) const fn new(now: Millis, fell: bool) -> Self {
        let since = if fell { now.saturating_sub(FELL_MS) } else { 0 };
        Self { since, listed_at: None, known: BTreeMap::new(), walk: None }
    }

    /// The lane to go on with: the one in work, or the one that is due for longest.
    fn next(&self, now: Millis, every_ms: u64) -> Option<LaneId> {
        if let Some(walk) = &self.walk {
            return Some(walk.lane.clone());
        }
        let due = |known: &&Known| {
            let report = &known.report;
            // Reports outlive leaders, and with them what was said of how often to look.
            let at = report.due_at.min(report.at + every_ms);
            known.retry_at <= now && (at <= now || report.at < self.since)
        };
        let waiting = self.known.values().filter(due);
        waiting.min_by_key(|known| known.report.due_at).map(|known| known.report.lane.clone())
    }

    /// All treasuries of a tenant on this network.
    fn lanes_of<'a>(&'a self, walk: &'a Walk) -> impl Iterator<Item = &'a LaneId> {
        self.known.values().filter(|known| known.report.tenant == walk.tenant).map(|known| &known.report.lane)
    }
}

impl Tracker {
    /// Looks at what is due, for so long that blocks wait no longer than twice the usual time.
    pub async fn reconcile(&self, network: &Network, chain: &dyn Chain, lead: &mut Lead) -> Result<(), TrackError> {
        // What left the chain is still to be told: until then rows and chain differ by right.
        if lead.orphans {
            return Ok(());
        }
        let began = self.clock.now_ms();
        self.list_reports(network, lead).await?;
        while let Some(lane) = lead.reconciling.next(self.clock.now_ms(), self.reconcile_ms) {
            self.keep_lease(network, lead).await?;
            let retry_at = self.clock.now_ms() + RETRY_MS;
            match self.slice(network, chain, lead, &lane).await {
                Ok(true) => {}
                Ok(false) => lead.reconciling.give_up(&lane, retry_at),
                Err(TrackError::Lost) => return Err(TrackError::Lost),
                // One treasury that cannot be looked at must not keep the others, and the blocks, waiting.
                Err(error) => {
                    tracing::warn!(%lane, error = %error, "cannot be reconciled now");
                    lead.reconciling.give_up(&lane, retry_at);
                }
            }
            let turn = |walk: &Walk| self.clock.now_ms().saturating_sub(walk.since) >= TURN_MS;
            if lead.reconciling.walk.as_ref().is_some_and(turn) {
                // What is not kept is looked at again from where it was kept last.
                if let Err(error) = self.put_away(lead).await {
                    tracing::warn!(%lane, error = %error, "a look is not kept");
                    lead.reconciling.give_up(&lane, retry_at);
                }
            }
            if self.clock.now_ms().saturating_sub(began) >= SLICE_MS.min(network.poll_ms) {
                break;
            }
        }
        Ok(())
    }

    /// Reads the network's treasuries and reports where it is time to, and tells how many differences there are.
    async fn list_reports(&self, network: &Network, lead: &mut Lead) -> Result<(), TrackError> {
        let now = self.clock.now_ms();
        let memory = &mut lead.reconciling;
        if memory.listed_at.is_some_and(|at| now.saturating_sub(at) < LIST_MS) {
            return Ok(());
        }
        let mut known = BTreeMap::new();
        for row in self.all(Treasury::query_network(&network.id)).await? {
            let Ok(treasury) = row.parse::<Treasury>() else {
                tracing::error!(pk = row.text("pk"), sk = row.text("sk"), "a treasury's row cannot be read");
                continue;
            };
            let created_at = treasury.created_at;
            // Clocks may differ; what is older by more was never its.
            let report = Report::new(treasury.lane(), treasury.tenant.clone(), created_at.saturating_sub(EVERY_MS));
            known.insert(treasury.lane(), Known { report, version: 0, retry_at: 0, created_at });
        }
        for row in self.all(Report::query(&network.id)).await? {
            // A report that cannot be read is made anew, over what is there.
            let parsed = row.parse::<Report>().ok();
            let lane = parsed.as_ref().map(|report| report.lane.clone()).or_else(|| lane_of(network, &row));
            if let Some(known) = lane.and_then(|lane| known.get_mut(&lane)) {
                known.version = row.version();
                known.report = parsed.unwrap_or_else(|| known.report.clone());
            }
        }
        for (lane, known) in &mut known {
            let Some(before) = memory.known.remove(lane) else { continue };
            known.retry_at = before.retry_at;
            if before.version == known.version {
                // With what this leader looked at since.
                known.report = before.report;
            }
        }
        memory.known = known;
        memory.listed_at = Some(now);
        let differences = memory.known.values().map(|known| known.report.alarming()).sum();
        self.metrics.emit(&*self.clock, metrics::DIFFERENCES, differences, Some(&network.id));
        let age = |known: &Known| now.saturating_sub(known.report.at.max(known.created_at));
        let oldest = memory.known.values().map(age).max().unwrap_or_default();
        self.metrics.emit(&*self.clock, metrics::OLDEST_LOOK_AGE, oldest, Some(&network.id));
        Ok(())
    }

    /// One slice of a treasury's look; answers whether it came to something.
    async fn slice(
        &self,
        network: &Network,
        chain: &dyn Chain,
        lead: &mut Lead,
        lane: &LaneId,
    ) -> Result<bool, TrackError> {
        let walk = match lead.reconciling.walk.take() {
            Some(walk) => walk,
            None => match lead.reconciling.known.get(lane) {
                Some(known) => self.begin(&known.report).await?,
                None => return Ok(false),
            },
        };
        let mut walk = walk;
        if walk.has_numbers() {
            self.walk_numbers(network, chain, &lead.head, &mut walk).await?;
        } else if walk.has_parcels() {
            self.walk_parcels(&mut walk).await?;
        } else {
            let Some(found) = self.books(network, chain, lead, &walk).await? else {
                // Only this is to be made again.
                lead.reconciling.remember(walk);
                return Ok(false);
            };
            return self.end(lead, walk, found).await;
        }
        lead.reconciling.walk = Some(walk);
        Ok(true)
    }

    async fn begin(&self, report: &Report) -> Result<Walk, TrackError> {
        let next = match self.store.get(&Counter::key(&report.lane)).await? {
            Some(row) => row.parse::<Counter>()?.next,
            None => 0,
        };
        let first = match next {
            0 => 0,
            _ => self.first_number(&report.lane).await?,
        };
        Ok(Walk::new(report, first, next, self.clock.now_ms()))
    }

    /// Keeps the look that is under way with its report: another leader, or this one in its next turn, goes on with it.
    pub(crate) async fn put_away(&self, lead: &mut Lead) -> Result<(), TrackError> {
        let Some(Walk { lane, look, .. }) = lead.reconciling.walk.take() else { return Ok(()) };
        let Some(known) = lead.reconciling.known.get_mut(&lane) else { return Ok(()) };
        let report = Report { look: Some(look), due_at: self.clock.now_ms(), ..known.report.clone() };
        match commit(&*self.store, &*self.clock, &[report.put(known.version)?]).await? {
            Done::Committed => {
                known.version += 1;
                known.report = report;
            }
            // Another leader looks meanwhile.
            Done::Conflict(_) => lead.reconciling.listed_at = None,
        }
        Ok(())
    }

    /// Writes the report.
    async fn end(&self, lead: &mut Lead, walk: Walk, books: Vec<Difference>) -> Result<bool, TrackError> {
        let Some(known) = lead.reconciling.known.get_mut(&walk.lane) else { return Ok(false) };
        let now = self.clock.now_ms();
        let mut report = known.report.clone();
        let look = walk.look;
        // Balances first: words are kept of so many.
        report.take(books.into_iter().chain(look.found).collect(), look.more);
        report.look = None;
        for told in report.differences.iter().filter(|told| told.kind.alarms()) {
            tracing::error!(lane = %walk.lane, kind = told.kind.as_str(), subject = told.subject, "{}", told.detail);
        }
        let pause = match (report.suspected.is_empty(), report.alarming()) {
            (false, _) => AGAIN_MS,
            (true, 0) => self.reconcile_ms,
            (true, _) => TOLD_MS,
        };
        report.at = now;
        report.due_at = now + pause.min(self.reconcile_ms);
        report.height = lead.head.height;
        report.first = look.first;
        report.settled_to = look.settled_to;
        report.parcels_from = look.oldest.map_or(look.parcels_until, |oldest| oldest.min(look.parcels_until));
        report.transactions = look.transactions;
        match commit(&*self.store, &*self.clock, &[report.put(known.version)?]).await? {
            Done::Committed => {
                known.version += 1;
                known.report = report;
                Ok(true)
            }
            // Another leader looked meanwhile: its report is as good.
            Done::Conflict(_) => {
                lead.reconciling.listed_at = None;
                Ok(false)
            }
        }
    }

    /// All rows of a query.
    async fn all(&self, mut query: Query) -> Result<Vec<Item>, TrackError> {
        let mut rows = Vec::new();
        loop {
            let page = self.store.query(&query).await?;
            rows.extend(page.items);
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(rows),
            }
        }
    }
}

impl Reconciling {
    /// Keeps a look in memory, for the next try.
    fn remember(&mut self, walk: Walk) {
        if let Some(known) = self.known.get_mut(&walk.lane) {
            known.report.look = Some(walk.look);
        }
    }

    fn give_up(&mut self, lane: &LaneId, retry_at: Millis) {
        self.walk = None;
        if let Some(known) = self.known.get_mut(lane) {
            known.retry_at = retry_at;
        }
    }
}

/// Whose a treasury's row or a report is, by its place.
pub(crate) fn lane_of(network: &Network, row: &Item) -> Option<LaneId> {
    let address = row.text("sk")?.strip_prefix("LANE#")?.parse().ok()?;
    Some(LaneId { network: network.id.clone(), address })
}
