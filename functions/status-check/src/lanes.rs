//! Lanes: signed but never sent, sent but not seen, numbers that somebody else used, and how lanes do.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use causeway_chains::{Chain, ChainError, NumberAt, Receipt, Reply};
use causeway_domain::{
    Network,
    clock::Millis,
    lane::{LaneGate, LaneId},
};
use causeway_runtime::metrics;
use causeway_state::{
    displace::{foreign, is_foreign},
    lane::{Attempt, Counter, DOUBT_MS, Gate, Outcome, Transaction},
    taken::TakenAt,
    tracker::HeaderRow,
    wallet::Treasury,
};
use causeway_store::{Item, Key, Query, RowError};
use futures::future::join_all;

use crate::{
    TrackError, Tracker,
    lead::{FAILED_MS, Lead},
    reconcile::lane_of,
};

/// A lane with unsent bytes that nothing moved for so long is announced again.
const SILENT_MS: u64 = 10_000;
/// After so many lanes in a row of which the chain does not tell, it tells of none.
const SILENT_MAX: usize = 3;
/// Lanes that a node is asked for side by side.
pub(crate) const LANES_AT_ONCE: usize = 16;
/// Lanes of one read: counter and gate each.
const LANES_PER_READ: usize = 50;
/// Numbers of one lane that are looked up one by one in one check: only what went wrong needs it.
const EXPLAINED_PER_CHECK: usize = 200;

/// How lanes do is measured so often; the first time at once.
const MEASURE_MS: u64 = 60_000;
/// So much later another look must still find a stranger's number: an answer from an old branch does not last so long,
/// and the next leader's first look comes later than that.
const SECOND_LOOK_MS: u64 = 30_000;
/// Transactions of one read.
const TRANSACTIONS_PER_READ: usize = 100;

/// What lane checks remember from one to the next.
#[derive(Debug, Default)]
pub struct LaneMemory {
    /// When it was last measured how lanes do.
    measured_at: Millis,
    /// Whether a lane waits for the next look, to go on.
    pub(crate) awaits_look: bool,
    /// When the signer was last asked for a lane's stuck number.
    pub(crate) asked: BTreeMap<LaneId, Millis>,
}

impl Tracker {
    /// Announces lanes with unsent bytes that nothing moves, and lanes whose wait is over.
    pub async fn sweep_lanes(&self, network: &Network, memory: &mut LaneMemory) -> Result<u64, TrackError> {
        let Lanes { lanes, unreadable, nameless } = self.read_lanes(network).await?;
        let now = self.clock.now_ms();
        if now.saturating_sub(memory.measured_at) >= MEASURE_MS {
            self.measure(network, &lanes, unreadable.len() + nameless).await?;
            memory.measured_at = now;
        }
        memory.awaits_look = lanes.iter().any(|(_, _, gate)| gate.awaits_look(now));
        let mut oldest = 0;
        for (lane, counter, gate) in lanes {
            oldest = oldest.max(found_out(self.sweep_lane(network, (&lane, &counter, &gate), memory).await, &lane)?);
        }
        Ok(oldest)
    }

    async fn sweep_lane(
        &self,
        network: &Network,
        (lane, counter, gate): (&LaneId, &Counter, &Gate),
        memory: &mut LaneMemory,
    ) -> Result<u64, TrackError> {
        let now = self.clock.now_ms();
        let due = match &gate.gate {
            LaneGate::Open => gate.moved_at + SILENT_MS <= now,
            LaneGate::Waiting { wake_at, .. } => *wake_at <= now && gate.moved_at + SILENT_MS.min(2_000) <= now,
            LaneGate::Halted { limit, .. } => gate.seen < *limit && gate.moved_at + SILENT_MS <= now,
        };
        if gate.seen < counter.next && due {
            self.announce(lane, |gate| Some(gate.clone())).await?;
        }
        self.ask_if_stuck(network, (lane, counter, gate), memory).await?;
        self.feed(lane).await
    }

