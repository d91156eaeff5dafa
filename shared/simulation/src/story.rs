//! One seed: a world, what befalls it, and whether every rule held to its end; and the smallest story that still breaks one.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Once,
};

use causeway_domain::{Clock, limits::ACCOUNT_SHARDS};

use crate::{
    SimClock,
    api::recipient,
    coverage::Coverage,
    inbox::RECEIVES_MAX,
    sabotage::Sabotage,
    storm::{Class, Weather},
    trace::Trace,
    world::{Setup, World},
};

/// Steps of a story in which clients ask for something, and faults strike.
const STEPS: u64 = 40;
/// Of those, in thousandths, how many have a request, until all are asked for.
const ASKING: u64 = 750;
/// Transfers that a story's clients ask for.
const REQUESTS: u64 = 22;
/// Time between two looks of the platform once the storm is over: nothing is as close together then.
const CALM_STEP_MS: u64 = 1_000;
/// How often people open halted lanes before they give a story up.
const RELEASES_MAX: u32 = 20;

/// What befalls one world.
#[derive(Debug, Clone, Copy)]
pub struct Story {
    /// Decides every choice.
    pub seed: u64,
    /// How bad it is.
    pub weather: Weather,
    /// Transfers that clients ask for.
    pub requests: u64,
    /// What is broken on purpose.
    pub sabotage: Sabotage,
}

/// How a story ended.
#[derive(Debug)]
pub struct Told {
    /// What struck, and what was reached.
    pub coverage: Coverage,
    /// Which rule did not hold, in words.
    pub violation: Option<String>,
}

thread_local! {
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps what a thread says when it ends badly instead of printing it: a story's end is told by who runs it.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if LISTENING.with(|listening| *listening.borrow()) {
                LAST.with(|last| *last.borrow_mut() = info.to_string());
            } else {
                usual(info);
            }
        }));
    });
}

thread_local! {
    static LISTENING: RefCell<bool> = const { RefCell::new(false) };
}

impl Story {
    /// The story of a seed.
    pub fn of(seed: u64) -> Self {
        let chance = SimClock::new(!seed);
        let (reorgs, depth_max) = match chance.below(3) {
            0 => (0, 1),
            1 => (60, 2),
            _ => (20 + chance.below(40), 3 + chance.below(6)),
        };
        let (kills, faults) = (20 + chance.below(80), 20 + chance.below(40));
        let deep = chance.chance(200);
        Self {
            seed,
            weather: Weather { kills, faults, reorgs, depth_max, deep, without: 0 },
            requests: REQUESTS,
            sabotage: Sabotage::None,
        }
    }

    /// The same story without these classes of faults, by their bits.
    pub fn without(self, classes: u32) -> Self {
        Self { weather: Weather { without: classes, ..self.weather }, ..self }
    }

    /// The command line that tells it again.
    pub fn command(&self) -> String {
        let mut words = vec![format!("SEED={}", self.seed)];
        if self.weather.without != 0 {
            words.push(format!("WITHOUT={}", Class::names(self.weather.without)));
        }
        if self.requests != REQUESTS {
            words.push(format!("REQUESTS={}", self.requests));
        }
        format!("{} make simulate", words.join(" "))
    }

    /// Lives through it.
    pub fn tell(&self) -> Told {
        self.tell_to(Trace::default())
    }

    /// Lives through it, and tells each step.
    pub fn tell_to(&self, trace: Trace) -> Told {
        listen();
        let coverage = Coverage::traced(trace);
        LISTENING.with(|listening| *listening.borrow_mut() = true);
        let ended = catch_unwind(AssertUnwindSafe(|| self.live(&coverage)));
        LISTENING.with(|listening| *listening.borrow_mut() = false);
        let violation = ended.err().map(|_| LAST.with(|last| last.take()));
        Told { coverage, violation }
    }

