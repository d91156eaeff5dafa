//! Everything at once: clients, operators and handlers side by side and killed at any await, replies lost, messages late,
//! repeated and reordered, indexes that lag, keys that refuse, nodes and branches ([`nodes`](crate::nodes)), fees that jump,
//! treasuries that run out, people who block; by chance that a seed decides.

use std::{future::Future, pin::Pin, sync::Arc};

use alloy_primitives::{Address, U256};
use causeway_chains::model::{Fault as ChainFault, Provider};
use causeway_domain::{Clock, lane::LaneGate};
use causeway_keys::memory::Fault as KeyFault;
use causeway_queue::memory::Fault as QueueFault;
use causeway_runtime::{Received, batch::Failed};
use causeway_state::lane::Gate;
use causeway_status_check::{Tracker, lead::Lead};
use futures::future::join_all;

use crate::{
    api::Answer,
    clients::Call,
    clock::{Polled, held_up_after, killed_after},
    drive::{STEP_MS, track},
    faults::ChainScript,
    inbox::READ,
    people::Act,
    rules::Violation,
    ticks::{SILENT_STEP_MS, Ticks},
    weather::{Class, Weather},
    world::{TENANTS, World},
};

/// What the model chain begins with.
pub(crate) const USUAL_BASE_FEE_WEI: u128 = 1_000_000_000;
/// From one look at a treasury to the next, once queues have lost something.
const PURGED_MS: u64 = 120_000;
/// Queues that are no dead letters', the first ones of [`READ`]: what is in these, rows or blocks can say again.
const SOURCES: usize = 6;
/// Steps after which a storm ends though too little has struck.
const STEPS_MAX: u64 = 1_000;

/// A tracker's process.
#[derive(Debug)]
struct Process {
    name: String,
    lead: Option<Lead>,
    tracker: Arc<Tracker>,
}

/// What one future of a step ended with; `None` where it was killed.
enum Ended {
    /// Nothing that anybody waits for.
    Meanwhile,
    /// It is held up, and goes on in a later step. The number is its tracker's.
    HeldUp(Option<usize>, Step),
    Batch(Vec<Received>, Option<Failed>),
    Tracker(usize, Box<Option<Option<Lead>>>),
    Operator(Act, Option<Answer>),
    Client(Box<Call>, Option<Answer>),
}

type Step = Pin<Box<dyn Future<Output = Ended> + Send>>;

impl World {
    /// Lets a storm pass over the world: so many steps, and on until so many faults have struck.
    pub fn storm(&mut self, weather: Weather, steps: u64, faults: u64) {
        self.storm_while(weather, steps, faults, |_, _| {});
    }

    /// As [`World::storm`]; `act` is what else happens at each step.
    pub fn storm_while(&mut self, weather: Weather, steps: u64, faults: u64, mut act: impl FnMut(&mut Self, u64)) {
        let process = |n| {
            let tracker = self.another_tracker(&format!("status-check-{n}"));
            Process { name: format!("storm-{n}"), lead: None, tracker }
        };
        let mut trackers: Vec<Process> = (0..3).map(process).collect();
        let mut ticks = Ticks::default();
        let mut held_up: Vec<(u64, Step)> = Vec::new();
        let mut purged = false;
        self.begin(weather);
        for step in 0..STEPS_MAX {
            if step >= steps && self.coverage.faults() >= faults && self.clients.all_asked() {
                break;
            }
            self.coverage.trace().step();
            ticks.next(self, weather);
            self.clock.advance(if ticks.is_silent() { SILENT_STEP_MS } else { STEP_MS });
            self.make_blocks();
            self.turn_the_chain(weather);
            self.turn_the_tag(weather);
            self.surprise(weather);
            act(self, step);
            self.note_halts(!held_up.is_empty());
            self.crossing.set(true);
            let mut work = self.start(weather);
            work.extend(self.clients_work(weather));
            work.extend(self.operators_work(weather));
            work.extend(self.trackers_work(weather, &mut trackers, &ticks));
            work.extend(self.meanwhile(weather));
            work.extend(held_up.extract_if(.., |(until, _)| *until <= step).map(|(_, going_on)| going_on));
            let ended = self.clock.run(join_all(work));
            self.crossing.set(false);
            for one in ended {
                if let Some(later) = self.end_one(one, &mut trackers) {
                    held_up.push((step + 1 + self.clock.below(30), later));
                }
            }
            if self.clock.chance(weather.rate(Class::Purges)) {
                let queue = READ[self.some(SOURCES)];
                self.collect();
                if self.inbox.lose(queue) > 0 {
                    purged = true;
                    self.coverage.count("fault: queue purged");
                }
            }
            if self.clock.chance(100) {
                self.rows.land();
                self.chain.land();
            }
            self.check();
        }
        // Who is still held up goes on now.
        let going_on = held_up.into_iter().map(|(_, going_on)| going_on);
        self.crossing.set(true);
        let ended = self.clock.run(join_all(going_on));
        self.crossing.set(false);
        for one in ended {
            self.end_one(one, &mut trackers);
        }
        self.calm();
        if purged {
            // Reconciliation tells the stages again that were lost.
            self.reconcile_every(PURGED_MS);
        }
    }

