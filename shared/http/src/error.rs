//! Errors as clients see them: a stable code, a sentence, and nothing about the inside.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

/// Stable codes; `docs/api.md` says when each is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// A field is missing, unknown, malformed or out of bounds.
    ValidationError,
    /// The network is not enabled here.
    UnknownNetwork,
    /// The token is not listed on that network.
    UnknownToken,
    /// Above a limit.
    LimitExceeded,
    /// The account has less.
    InsufficientFunds,
    /// The tenant has no treasury there.
    NoTreasury,
    /// A switch blocks it.
    Blocked,
    /// Nobody.
    Unauthenticated,
    /// Somebody, but not with this role.
    Forbidden,
    /// Unknown, or somebody else's.
    NotFound,
    /// Changed meanwhile, or not in a state that allows it.
    Conflict,
    /// Too many bytes.
    BodyTooLarge,
    /// The key was used for something else.
    IdempotencyKeyReused,
    /// Try again soon.
    Busy,
    /// Our fault.
    Internal,
}

impl Code {
    /// The code's text and its HTTP status.
    pub const fn parts(self) -> (&'static str, StatusCode) {
        match self {
            Self::ValidationError => ("VALIDATION_ERROR", StatusCode::BAD_REQUEST),
            Self::UnknownNetwork => ("UNKNOWN_NETWORK", StatusCode::BAD_REQUEST),
            Self::UnknownToken => ("UNKNOWN_TOKEN", StatusCode::BAD_REQUEST),
            Self::LimitExceeded => ("LIMIT_EXCEEDED", StatusCode::BAD_REQUEST),
            Self::InsufficientFunds => ("INSUFFICIENT_FUNDS", StatusCode::PAYMENT_REQUIRED),
            Self::NoTreasury => ("NO_TREASURY", StatusCode::CONFLICT),
            Self::Blocked => ("BLOCKED", StatusCode::FORBIDDEN),
            Self::Unauthenticated => ("UNAUTHENTICATED", StatusCode::UNAUTHORIZED),
            Self::Forbidden => ("FORBIDDEN", StatusCode::FORBIDDEN),
            Self::NotFound => ("NOT_FOUND", StatusCode::NOT_FOUND),
            Self::Conflict => ("CONFLICT", StatusCode::CONFLICT),
            Self::BodyTooLarge => ("BODY_TOO_LARGE", StatusCode::PAYLOAD_TOO_LARGE),
            Self::IdempotencyKeyReused => ("IDEMPOTENCY_KEY_REUSED", StatusCode::UNPROCESSABLE_ENTITY),
            Self::Busy => ("BUSY", StatusCode::SERVICE_UNAVAILABLE),
            Self::Internal => ("INTERNAL", StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

/// Which surface's shape an error takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `{"error": {"code", "field"?, "message"}}`
    Withdrawal,
    /// `{"status": "error", "code", "message", "details"}`
    Transfer,
}

/// A refusal, before it takes a surface's shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// Its code.
    pub code: Code,
    /// The field at fault, if it is one.
    pub field: Option<String>,
    /// A sentence for the client.
    pub message: String,
    /// What else the client can use.
    pub details: Map<String, Value>,
}

impl ApiError {
    /// A refusal that is about no field.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, field: None, message: message.into(), details: Map::new() }
    }

    /// A field that is not what it should be.
    pub fn field(field: &str, reason: impl std::fmt::Display) -> Self {
        Self::of_field(Code::ValidationError, field, format!("{field} {reason}"))
    }

    /// A refusal about a field, with a code of its own.
    pub fn of_field(code: Code, field: &str, message: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), ..Self::new(code, message) }
    }

    /// With something else the client can use.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// The same refusal, of a field that lies within another one.
    pub fn within(self, outer: &str) -> Self {
        match &self.field {
            Some(field) => {
                Self { field: Some(format!("{outer}.{field}")), message: format!("{outer}.{}", self.message), ..self }
            }
            None => self,
        }
    }

    /// Our fault: the cause goes to the log, here and only here.
    pub fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        let mut chain = cause.to_string();
        let mut next = cause.source();
        while let Some(source) = next {
            chain.push_str(": ");
            chain.push_str(&source.to_string());
            next = source.source();
        }
        tracing::error!(error = %chain, "the request failed");
        Self::new(
            Code::Internal,
            "something went wrong on our side; the request can be repeated with the same idempotency key",
        )
    }

    /// Too much going on: the same request may be sent again.
    pub fn busy() -> Self {
        Self::new(Code::Busy, "too busy just now; repeat the request with the same idempotency key")
    }

    /// The answer in a surface's shape.
    pub fn respond(&self, shape: Shape) -> Response {
        let (code, status) = self.code.parts();
        let body = match shape {
            Shape::Withdrawal => {
                let mut error = self.details.clone();
                error.insert("code".to_owned(), code.into());
                error.insert("message".to_owned(), self.message.as_str().into());
                if let Some(field) = &self.field {
                    error.insert("field".to_owned(), field.as_str().into());
                }
                json!({ "error": error })
            }
            Shape::Transfer => {
                let mut details = self.details.clone();
                if let Some(field) = &self.field {
                    details.insert("field".to_owned(), field.as_str().into());
                }
                json!({"status": "error", "code": code, "message": self.message, "details": details})
            }
        };
        let mut response = (status, Json(body)).into_response();
        if self.code == Code::Busy {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
