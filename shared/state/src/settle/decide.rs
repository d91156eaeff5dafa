//! What a stage means for one transaction. Pure: rows in, a decision out.

use causeway_domain::{Address, Amount, B256, U256, parcel::ParcelState};

use crate::{
    lane::{Outcome, Transaction},
    message::Stage,
    parcel::Parcel,
    tracker::Inclusion,
};

/// A stage of one transaction.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Which stage.
    pub stage: Stage,
    /// Height of the block.
    pub height: u64,
    /// The block.
    pub block_hash: B256,
    /// What the block says of it.
    pub inclusion: &'a Inclusion,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: done before, or not this stage's business.
    Nothing,
    /// Post its parcels.
    Pay {
        /// Wei it cost.
        gas_cost_wei: U256,
    },
    /// Release its parcels' money and tell why.
    Fail {
        /// Wei it cost.
        gas_cost_wei: U256,
        /// Stable code.
        code: &'static str,
        /// In words.
        reason: String,
    },
    /// Release its parcels' money: a no-op took their number.
    Cancel {
        /// Wei it cost.
        gas_cost_wei: U256,
    },
    /// Take back what was posted; the lane halts.
    Reopen {
        /// Wei that were posted.
        gas_cost_wei: U256,
    },
    /// A released transaction left the chain: nothing is undone, the lane halts, people look.
    HaltOnly {
        /// For the operator.
        reason: String,
    },
    /// Neither paid nor unpaid: its money stays held, and people look (rule 8).
    AskPeople {
        /// For the operator.
        reason: String,
    },
    /// Another message must be worked off first; this one comes again.
    Later {
        /// For the log.
        reason: String,
    },
}

/// Decides.
pub fn decide(told: Told<'_>, transaction: &Transaction, parcels: &[Parcel]) -> Decision {
    match (told.stage, &transaction.outcome) {
        (Stage::Confirmed | Stage::Final, None) => settle_open(told, parcels),
        (Stage::Confirmed | Stage::Final, Some(outcome)) if outcome.block_hash() == Some(told.block_hash) => {
            Decision::Nothing
        }
        // It was settled by a block that must have left the chain: that has to be told first.
        (
            Stage::Confirmed | Stage::Final,
            Some(Outcome::Paid { .. } | Outcome::Reverted { .. } | Outcome::Cancelled { .. }),
        ) => Decision::Later { reason: format!("number {} is settled by another block", transaction.number) },
        (Stage::Confirmed | Stage::Final, Some(Outcome::Displaced { .. })) => {
            halt_only(transaction, "was given up as another's, and a transaction of ours has it after all")
        }
        (Stage::Reorged, None) => Decision::Nothing,
        (Stage::Reorged, Some(outcome)) if outcome.block_hash() != Some(told.block_hash) => Decision::Nothing,
        (Stage::Reorged, Some(Outcome::Paid { gas_cost_wei, .. })) => Decision::Reopen { gas_cost_wei: *gas_cost_wei },
        (Stage::Reorged, Some(Outcome::Reverted { .. })) => {
            halt_only(transaction, "had failed finally, its money was released, and its block left the chain")
        }
        (Stage::Reorged, Some(Outcome::Cancelled { .. })) => {
            halt_only(transaction, "had been cancelled finally, its money was released, and its block left the chain")
        }
        (Stage::Reorged, Some(Outcome::Displaced { .. })) => Decision::Nothing,
    }
}

fn halt_only(transaction: &Transaction, what: &str) -> Decision {
    Decision::HaltOnly { reason: format!("number {} {what}", transaction.number) }
}

/// The code of a transfer of which people said that its transaction paid nobody.
pub const SETTLED_UNPAID: &str = "SETTLED_UNPAID";

/// Whether people may say that it paid: not against its block, which tells of a revert, or of what pays nobody.
pub const fn may_have_paid(inclusion: &Inclusion) -> bool {
    (inclusion.success || inclusion.disputed) && !inclusion.cancel
}

