//! Errors as the OpenAPI document tells them. `docs/api.md` says when each code is answered.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{IntoResponses, ToSchema};

/// The transfers' and operators' shape of an error.
#[derive(Debug, Serialize, ToSchema)]
pub struct TransferError {
    /// `error`.
    #[schema(example = "error")]
    pub status: String,
    /// Stable code.
    #[schema(example = "VALIDATION_ERROR")]
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// `field` where a field is at fault; `available` and `required` of `INSUFFICIENT_FUNDS`; `left` of a daily limit;
    /// `scope` and `reason` of `BLOCKED`.
    #[schema(value_type = Object)]
    pub details: Map<String, Value>,
}

/// The withdrawals' shape of an error.
#[derive(Debug, Serialize, ToSchema)]
pub struct WithdrawalError {
    /// What went wrong.
    pub error: WithdrawalProblem,
}

/// What went wrong with a withdrawal's call.
#[derive(Debug, Serialize, ToSchema)]
pub struct WithdrawalProblem {
    /// Stable code.
    #[schema(example = "VALIDATION_ERROR")]
    pub code: String,
    /// The field at fault, if it is one.
    pub field: Option<String>,
    /// A sentence for people.
    pub message: String,
}

macro_rules! responses {
    ($(#[$doc:meta])* $name:ident, $body:ty, { $($(#[$case:meta])* $variant:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, IntoResponses)]
        pub enum $name {
            $($(#[$case])* $variant($body)),*
        }
    };
}

responses!(
    /// What any call with a token may be answered.
    TransferErrors, TransferError, {
        /// `UNAUTHENTICATED`: no principal in the request
        #[response(status = 401)]
        Unauthenticated,
        /// `FORBIDDEN`: the role does not allow it
        #[response(status = 403)]
        Forbidden,
        /// `INTERNAL`: our fault
        #[response(status = 500)]
        Internal,
        /// `BUSY`: repeat after `Retry-After` seconds
        #[response(status = 503, headers(("Retry-After" = u64, description = "Seconds to wait")))]
        Busy,
    }
);

responses!(
    /// What any call of the withdrawals' surface may be answered.
    WithdrawalErrors, WithdrawalError, {
        /// `UNAUTHENTICATED`: no principal in the request
        #[response(status = 401)]
        Unauthenticated,
        /// `FORBIDDEN`: the role does not allow it
        #[response(status = 403)]
        Forbidden,
        /// `INTERNAL`: our fault
        #[response(status = 500)]
        Internal,
        /// `BUSY`: repeat after `Retry-After` seconds
        #[response(status = 503, headers(("Retry-After" = u64, description = "Seconds to wait")))]
        Busy,
    }
);
