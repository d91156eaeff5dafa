//! What must be so once all is over: every number accounted for, nobody paid twice, lanes flowing, and nothing under way.

use std::collections::{BTreeMap, BTreeSet};

use causeway_chains::model::Inclusion;
use causeway_domain::{id::ParcelId, lane::LaneId, parcel::ParcelState};
use causeway_state::lane::{AttemptKind, Outcome, Transaction};

use crate::{
    api::recipient,
    rules::{Held, Rules, hold},
    story::RELEASES_MAX,
    world::{TENANTS, World},
};

/// So long nothing may be published, once every transfer has ended: longer than any span after which something is said again
/// (cancels and raises each half minute, sweeps and looks each minute).
const QUIET_MS: u64 = 130_000;
/// In steps that are as long as blocks may be apart.
const LONG_STEP_MS: u64 = 10_000;
/// From one block to the next meanwhile: more of them than after which something is raised, and not as many as seconds.
const LONG_BLOCK_MS: u64 = 5_000;
/// What people asked for takes so long.
const MOMENT_MS: u64 = 4_000;
/// Looks until that is so: a lane that was told late is asked about until the tracker looks at it, once a minute.
const QUIET_WITHIN: u32 = 10;

impl World {
    /// Every number of every lane has ended as the chain says, and no parcel's payment is on the chain twice.
    pub fn numbers_are_accounted_for(&mut self) {
        self.must(|world| {
            let rules = world.rules.borrow();
            let mut payments: BTreeMap<ParcelId, u64> = BTreeMap::new();
            for tenant in TENANTS {
                world.lane_is_accounted_for(tenant, &rules, &mut payments)?;
            }
            let twice = payments.iter().find(|(_, times)| **times > 1);
            hold(twice.is_none(), "paid", || format!("(parcel, payments on the chain): {twice:?}"))
        });
    }

    fn lane_is_accounted_for(&self, tenant: &str, rules: &Rules, payments: &mut BTreeMap<ParcelId, u64>) -> Held {
        let (lane, Some(view)) = (self.lane(tenant), self.lane_view(tenant)) else { return Ok(()) };
        let Some(line) = rules.line(&lane) else { return Ok(()) };
        let numbers: BTreeSet<u64> = line.transactions().map(|transaction| transaction.number).collect();
        let given = (view.gate.first..view.next).find(|number| !numbers.contains(number));
        hold(given.is_none(), "rule 1", || format!("number {given:?} of {lane} has no transaction"))?;
        let inclusions = self.chain.inclusions(lane.address);
        for transaction in line.transactions() {
            // What was released, and left the chain, is people's (rule 5).
            if rules.deep().contains_key(&(lane.clone(), transaction.number)) {
                continue;
            }
            let all = inclusions.get(&transaction.number).into_iter().flatten();
            let taken: Vec<&Inclusion> = all.filter(|inclusion| inclusion.canonical).collect();
            hold(taken.len() <= 1, "model", || format!("number {} of {lane} is used twice", transaction.number))?;
            ended_as_told(&lane, transaction, taken.first().copied(), rules)?;
            let kind = taken.first().and_then(|inclusion| line.kind(inclusion.receipt.hash));
            if kind == Some(AttemptKind::Payment) && taken.iter().any(|inclusion| inclusion.receipt.success) {
                transaction.parcels.iter().for_each(|parcel| *payments.entry(*parcel).or_default() += 1);
            }
        }
        Ok(())
    }

    /// Lets time pass until nothing is published any more.
    fn goes_quiet(&mut self) {
        let usual = (self.step_ms, self.patience, self.block_ms);
        (self.step_ms, self.patience, self.block_ms) = (LONG_STEP_MS, 1, LONG_BLOCK_MS);
        let quiet = (0..QUIET_WITHIN).any(|_| {
            let before = self.inbox.count();
            self.pass(QUIET_MS);
            self.inbox.count() == before
        });
        (self.step_ms, self.patience, self.block_ms) = usual;
        assert!(quiet, "quiet: something is published again and again although every transfer has ended");
    }

    /// Once all is over nothing is published any more, and each lane carries another transfer.
    pub fn probe(&mut self) {
        self.goes_quiet();
        let mut probes = Vec::new();
        for tenant in TENANTS {
            let answer = self.clock.run(self.request(tenant, None, "ETH", "1", recipient("probe")));
            let id = self.take_note(tenant, &answer);
            probes.push(self.parcel_id(tenant, &id));
        }
        let are_paid = |world: &Self| {
            let rules = world.rules.borrow();
            let state = |id| rules.parcels().get(id).map(|parcel| parcel.state);
            probes.iter().all(|id| state(id) == Some(ParcelState::Confirmed))
        };
        for _ in 0..RELEASES_MAX {
            self.until("a transfer after all is over", |world| are_paid(world) || world.has_halted());
            // What a stranger left in a pool comes to light only now.
            if self.release_lanes().is_empty() && are_paid(self) {
                return;
            }
            self.pass(MOMENT_MS);
        }
        panic!("a transfer after all is over never ends\n{}", self.picture());
    }
}

/// Whether a number's outcome is what the chain has under it.
fn ended_as_told(lane: &LaneId, transaction: &Transaction, taken: Option<&Inclusion>, rules: &Rules) -> Held {
    let hash = taken.map(|inclusion| inclusion.receipt.hash);
    let fits = match &transaction.outcome {
        None => false,
        Some(Outcome::Displaced { .. }) => {
            taken.and_then(|inclusion| inclusion.raw.as_ref()).is_none_or(|raw| !rules.stored(raw))
        }
        Some(outcome @ (Outcome::Paid { .. } | Outcome::Reverted { .. } | Outcome::Cancelled { .. })) => {
            outcome.hash() == hash
        }
    };
    hold(fits, "numbers", || {
        format!("number {} of {lane} ended as {:?}, the chain has {hash:?}", transaction.number, transaction.outcome)
    })
}
