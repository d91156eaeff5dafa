//! Requests: bodies bounded before they are read, and what is answered where no route is.

use axum::{
    body::{Bytes, to_bytes},
    extract::Request,
    http::header,
};
use causeway_domain::limits::BODY_BYTES_MAX;

use crate::error::{ApiError, Code};

/// Reads a request's body, unless it has or says it has more than [`BODY_BYTES_MAX`] bytes.
pub async fn read_body(request: Request) -> Result<Bytes, ApiError> {
    let (parts, body) = request.into_parts();
    let declared = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: usize| length > BODY_BYTES_MAX) {
        return Err(too_large());
    }
    to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| too_large())
}

fn too_large() -> ApiError {
    ApiError::new(Code::BodyTooLarge, format!("the body has more than {BODY_BYTES_MAX} bytes"))
}

/// There is nothing at this path, or not with this method.
pub fn no_route() -> ApiError {
    ApiError::new(Code::NotFound, "there is no such route")
}
