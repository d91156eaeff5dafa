//! The answers that are acted upon, not only shown.

use std::str::FromStr;

use causeway_domain::{
    id::{IdError, RequestId, TransferId},
    parcel::Progress,
};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Call;

/// The two doors to the same core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Surface {
    /// POST /withdrawal/request: the treasury is chosen for you
    Withdrawal,
    /// POST /api/v1/transfers: from a treasury you name
    Transfer,
}

/// An id of either surface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AnyId {
    /// `tx-…`
    Withdrawal(RequestId),
    /// `tr_…`
    Transfer(TransferId),
}

impl FromStr for AnyId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let transfer = text.parse().map(Self::Transfer);
        let error = IdError { what: "id: withdrawals have tx-…, transfers tr_…" };
        transfer.or_else(|_| text.parse().map(Self::Withdrawal)).map_err(|_: IdError| error)
    }
}

impl std::fmt::Display for AnyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Withdrawal(id) => f.write_str(id.as_str()),
            Self::Transfer(id) => id.fmt(f),
        }
    }
}

impl AnyId {
    /// The call that cancels it; repeating that does no harm.
    pub(crate) fn cancel(&self) -> Call {
        match self {
            Self::Withdrawal(id) => Call::post_repeatable(&["withdrawal", "cancel", id.as_str()], json!({})),
            Self::Transfer(id) => {
                Call::post_repeatable(&["api", "v1", "transfers", &id.to_string(), "cancel"], json!({}))
            }
        }
    }

    /// The call that reads it.
    pub(crate) fn call(&self) -> Call {
        match self {
            Self::Withdrawal(id) => Call::get(&["withdrawal", "status", id.as_str()]),
            Self::Transfer(id) => Call::get(&["api", "v1", "transfers", &id.to_string()]),
        }
    }
}

/// How a followed transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Still under way.
    Open,
    /// Ended as hoped.
    Done,
    /// Ended otherwise.
    Lost,
}

impl From<Progress> for Standing {
    fn from(state: Progress) -> Self {
        match state {
            Progress::Confirmed => Self::Done,
            Progress::Rejected | Progress::Failed | Progress::Cancelled => Self::Lost,
            Progress::Accepted
            | Progress::Waiting
            | Progress::Assigned
            | Progress::Broadcast
            | Progress::Included
            | Progress::Reopened => Self::Open,
        }
    }
}

/// A transfer as a row of a list or by its id. What this program does not act upon is kept as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Transfer {
    /// `tr_…`
    pub(crate) transfer_id: String,
    /// The internal word.
    pub(crate) state: Progress,
    /// Who receives.
    pub(crate) to: String,
    /// Everything else.
    #[serde(flatten)]
    pub(crate) more: Map<String, Value>,
}

/// The withdrawal surface's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Word {
    Pending,
    Validating,
    Signing,
    Broadcasting,
    Completed,
    Failed,
}

#[derive(Deserialize)]
struct Withdrawal {
    status: Word,
}

/// A followed transfer: how it stands, the word for it, and the whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Followed {
    /// How it stands.
    pub(crate) standing: Standing,
    /// The surface's word for it.
    pub(crate) word: String,
    /// The whole answer.
    pub(crate) answer: Value,
}

impl AnyId {
    /// Reads the answer to [`AnyId::call`].
    pub(crate) fn read(&self, answer: Value) -> Result<Followed, serde_json::Error> {
        let (standing, word) = match self {
            Self::Transfer(_) => {
                let state = Transfer::deserialize(&answer)?.state;
                (state.into(), state.as_str().to_owned())
            }
            Self::Withdrawal(_) => {
                let standing = match Withdrawal::deserialize(&answer)?.status {
                    Word::Pending | Word::Validating | Word::Signing | Word::Broadcasting => Standing::Open,
                    Word::Completed => Standing::Done,
                    Word::Failed => Standing::Lost,
                };
                (standing, answer.get("status").and_then(Value::as_str).unwrap_or_default().to_owned())
            }
        };
        Ok(Followed { standing, word, answer })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_kinds_of_id_are_told_apart() {
        let transfer: AnyId = "tr_01k5c3j8000000000000000000-0".parse().expect("a transfer's id");
        assert!(matches!(transfer, AnyId::Transfer(_)));
        let withdrawal: AnyId = "tx-1766000000000-a1b2c3d4e".parse().expect("a withdrawal's id");
        assert!(matches!(withdrawal, AnyId::Withdrawal(_)));
        for text in ["", "tx-1", "tr_", "../admin", "pcl_01k5c3j8000000000000000000"] {
            assert!(text.parse::<AnyId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn every_progress_ends_where_the_core_says_it_ends() {
        for state in Progress::ALL {
            assert_eq!(Standing::from(state) != Standing::Open, state.is_terminal(), "{state:?}");
        }
    }

    #[test]
    fn the_withdrawals_words_stand_for_the_same() {
        let id: AnyId = "tx-1766000000000-a1b2c3d4e".parse().expect("a withdrawal's id");
        for state in Progress::ALL {
            let followed = id.read(json!({"status": state.withdrawal_word()})).expect("a known word");
            assert_eq!(followed.standing, Standing::from(state), "{state:?}");
        }
        assert!(id.read(json!({"status": "LOST"})).is_err());
    }
}
