//! Everything at once: handlers side by side and killed at any await, replies lost, messages repeated and reordered,
//! indexes that lag, nodes that lag, lie still, forget, lose bytes and know half,
//! branches, fees that jump, treasuries that run out, people who block; by chance that a seed decides.

use std::{future::Future, pin::Pin, sync::Arc};

use causeway_chains::model::{Fault as ChainFault, Orphans, Provider, Receipts, Reorg};
use causeway_domain::{Clock, lane::LaneGate};
use causeway_keys::memory::Fault as KeyFault;
use causeway_queue::memory::Fault as QueueFault;
use causeway_runtime::{Received, batch::Failed};
use causeway_state::lane::Gate;
use causeway_status_check::{Tracker, lead::Lead};
use futures::future::join_all;

use crate::{
    api::Answer,
    clock::killed_after,
    drive::{STEP_MS, track},
    faults::ChainScript,
    inbox::READ,
    people::Act,
    ticks::{SILENT_STEP_MS, Ticks},
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
    /// Whether a branch goes below what is final, once all have ended.
    pub deep: bool,
    /// Classes of faults that do not strike, by [`Class::bit`]. Chance is asked all the same, so the rest stays as it is.
    pub without: u32,
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
    /// Operators credit and debit, refund, replay and discard, and open lanes.
    People,
    /// Every function's clock is off.
    Skew,
    /// Nobody tracks for a while, or one more than usual does.
    Ticks,
    /// Nodes stay on branches that the others left, or begin again with an older head.
    Views,
    /// A branch goes below what is final.
    Deep,
    /// Somebody else who has a lane's key uses its numbers.
    Strangers,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 19] = [
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
        Self::People,
        Self::Skew,
        Self::Ticks,
        Self::Views,
        Self::Deep,
        Self::Strangers,
    ];

    /// Its name, as `WITHOUT` takes it.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// The names of those whose bits these are.
    pub fn names(bits: u32) -> String {
        let among = Self::ALL.into_iter().filter(|class| bits & class.bit() != 0);
        among.map(Self::name).collect::<Vec<_>>().join(",")
    }

    /// The bits of those that are named; `None` where a name is not known.
    pub fn parse_all(names: &str) -> Option<u32> {
        let bit = |name: &str| Self::ALL.into_iter().find(|class| class.name() == name).map(Self::bit);
        names.split(',').filter(|name| !name.is_empty()).try_fold(0, |bits, name| Some(bits | bit(name)?))
    }

    /// Its bit in [`Weather::without`].
    pub const fn bit(self) -> u32 {
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
    tracker: Arc<Tracker>,
}

/// What one future of a step ended with; `None` where it was killed.
enum Ended {
    Batch(Vec<Received>, Option<Failed>),
    Tracker(usize, Box<Option<Option<Lead>>>),
    Operator(Act, Option<Answer>),
}

type Step = Pin<Box<dyn Future<Output = Ended> + Send>>;

