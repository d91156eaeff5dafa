//! The tracker's schedule: ticks that do not come for a while, and ticks that come twice.

use causeway_domain::{Clock, clock::Millis};

use crate::{
    weather::{Class, Weather},
    world::World,
};

/// Nobody tracks for so long at most.
const SILENT_MAX_MS: u64 = 120_000;
/// Time between two looks of the platform while nobody tracks.
pub const SILENT_STEP_MS: u64 = 2_000;
/// Trackers that a schedule keeps running: one that leads, and the next one.
const USUAL: usize = 2;

/// How the schedule does.
#[derive(Debug, Default)]
pub struct Ticks {
    silent_until: Option<Millis>,
    doubled: bool,
}

impl Ticks {
    /// What the next step brings.
    pub fn next(&mut self, world: &World, weather: Weather) {
        let now = world.clock.now_ms();
        self.silent_until = self.silent_until.filter(|until| *until > now);
        let (falls_silent, ms) = (world.clock.chance(weather.rate(Class::Silence)), world.clock.below(SILENT_MAX_MS));
        if falls_silent && self.silent_until.is_none() {
            self.silent_until = Some(now + ms);
            let name = if ms > SILENT_MAX_MS / 4 { "ticks: none for long" } else { "ticks: none for a while" };
            world.coverage.count(name);
        }
        self.doubled = world.clock.chance(weather.rate(Class::Doubled));
        if self.doubled && !self.is_silent() {
            world.coverage.count("ticks: doubled");
        }
    }

    /// Whether nobody tracks.
    pub const fn is_silent(&self) -> bool {
        self.silent_until.is_some()
    }

    /// How many trackers look.
    pub const fn trackers(&self) -> usize {
        match (self.silent_until.is_some(), self.doubled) {
            (true, _) => 0,
            (false, false) => USUAL,
            (false, true) => USUAL + 1,
        }
    }
}
