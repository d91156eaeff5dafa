//! What a scenario says shall go wrong: at which commits, publishes and calls, and how.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use causeway_chains::model::{ChainFaults, Fault as ChainFault};
use causeway_state::tables::{LEDGER, TRANSFERS};
use causeway_store::{
    CommitToken, Expect, Write,
    memory::{CommitFault, Faults, Read, ReadFault},
};

use crate::{
    clock::SimClock,
    coverage::Coverage,
    weather::{Class, Weather},
};

/// Which commits a rule is about.
pub type Which = fn(&[Write]) -> bool;

/// A parcel is accepted.
pub fn accepts(writes: &[Write]) -> bool {
    writes.iter().any(|write| write.key().sk == "PCL" && write.expect() == [Expect::Absent])
}

/// Numbers are given.
pub fn assigns(writes: &[Write]) -> bool {
    writes.iter().any(|write| write.key().sk == "NEXT" && matches!(write, Write::Update { .. }))
}

/// A lane's gate is written, alone.
pub fn writes_gate(writes: &[Write]) -> bool {
    matches!(writes, [write] if write.key().sk == "GATE" && write.key().table == TRANSFERS)
}

/// Money leaves a hold: posted or released.
pub fn settles(writes: &[Write]) -> bool {
    let ends = |sk: &str| sk.contains("#post#") || sk.ends_with("#release");
    writes.iter().any(|write| write.key().table == LEDGER && ends(&write.key().sk))
}

/// The tracker's head moves.
pub fn moves_head(writes: &[Write]) -> bool {
    writes.iter().any(|write| write.key().sk == "HEAD")
}

/// Decides by chance, while it is set. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Dice(Arc<Mutex<Option<(SimClock, u64, Coverage)>>>);

impl Dice {
    /// From now on it strikes in so many of a thousand cases.
    pub fn set(&self, clock: &SimClock, per_mille: u64, coverage: &Coverage) {
        *self.thrown() = Some((clock.clone(), per_mille, coverage.clone()));
    }

    /// It strikes no more.
    pub fn clear(&self) {
        *self.thrown() = None;
    }

    /// Whether it strikes now; counted under this name.
    pub fn strike(&self, name: &str) -> bool {
        let thrown = self.thrown();
        let strikes = thrown.as_ref().filter(|(clock, per_mille, _)| clock.chance(*per_mille));
        strikes.inspect(|(.., coverage)| coverage.count(name)).is_some()
    }

    fn thrown(&self) -> MutexGuard<'_, Option<(SimClock, u64, Coverage)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Any commit.
pub fn any(_: &[Write]) -> bool {
    true
}

/// Faults at some commits: of those that match, `skip` pass, then the tries of the next one fail so often.
#[derive(Debug, Clone, Copy)]
pub struct CommitRule {
    /// Which commits.
    pub which: Which,
    /// How many of them pass before.
    pub skip: u32,
    /// How many tries of that one fail; a caller tries seven times.
    pub tries: u32,
    /// How.
    pub fault: CommitFault,
}

/// As often as any caller tries a commit.
pub const EVERY_TRY: u32 = u32::MAX;

#[derive(Debug)]
struct Active {
    rule: CommitRule,
    seen: BTreeSet<String>,
    victim: Option<String>,
}

/// The store's faults. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Script(Arc<Mutex<Plan>>);

#[derive(Debug, Default)]
struct Plan {
    rules: Vec<Active>,
    unreadable: bool,
    hidden: Option<&'static str>,
    struck: u32,
    weather: Option<Rates>,
    coverage: Coverage,
}

/// How often commits and reads fail, in thousandths.
#[derive(Debug)]
struct Rates {
    clock: SimClock,
    commits: u64,
    contended: u64,
    reads: u64,
}

impl Script {
    /// Adds a rule.
    pub fn commit(&self, rule: CommitRule) {
        self.plan().rules.push(Active { rule, seen: BTreeSet::new(), victim: None });
    }

    /// Lets every read fail, or none.
    pub fn unreadable(&self, unreadable: bool) {
        self.plan().unreadable = unreadable;
    }

    /// Lets reads of single rows with this sort key fail.
    pub fn hide(&self, sk: &'static str) {
        self.plan().hidden = Some(sk);
    }

    /// Lets commits and reads fail by chance, as often as the weather says.
    pub fn weather(&self, clock: &SimClock, weather: Weather, coverage: &Coverage) {
        let mut plan = self.plan();
        let [commits, contended, reads] =
            [Class::Commits, Class::Contended, Class::Reads].map(|class| weather.rate(class));
        plan.weather = Some(Rates { clock: clock.clone(), commits, contended, reads });
        plan.coverage = coverage.clone();
    }

    /// Ends all faults.
    pub fn clear(&self) {
        let mut plan = self.plan();
        plan.weather = None;
        plan.rules.clear();
        plan.unreadable = false;
        plan.hidden = None;
    }

    /// How many tries failed so far: a scenario whose fault never struck proves nothing.
    pub fn struck(&self) -> u32 {
        self.plan().struck
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan {
    fn by_chance(&self) -> Option<CommitFault> {
        let Rates { clock, commits, contended, .. } = self.weather.as_ref()?;
        let (fault, name) = match (clock.chance(*contended), clock.chance(*commits), clock.below(3)) {
            (true, ..) => (CommitFault::Contended, "fault: commit contended"),
            (false, true, 0) => (CommitFault::LoseCall, "fault: commit lost before its effect"),
            (false, true, 1) => (CommitFault::LoseReply, "fault: commit lost after its effect"),
            (false, true, _) => (CommitFault::Delay, "fault: commit delayed"),
            (false, false, _) => return None,
        };
        self.coverage.count(name);
        Some(fault)
    }
}

impl Active {
    fn fault(&mut self, token: &str, writes: &[Write]) -> Option<CommitFault> {
        if self.victim.is_none() && (self.rule.which)(writes) {
            self.seen.insert(token.to_owned());
            if self.seen.len() > self.rule.skip as usize {
                self.victim = Some(token.to_owned());
            }
        }
        let strikes = self.victim.as_deref() == Some(token) && self.rule.tries > 0;
        strikes.then(|| {
            self.rule.tries -= u32::from(self.rule.tries != EVERY_TRY);
            self.rule.fault
        })
    }
}

impl Faults for Script {
    fn commit(&self, token: &CommitToken, writes: &[Write]) -> CommitFault {
        let mut plan = self.plan();
        let by_rule = plan.rules.iter_mut().find_map(|active| active.fault(token.as_str(), writes));
        let fault = by_rule.or_else(|| plan.by_chance());
        plan.struck += u32::from(fault.is_some());
        fault.unwrap_or(CommitFault::Pass)
    }

    fn read(&self, read: Read<'_>) -> ReadFault {
        let plan = self.plan();
        let hidden = match read {
            Read::Get(key) => plan.hidden == Some(key.sk.as_str()),
            Read::GetMany(_) | Read::Query(_) => false,
        };
        let by_chance = plan.weather.as_ref().is_some_and(|rates| rates.clock.chance(rates.reads));
        if by_chance {
            plan.coverage.count("fault: read refused");
        }
        if plan.unreadable || hidden || by_chance { ReadFault::Unavailable } else { ReadFault::Pass }
    }
}

/// Decides on each chain call by its name.
pub struct ChainScript<F>(pub F);

impl<F> fmt::Debug for ChainScript<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChainScript")
    }
}

impl<F: Fn(&'static str) -> ChainFault + Send + Sync> ChainFaults for ChainScript<F> {
    fn on(&self, call: &'static str) -> ChainFault {
        (self.0)(call)
    }
}
