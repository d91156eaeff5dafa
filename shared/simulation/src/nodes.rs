//! Nodes and branches, by chance: the chain turns, nodes lag, lie still, forget, know half, begin again behind, and refuse
//! a transaction for good.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alloy_primitives::B256;
use causeway_chains::{
    BroadcastOutcome,
    model::{ModelChain, Orphans, Provider, Receipts, Reorg},
};
use causeway_domain::lane::{LaneGate, LaneId};
use causeway_state::lane::Gate;

use crate::{
    SimClock,
    clock::give_way,
    coverage::Coverage,
    faults::Dice,
    weather::{Class, Weather},
    world::{TENANTS, World},
};

/// What nodes say of what they refuse for good.
pub const REFUSAL: &str = "the nodes do not like it";

/// What nodes refuse for good. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Refusals(Arc<Mutex<Refused>>);

#[derive(Debug, Default)]
struct Refused {
    numbers: BTreeSet<u64>,
    hashes: BTreeSet<B256>,
    /// Bytes that nodes were handed: they refuse nothing that they took once.
    judged: BTreeSet<B256>,
    dice: Dice,
}

impl Refusals {
    /// Whatever has this number is refused.
    pub fn number(&self, number: u64) {
        self.lock().numbers.insert(number);
    }

    /// Nothing is refused any more.
    pub fn clear(&self) {
        *self.lock() = Refused::default();
    }

    /// Nodes change their mind about these bytes.
    pub fn forgive(&self, hash: B256) {
        self.lock().hashes.remove(&hash);
    }

    /// What decides on bytes that nodes see for the first time.
    pub fn dice(&self) -> Dice {
        self.lock().dice.clone()
    }

    /// Whether bytes are refused that have this hash, and a number.
    pub fn refuse(&self, hash: B256, number: u64) -> bool {
        let mut refused = self.lock();
        let first = refused.judged.insert(hash);
        if first && refused.dice.strike("fault: refused for good") {
            refused.hashes.insert(hash);
        }
        refused.hashes.contains(&hash) || refused.numbers.contains(&number)
    }

    fn lock(&self) -> MutexGuard<'_, Refused> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// At which number each lane was halted when the platform looked last: nothing from there on may go out until somebody
/// opens it (rule 10). Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Halts(Arc<Mutex<BTreeMap<LaneId, u64>>>);

impl Halts {
    /// Whether this number may not go out.
    pub fn hold_back(&self, lane: &LaneId, number: u64) -> bool {
        self.lock().get(lane).is_some_and(|limit| *limit <= number)
    }