    /// Tells how many lanes are halted, those that cannot be read among them, and for how long the oldest transaction
    /// without a block has been signed: what a node refuses in words nobody knows is repeated for ever, and only its age
    /// gives it away. Asks no node, so it is told while none answers.
    async fn measure(
        &self,
        network: &Network,
        lanes: &[(LaneId, Counter, Gate)],
        unreadable: usize,
    ) -> Result<(), TrackError> {
        let now = self.clock.now_ms();
        let lasts = |gate: &Gate| gate.foreign_since.is_some_and(|since| since + DOUBT_MS <= now);
        let halted = unreadable + lanes.iter().filter(|(_, _, gate)| gate.is_halted() || lasts(gate)).count();
        self.metrics.emit(&*self.clock, metrics::LANES_HALTED, halted as u64, Some(&network.id));
        let out: Vec<_> = lanes.iter().filter(|(_, counter, gate)| gate.consumed < counter.next).collect();
        let mut oldest = None;
        for chunk in out.chunks(TRANSACTIONS_PER_READ) {
            let keys: Vec<Key> = chunk.iter().map(|(lane, _, gate)| Transaction::key(lane, gate.consumed)).collect();
            for ((_, _, gate), row) in chunk.iter().zip(self.store.get_many(&keys).await?) {
                let Some(row) = row else { continue };
                let signed_at = row.parse::<Transaction>().map_or_else(
                    |error| {
                        cannot_be_read(&row, &error);
                        gate.progress_at
                    },
                    |transaction| transaction.created_at,
                );
                oldest = Some(oldest.map_or(signed_at, |oldest: Millis| oldest.min(signed_at)));
            }
        }
        let age = oldest.map_or(0, |signed_at| now.saturating_sub(signed_at));
        self.metrics.emit(&*self.clock, metrics::OLDEST_UNSEEN_AGE, age, Some(&network.id));
        Ok(())
    }

    /// Holds every lane against the chain: at the start of a leader, and each minute. A lane whose rows cannot be read is
    /// doubted, and where rows must be vouched for anew also one of which the chain does not tell: neither holds up the
    /// others.
    pub async fn check_lanes(
        &self,
        network: &Network,
        chain: &dyn Chain,
        lead: &mut Lead,
        anew: bool,
    ) -> Result<(), TrackError> {
        let Lanes { lanes, unreadable, .. } = self.read_lanes(network).await?;
        for lane in unreadable {
            // Where not even the gate can be read, nobody can free anything either.
            found_out(self.doubt(&lane).await, &lane)?;
        }
        let mut silent = 0;
        for lanes in lanes.chunks(LANES_AT_ONCE) {
            // Each lane costs questions to a node: one after the other, many lanes take longer than a leader leads.
            self.keep_lease(network, lead).await?;
            let asked: Vec<_> = lanes.iter().map(|(lane, ..)| numbers(chain, lane)).collect();
            for ((lane, counter, gate), told) in lanes.iter().zip(join_all(asked).await) {
                // What is wrong with one costs many more questions.
                self.keep_lease(network, lead).await?;
                if gate.is_beginning() {
                    // It is closed as it is: where the chain does not tell, the next look does.
                    let moved = self.move_beginning(network, chain, lane, counter, lead.head.height).await;
                    found_out(moved, lane)?;
                    continue;
                }
                let look = match told {
                    Ok(told) => self.check_lane(network, chain, lead, (lane, counter, gate), &told).await,
                    Err(error) => Err(error.into()),
                };
                silent = if matches!(look, Err(TrackError::Chain(_))) { silent + 1 } else { 0 };
                self.take_look(look, (lane, gate), anew, silent).await?;
            }
        }
        Ok(())
    }

    /// Writes what a look told; nothing that is wrong with one lane ends the look at the others, except that after some in a
    /// row of which the chain does not tell, it tells of none.
    async fn take_look(
        &self,
        look: Result<Look, TrackError>,
        (lane, gate): (&LaneId, &Gate),
        anew: bool,
        silent: usize,
    ) -> Result<(), TrackError> {
        match look {
            Ok(Look::Ours) => self.note_foreign(lane, gate, None).await,
            Ok(Look::Doubted) => Ok(()),
            Ok(Look::Silent) if !anew => Ok(()),
            Ok(Look::Silent) => self.doubt(lane).await,
            Err(error @ TrackError::Chain(_)) if silent == SILENT_MAX => Err(error),
            Err(error @ TrackError::Chain(_)) => {
                tracing::warn!(lane = %lane, error = %error, "a lane is not held against the chain");
                if anew {
                    self.doubt(lane).await?;
                }
                // A limit that struck this one would strike the next ones.
                self.clock.sleep_ms(FAILED_MS).await;
                Ok(())
            }
            // Rows do not mend by themselves, and what they hide may be a stranger's number, or a lost one of ours.
            Err(error @ (TrackError::Row(_) | TrackError::Stuck(_))) => {
                tracing::error!(lane = %lane, error = %error, "a lane cannot be held against the chain");
                self.doubt(lane).await
            }
            Err(error @ (TrackError::Lost | TrackError::Store(_) | TrackError::Commit(_) | TrackError::Queue(_))) => {
                Err(error)
            }
        }
    }

