//! Everything at once: handlers side by side and killed at any await, replies lost, messages repeated and reordered,
//! indexes that lag, nodes that lag, lie still, forget, lose bytes and know half,
//! branches, fees that jump, treasuries that run out, people who block; by chance that a seed decides.

use std::{future::Future, pin::Pin, sync::Arc};

use causeway_chains::model::{Fault as ChainFault, Orphans, Provider, Receipts, Reorg};
use causeway_domain::{Clock, lane::LaneGate};
use causeway_keys::memory::Fault as KeyFault;
use causeway_queue::memory::Fault as QueueFault;
use causeway_runtime::{Received, batch::Failed};
use causeway_state::{
    lane::Gate,
    wallet::{Scope, Switch},
};
use causeway_status_check::lead::Lead;
use causeway_store::{Item, Write};
use futures::future::join_all;

use crate::{
    clock::killed_after,
    drive::{STEP_MS, track},
    faults::ChainScript,
    inbox::READ,
    world::{TENANTS, World},
};

/// What the model chain begins with.
const USUAL_BASE_FEE_WEI: u128 = 1_000_000_000;

/// How bad it is, in thousandths.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// Of handlers that are killed.
    pub kills: u64,
    /// Of commits, publishes and chain calls that fail.
    pub faults: u64,
    /// Of steps in which the chain turns to another branch.
    pub reorgs: u64,
    /// Blocks of the deepest branch.
    pub depth_max: u64,
    /// Classes of faults that do not strike, by [`Class::bit`]. Chance is asked all the same, so the rest stays as it is.
    pub without: u16,
}

/// A class of faults, to leave out of a story that breaks a rule: what is left explains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Handlers and trackers are killed.
    Kills,
    /// Commits and reads fail.
    Rows,
    /// Publishes fail.
    Publishes,
    /// Keys are out of reach.
    Keys,
    /// Calls to nodes fail.
    Calls,
    /// Nodes lag, lie still, lose, or know half.
    Nodes,
    /// Waiting transactions are forgotten.
    Pool,
    /// Indexes lag, tokens are forgotten.
    Indexes,
    /// Messages come again, and in other orders.
    Messages,
    /// The chain turns to other branches.
    Branches,
    /// Fees jump.
    Fees,
    /// Treasuries run out of what they pay with, and are topped up.
    Funds,
    /// People block tenants, lanes and networks, and unblock them.
    Switches,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Kills,
        Self::Rows,
        Self::Publishes,
        Self::Keys,
        Self::Calls,
        Self::Nodes,
        Self::Pool,
        Self::Indexes,
        Self::Messages,
        Self::Branches,
        Self::Fees,
        Self::Funds,
        Self::Switches,
    ];

    /// Its bit in [`Weather::without`].
    pub const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl Weather {
    /// Whether a class of faults strikes.
    pub const fn has(&self, class: Class) -> bool {
        self.without & class.bit() == 0
    }
}

/// A tracker's process.
#[derive(Debug)]
struct Process {
    name: String,
    lead: Option<Lead>,
}

/// What one future of a step ended with; `None` where it was killed.
enum Ended {
    Batch(Vec<Received>, Option<Failed>),
    Tracker(usize, Box<Option<Option<Lead>>>),
}

type Step = Pin<Box<dyn Future<Output = Ended> + Send>>;

impl World {
    /// Lets a storm pass over the world; `act` is what clients do meanwhile, at each step.
    pub fn storm(&mut self, weather: Weather, steps: u64, mut act: impl FnMut(&mut Self, u64)) {
        let mut trackers: Vec<Process> = (0..2).map(|n| Process { name: format!("storm-{n}"), lead: None }).collect();
        self.begin(weather);
        for step in 0..steps {
            self.clock.advance(STEP_MS);
            self.make_blocks();
            self.turn_the_chain(weather);
            self.surprise(weather);
            act(self, step);
            self.crossing.set(true);
            let work = self.start(weather, &mut trackers);
            let ended = self.clock.run(join_all(work));
            self.crossing.set(false);
            for one in ended {
                match one {
                    Ended::Batch(batch, failed) => {
                        if failed.is_none() {
                            self.coverage.count("fault: handler killed");
                        }
                        self.worked_off(&batch, failed.as_deref());
                    }
                    Ended::Tracker(index, ended) => match *ended {
                        Some(lead) => trackers[index].lead = lead,
                        None => {
                            self.coverage.count("fault: tracker killed");
                            trackers[index].name = format!("storm-{}", self.clock.random());
                        }
                    },
                }
            }
            if self.clock.chance(100) {
                self.rows.land();
                self.chain.land();
            }
            self.check();
        }
        self.calm();
    }