    /// Somebody wrote the lane's gate.
    pub fn gate(&self, lane: &LaneId, gate: &LaneGate) {
        let mut halts = self.lock();
        match gate {
            LaneGate::Open | LaneGate::Waiting { .. } => {
                halts.remove(lane);
            }
            LaneGate::Halted { limit, .. } => {
                if let Some(known) = halts.get_mut(lane) {
                    *known = (*known).max(*limit);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<LaneId, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A node's answer, for the coverage.
pub const fn answer_name(outcome: &BroadcastOutcome) -> &'static str {
    match outcome {
        BroadcastOutcome::Accepted => "node: accepted",
        BroadcastOutcome::AlreadyKnown => "node: already known",
        BroadcastOutcome::NumberTooLow => "node: number too low",
        BroadcastOutcome::NumberTooHigh => "node: number too high",
        BroadcastOutcome::ReplacementUnderpriced => "node: replacement underpriced",
        BroadcastOutcome::Underpriced => "node: underpriced",
        BroadcastOutcome::InsufficientFunds => "node: insufficient funds",
        BroadcastOutcome::Busy { .. } => "node: busy",
        BroadcastOutcome::Refused { .. } => "node: refused",
        BroadcastOutcome::Unknown { .. } => "node: unknown",
    }
}

/// What befalls the chain whoever is at work: of its own, so that it can happen between two awaits.
#[derive(Debug, Clone)]
pub(crate) struct Nature {
    chain: ModelChain,
    clock: SimClock,
    coverage: Coverage,
    providers: usize,
}

impl Nature {
    /// The chain turns to another branch.
    pub(crate) fn branch(&self, weather: Weather) {
        let depth = 1 + self.clock.below(weather.depth_max);
        let again = self.chain.newest(depth).into_iter().filter(|_| self.clock.chance(600)).collect();
        let orphans = if self.clock.chance(500) { Orphans::Waiting } else { Orphans::Forgotten };
        if depth <= self.chain.height() {
            self.coverage.count(format!("branch: depth {depth}"));
        }
        let old = self.chain.header(self.chain.height()).map(|header| header.hash);
        self.chain.reorg(&Reorg { depth, blocks: depth + 1, again, orphans });
        let (stays, provider) = (self.clock.chance(400), self.clock.below(self.providers as u64));
        if stays && weather.has(Class::Views) {
            let view = Provider { stuck_at: old, ..Provider::default() };
            self.chain.set_provider(usize::try_from(provider).unwrap_or(0), view);
            self.coverage.count("fault: node stays on the old branch");
        }
    }

    /// Blocks come, or a branch, after so many turns of what is under way.
    pub(crate) async fn meanwhile(self, weather: Weather) {
        let (turns, blocks) = (self.clock.below(40), 1 + self.clock.below(3));
        let turns_away = self.clock.chance(300) && weather.rate(Class::Branches) > 0;
        for _ in 0..turns {
            give_way().await;
        }
        if turns_away {
            self.branch(weather);
            self.coverage.count("fault: branch between two awaits");
        } else {
            for _ in 0..blocks {
                self.chain.mine();
            }
            self.coverage.count("fault: blocks between two awaits");
        }
    }
}

impl World {
    pub(crate) fn nature(&self) -> Nature {
        let (chain, clock, coverage) = (self.chain.clone(), self.clock.clone(), self.coverage.clone());
        Nature { chain, clock, coverage, providers: self.providers }
    }

    /// Remembers which lanes stand halted: whoever begins from here on has seen it. Who is held up since before has not.
    pub(crate) fn note_halts(&self, held_up: bool) {
        let halted = |lane: LaneId| {
            let gate = self.row(&Gate::key(&lane)).and_then(|row| row.parse::<Gate>().ok())?;
            match gate.gate {
                LaneGate::Open | LaneGate::Waiting { .. } => None,
                LaneGate::Halted { limit, .. } => Some((lane, limit)),
            }
        };
        let now = TENANTS.iter().filter_map(|tenant| halted(self.lane(tenant)));
        let mut noted = self.halts.lock();
        let seen = |lane: &LaneId| !held_up || noted.contains_key(lane);
        *noted = now.filter(|(lane, _)| seen(lane)).collect();
    }

    /// What befalls chain and nodes in a step.
    pub(crate) fn turn_the_chain(&self, weather: Weather) {
        if self.clock.chance(weather.rate(Class::Branches)) {
            self.nature().branch(weather);
        }
        let restarts = self.clock.chance(weather.rate(Class::Views));
        let (provider, lag) = (self.some(self.providers), 3 + self.clock.below(8));
        if restarts {
            self.chain.set_provider(provider, Provider { lag, blind: true, ..Provider::default() });
            self.coverage.count("fault: node begins again behind");
        }
        for provider in 0..self.providers {
            if self.clock.chance(weather.rate(Class::Nodes)) {
                self.chain.set_provider(provider, self.view(weather));
            }
        }
        if self.clock.chance(weather.rate(Class::Pool)) {
            // Every node forgets one that waits.
            let waiting = self.chain.pooled();
            let chosen = waiting.get(self.some(waiting.len()));
            if chosen.is_some_and(|forgotten| self.chain.drop_from_pool(forgotten.hash)) {
                self.coverage.count("fault: pool forgets one");
            }
        }
    }

    /// How a node may see the chain for a while.
    fn view(&self, weather: Weather) -> Provider {
        let receipts = match (self.clock.chance(weather.rate(Class::Receipts)), self.clock.below(4)) {
            (false, _) => Receipts::All,
            (true, 0) => Receipts::Late,
            (true, 1) => Receipts::First(1),
            (true, 2) => Receipts::First(0),
            (true, _) => Receipts::Logless(2),
        };
        let lies = || self.clock.chance(weather.rate(Class::Lies));
        let sent: Vec<B256> = self.chain.pooled().into_iter().map(|waiting| waiting.hash).collect();
        let hides = sent.into_iter().filter(|_| lies()).collect();
        let view = Provider {
            lag: self.clock.below(3),
            down: self.clock.chance(200),
            blind: self.clock.chance(100),
            loses: lies(),
            bare: lies(),
            hides,
            forgets_numbers: lies(),
            prunes: self.clock.chance(100),
            receipts,
            ..Provider::default()
        };
        let seen = [
            (view.lag > 0, "fault: node lags"),
            (view.down, "fault: node down"),
            (view.blind, "fault: node without history"),
            (view.loses, "fault: node loses what it takes"),
            (view.bare, "fault: node tells blocks without transactions"),
            (!view.hides.is_empty(), "fault: node tells blocks without some transactions"),
            (view.forgets_numbers, "fault: node says that numbers are free"),
            (view.prunes, "fault: node keeps no other branch"),
            (view.receipts == Receipts::First(1), "fault: node has some receipts"),
            (view.receipts == Receipts::First(0), "fault: node has empty receipts"),
            (view.receipts == Receipts::Late, "fault: node has receipts late"),
            (view.receipts == Receipts::Logless(2), "fault: node has receipts without logs"),
        ];
        seen.into_iter().filter(|(is, _)| *is).for_each(|(_, name)| self.coverage.count(name));
        view
    }
}