    async fn check_lane(
        &self,
        network: &Network,
        chain: &dyn Chain,
        lead: &mut Lead,
        (lane, counter, gate): (&LaneId, &Counter, &Gate),
        (latest, pending): &(Reply<u64>, u64),
    ) -> Result<Look, TrackError> {
        let pending = *pending;
        let ahead = gate.consumed.max(latest.value).max(pending) > counter.next;
        if ahead && self.step_over(network, lane).await? {
            self.doubt(lane).await?;
            return Ok(Look::Doubted);
        }
        if gate.consumed > counter.next && self.forget_unknown(lead, lane, gate).await? {
            return Ok(Look::Doubted);
        }
        let (consumed, look) = self.check_consumed(network, chain, lead, (lane, gate), latest).await?;
        if pending < gate.seen && gate.seen <= counter.next {
            // The node lost some from its pool, or lags: the same bytes again do no harm.
            let floor = pending.max(consumed);
            self.announce(lane, |gate| Some(Gate { seen: gate.seen.min(floor), ..gate.clone() })).await?;
        }
        if latest.value.max(pending) > counter.next && self.is_ahead(lane, latest.value.max(pending)).await? {
            // Whether it is ours, blocks will tell; what it pays must not end meanwhile.
            self.doubt(lane).await?;
            return Ok(Look::Doubted);
        }
        Ok(look)
    }

    /// A lane was told of a number that no row remembers: a restore left what watched its attempt, and nothing else of it. What
    /// used the number is found as for any other that rows do not explain, at the next look. Answers whether it is so.
    async fn forget_unknown(&self, lead: &Lead, lane: &LaneId, gate: &Gate) -> Result<bool, TrackError> {
        let row = self.store.get(&Counter::key(lane)).await?;
        let Some(counter) = row.map(|row| row.parse::<Counter>()).transpose()? else { return Ok(false) };
        let next = counter.next;
        if gate.consumed <= next {
            return Ok(false);
        }
        tracing::error!(lane = %lane, told = gate.consumed, next, "blocks have numbers that no row remembers");
        let set = |now: &Gate, at| {
            let back = Gate { seen: now.seen.min(next), foreign_since: Some(at), ..now.consumed(next, at) };
            (now.consumed == gate.consumed).then_some(back)
        };
        self.update_gate_at((lead.head.height, lead.head.hash), lane, set).await?;
        Ok(true)
    }

    /// Whether nodes have a number of the lane that was never assigned, now that they were asked.
    async fn is_ahead(&self, lane: &LaneId, next: u64) -> Result<bool, TrackError> {
        let counter = self.store.get(&Counter::key(lane)).await?;
        Ok(counter.map(|row| row.parse::<Counter>()).transpose()?.is_some_and(|counter| counter.next < next))
    }

