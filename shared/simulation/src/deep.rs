//! Branches below what is final: what books and chain may differ by then, and by nothing else.
//!
//! What was posted and leaves is taken back by reversing entries, at any depth. What was released and leaves stays
//! released (rule 5: people are asked): its transaction may pay on the other branch, or cost other gas, or none.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, U256};
use causeway_chains::model::{Inclusion, Orphans, Reorg};
use causeway_domain::{id::ParcelId, lane::LaneId};
use causeway_state::lane::{Outcome, Transaction};

use crate::{storm::USUAL_BASE_FEE_WEI, world::World};

/// Blocks below what is final that a branch begins at most.
pub const BELOW_MAX: u64 = 60;

/// A transaction whose money was released when it was final, and whose block left the chain.
#[derive(Debug, Clone)]
pub struct Released {
    /// Wei that the books say it cost.
    pub gas_cost_wei: U256,
    /// What it was to pay.
    pub parcels: Vec<ParcelId>,
}

/// All of them, by lane and number.
pub type Deep = BTreeMap<(LaneId, u64), Released>;

/// Whether one of these blocks ended the transaction by a release; whether by a payment.
pub fn leaves(transaction: &Transaction, left: &BTreeSet<B256>) -> (Option<Released>, bool) {
    match &transaction.outcome {
        Some(
            Outcome::Reverted { block_hash, gas_cost_wei, .. } | Outcome::Cancelled { block_hash, gas_cost_wei, .. },
        ) if left.contains(block_hash) => {
            (Some(Released { gas_cost_wei: *gas_cost_wei, parcels: transaction.parcels.clone() }), false)
        }
        Some(Outcome::Paid { block_hash, .. }) => (None, left.contains(block_hash)),
        Some(_) | None => (None, false),
    }
}

impl World {
    /// The chain turns to a branch that begins somewhere below what is final, by so many blocks at most; whether it was long
    /// enough for that.
    pub fn turn_below_final(&self, most: u64) -> bool {
        let turned = self.turn_below(self.depths.1 + 1 + self.clock.below(most));
        if turned {
            self.coverage.count("branch: below final");
        }
        turned
    }

    /// The chain turns to a branch on which all that is not final costs fifty times as much.
    pub fn turn_when_fees_rise(&self) {
        self.chain.set_base_fee(50 * USUAL_BASE_FEE_WEI);
        self.turn_below(self.depths.1 - 1);
    }

    /// The chain turns to a branch that begins so deep; whether it was long enough for that.
    pub fn turn_below(&self, depth: u64) -> bool {
        let height = self.chain.height();
        if depth >= height {
            return false;
        }
        let hash = |height| self.chain.header(height).map(|header| header.hash);
        let left: BTreeSet<B256> = (height + 1 - depth..=height).filter_map(hash).collect();
        self.check();
        // Nodes that stay on the old branch may call more of it final by and by.
        let last_final = (height + 1).saturating_sub(self.depths.1);
        self.left.borrow_mut().extend((height + 1 - depth..=last_final).filter_map(hash));
        self.rules.borrow_mut().leave(&left);
        let again = self.chain.newest(depth).into_iter().filter(|_| self.clock.chance(500)).collect();
        let orphans = if self.clock.chance(500) { Orphans::Waiting } else { Orphans::Forgotten };
        self.chain.reorg(&Reorg { depth, blocks: depth + 1, again, orphans });
        true
    }

    /// By how much the chain may have more (or less) of an asset at a treasury than the books say.
    pub fn deep_difference(&self, lane: &LaneId, asset: Address) -> i128 {
        let rules = self.rules.borrow();
        let mut left = rules.deep().iter().filter(|((of, _), _)| of == lane).peekable();
        if left.peek().is_none() {
            return 0;
        }
        let inclusions = self.chain.inclusions(lane.address);
        let mut difference = 0_i128;
        for ((_, number), released) in left {
            let now = inclusions.get(number).and_then(|all| all.iter().find(|inclusion| inclusion.canonical));
            if asset == Address::ZERO {
                let costs = now.map_or(U256::ZERO, cost);
                difference += signed(released.gas_cost_wei) - signed(costs);
            }
            let moves =
                |now: &Inclusion| now.receipt.success && !(asset != Address::ZERO && now.receipt.logs.is_empty());
            let pays = now.is_some_and(|now| moves(now) && rules.is_payment(lane, now.receipt.hash));
            for parcel in released.parcels.iter().filter_map(|id| rules.parcels().get(id)) {
                if pays && parcel.asset.address == asset {
                    self.coverage.count("deep: what was released pays");
                    difference -= parcel.total().signed();
                }
            }
        }
        difference
    }
}

/// What an inclusion cost, in wei.
pub fn cost(inclusion: &Inclusion) -> U256 {
    U256::from(inclusion.receipt.gas_used) * U256::from(inclusion.receipt.effective_gas_price_wei)
}

fn signed(wei: U256) -> i128 {
    i128::try_from(wei).expect("what gas costs")
}
