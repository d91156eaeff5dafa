//! What a step may conclude. There is no other outcome (rule 13).

use serde::{Deserialize, Serialize};

use crate::clock::Millis;

/// Why something waits, as a row (rule 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// The lane has `in_flight_max` transactions out.
    LaneFull,
    /// The lane is halted, or itself waits.
    LaneClosed,
    /// The network asks for more than the fee cap.
    FeeAboveCap,
    /// The treasury holds too little of the asset, or of the coin that pays for gas.
    TreasuryShort,
    /// A switch blocks the tenant, the treasury or the network.
    Blocked,
    /// No provider gave an answer that can be relied on.
    ChainUnavailable,
    /// The key service refuses or is out of reach.
    KeysUnavailable,
    /// The list of networks that signs does not allow it: a token that is not on it, or a lower limit than the one it was
    /// accepted under. Two versions may be at work at once, and an older one may come back.
    NotAllowed,
}

/// The whole vocabulary of a step's outcome, where it did not simply succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Try the same message again soon (visibility, at most 60 s, at most five times).
    Retry {
        /// Milliseconds to wait.
        after_ms: u64,
    },
    /// Becomes a row that waits; the sweep, or the event that ends the wait, publishes again.
    Wait {
        /// What for.
        reason: WaitReason,
        /// When to look again at the latest.
        wake_at: Millis,
    },
    /// Will never work; the reason is told.
    Fatal {
        /// In words for the client.
        reason: String,
    },
    /// It may have happened. Nothing is concluded; the same bytes go again.
    Unknown,
}
