//! Somebody else who has a lane's key: uses its numbers, and its coins for gas, of which the books know nothing.

use alloy_primitives::U256;
use causeway_domain::lane::LaneId;

use crate::{deep::cost, world::World};

impl World {
    /// A stranger's transaction goes to the nodes, with the first number that the chain has not used or one behind it.
    pub fn strangers_spend(&self, lane: &LaneId, ahead: u64) {
        let used = self.chain.inclusions(lane.address);
        let canonical = |number: &u64| used.get(number).is_some_and(|all| all.iter().any(|one| one.canonical));
        let next = (0..).find(|number| !canonical(number)).unwrap_or(0);
        if self.chain.foreign(lane.address, next + ahead).is_some() {
            self.strangers.set(self.strangers.get() + 1);
            self.coverage.count("strangers: use a number");
        }
    }

    /// What strangers spent of a lane's coins for gas, in wei.
    pub fn strangers_cost(&self, lane: &LaneId) -> U256 {
        let all = self.chain.inclusions(lane.address);
        let theirs = all.values().flatten().filter(|inclusion| inclusion.canonical && inclusion.raw.is_none());
        theirs.map(cost).fold(U256::ZERO, |sum, wei| sum + wei)
    }
}
