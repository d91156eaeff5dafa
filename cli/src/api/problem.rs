//! What can go wrong with a call, and the API's own words for it.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Map, Value};

use crate::error::Exit;

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// No answer: refused connection, timeout, cut line. It may have been done all the same.
    #[error("no answer from {url}")]
    NoAnswer {
        /// Where it went.
        url: String,
        #[source]
        source: reqwest::Error,
    },
    /// An answer that says no.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// An answer that is not what this route gives.
    #[error("{url} answered something that this route does not give")]
    Garbled {
        /// Where it came from.
        url: String,
        #[source]
        source: serde_json::Error,
    },
    /// The address is none.
    #[error("'{url}' is not an http or https address")]
    Address {
        /// What was given.
        url: String,
    },
    /// A login without a result.
    #[error("login of {user} at {endpoint} gave no ID token: {why}")]
    Login {
        /// Who.
        user: String,
        /// Where.
        endpoint: String,
        /// What the issuer said.
        why: String,
    },
}

/// An answer that says no, in the words of either surface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// HTTP status.
    pub(crate) status: u16,
    /// The stable code; `HTTP_nnn` where a gateway answered in its own words.
    pub(crate) code: String,
    /// The field that is wrong, if one is.
    pub(crate) field: Option<String>,
    /// For people.
    pub(crate) message: String,
    /// The transfers surface's further facts.
    pub(crate) details: Map<String, Value>,
    /// How long the API asks to wait.
    pub(crate) retry_after: Option<Duration>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: ", self.code)?;
        // Most of the API's reasons begin with the field's name.
        if let Some(field) = self.field.as_ref().filter(|field| !self.message.starts_with(field.as_str())) {
            write!(f, "{field}: ")?;
        }
        write!(f, "{} (HTTP {})", self.message, self.status)?;
        let further: Vec<String> = self
            .details
            .iter()
            .filter(|(name, _)| *name != "field")
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        if further.is_empty() { Ok(()) } else { write!(f, " [{}]", further.join(", ")) }
    }
}

impl Problem {
    /// Reads an answer's body: the withdrawals' shape, the transfers' shape or a gateway's own.
    pub(crate) fn read(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let value: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let inner = value.get("error").filter(|error| error.is_object()).unwrap_or(&value);
        let text = |name: &str| inner.get(name).and_then(Value::as_str).map(str::to_owned);
        let details = inner.get("details").and_then(Value::as_object).cloned().unwrap_or_default();
        let in_details = details.get("field").and_then(Value::as_str).map(str::to_owned);
        Self {
            status: status.as_u16(),
            code: text("code").unwrap_or_else(|| format!("HTTP_{}", status.as_u16())),
            field: text("field").or(in_details),
            message: text("message")
                .unwrap_or_else(|| status.canonical_reason().unwrap_or("no reason given").to_owned()),
            details,
            retry_after,
        }
    }
}

impl ApiError {
    /// Whether the same call may well succeed a little later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::NoAnswer { source, .. } => !source.is_builder(),
            Self::Refused(problem) => matches!(problem.status, 429 | 502 | 503 | 504),
            Self::Garbled { .. } | Self::Address { .. } | Self::Login { .. } => false,
        }
    }

    /// What to tell a script.
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Refused(problem) => match problem.status {
                401 | 403 => Exit::Denied,
                404 => Exit::NotFound,
                _ => Exit::Failed,
            },
            Self::Login { .. } => Exit::Denied,
            Self::Address { .. } => Exit::Usage,
            Self::NoAnswer { .. } | Self::Garbled { .. } => Exit::Failed,
        }
    }

    /// What the person can do about it.
    pub(crate) fn next(&self) -> Option<String> {
        let next = match self {
            Self::NoAnswer { .. } => {
                "is the stack up, and is --api right? a change may have been made: look before repeating it"
            }
            Self::Garbled { .. } => "is --api the address of Causeway's API, and of this version?",
            Self::Address { .. } => "give --api an address such as https://api.example.org",
            Self::Login { .. } => "check --user and its password in the profile or CAUSEWAY_PASSWORD",
            Self::Refused(problem) => match problem.status {
                401 => "the token is missing, wrong or expired: renew CAUSEWAY_TOKEN, or unset it to log in",
                403 if problem.code == "BLOCKED" => "see 'switches list' for what is blocked and why",
                403 => "this user's role does not allow it: try another --user",
                404 => "check the id; another tenant's is not shown either",
                409 => "look at its state now, then decide again",
                422 => "use a new --key for a new request",
                429 | 503 => "wait a little and repeat it",
                _ => return None,
            },
        };
        Some(next.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Problem {
        Problem::read(StatusCode::from_u16(status).expect("a status"), None, body.as_bytes())
    }

    #[test]
    fn both_surfaces_are_understood() {
        let withdrawal =
            read(400, r#"{"error": {"code": "VALIDATION_ERROR", "field": "amount", "message": "must be positive"}}"#);
        assert_eq!(withdrawal.to_string(), "VALIDATION_ERROR: amount: must be positive (HTTP 400)");
        let transfer = read(
            402,
            r#"{"status": "error", "code": "INSUFFICIENT_FUNDS", "message": "too little",
                "details": {"available": "1", "required": "2"}}"#,
        );
        assert_eq!(transfer.to_string(), "INSUFFICIENT_FUNDS: too little (HTTP 402) [available \"1\", required \"2\"]");
        let repeated =
            read(400, r#"{"error": {"code": "VALIDATION_ERROR", "field": "amount", "message": "amount is zero"}}"#);
        assert_eq!(repeated.to_string(), "VALIDATION_ERROR: amount is zero (HTTP 400)");
        let named = read(
            400,
            r#"{"status": "error", "code": "VALIDATION_ERROR", "message": "is unknown", "details": {"field": "memo"}}"#,
        );
        assert_eq!(named.field.as_deref(), Some("memo"));
    }

    #[test]
    fn a_gateways_own_words_do() {
        assert_eq!(read(401, r#"{"message": "Unauthorized"}"#).to_string(), "HTTP_401: Unauthorized (HTTP 401)");
        assert_eq!(read(502, "<html>").to_string(), "HTTP_502: Bad Gateway (HTTP 502)");
    }

    #[test]
    fn a_status_tells_a_script_what_happened() {
        let exit = |status| ApiError::Refused(Box::new(read(status, "{}"))).exit();
        assert_eq!(
            [exit(400), exit(401), exit(403), exit(404), exit(409), exit(500)],
            [Exit::Failed, Exit::Denied, Exit::Denied, Exit::NotFound, Exit::Failed, Exit::Failed]
        );
    }
}
