//! What an error of the SDK means for the caller of the port.
//!
//! Source of the codes: AWS, "SendMessageBatch", "ReceiveMessage" and "Common Error Types" (SQS API reference).

use std::error::Error;

use aws_sdk_sqs::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

use crate::port::QueueError;

#[derive(Debug, PartialEq, Eq)]
enum Class {
    Denied,
    Unavailable,
    Refused,
}

/// Classifies a failed call.
pub(super) fn of_call<E>(error: SdkError<E, HttpResponse>) -> QueueError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    // Without an answer of the service there is no code: it was out of reach, or its answer was
    // no answer of SQS.
    match error.code().map_or(Class::Unavailable, class) {
        Class::Denied => QueueError::Denied(error.into()),
        Class::Unavailable => QueueError::Unavailable(error.into()),
        Class::Refused => QueueError::Refused(format!(
            "{}: {}",
            error.code().unwrap_or_default(),
            error.message().unwrap_or("no reason given")
        )),
    }
}

/// What a code means. Codes come plain, or with a prefix of the older query protocol.
fn class(code: &str) -> Class {
    let code = code.rsplit('.').next().unwrap_or(code);
    match code.strip_suffix("Exception").unwrap_or(code) {
        // Rights, credentials, and the key that encrypts the queue: for an operator to mend.
        "AccessDenied"
        | "ExpiredToken"
        | "IncompleteSignature"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidSecurity"
        | "InvalidSignature"
        | "KmsAccessDenied"
        | "KmsDisabled"
        | "KmsInvalidKeyUsage"
        | "KmsInvalidState"
        | "KmsNotFound"
        | "KmsOptInRequired"
        | "MissingAuthenticationToken"
        | "NotAuthorized"
        | "OptInRequired"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClient" => Class::Denied,
        // Faults of the call itself, which would be refused again.
        "BatchEntryIdsNotDistinct"
        | "BatchRequestTooLong"
        | "EmptyBatchRequest"
        | "InvalidAddress"
        | "InvalidAttributeName"
        | "InvalidAttributeValue"
        | "InvalidBatchEntryId"
        | "InvalidMessageContents"
        | "InvalidParameterCombination"
        | "InvalidParameterValue"
        | "MalformedQueryString"
        | "MissingParameter"
        | "NonExistentQueue"
        | "QueueDeletedRecently"
        | "QueueDoesNotExist"
        | "TooManyEntriesInBatchRequest"
        | "UnsupportedOperation"
        | "Validation"
        | "ValidationError" => Class::Refused,
        // Throttling, faults of the service, and words that we do not know: none of them says
        // that nothing happened, all of them may be tried again.
        _ => Class::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_classified() {
        let cases = [
            ("AccessDenied", Class::Denied),
            ("AccessDeniedException", Class::Denied),
            ("KMS.AccessDeniedException", Class::Denied),
            ("KmsAccessDenied", Class::Denied),
            ("UnrecognizedClientException", Class::Denied),
            ("ThrottlingException", Class::Unavailable),
            ("RequestThrottled", Class::Unavailable),
            ("KmsThrottled", Class::Unavailable),
            ("InternalFailure", Class::Unavailable),
            ("ServiceUnavailable", Class::Unavailable),
            ("SomethingNew", Class::Unavailable),
            ("AWS.SimpleQueueService.NonExistentQueue", Class::Refused),
            ("QueueDoesNotExist", Class::Refused),
            ("AWS.SimpleQueueService.BatchRequestTooLong", Class::Refused),
            ("InvalidParameterValue", Class::Refused),
        ];
        for (code, expected) in cases {
            assert_eq!(class(code), expected, "{code}");
        }
    }
}