    /// Books what became of one; answers it where it is held up.
    fn end_one(&mut self, one: Ended, trackers: &mut [Process]) -> Option<Step> {
        match one {
            Ended::Meanwhile => {}
            Ended::HeldUp(None, later) => {
                self.coverage.count("fault: handler held up");
                return Some(later);
            }
            Ended::HeldUp(Some(index), later) => {
                // Another process has its place by the time it goes on.
                self.coverage.count("fault: tracker held up");
                trackers[index].name = format!("storm-{}", self.clock.random());
                return Some(Box::pin(async move {
                    drop(later.await);
                    Ended::Meanwhile
                }));
            }
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
            Ended::Operator(act, answer) => {
                if answer.is_none() {
                    self.coverage.count("fault: operators' door killed");
                }
                self.heard(act, answer.as_ref());
            }
            Ended::Client(call, answer) => {
                if answer.is_none() {
                    self.coverage.count("fault: clients' door killed");
                }
                self.must(|world| world.client_heard(*call, answer.as_ref()));
            }
        }
        None
    }

    /// What befalls the chain between two awaits of this step.
    fn meanwhile(&self, weather: Weather) -> Option<Step> {
        let comes = self.clock.chance(weather.rate(Class::Meanwhile));
        let nature = self.nature();
        comes.then(|| -> Step {
            Box::pin(async move {
                nature.meanwhile(weather).await;
                Ended::Meanwhile
            })
        })
    }

    /// What is held up at some await, by chance.
    fn may_stall(&self, weather: Weather, tracker: Option<usize>, step: Step) -> Step {
        let (stalls, polls) = (self.clock.chance(weather.rate(Class::Stalls)), self.some_polls(9));
        if !stalls {
            return step;
        }
        Box::pin(async move {
            match held_up_after(polls, step).await {
                Polled::Ended(ended) => ended,
                Polled::HeldUp(step) => Ended::HeldUp(tracker, step),
            }
        })
    }

    /// A rule that does not hold ends the story.
    pub(crate) fn must(&mut self, act: impl FnOnce(&mut Self) -> Result<(), Violation>) {
        if let Err(violation) = act(self) {
            panic!("{violation}\n{}", self.picture());
        }
    }