    /// Sets right which numbers the chain has used. A leader tells lanes of a block once it has moved the head; where it
    /// dies in between, or was held up and tells late, nobody else would notice.
    async fn check_consumed(
        &self,
        network: &Network,
        chain: &dyn Chain,
        lead: &mut Lead,
        (lane, gate): (&LaneId, &Gate),
        latest: &Reply<u64>,
    ) -> Result<(u64, Look), TrackError> {
        let Some(height) = latest.height else { return Ok((gate.consumed, Look::Silent)) };
        if latest.value < gate.consumed && height >= lead.head.height {
            // Said of no block: behind one address there may be a node that starts over, or is on another branch.
            let Some(used) = self.used_at_head(chain, lead, lane).await? else {
                return Ok((gate.consumed, Look::Silent));
            };
            // What lies below the lane's beginning is no attempt of ours that is missing.
            let consumed = used.max(gate.first).min(gate.consumed);
            if consumed < gate.consumed {
                tracing::warn!(lane = %lane, told = gate.consumed, used, "the chain has used fewer numbers");
                let set = |now: &Gate, at| (now.consumed == gate.consumed).then(|| now.consumed(consumed, at));
                self.update_gate_at((lead.head.height, lead.head.hash), lane, set).await?;
            }
            return Ok((consumed, Look::Silent));
        }
        if latest.value <= gate.consumed {
            return Ok((gate.consumed, if height < lead.head.height { Look::Silent } else { Look::Ours }));
        }
        let Some(used) = self.used_at_head(chain, lead, lane).await? else {
            return Ok((gate.consumed, Look::Silent));
        };
        if used <= gate.consumed {
            return Ok((gate.consumed, Look::Ours));
        }
        let (mut explained, mut ours) = self.explained(network, chain, lead, lane, gate.consumed..used).await?;
        while explained < used && !ours && found_out(self.adopt(network, chain, lead, lane, explained).await, lane)? {
            (explained, ours) = self.explained(network, chain, lead, lane, explained..used).await?;
        }
        if explained > gate.consumed {
            tracing::warn!(lane = %lane, told = gate.consumed, used = explained, "the chain has used more numbers");
            let set = |now: &Gate, at| (now.consumed == gate.consumed).then(|| now.consumed(explained, at));
            self.update_gate_at((lead.head.height, lead.head.hash), lane, set).await?;
            if explained < used {
                self.doubt(lane).await?;
            }
            return Ok((explained, Look::Doubted));
        }
        if explained >= used {
            return Ok((explained, Look::Ours));
        }
        if ours {
            // A node told that block without it: it is told once it is final, and nobody else has the number.
            self.doubt(lane).await?;
            return Ok((explained, Look::Doubted));
        }
        let now = self.clock.now_ms();
        let since = |ms: u64| gate.foreign_since.is_some_and(|since| since + ms <= now);
        self.note_foreign(lane, gate, gate.foreign_since.or(Some(now))).await?;
        // A node may lack the receipt of ours for longer than a moment; not for as long as a doubt is left to itself.
        let lasts = since(SECOND_LOOK_MS) && (since(DOUBT_MS) || !self.is_known(chain, lane, explained).await?);
        if lasts || is_halted_at(gate, explained) {
            self.halt_foreign(lead, lane, explained).await?;
            self.displace(network, chain, lead, lane, explained).await?;
        }
        Ok((explained, Look::Doubted))
    }

    /// Closes a lane to new numbers, and keeps what waits for it from ending, until a look has told whose its next ones are.
    async fn doubt(&self, lane: &LaneId) -> Result<(), TrackError> {
        let noted = |gate: &Gate, now| (!gate.is_doubted()).then(|| Gate { foreign_since: Some(now), ..gate.clone() });
        self.update_gate(lane, noted).await?;
        Ok(())
    }

    /// Notes that the lane's lowest number seems to be a stranger's, or is not any more: whoever leads next goes on from
    /// there, as a leader often ends before its own second look.
    async fn note_foreign(&self, lane: &LaneId, gate: &Gate, since: Option<Millis>) -> Result<(), TrackError> {
        if gate.foreign_since == since {
            return Ok(());
        }
        let noted = |now: &Gate, _| {
            let still = now.consumed == gate.consumed && now.foreign_since == gate.foreign_since;
            let (taken_at, said) = (now.taken_at.filter(|_| since.is_some()), now.said.filter(|_| since.is_some()));
            still.then(|| Gate { foreign_since: since, taken_at, said, ..now.clone() })
        };
        self.update_gate(lane, noted).await?;
        Ok(())
    }

    /// The first number that the chain had not used at the tracker's head, if a node tells: blocks the tracker has not
    /// worked off explain nothing yet, where they come faster than it looks there are always some, and the height that a
    /// provider was seen at last may be older than its answer.
    async fn used_at_head(&self, chain: &dyn Chain, lead: &Lead, lane: &LaneId) -> Result<Option<u64>, TrackError> {
        let then = chain.holdings(lead.head.height, lane.address, &[]).await?.value;
        Ok(then.filter(|then| then.header.hash == lead.head.hash).map(|then| then.number))
    }

