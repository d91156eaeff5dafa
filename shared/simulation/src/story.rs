//! One seed: a world, what befalls it, and whether every rule held to its end; and the smallest story that still breaks one.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Once,
};

use causeway_chains::model::{Gaps, TokenKind};
use causeway_domain::limits::ACCOUNT_SHARDS;
use causeway_state::halt::AND;

use crate::{
    SimClock,
    api::recipient,
    clients::{Clients, REVERTING, someone},
    coverage::Coverage,
    deep::BELOW_MAX,
    inbox::RECEIVES_MAX,
    nodes::REFUSAL,
    sabotage::Sabotage,
    storm::USUAL_BASE_FEE_WEI,
    trace::Trace,
    weather::{Class, Weather},
    world::{Setup, TUSDT, World},
};

/// Steps of a story in which clients ask for something, and faults strike.
const STEPS: u64 = 36;
/// Transfers that a story's clients ask for, and are told that they were taken.
const REQUESTS: u64 = 20;
/// Faults that strike in a story at least.
const FAULTS_MIN: u64 = 10;
/// Time between two looks of the platform once the storm is over: nothing is as close together then.
const CALM_STEP_MS: u64 = 2_000;
/// From one block to the next then: what waits, waits for spans of time more than for blocks.
const CALM_BLOCK_MS: u64 = 4_000;
/// Blocks below what is final that a branch begins at most while the storm lasts.
const BELOW_MEANWHILE_MAX: u64 = 6;
/// Looks that pass at once where nothing is to be done but to wait.
const CALM_PATIENCE: u64 = 2;
/// How often people look after what waits for them before they give a story up: while a hundred blocks are made, since some
/// of what they ask is refused until a block is final.
pub(crate) const RELEASES_MAX: u32 = 80;

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
        let weather = Weather::drawn(&SimClock::new(!seed));
        Self { seed, weather, requests: REQUESTS, sabotage: Sabotage::None }
    }

    /// The same story with something broken on purpose, in a weather that brings it to light.
    pub fn broken_by(self, sabotage: Sabotage) -> Self {
        Self { sabotage, weather: sabotage.shows_in(self.weather), ..self }
    }

    /// The same story without these classes of faults, by their bits.
    pub fn without(self, classes: u64) -> Self {
        Self { weather: self.weather.without(classes), ..self }
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

    /// Deeper than any branch of the storm: in some stories by one block, in others by several.
    fn final_at(seed: u64, depth_max: u64) -> u64 {
        const CONFIRMED_AT_MAX: u64 = 4;
        CONFIRMED_AT_MAX.max(depth_max + 1 + seed / 16 % 5)
    }

    fn live(&self, coverage: &Coverage) {
        let chance = SimClock::new(!self.seed);
        let setup = Setup {
            seed: self.seed,
            confirmed_at: 2 + chance.below(3),
            final_at: Self::final_at(self.seed, self.weather.depth_max),
            in_flight_max: 2 + chance.below(14),
            tokens: if chance.chance(300) { 3 } else { 1_000 },
            providers: 1 + usize::try_from(chance.below(3)).unwrap_or(0),
            rotate: chance.chance(500),
            gaps: if chance.chance(300) { Gaps::Refused } else { Gaps::Queued },
            account_max: if chance.chance(200) { 2 + chance.below(3) } else { Setup::default().account_max },
            tip_cap_wei: if self.seed % 7 == 2 { 2 } else { Setup::default().tip_cap_wei },
            coverage: coverage.clone(),
            sabotage: self.sabotage,
            ..Setup::default()
        };
        // No chance is asked: what befalls the world stays as it is.
        let second_opinion = setup.providers > 1 && self.seed.is_multiple_of(2);
        let shards = [1, ACCOUNT_SHARDS, ACCOUNT_SHARDS, 4][usize::try_from(self.seed / 2 % 4).unwrap_or(0)];
        // Half of the networks have a tag that must agree with the depth.
        let final_tag = (self.seed / 8).is_multiple_of(2);
        let mut world = World::new(Setup { second_opinion, shards, final_tag, ..setup });
        for symbol in ["TUSD", "TUSDT", "TBLK", "TFALSE"] {
            world.owe("acme", symbol, REQUESTS);
        }
        if self.seed % 5 == 3 {
            // Its transfers are told by another contract: no block decides them, people must.
            world.chain.add_token(TUSDT, TokenKind::ToldElsewhere);
        }
        let token = world.asset("TBLK").address;
        // What a trial lets through reverts in its block; what it does not is rejected.
        world.chain.set_lenient(token, chance.chance(700));
        world.chain.set_blacklisted(token, recipient(REVERTING), true);
        // Queues that give up soon make people's work; they do not in production, but their messages look the same.
        let soon = 1 + u32::try_from(chance.below(2)).unwrap_or(0);
        world.inbox.receives_max = if chance.chance(500) { soon } else { RECEIVES_MAX };
        world.inbox.batch = [10, 10, 3, 300][usize::try_from(chance.below(4)).unwrap_or(0)];
        world.clients = Clients::wanting(self.requests);
        // What is left out of a story may be most of what struck.
        let faults = if self.weather.without == 0 { FAULTS_MIN } else { 0 };
        let mut turns = self.turns_below_final_meanwhile();
        world.storm_while(self.weather, STEPS, faults, |world, step| {
            if turns && step >= STEPS / 2 && world.turn_below_final(BELOW_MEANWHILE_MAX) {
                world.coverage.count("branch: below final, meanwhile");
                turns = false;
            }
        });
        let enough = world.clients.taken() >= self.requests && coverage.faults() >= faults;
        assert!(enough, "too little happened: {} transfers, {} faults", world.clients.taken(), coverage.faults());
        (world.step_ms, world.patience) = (CALM_STEP_MS, CALM_PATIENCE);
        world.block_ms = CALM_BLOCK_MS;
        if self.turns_when_fees_rise(&world) {
            world.turn_when_fees_rise();
        }
        self.end(&mut world);
        world.chain.set_base_fee(USUAL_BASE_FEE_WEI);
        if self.weather.deep && self.weather.has(Class::Deep) {
            world.chain.set_blacklisted(token, recipient(REVERTING), chance.chance(200));
            if chance.chance(300) {
                // What was paid reverts on the other branch.
                let paid = (1..=REQUESTS).map(|number| recipient(&someone(number)));
                paid.for_each(|paid| world.chain.set_blacklisted(token, paid, true));
            }
            world.inbox.receives_max = 3;
            if world.turn_below_final(BELOW_MAX) {
                self.end(&mut world);
            }
        }
        world.finish();
        world.must(World::last_looks);
        world.numbers_are_accounted_for();
        world.probe();
    }

    /// People open lanes and look at dead letters until every transfer has ended.
    fn end(&self, world: &mut World) {
        for _ in 0..RELEASES_MAX {
            world.until("every transfer's end", |world| world.asks_people() || world.has_halted() || world.has_ended());
            let asked = world.asks_people();
            world.look_at_letters();
            let reasons = world.release_lanes();
            self.must_have_halted_for_a_reason(world, &reasons);
            if reasons.is_empty() && !asked {
                return;
            }
            // What operators asked for takes a moment.
            world.pass(3 * CALM_STEP_MS);
        }
    }

    /// Whether a branch goes below what is final while everything else strikes.
    fn turns_below_final_meanwhile(&self) -> bool {
        self.weather.deep && self.weather.has(Class::Deep)
    }

    /// Whether all that is not final leaves once more when the storm is over, and offers too little on the new branch. No
    /// chance is asked: what befalls the world stays as it is.
    fn turns_when_fees_rise(&self, world: &World) -> bool {
        // What a stranger left in the pools would stand in the way until fees fall.
        let alone = world.strangers.get() == 0;
        // So would what was released and left: nothing of it is signed again (see the page on operations).
        let kept = world.left.borrow().is_empty();
        self.weather.has(Class::Fees) && self.weather.has(Class::Branches) && alone && kept && self.seed % 3 == 1
    }

    /// Nothing gives a lane a reason to halt but strangers, refusals and branches that are deep enough.
    fn must_have_halted_for_a_reason(&self, world: &World, reasons: &[String]) {
        let deep = self.weather.deep && self.weather.has(Class::Deep);
        let branches = self.turns_when_fees_rise(world)
            || self.weather.rate(Class::Branches) > 0 && self.weather.depth_max >= world.depths.0;
        for reason in reasons.iter().flat_map(|reasons| reasons.split(AND)) {
            if reason.contains("not Causeway's") {
                assert!(world.strangers.get() > 0, "a lane halts for a stranger that there is not");
            } else if reason.contains("left the chain") {
                assert!(deep || branches, "rule 5: a lane halts though no branch was deep enough");
            } else {
                let refused = self.weather.rate(Class::Refusals) > 0 && reason.contains(REFUSAL);
                assert!(refused, "rule 3: a lane halts: {reason}");
            }
        }
    }

    /// The smallest story that still breaks the same rule: without each class of faults, and with fewer requests, where that
    /// changes nothing.
    pub fn smallest(self, violation: &str) -> Self {
        let breaks = |story: &Self| story.tell().violation.is_some_and(|what| rule(&what) == rule(violation));
        let mut story = self;
        for class in Class::ALL {
            let calmer = story.without(class.bit());
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

/// Which rule a violation is of: what its words begin with, behind the place in the code.
fn rule(violation: &str) -> &str {
    let words = violation.lines().nth(1).unwrap_or(violation);
    words.split_once(':').map_or(words, |(rule, _)| rule)
}

#[cfg(test)]
mod tests {
    use super::rule;

    #[test]
    fn the_rule_is_what_a_violation_begins_with() {
        assert_eq!(rule("panicked at src/check.rs:135:13:\nrule 3: pcl_1 is rejected\nchain at 20"), "rule 3");
        assert_eq!(
            rule("panicked at src/drive.rs:212:9:\nevery transfer's end never comes:\n"),
            "every transfer's end never comes"
        );
        assert_eq!(rule("nothing"), "nothing");
    }
}