    fn begin(&mut self, weather: Weather) {
        if weather.rate(Class::Skew) > 0 {
            self.views.skews.draw(&self.clock);
            self.coverage.count("fault: clocks disagree");
        }
        self.inbox.shuffled = weather.rate(Class::Order);
        self.inbox.repeated = weather.rate(Class::Repeats);
        self.inbox.late = weather.rate(Class::Late);
        self.script.weather(&self.clock, weather, &self.coverage);
        self.refused.dice().set(&self.clock, weather.rate(Class::Refusals), &self.coverage);
        self.views.keys.lost.set(&self.clock, weather.rate(Class::Signatures), &self.coverage);
        let (clock, coverage) = (self.clock.clone(), self.coverage.clone());
        self.queue.set_fault(move |_, messages| {
            let strikes = clock.chance(weather.rate(Class::Publishes));
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
        let mut denied = false;
        self.keys.set_fault(move |_| {
            if !denied && clock.chance(weather.rate(Class::Denied)) {
                denied = true;
                coverage.count("fault: keys denied for long");
            }
            if denied {
                return KeyFault::Denied;
            }
            let strikes = [Class::Keys, Class::Denials].map(|class| clock.chance(weather.rate(class)));
            let (fault, name) = match strikes {
                [false, false] => return KeyFault::Pass,
                [true, _] => (KeyFault::Unavailable, "fault: key unavailable"),
                [false, true] => (KeyFault::Denied, "fault: key denied"),
            };
            coverage.count(name);
            fault
        });
        let (clock, coverage) = (self.clock.clone(), self.coverage.clone());
        self.chain.set_faults(Arc::new(ChainScript(move |call| {
            let limited = clock.chance(weather.rate(Class::Limits));
            // A question that is lost is lost, before or after it was answered.
            let (fails, kinds) = if call == "broadcast" { (Class::Broadcasts, 3) } else { (Class::Calls, 1) };
            let (fault, name) = match (limited, clock.chance(weather.rate(fails)), clock.below(kinds)) {
                (false, false, _) => return ChainFault::Pass,
                (true, ..) => (ChainFault::Limit { after_ms: None }, "fault: chain call limited"),
                (false, true, _) if kinds == 1 => (ChainFault::FailBefore, "fault: question to a node lost"),
                (false, true, 0) => (ChainFault::FailBefore, "fault: broadcast lost before its effect"),
                (false, true, 1) => (ChainFault::LoseReply, "fault: broadcast lost after its effect"),
                (false, true, _) => (ChainFault::Delay, "fault: broadcast delayed"),
            };
            coverage.count(name);
            fault
        })));
    }

    fn start(&mut self, weather: Weather) -> Vec<Step> {
        let mut work: Vec<Step> = Vec::new();
        for queue in READ.into_iter().chain(READ) {
            let Some(batch) = self.receive(queue) else { continue };
            if self.clock.chance(weather.rate(Class::Held)) {
                // Its messages became visible again while the first holder still works on them.
                self.coverage.count("fault: message held twice");
                let handler = killed_after(self.lifetime(weather), self.work(queue, batch.clone()));
                let again = batch.clone();
                work.push(Box::pin(async move { Ended::Batch(again, handler.await) }));
            }
            let handler = killed_after(self.lifetime(weather), self.work(queue, batch.clone()));
            let handled = Box::pin(async move { Ended::Batch(batch, handler.await) });
            work.push(self.may_stall(weather, None, handled));
        }
        work
    }

    /// What clients ask for meanwhile.
    fn clients_work(&mut self, weather: Weather) -> Vec<Step> {
        let calls = self.next_calls(weather);
        let asked = |call: Call| -> Step {
            let answer = killed_after(self.lifetime(weather), self.ask(&call));
            Box::pin(async move { Ended::Client(Box::new(call), answer.await) })
        };
        calls.into_iter().map(asked).collect()
    }

    /// What operators ask for meanwhile.
    fn operators_work(&mut self, weather: Weather) -> Option<Step> {
        let throws = self.clock.chance(weather.rate(Class::Switches));
        let acts = self.clock.chance(weather.rate(Class::People));
        let act = match (throws, acts) {
            (true, _) => {
                let scope = &self.scopes()[self.some(3)];
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
            let ends = self.clock.chance(weather.rate(Class::Endings));
            if ends && lead.is_some() {
                self.coverage.count("tracker: ends in order");
                process.name = format!("storm-{}", self.clock.random());
            }
            let looks = Box::pin(async move {
                let tick = async {
                    match lead {
                        Some(lead) if ends => {
                            tracker.step_down(&network, lead).await;
                            None
                        }
                        lead => track(&tracker, &network, &*chain, &me, lead).await,
                    }
                };
                Ended::Tracker(index, Box::new(killed_after(lifetime, tick).await))
            });
            self.may_stall(weather, Some(index), looks)
        };
        trackers.iter_mut().take(ticks.trackers()).enumerate().map(look).collect()
    }

    /// So many polls, as often fewer than 8 as from 512 to 1,024 where it is 10: most of what a handler does is short, and some
    /// of it goes through many rows.
    fn some_polls(&self, magnitudes: u64) -> u64 {
        1 + self.clock.below(1 << (3 + self.clock.below(magnitudes - 2)))
    }

    /// Polls until a process is killed.
    fn lifetime(&self, weather: Weather) -> u64 {
        let polls = self.some_polls(10);
        if self.clock.chance(weather.rate(Class::Kills)) { polls } else { u64::MAX }
    }

    /// What markets, people and tables do at bad moments.
    fn surprise(&self, weather: Weather) {
        if self.clock.chance(weather.rate(Class::Fees)) {
            // Up to fifty times as much, beyond the cap at times.
            let times = [1, 1, 3, 50, 1_000][self.some(5)];
            self.chain.set_base_fee(USUAL_BASE_FEE_WEI * times);
            match times {
                1 => {}
                3 => self.coverage.count("fees: three times as high"),
                50 => self.coverage.count("fees: fifty times as high"),
                _ => self.coverage.count("fees: above the cap"),
            }
        }
        if self.clock.chance(weather.rate(Class::Funds)) {
            self.pay_in();
        }
        let (loses, tenant) = (self.clock.chance(weather.rate(Class::Gas)), TENANTS[self.some(2)]);
        if loses {
            self.lose_gas(tenant);
        }
        // A number that was given up is another's for good only as long as no branch goes below what is final.
        if self.clock.chance(weather.rate(Class::Strangers)) && !weather.deep {
            let (tenant, ahead) = (TENANTS[self.some(2)], self.clock.below(3));
            self.strangers_spend(&self.lane(tenant), ahead);
        }
        if self.clock.chance(weather.rate(Class::Skew)) {
            self.views.skews.draw(&self.clock);
            self.coverage.count("fault: clocks jump");
        }
        if self.clock.chance(weather.rate(Class::Indexes)) {
            self.rows.set_index_lag(1 + self.some(7));
            self.coverage.count("fault: index lags");
        }
        if self.clock.chance(weather.rate(Class::Tokens)) {
            self.rows.forget_tokens();
            self.coverage.count("fault: tokens forgotten");
        }
    }

    /// A treasury's coins are gone until somebody pays in.
    fn lose_gas(&self, tenant: &str) {
        let holder = self.lane(tenant).address;
        let coins = self.on_chain(holder, Address::ZERO);
        if coins > U256::ZERO {
            self.chain.debit(holder, None, coins);
            self.owed_in.borrow_mut().push((holder, None, coins));
            self.coverage.count("funds: none for gas");
        }
    }

    fn calm(&mut self) {
        self.calm_tag();
        self.chain.set_base_fee(USUAL_BASE_FEE_WEI);
        self.script.clear();
        self.queue.clear_fault();
        self.keys.clear_fault();
        self.views.keys.lost.clear();
        self.refused.dice().clear();
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
        self.inbox.late = 0;
        self.must(Self::settle_clients);
        self.replay_what_was_not_heard();
        // Nothing is at odds any more: a look for each block is enough.
        self.step_ms = self.network.block_time_ms;
        self.replace_tracker();
    }

    /// Whether a lane waits for people.
    pub fn has_halted(&self) -> bool {
        self.check();
        self.rules.borrow().halted().next().is_some()
    }

    /// Opens every halted lane, gives up the number at which it halted, or has it cancelled, as operators do once they have
    /// looked; answers the halts' reasons.
    pub fn release_lanes(&mut self) -> Vec<String> {
        let mut reasons = Vec::new();
        for lane in TENANTS.map(|tenant| self.lane(tenant)) {
            let Some(row) = self.row(&Gate::key(&lane)) else { continue };
            let gate: Gate = row.parse().expect("a gate");
            if let LaneGate::Halted { reason, .. } = gate.gate {
                reasons.push(reason);
                let act = self.out_of_the_way(&lane);
                self.act(&act);
            }
        }
        reasons
    }
}