    /// How far these numbers, which the chain has used, were used by attempts of ours, all of which are told; and whether the
    /// next one was as well, and cannot be told yet.
    async fn explained(
        &self,
        network: &Network,
        chain: &dyn Chain,
        lead: &mut Lead,
        lane: &LaneId,
        numbers: Range<u64>,
    ) -> Result<(u64, bool), TrackError> {
        let mut explained = numbers.start;
        let mut told = BTreeSet::new();
        for number in numbers.take(EXPLAINED_PER_CHECK) {
            let mut ours = None;
            for row in self.store.query(&Attempt::query(lane, number)).await?.items {
                let attempt: Attempt = row.parse()?;
                let receipt = chain.receipt(attempt.hash).await?.value;
                // Of several providers one may tell of a branch that the others left.
                let is_followed = |receipt: &Receipt| {
                    let block = lead.ring.get(&receipt.block_number);
                    block.is_none_or(|block| block.hash == receipt.block_hash)
                };
                let included =
                    receipt.filter(|receipt| receipt.block_number <= lead.head.height && is_followed(receipt));
                ours = ours.or(included.map(|receipt| (attempt, receipt)));
            }
            match ours {
                Some((attempt, receipt)) => {
                    if !self.told_late(network, chain, lead, (lane, &attempt, &receipt), &mut told).await? {
                        return Ok((explained, true));
                    }
                }
                // It was given up, and is used for good by what is not ours.
                None if self.is_given_up(lane, number).await? => {}
                None => break,
            }
            explained = number + 1;
        }
        Ok((explained, false))
    }