impl World {
    /// Lets a storm pass over the world; `act` is what clients do meanwhile, at each step.
    pub fn storm(&mut self, weather: Weather, steps: u64, mut act: impl FnMut(&mut Self, u64)) {
        let process = |n| {
            let tracker = self.another_tracker(&format!("status-check-{n}"));
            Process { name: format!("storm-{n}"), lead: None, tracker }
        };
        let mut trackers: Vec<Process> = (0..3).map(process).collect();
        let mut ticks = Ticks::default();
        self.begin(weather);
        for step in 0..steps {
            self.coverage.trace().step();
            ticks.next(self, weather);
            self.clock.advance(if ticks.is_silent() { SILENT_STEP_MS } else { STEP_MS });
            self.make_blocks();
            self.turn_the_chain(weather);
            self.surprise(weather);
            act(self, step);
            self.crossing.set(true);
            let mut work = self.start(weather);
            work.extend(self.operators_work(weather));
            work.extend(self.trackers_work(weather, &mut trackers, &ticks));
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
                    Ended::Tracker(index, lead) => match *lead {
                        Some(lead) => trackers[index].lead = lead,
                        None => {
                            self.coverage.count("fault: tracker killed");
                            trackers[index].name = format!("storm-{}", self.clock.random());
                        }
                    },
                    Ended::Operator(act, answer) => self.heard(act, answer.as_ref()),
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
        if weather.has(Class::Skew) {
            self.views.skews.draw(&self.clock);
            self.coverage.count("fault: clocks disagree");
        }
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

    fn start(&mut self, weather: Weather) -> Vec<Step> {
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
        work
    }

    /// What operators ask for meanwhile.
    fn operators_work(&mut self, weather: Weather) -> Option<Step> {
        let throws = self.clock.chance(weather.faults / 2) && weather.has(Class::Switches);
        let acts = self.clock.chance(weather.faults * 4) && weather.has(Class::People);
        let act = match (throws, acts) {
            (true, _) => {
                let scope = &self.scopes()[usize::try_from(self.clock.below(3)).unwrap_or(0)];
                self.switch(scope, self.row(&scope.copy(0)).is_none())
            }
            (false, true) => self.next_act()?,
            (false, false) => return None,
        };
        let asked = killed_after(self.lifetime(weather), self.operate(&act.path, act.body.clone()));
        Some(Box::pin(async move { Ended::Operator(act, asked.await) }))
    }

    /// The trackers' looks of this step. The last of them runs only while a tick comes doubled.
    fn trackers_work(&self, weather: Weather, trackers: &mut [Process], ticks: &Ticks) -> Vec<Step> {
        let look = |(index, process): (usize, &mut Process)| -> Step {
            let (chain, network) = (self.chain_port(), self.network.clone());
            let (me, lead, tracker) = (process.name.clone(), process.lead.take(), Arc::clone(&process.tracker));
            let lifetime = self.lifetime(weather);
            Box::pin(async move {
                let tick = async { track(&tracker, &network, &*chain, &me, lead).await };
                Ended::Tracker(index, Box::new(killed_after(lifetime, tick).await))
            })
        };
        trackers.iter_mut().take(ticks.trackers()).enumerate().map(look).collect()
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
            let old = self.chain.header(self.chain.height()).map(|header| header.hash);
            self.chain.reorg(&Reorg { depth, blocks: depth + 1, again, orphans });
            let (stays, provider) = (self.clock.chance(400), self.some_provider());
            if stays && weather.has(Class::Views) {
                self.chain.set_provider(provider, Provider { stuck_at: old, ..Provider::default() });
                self.coverage.count("fault: node stays on the old branch");
            }
        }
        let (restarts, provider, lag) =
            (self.clock.chance(weather.faults / 2), self.some_provider(), 3 + self.clock.below(8));
        if restarts && weather.has(Class::Views) {
            self.chain.set_provider(provider, Provider { lag, blind: true, ..Provider::default() });
            self.coverage.count("fault: node begins again behind");
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

    fn some_provider(&self) -> usize {
        usize::try_from(self.clock.below(self.providers as u64)).unwrap_or(0)
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
        // A number that was given up is another's for good only as long as no branch goes below what is final.
        if self.clock.chance(weather.faults / 8) && weather.has(Class::Strangers) && !weather.deep {
            let tenant = TENANTS[usize::try_from(self.clock.below(2)).unwrap_or(0)];
            let ahead = self.clock.below(3);
            self.strangers_spend(&self.lane(tenant), ahead);
        }
        if self.clock.chance(weather.faults / 4) && weather.has(Class::Skew) {
            self.views.skews.draw(&self.clock);
            self.coverage.count("fault: clocks jump");
        }
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
        self.script.clear();
        self.queue.clear_fault();
        self.keys.clear_fault();
        self.chain.set_faults(Arc::new(ChainScript(|_| ChainFault::Pass)));
        (0..self.providers).for_each(|provider| self.chain.set_provider(provider, Provider::default()));
        self.rows.set_index_lag(0);
        self.rows.land();
        self.chain.land();
        self.check();
        self.square_up();
        for scope in self.scopes() {
            if scope.copies().any(|copy| self.row(&copy).is_some()) {
                let open = self.switch(&scope, false);
                self.act(&open);
            }
        }
        self.inbox.shuffled = 0;
        self.inbox.repeated = 0;
        // Nothing is at odds any more: a look for each block is enough.
        self.step_ms = self.network.block_time_ms;
        self.replace_tracker();
    }

    /// Whether a lane waits for people.
    pub fn has_halted(&self) -> bool {
        self.check();
        self.rules.borrow().halted().next().is_some()
    }

    /// Opens every halted lane, or gives up the number at which it halted, as operators do once they have looked; answers the halts' reasons.
    pub fn release_lanes(&mut self) -> Vec<String> {
        let mut reasons = Vec::new();
        for lane in TENANTS.map(|tenant| self.lane(tenant)) {
            let Some(row) = self.row(&Gate::key(&lane)) else { continue };
            let gate: Gate = row.parse().expect("a gate");
            if let LaneGate::Halted { reason, .. } = gate.gate {
                reasons.push(reason);
                let act = self.displace(&lane).unwrap_or_else(|| self.release(&lane));
                self.act(&act);
            }
        }
        reasons
    }
}
