//! What an error of the SDK means for the caller of the port.
//!
//! Source of the codes: AWS, "Sign" and "GetPublicKey" (KMS API reference), "GetSecretValue"
//! (Secrets Manager API reference), and the common errors of both.

use std::error::Error;

use aws_sdk_kms::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

use crate::port::KeyError;

#[derive(Debug, PartialEq, Eq)]
enum Class {
    Denied,
    Missing,
    Unavailable,
}

/// Classifies a failed call of either service.
pub(super) fn of_call<E>(error: SdkError<E, HttpResponse>) -> KeyError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    // Without a code the service did not answer, or what answered was not the service.
    match error.code().map_or(Class::Unavailable, class) {
        Class::Denied => KeyError::Denied(error.into()),
        Class::Missing => KeyError::Missing,
        Class::Unavailable => KeyError::Unavailable(error.into()),
    }
}

fn class(code: &str) -> Class {
    match code.strip_suffix("Exception").unwrap_or(code) {
        "InvalidArn" | "NotFound" | "ResourceNotFound" => Class::Missing,
        // Rights and credentials; keys and secrets that are disabled, of another kind, or marked
        // for deletion; calls that would be refused again.
        "AccessDenied"
        | "DecryptionFailure"
        | "Disabled"
        | "DryRunOperation"
        | "ExpiredToken"
        | "IncompleteSignature"
        | "InvalidClientTokenId"
        | "InvalidGrantToken"
        | "InvalidKeyUsage"
        | "InvalidParameter"
        | "InvalidRequest"
        | "InvalidSignature"
        | "KMSInvalidState"
        | "MissingAuthenticationToken"
        | "NotAuthorized"
        | "OptInRequired"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClient"
        | "UnsupportedOperation"
        | "Validation"
        | "ValidationError" => Class::Denied,
        // Throttling, faults of the service, and words that we do not know: worth another try.
        _ => Class::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_classified() {
        let cases = [
            ("NotFoundException", Class::Missing),
            ("ResourceNotFoundException", Class::Missing),
            ("AccessDeniedException", Class::Denied),
            ("DisabledException", Class::Denied),
            ("KMSInvalidStateException", Class::Denied),
            ("InvalidKeyUsageException", Class::Denied),
            ("DecryptionFailure", Class::Denied),
            ("InvalidRequestException", Class::Denied),
            ("UnrecognizedClientException", Class::Denied),
            ("ThrottlingException", Class::Unavailable),
            ("KMSInternalException", Class::Unavailable),
            ("KeyUnavailableException", Class::Unavailable),
            ("DependencyTimeoutException", Class::Unavailable),
            ("InternalServiceError", Class::Unavailable),
            ("SomethingNew", Class::Unavailable),
        ];
        for (code, expected) in cases {
            assert_eq!(class(code), expected, "{code}");
        }
    }
}