    /// Whether a node knows an attempt of this number, whatever it tells of its receipt.
    async fn is_known(&self, chain: &dyn Chain, lane: &LaneId, number: u64) -> Result<bool, TrackError> {
        for row in self.store.query(&Attempt::query(lane, number)).await?.items {
            if chain.knows(row.parse::<Attempt>()?.hash).await?.value {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn is_given_up(&self, lane: &LaneId, number: u64) -> Result<bool, TrackError> {
        let row = self.store.get(&Transaction::key(lane, number)).await?;
        let outcome = row.map(|row| row.parse::<Transaction>()).transpose()?.and_then(|ours| ours.outcome);
        Ok(matches!(outcome, Some(Outcome::Displaced { .. })))
    }

    /// Twice the chain said that a number is used which no attempt of ours explains: nothing new goes out until that
    /// is proven (rule 4), or people have looked. Since which block it is so they have to know as well: before that one is
    /// final, another branch can still have an attempt of ours instead.
    async fn halt_foreign(&self, lead: &Lead, lane: &LaneId, number: u64) -> Result<(), TrackError> {
        let reason = foreign(number);
        let Some(row) = self.store.get(&Gate::key(lane)).await? else { return Ok(()) };
        let known = row.parse::<Gate>()?.taken_at;
        let kept = match known {
            Some(at) => self.is_on_chain(lane, at).await?,
            None => false,
        };
        let taken_at = known.filter(|_| kept).or(Some(TakenAt { height: lead.head.height, hash: lead.head.hash }));
        self.update_gate(lane, |gate, _| {
            // One that nodes refused may be another's all the same.
            let new = !gate.is_halted() || (is_halted_at(gate, number) && !is_foreign(gate, number));
            let named = gate.taken_by.map(|hash| format!("{reason}: {hash}"));
            let halt = if new { gate.halted(named.as_deref().unwrap_or(&reason), number) } else { gate.clone() };
            let next = Gate { taken_at, ..halt };
            (gate.consumed == number && next != *gate).then(|| {
                if new {
                    tracing::error!(lane = %lane, number, "{reason}");
                }
                next
            })
        })
        .await?;
        Ok(())
    }

    /// Whether the chain still has a block that a look saw.
    async fn is_on_chain(&self, lane: &LaneId, at: TakenAt) -> Result<bool, TrackError> {
        let row = self.store.get(&HeaderRow::key(&lane.network, at.height)).await?;
        Ok(row.map(|row| row.parse::<HeaderRow>()).transpose()?.is_some_and(|header| header.hash == at.hash))
    }

    async fn announce(&self, lane: &LaneId, change: impl Fn(&Gate) -> Option<Gate>) -> Result<(), TrackError> {
        let gate = self
            .update_gate(lane, |gate, now| {
                let next = change(gate)?;
                Some(Gate { publications: next.publications + 1, moved_at: now, ..next })
            })
            .await?;
        match gate {
            Some(gate) => self.publish_lane(lane, &gate).await,
            None => Ok(()),
        }
    }

    /// All lanes of a network that have begun.
    pub(crate) async fn lanes(&self, network: &Network) -> Result<Vec<(LaneId, Counter, Gate)>, TrackError> {
        Ok(self.read_lanes(network).await?.lanes)
    }

    async fn read_lanes(&self, network: &Network) -> Result<Lanes, TrackError> {
        let (mut lanes, mut unreadable) = (Vec::new(), Vec::new());
        let (rows, nameless) = self.lane_rows(network).await?;
        for (lane, rows) in rows {
            let [Some(counter), Some(gate)] = &rows else { continue };
            let (row, error) = match (counter.parse(), gate.parse()) {
                (Ok(counter), Ok(gate)) => {
                    lanes.push((lane, counter, gate));
                    continue;
                }
                (Err(error), _) => (counter, error),
                (_, Err(error)) => (gate, error),
            };
            cannot_be_read(row, &error);
            unreadable.push(lane);
        }
        Ok(Lanes { lanes, unreadable, nameless })
    }

    /// All lanes of a network that have not.
    pub(crate) async fn unused(&self, network: &Network) -> Result<Vec<LaneId>, TrackError> {
        let all = self.lane_rows(network).await?.0.into_iter();
        Ok(all.filter(|(_, rows)| rows.iter().any(Option::is_none)).map(|(lane, _)| lane).collect())
    }

    /// Counter and gate of each treasury's lane, and how many treasuries cannot be read: their lanes are looked at all the
    /// same, by the place that the row has.
    async fn lane_rows(&self, network: &Network) -> Result<(Vec<(LaneId, [Option<Item>; 2])>, usize), TrackError> {
        let (mut all, mut nameless) = (Vec::new(), 0);
        let mut query: Query = Treasury::query_network(&network.id);
        loop {
            let page = self.store.query(&query).await?;
            for row in &page.items {
                match row.parse::<Treasury>() {
                    Ok(treasury) => all.push(treasury.lane()),
                    Err(error) => {
                        cannot_be_read(row, &error);
                        nameless += 1;
                        all.extend(lane_of(network, row));
                    }
                }
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        let mut lanes = Vec::new();
        for chunk in all.chunks(LANES_PER_READ) {
            let keys: Vec<_> = chunk.iter().flat_map(|lane| [Counter::key(lane), Gate::key(lane)]).collect();
            let mut rows = self.store.get_many(&keys).await?.into_iter();
            lanes.extend(chunk.iter().map(|lane| (lane.clone(), [rows.next().flatten(), rows.next().flatten()])));
        }
        Ok((lanes, nameless))
    }
}

/// A network's lanes that have begun.
struct Lanes {
    lanes: Vec<(LaneId, Counter, Gate)>,
    /// Whose rows cannot be read.
    unreadable: Vec<LaneId>,
    /// Treasuries whose row cannot be read.
    nameless: usize,
}

/// What a lane's key has used as nodes see it: in blocks, and with what waits.
async fn numbers(chain: &dyn Chain, lane: &LaneId) -> Result<(Reply<u64>, u64), ChainError> {
    let latest = chain.next_number(lane.address, NumberAt::Latest).await?;
    Ok((latest, chain.next_number(lane.address, NumberAt::Pending).await?.value))
}

/// What a look at a lane tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// All that the chain has used are ours, and nodes know of none that was never assigned.
    Ours,
    /// One of its numbers may be another's, or is new to the rows: the next look tells.
    Doubted,
    /// The node does not tell, or is behind.
    Silent,
}

fn is_halted_at(gate: &Gate, number: u64) -> bool {
    match &gate.gate {
        LaneGate::Open | LaneGate::Waiting { .. } => false,
        LaneGate::Halted { limit, .. } => *limit == number,
    }
}

/// What cannot be found out now about one lane must not keep the other lanes from being looked at, nor this one from being
/// halted: the next look asks again.
pub(crate) fn found_out<T: Default>(found: Result<T, TrackError>, lane: &LaneId) -> Result<T, TrackError> {
    match found {
        Ok(found) => Ok(found),
        Err(error @ (TrackError::Chain(_) | TrackError::Row(_) | TrackError::Stuck(_))) => {
            tracing::warn!(lane = %lane, error = %error, "what a lane needs is not found out");
            Ok(T::default())
        }
        Err(error @ (TrackError::Lost | TrackError::Store(_) | TrackError::Commit(_) | TrackError::Queue(_))) => {
            Err(error)
        }
    }
}

/// One lane that cannot be read must not keep the network's other lanes, and its blocks, waiting.
fn cannot_be_read(row: &Item, error: &RowError) {
    tracing::error!(pk = row.text("pk"), sk = row.text("sk"), error = %error, "a lane's row cannot be read");
}