/// What people's word means where people were asked: whether the transaction paid, they have seen elsewhere.
pub fn by_word(inclusion: &Inclusion, paid: bool) -> Decision {
    let gas_cost_wei = gas_cost(inclusion);
    if paid {
        return Decision::Pay { gas_cost_wei };
    }
    let what = if inclusion.success { "the transaction succeeded and" } else { "its number is used up by what" };
    let reason = format!("{what} did not pay what was asked for, as an operator found");
    Decision::Fail { gas_cost_wei, code: SETTLED_UNPAID, reason }
}

fn gas_cost(inclusion: &Inclusion) -> U256 {
    U256::from(inclusion.gas_used) * U256::from(inclusion.gas_price_wei)
}

fn settle_open(told: Told<'_>, parcels: &[Parcel]) -> Decision {
    let inclusion = told.inclusion;
    let gas_cost_wei = gas_cost(inclusion);
    if !parcels.iter().all(|parcel| is_attempt_of(inclusion.hash, parcel)) {
        return match told.stage {
            Stage::Confirmed | Stage::Reorged => Decision::Nothing,
            // Whoever signed it: the number is used up by what pays nobody, as somebody wished.
            Stage::Final if inclusion.cancel && parcels.iter().all(|parcel| parcel.cancel.is_some()) => {
                Decision::Cancel { gas_cost_wei }
            }
            Stage::Final => Decision::AskPeople {
                reason: format!(
                    "transaction {} is no attempt of number {} on record",
                    inclusion.hash, inclusion.number
                ),
            },
        };
    }
    if inclusion.cancel {
        // Whatever became of it, the number is used up by what pays nobody; a branch can still take a payment instead.
        return match told.stage {
            Stage::Confirmed | Stage::Reorged => Decision::Nothing,
            Stage::Final => Decision::Cancel { gas_cost_wei },
        };
    }
    if inclusion.disputed {
        let reason = format!("providers tell different receipts of transaction {}", inclusion.hash);
        return Decision::AskPeople { reason };
    }
    if inclusion.success && paid(inclusion, parcels) {
        return Decision::Pay { gas_cost_wei };
    }
    match told.stage {
        // A reorganisation can still turn it into a success: money is released only when it is final.
        Stage::Confirmed | Stage::Reorged => Decision::Nothing,
        Stage::Final if !inclusion.success => {
            let why = inclusion.revert_reason.as_deref().unwrap_or("no reason given");
            Decision::Fail { gas_cost_wei, code: "REVERTED", reason: format!("the transaction reverted: {why}") }
        }
        Stage::Final if inclusion.moved.is_empty() && !inclusion.unreadable => {
            let reason = "the token reported success but moved nothing".to_owned();
            Decision::Fail { gas_cost_wei, code: "NOT_MOVED", reason }
        }
        Stage::Final => {
            let reason = format!("transaction {} moved something other than what was asked for", inclusion.hash);
            Decision::AskPeople { reason }
        }
    }
}

/// Whether the parcel's rows know of it. A restore may have left what watches an attempt, and not the rest of its commit: what
/// it did may be another's under a number that was taken again since.
fn is_attempt_of(hash: B256, parcel: &Parcel) -> bool {
    parcel.hash == Some(hash) || parcel.replaced.contains(&hash)
}

/// Whether the block proves every transfer: the coin's by the transaction's success, a token's by its log.
fn paid(inclusion: &Inclusion, parcels: &[Parcel]) -> bool {
    let mut moved: Vec<(Address, Address, Amount)> =
        inclusion.moved.iter().map(|moved| (moved.token, moved.to, moved.amount)).collect();
    parcels.iter().all(|parcel| {
        let token = parcel.asset.address;
        token == Address::ZERO
            || parcel.transfers.iter().all(|line| {
                // Each log proves one transfer only.
                let wanted = (token, line.to, line.amount);
                let found = moved.iter().position(|known| *known == wanted);
                found.map(|position| moved.swap_remove(position)).is_some()
            })
    })
}

/// Whether a parcel is in a state in which a transaction may settle it.
pub const fn is_open(state: ParcelState) -> bool {
    match state {
        ParcelState::Assigned | ParcelState::Reopened => true,
        ParcelState::Accepted
        | ParcelState::Waiting
        | ParcelState::Confirmed
        | ParcelState::Rejected
        | ParcelState::Failed
        | ParcelState::Cancelled => false,
    }
}

#[cfg(test)]
mod tests;