    fn live(&self, coverage: &Coverage) {
        let chance = SimClock::new(!self.seed);
        let setup = Setup {
            seed: self.seed,
            confirmed_at: 2 + chance.below(3),
            final_at: 5 + self.weather.depth_max,
            in_flight_max: 2 + chance.below(14),
            tokens: if chance.chance(300) { 3 } else { 1_000 },
            providers: 1 + usize::try_from(chance.below(3)).unwrap_or(0),
            rotate: chance.chance(500),
            coverage: coverage.clone(),
            sabotage: self.sabotage,
            ..Setup::default()
        };
        // No chance is asked: what befalls the world stays as it is.
        let second_opinion = setup.providers > 1 && self.seed.is_multiple_of(2);
        let shards = [1, ACCOUNT_SHARDS, ACCOUNT_SHARDS, 4][usize::try_from(self.seed / 2 % 4).unwrap_or(0)];
        let mut world = World::new(Setup { second_opinion, shards, ..setup });
        for symbol in ["TUSD", "TUSDT", "TBLK", "TFALSE"] {
            world.owe("acme", symbol, REQUESTS);
        }
        let token = world.asset("TBLK").address;
        // What a trial lets through reverts in its block; what it does not is rejected.
        world.chain.set_lenient(token, chance.chance(700));
        world.chain.set_blacklisted(token, recipient("reverting"), true);
        // Queues that give up soon make people's work; they do not in production, but their messages look the same.
        let soon = 1 + u32::try_from(chance.below(2)).unwrap_or(0);
        world.inbox.receives_max = if chance.chance(500) { soon } else { RECEIVES_MAX };
        world.inbox.batch = [10, 10, 3, 300][usize::try_from(chance.below(4)).unwrap_or(0)];
        let mut left = self.requests;
        world.storm(self.weather, STEPS, |world, step| {
            if left > 0 && world.clock.chance(ASKING) {
                left -= 1;
                ask(world, step);
            }
        });
        world.step_ms = CALM_STEP_MS;
        self.end(&mut world);
        if self.weather.deep && self.weather.has(Class::Deep) {
            world.chain.set_blacklisted(token, recipient("reverting"), chance.chance(200));
            world.inbox.receives_max = 3;
            if world.turn_below_final() {
                self.end(&mut world);
            }
        }
        world.finish();
    }

    /// People open lanes and look at dead letters until every transfer has ended.
    fn end(&self, world: &mut World) {
        for _ in 0..RELEASES_MAX {
            world.until("every transfer's end", |world| world.asks_people() || world.has_halted() || world.has_ended());
            let asked = world.asks_people();
            world.look_at_letters();
            let reasons = world.release_lanes();
            // Nothing else gives a lane a reason to halt here.
            let (strangers, branches): (Vec<_>, Vec<_>) =
                reasons.iter().partition(|reason| reason.contains("not Causeway's"));
            let unasked = branches.iter().find(|reason| !reason.contains("left the chain"));
            assert_eq!(unasked, None, "rule 3: a lane halts");
            assert!(strangers.is_empty() || world.strangers.get() > 0, "a lane halts for a stranger that there is not");
            let deep = self.weather.deep && self.weather.has(Class::Deep);
            let shallow = !deep && (self.weather.reorgs == 0 || self.weather.depth_max < world.depths.0);
            assert!(!shallow || branches.is_empty(), "rule 5: a lane halts though no branch was deep enough");
            if reasons.is_empty() && !asked {
                return;
            }
        }
    }

    /// The smallest story that still breaks a rule: without each class of faults, and with fewer requests, where that
    /// changes nothing.
    pub fn smallest(self) -> Self {
        let breaks = |story: &Self| story.tell().violation.is_some();
        let mut story = self;
        for class in Class::ALL {
            let weather = Weather { without: story.weather.without | class.bit(), ..story.weather };
            let calmer = Self { weather, ..story };
            if breaks(&calmer) {
                story = calmer;
            }
        }
        while story.requests > 1 {
            let shorter = Self { requests: story.requests / 2, ..story };
            if !breaks(&shorter) {
                break;
            }
            story = shorter;
        }
        story
    }
}

/// A request of one of two tenants, some of which revert in their block or are rejected before; repeated until it is
/// answered.
fn ask(world: &mut World, step: u64) {
    let tenant = if world.clock.chance(700) { "acme" } else { "globex" };
    let to = if world.clock.chance(200) { "reverting".to_owned() } else { format!("someone-{step}") };
    let symbol = ["ETH", "TUSD", "TUSDT", "TBLK", "TFALSE"][usize::try_from(world.clock.below(5)).unwrap_or(0)];
    let key = format!("k-{step}");
    loop {
        let answer = world.clock.run(world.request(tenant, Some(&key), symbol, "1", recipient(&to)));
        // Whoever is blocked, or owed too little, asks no more.
        if answer.status.is_client_error() && ["BLOCKED", "INSUFFICIENT_FUNDS"].contains(&answer.code()) {
            return;
        }
        if !answer.status.is_server_error() {
            world.take_note(tenant, &answer);
            return;
        }
        world.clock.advance(1 + u64::try_from(world.clock.random() % 100).unwrap_or(0));
    }
}
