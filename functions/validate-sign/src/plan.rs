//! What a number that may need another attempt gets. Pure: rows and fees in, a plan out.

use causeway_domain::{
    Network,
    clock::Millis,
    fees::{FeeHistory, Fees, Replacement, is_enough, price},
    parcel::ParcelState,
};
use causeway_state::{
    lane::{Attempt, AttemptKind, Gate, Signed},
    message::SignReason,
    parcel::Parcel,
};

/// A price that should do and does not for so many times the usual patience is raised all the same: what nodes say of
/// recent fees is not all there is.
const PATIENCE: u64 = 4;

/// What a number gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Nothing: a block has it, or nobody asks for it any more.
    Nothing,
    /// The bytes it has, once more.
    Again,
    /// Another attempt.
    Sign {
        /// What it is to do.
        kind: AttemptKind,
        /// Its price.
        fees: Fees,
    },
}

/// What a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// Why somebody asked.
    pub reason: SignReason,
    /// The lane's gate.
    pub gate: &'a Gate,
    /// The number with its attempts.
    pub signed: &'a Signed,
    /// Its parcels.
    pub parcels: &'a [(Parcel, u64)],
    /// Recent fees, if a node told them.
    pub history: Option<&'a FeeHistory>,
    /// The network's rules.
    pub network: &'a Network,
    /// Now.
    pub now: Millis,
}

impl Case<'_> {
    /// Decides. Who cancels never has the payment sent again: that is what should not win.
    pub fn plan(&self) -> Plan {
        match (self.of_number(), self.reason) {
            (Plan::Again, SignReason::Cancel) => Plan::Nothing,
            (plan @ (Plan::Nothing | Plan::Again | Plan::Sign { .. }), SignReason::Stuck | SignReason::Cancel) => plan,
        }
    }

    fn of_number(&self) -> Plan {
        let transaction = &self.signed.transaction;
        let open = |(parcel, _): &(Parcel, u64)| {
            parcel.state == ParcelState::Assigned && parcel.number == Some(transaction.number)
        };
        let Some(latest) = self.signed.latest() else { return Plan::Nothing };
        if transaction.outcome.is_some() || transaction.number < self.gate.consumed {
            return Plan::Nothing;
        }
        // Nothing is signed while people look (rule 5).
        if self.is_peoples() {
            return Plan::Again;
        }
        if transaction.reopened > 0 || !self.parcels.iter().all(open) {
            return self.of_reopened(latest);
        }
        let wished = !self.parcels.is_empty() && self.parcels.iter().all(|(parcel, _)| parcel.cancel.is_some());
        match (latest.kind, self.reason) {
            (AttemptKind::Payment, SignReason::Stuck | SignReason::Cancel) if wished => {
                self.raised(latest, Replacement::NoOp)
            }
            // Nodes refuse the no-op that it has, and an operator asks once more.
            (AttemptKind::Cancel, SignReason::Cancel) if wished && self.gate.is_refused_at(transaction.number) => {
                self.raised(latest, Replacement::NoOp)
            }
            (AttemptKind::Payment | AttemptKind::Cancel, SignReason::Cancel) => Plan::Nothing,
            (AttemptKind::Payment, SignReason::Stuck) if self.should_be_raised(latest) => {
                self.raised(latest, Replacement::Payment)
            }
            (AttemptKind::Cancel, SignReason::Stuck) if self.should_be_raised(latest) => {
                self.raised(latest, Replacement::DearerNoOp)
            }
            (AttemptKind::Payment | AttemptKind::Cancel, SignReason::Stuck) => Plan::Again,
        }
    }

    /// What was told as paid once goes out again as it was. Its lane halted when it was reopened: if the lane is open, people
    /// have released it, and a price that no longer suffices is raised, above all that nodes may have. Never a no-op: its
    /// recipient was told.
    fn of_reopened(&self, latest: &Attempt) -> Plan {
        let number = self.signed.transaction.number;
        let reopened =
            |(parcel, _): &(Parcel, u64)| parcel.state == ParcelState::Reopened && parcel.number == Some(number);
        let all = !self.parcels.is_empty() && self.parcels.iter().all(reopened);
        let sent = self.signed.to_send().unwrap_or(latest);
        match self.reason {
            SignReason::Stuck if all && !self.gate.is_halted() && self.should_be_raised(sent) => {
                self.raised(latest, Replacement::ToldAsPaid { over_no_op: latest.kind == AttemptKind::Cancel })
            }
            SignReason::Stuck | SignReason::Cancel => Plan::Again,
        }
    }

    /// Whether the lane has halted, and not because of this number alone, which a no-op can take out of the way.
    fn is_peoples(&self) -> bool {
        let number = self.signed.transaction.number;
        self.gate.is_halted() && !(self.gate.is_refused_at(number) && self.reason == SignReason::Cancel)
    }

    /// Whether the price is what keeps it from a block, as far as anybody can tell.
    fn should_be_raised(&self, latest: &Attempt) -> bool {
        let Some(history) = self.history else { return false };
        let priority = self.signed.transaction.priority;
        let waits_since = latest.signed_at.max(self.gate.progress_at);
        let long = PATIENCE * self.network.stuck_after_ms(priority);
        let lowest = self.signed.transaction.number == self.gate.consumed;
        !is_enough(latest.fees, history, self.network, priority) || (lowest && self.now >= waits_since + long)
    }

    /// Where a cap stands in the way, the bytes that are there go again.
    fn raised(&self, latest: &Attempt, what: Replacement) -> Plan {
        let market =
            self.history.and_then(|history| price(history, self.network, self.signed.transaction.priority).ok());
        let fees = what.price(latest.fees, market, self.network);
        let Some(fees) = fees else {
            let (number, offered) = (latest.number, latest.fees);
            tracing::warn!(
                number,
                ?offered,
                "no fees are told, or a cap keeps it from offering more: the same bytes go again"
            );
            return Plan::Again;
        };
        let kind = match what {
            Replacement::Payment | Replacement::ToldAsPaid { .. } => AttemptKind::Payment,
            Replacement::NoOp | Replacement::DearerNoOp => AttemptKind::Cancel,
        };
        Plan::Sign { kind, fees }
    }
}

#[cfg(test)]
mod tests;
