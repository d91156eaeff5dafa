//! What nodes call final, by chance: the tag lags behind the depth, stands still, and comes on again.

use std::cell::Cell;

use causeway_chains::model::Finality;

use crate::{
    weather::{Class, Weather},
    world::World,
};

/// What nodes usually call final.
const USUAL: Finality = Finality::Behind(2);

/// The tag as nodes have it, and the highest block that they ever called final.
#[derive(Debug)]
pub struct Tag {
    now: Cell<Finality>,
    most: Cell<u64>,
}

impl Default for Tag {
    fn default() -> Self {
        Self { now: Cell::new(USUAL), most: Cell::new(0) }
    }
}

impl World {
    /// What nodes call final from now on.
    pub(crate) fn set_tag(&self, finality: Finality) {
        self.called_final();
        self.tag.now.set(finality);
        self.chain.set_finality(finality);
    }

    /// The tag is as usual again.
    pub(crate) fn calm_tag(&self) {
        self.set_tag(USUAL);
    }

    /// The highest block that nodes have called final so far.
    pub(crate) fn called_final(&self) -> u64 {
        let height = self.chain.height();
        let now = match self.tag.now.get() {
            Finality::NoTag => 0,
            Finality::Behind(blocks) => height.saturating_sub(blocks),
            Finality::At(at) => at.min(height),
        };
        self.tag.most.set(self.tag.most.get().max(now));
        self.tag.most.get()
    }

    /// What befalls the tag in a step.
    pub(crate) fn turn_the_tag(&self, weather: Weather) {
        let turns = self.clock.chance(weather.rate(Class::Views));
        let (kind, behind) = (self.clock.below(3), self.clock.below(2 * self.depths.1));
        if !turns || !self.network.final_tag {
            return;
        }
        let (finality, name) = match kind {
            0 => (Finality::At(self.called_final()), "fault: finality tag stands still"),
            _ => (Finality::Behind(behind), "fault: finality tag lags"),
        };
        self.set_tag(finality);
        self.coverage.count(name);
    }
}