    fn begin(&mut self, weather: Weather) {
        if weather.has(Class::Messages) {
            self.inbox.shuffled = 500;
            self.inbox.repeated = 50;
        }
        if weather.has(Class::Rows) {
            self.script.weather(&self.clock, weather.faults, &self.coverage);
        }
        let (clock, coverage) = (self.clock.clone(), self.coverage.clone());
        self.queue.set_fault(move |_, messages| {
            let strikes = clock.chance(weather.faults) && weather.has(Class::Publishes);
            let (fault, name) = match (strikes, clock.below(3)) {
                (false, _) => return QueueFault::Pass,
                (true, 0) => (QueueFault::RefuseBefore, "fault: publish lost before its effect"),
                (true, 1) => (QueueFault::LoseReply, "fault: publish lost after its effect"),
                (true, _) => {
                    let some = (0..messages.len()).filter(|_| clock.chance(500)).collect();
                    (QueueFault::AcceptOnly(some), "fault: publish taken in part")
                }
            };
            coverage.count(name);
            fault
        });
        let (clock, coverage) = (self.clock.clone(), self.coverage.clone());
        self.keys.set_fault(move |_| {
            if !(clock.chance(weather.faults) && weather.has(Class::Keys)) {
                return KeyFault::Pass;
            }
            coverage.count("fault: key unavailable");
            KeyFault::Unavailable
        });
        let (clock, coverage) = (self.clock.clone(), self.coverage.clone());
        self.chain.set_faults(Arc::new(ChainScript(move |_| {
            let strikes = clock.chance(weather.faults) && weather.has(Class::Calls);
            let (fault, name) = match (strikes, clock.below(4)) {
                (false, _) => return ChainFault::Pass,
                (true, 0) => (ChainFault::FailBefore, "fault: chain call lost before its effect"),
                (true, 1) => (ChainFault::LoseReply, "fault: chain call lost after its effect"),
                (true, 2) => (ChainFault::Delay, "fault: chain call delayed"),
                (true, _) => (ChainFault::Limit { after_ms: None }, "fault: chain call limited"),
            };
            coverage.count(name);
            fault
        })));
    }

    fn start(&mut self, weather: Weather, trackers: &mut [Process]) -> Vec<Step> {
        let mut work: Vec<Step> = Vec::new();
        for queue in READ.into_iter().chain(READ) {
            let Some(batch) = self.receive(queue) else { continue };
            if self.clock.chance(weather.faults) && weather.has(Class::Messages) {
                // Its messages became visible again while the first holder still works on them.
                self.coverage.count("fault: message held twice");
                let handler = killed_after(self.lifetime(weather), self.work(queue, batch.clone()));
                let again = batch.clone();
                work.push(Box::pin(async move { Ended::Batch(again, handler.await) }));
            }
            let handler = killed_after(self.lifetime(weather), self.work(queue, batch.clone()));
            work.push(Box::pin(async move { Ended::Batch(batch, handler.await) }));
        }
        for (index, process) in trackers.iter_mut().enumerate() {
            let (tracker, chain, network) = (Arc::clone(&self.tracker), self.chain_port(), self.network.clone());
            let (me, lead, lifetime) = (process.name.clone(), process.lead.take(), self.lifetime(weather));
            work.push(Box::pin(async move {
                let tick = async { track(&tracker, &network, &*chain, &me, lead).await };
                Ended::Tracker(index, Box::new(killed_after(lifetime, tick).await))
            }));
        }
        work
    }

    /// Polls until a process is killed.
    fn lifetime(&self, weather: Weather) -> u64 {
        let polls = 1 + self.clock.below(60);
        if self.clock.chance(weather.kills) && weather.has(Class::Kills) { polls } else { u64::MAX }
    }

    fn turn_the_chain(&self, weather: Weather) {
        if self.clock.chance(weather.reorgs) && weather.has(Class::Branches) {
            let depth = 1 + self.clock.below(weather.depth_max);
            let again = self.chain.newest(depth).into_iter().filter(|_| self.clock.chance(600)).collect();
            let orphans = if self.clock.chance(500) { Orphans::Waiting } else { Orphans::Forgotten };
            if depth <= self.chain.height() {
                self.coverage.count(format!("branch: depth {depth}"));
            }
            self.chain.reorg(&Reorg { depth, blocks: depth + 1, again, orphans });
        }
        for provider in 0..self.providers {
            if self.clock.chance(weather.faults) && weather.has(Class::Nodes) {
                self.chain.set_provider(provider, self.view());
            }
        }
        if self.clock.chance(weather.faults) && weather.has(Class::Pool) {
            // Every node forgets one that waits.
            let waiting = self.chain.pooled();
            let chosen = usize::try_from(self.clock.below(waiting.len() as u64)).unwrap_or(0);
            if waiting.get(chosen).is_some_and(|forgotten| self.chain.drop_from_pool(forgotten.hash)) {
                self.coverage.count("fault: pool forgets one");
            }
        }
        if self.clock.chance(weather.faults) && weather.has(Class::Indexes) {
            self.rows.set_index_lag(usize::try_from(self.clock.below(8)).unwrap_or(0));
            self.coverage.count("fault: index lags");
        }
        if self.clock.chance(weather.faults) && weather.has(Class::Indexes) {
            self.rows.forget_tokens();
            self.coverage.count("fault: tokens forgotten");
        }
    }

