//! A parcel's states, the moves between them, and the words the two surfaces use for them.

use serde::{Deserialize, Serialize};

/// What is stored of a parcel's progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParcelState {
    /// Taken, money held, on its way to be signed.
    Accepted,
    /// A row that waits for something (rule 9); money held.
    Waiting,
    /// Has a number on a lane and signed bytes; money held.
    Assigned,
    /// On chain at `confirmed_at`; the hold is posted.
    Confirmed,
    /// Was posted, but its transaction left the chain (rule 5); money held again.
    Reopened,
    /// Refused before anything was signed; the hold is released.
    Rejected,
    /// Its transaction reverted, told at `final_at`; the hold is released.
    Failed,
    /// Withdrawn before anything was signed, or a no-op took its number (rule 6); the hold is released.
    Cancelled,
}

impl ParcelState {
    /// Whether the tenant's money is held for it.
    pub const fn holds_money(self) -> bool {
        match self {
            Self::Accepted | Self::Waiting | Self::Assigned | Self::Reopened => true,
            Self::Confirmed | Self::Rejected | Self::Failed | Self::Cancelled => false,
        }
    }

    /// Whether validate-sign may give it a number.
    pub const fn may_be_assigned(self) -> bool {
        match self {
            Self::Accepted | Self::Waiting => true,
            Self::Assigned | Self::Confirmed | Self::Reopened | Self::Rejected | Self::Failed | Self::Cancelled => {
                false
            }
        }
    }

    /// The moves that exist; nothing else is ever committed.
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Accepted | Self::Waiting => {
                matches!(next, Self::Accepted | Self::Waiting | Self::Assigned | Self::Rejected | Self::Cancelled)
            }
            // Accepted again only where its number was proven to be another's (rule 4).
            Self::Assigned => matches!(next, Self::Confirmed | Self::Failed | Self::Cancelled | Self::Accepted),
            Self::Confirmed => matches!(next, Self::Reopened),
            Self::Reopened => matches!(next, Self::Confirmed | Self::Failed | Self::Cancelled | Self::Accepted),
            Self::Rejected | Self::Failed | Self::Cancelled => false,
        }
    }

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Waiting => "waiting",
            Self::Assigned => "assigned",
            Self::Confirmed => "confirmed",
            Self::Reopened => "reopened",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How far a parcel is, as told: its stored state, refined by what lane and tracker know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Taken; nothing done yet.
    Accepted,
    /// Checked, waiting for something.
    Waiting,
    /// Signed, not yet with a node.
    Assigned,
    /// A node took it.
    Broadcast,
    /// In a block, fewer than `confirmed_at` deep.
    Included,
    /// `confirmed_at` deep.
    Confirmed,
    /// Was confirmed, left the chain, is being sent again.
    Reopened,
    /// Refused before signing.
    Rejected,
    /// Reverted, final.
    Failed,
    /// Withdrawn before anything was signed, or replaced by a no-op that is final.
    Cancelled,
}

impl Progress {
    /// Every value, for tables and tests.
    pub const ALL: [Self; 10] = [
        Self::Accepted,
        Self::Waiting,
        Self::Assigned,
        Self::Broadcast,
        Self::Included,
        Self::Confirmed,
        Self::Reopened,
        Self::Rejected,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The internal word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Waiting => "waiting",
            Self::Assigned => "assigned",
            Self::Broadcast => "broadcast",
            Self::Included => "included",
            Self::Confirmed => "confirmed",
            Self::Reopened => "reopened",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The withdrawal surface's word.
    pub const fn withdrawal_word(self) -> &'static str {
        match self {
            Self::Accepted => "PENDING",
            Self::Waiting => "VALIDATING",
            Self::Assigned => "SIGNING",
            Self::Broadcast | Self::Included | Self::Reopened => "BROADCASTING",
            Self::Confirmed => "COMPLETED",
            Self::Rejected | Self::Failed | Self::Cancelled => "FAILED",
        }
    }

    /// The transfer surface's word.
    pub const fn transfer_word(self) -> &'static str {
        match self {
            Self::Accepted | Self::Waiting | Self::Assigned | Self::Broadcast | Self::Included => "pending",
            Self::Confirmed => "confirmed",
            Self::Reopened => "resubmitted",
            Self::Rejected | Self::Failed | Self::Cancelled => "failed",
        }
    }

    /// Whether nothing more will happen to it unless the chain takes back what was final.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Confirmed | Self::Rejected | Self::Failed | Self::Cancelled => true,
            Self::Accepted | Self::Waiting | Self::Assigned | Self::Broadcast | Self::Included | Self::Reopened => {
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [ParcelState; 8] = [
        ParcelState::Accepted,
        ParcelState::Waiting,
        ParcelState::Assigned,
        ParcelState::Confirmed,
        ParcelState::Reopened,
        ParcelState::Rejected,
        ParcelState::Failed,
        ParcelState::Cancelled,
    ];

    #[test]
    fn money_that_was_released_is_never_held_again() {
        for from in STATES {
            for to in STATES {
                let released = !from.holds_money() && from != ParcelState::Confirmed;
                assert!(!(released && from.may_become(to)), "{from:?} -> {to:?}");
            }
        }
    }

    #[test]
    fn a_number_is_only_given_before_there_is_one() {
        for state in STATES {
            assert_eq!(state.may_be_assigned(), state.may_become(ParcelState::Assigned), "{state:?}");
        }
    }
}
