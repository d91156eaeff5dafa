//! What a failed call says about its effect, whichever operation it was.
//!
//! Codes: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>
//! and <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/CommonErrors.html>.

use std::error::Error;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::port::StoreError;

/// The kinds of failure that a caller must tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A condition of a single write did not hold.
    ConditionFailed,
    /// A transaction was cancelled; its reasons tell more.
    Cancelled,
    /// Others were at the same rows, or capacity was short: this call wrote nothing.
    Contended,
    /// The call never left: it wrote nothing.
    NotSent,
    /// A fault of ours: it wrote nothing.
    Refused,
    /// We may not: it wrote nothing.
    Denied,
    /// It may have taken effect, or may still.
    Lost,
}

/// What the SDK's error means.
pub(super) fn kind<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Kind {
    match error {
        SdkError::ConstructionFailure(_) => Kind::NotSent,
        // No reply, or none that can be read: the request may have been carried out.
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => Kind::Lost,
        SdkError::ServiceError(reply) => of_code(reply.err().code()),
        // The SDK's enum may grow; what we do not know may have taken effect.
        _ => Kind::Lost,
    }
}

/// What the service's own word means.
fn of_code(code: Option<&str>) -> Kind {
    match code {
        Some("ConditionalCheckFailedException") => Kind::ConditionFailed,
        Some("TransactionCanceledException") => Kind::Cancelled,
        Some(
            "TransactionConflictException"
            | "ReplicatedWriteConflictException"
            | "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
            | "ThrottlingException"
            | "Throttling"
            | "LimitExceededException",
        ) => Kind::Contended,
        // The same token is being carried out by an earlier call of ours, which may well succeed.
        Some("TransactionInProgressException") => Kind::Lost,
        Some(
            "ValidationException"
            | "ValidationError"
            | "SerializationException"
            | "IdempotentParameterMismatchException"
            | "ItemCollectionSizeLimitExceededException"
            | "ResourceNotFoundException"
            | "UnknownOperationException"
            | "RequestEntityTooLarge",
        ) => Kind::Refused,
        Some(
            "AccessDeniedException"
            | "AccessDenied"
            | "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "IncompleteSignatureException"
            | "IncompleteSignature"
            | "MissingAuthenticationTokenException"
            | "MissingAuthenticationToken"
            | "ExpiredTokenException"
            | "RequestExpired"
            | "OptInRequired"
            | "NotAuthorized",
        ) => Kind::Denied,
        // Server faults (InternalServerError, ServiceUnavailable) come after the request was
        // taken in; a code that nobody knows gets no benefit of the doubt either.
        Some(_) | None => Kind::Lost,
    }
}

/// A failure that is not an outcome of a commit, as the port tells it.
pub(super) fn store_error<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> StoreError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    match kind(&error) {
        Kind::Refused | Kind::ConditionFailed | Kind::Cancelled => {
            tracing::warn!(operation, error = %DisplayErrorContext(&error), "DynamoDB refused a call");
            StoreError::Refused(said(operation, &error))
        }
        Kind::Denied => StoreError::Denied(Box::new(error)),
        Kind::Contended | Kind::NotSent | Kind::Lost => StoreError::Unavailable(Box::new(error)),
    }
}

/// The service's own word and message.
fn said<E: ProvideErrorMetadata>(operation: &str, error: &SdkError<E, HttpResponse>) -> String {
    let code = error.code().unwrap_or("no code");
    let message = error.message().unwrap_or("no message");
    format!("{operation}: {code}: {message}")
}