    /// What markets and people do at bad moments.
    fn surprise(&self, weather: Weather) {
        if self.clock.chance(weather.faults) && weather.has(Class::Fees) {
            // Up to fifty times as much, beyond the cap at times.
            let times = [1, 1, 3, 50, 1_000][usize::try_from(self.clock.below(5)).unwrap_or(0)];
            self.chain.set_base_fee(USUAL_BASE_FEE_WEI * times);
            if times > 1 {
                self.coverage.count(if times > 50 { "fees: above the cap" } else { "fees: jump" });
            }
        }
        if self.clock.chance(weather.faults / 2) && weather.has(Class::Funds) {
            self.pay_in();
        }
        if self.clock.chance(weather.faults / 2) && weather.has(Class::Switches) {
            let lane = self.lane("acme");
            let scopes =
                [Scope::Tenant(self.tenant("globex")), Scope::Network(lane.network.clone()), Scope::Lane(lane)];
            let scope = &scopes[usize::try_from(self.clock.below(3)).unwrap_or(0)];
            self.set_switch(scope, self.row(&scope.copy(0)).is_none());
        }
    }

    /// Throws or opens a switch, all copies of it, as operators do.
    pub fn set_switch(&self, scope: &Scope, thrown: bool) {
        self.coverage.count(if thrown { "people: block" } else { "people: unblock" });
        let (reason, by) = ("simulated".to_owned(), "olga".to_owned());
        let switch = Switch { scope: scope.text(), reason, by, at: self.clock.now_ms() };
        let item = Item::from_fields(&switch).expect("a row");
        let write = |key| match thrown {
            true => Write::Put { key, item: item.clone(), expect: vec![] },
            false => Write::Delete { key, expect: vec![] },
        };
        self.must_commit(&scope.copies().map(write).collect::<Vec<_>>());
    }

    /// How a node may see the chain for a while.
    fn view(&self) -> Provider {
        let receipts = match self.clock.below(6) {
            0 => Receipts::Late,
            1 => Receipts::First(1),
            _ => Receipts::All,
        };
        let view = Provider {
            lag: self.clock.below(3),
            down: self.clock.chance(200),
            blind: self.clock.chance(100),
            loses: self.clock.chance(100),
            receipts,
            ..Provider::default()
        };
        let seen = [
            (view.lag > 0, "fault: node lags"),
            (view.down, "fault: node down"),
            (view.blind, "fault: node without history"),
            (view.loses, "fault: node loses what it takes"),
            (view.receipts == Receipts::First(1), "fault: node has some receipts"),
            (view.receipts == Receipts::Late, "fault: node has receipts late"),
        ];
        seen.into_iter().filter(|(is, _)| *is).for_each(|(_, name)| self.coverage.count(name));
        view
    }

    fn calm(&mut self) {
        self.chain.set_base_fee(USUAL_BASE_FEE_WEI);
        self.pay_in();
        let lane = self.lane("acme");
        let network = Scope::Network(lane.network.clone());
        for scope in [Scope::Tenant(self.tenant("globex")), network, Scope::Lane(lane)] {
            if self.row(&scope.copy(0)).is_some() {
                self.set_switch(&scope, false);
            }
        }
        self.script.clear();
        self.queue.clear_fault();
        self.keys.clear_fault();
        self.chain.set_faults(Arc::new(ChainScript(|_| ChainFault::Pass)));
        (0..self.providers).for_each(|provider| self.chain.set_provider(provider, Provider::default()));
        self.rows.set_index_lag(0);
        self.rows.land();
        self.chain.land();
        self.inbox.shuffled = 0;
        self.inbox.repeated = 0;
        self.replace_tracker();
    }

    /// Whether a lane waits for people.
    pub fn has_halted(&self) -> bool {
        TENANTS.iter().any(|tenant| {
            let gate = self.row(&Gate::key(&self.lane(tenant))).and_then(|row| row.parse::<Gate>().ok());
            gate.is_some_and(|gate| !gate.takes_more())
        })
    }

    /// Opens every halted lane, as operators do once they have looked; answers the halts' reasons.
    pub fn release_lanes(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        for lane in TENANTS.map(|tenant| self.lane(tenant)) {
            let Some(row) = self.row(&Gate::key(&lane)) else { continue };
            let gate: Gate = row.parse().expect("a gate");
            if let LaneGate::Halted { reason, .. } = &gate.gate {
                reasons.push(reason.clone());
                let open = Gate { gate: LaneGate::Open, tries: 0, ..gate.clone() };
                self.must_commit(&[open.put(&lane, row.version()).expect("a row")]);
                self.coverage.count("lane: released");
            }
        }
        reasons
    }
}
