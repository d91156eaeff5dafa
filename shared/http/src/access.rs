//! One line in the log for each request: what was asked and how it ended, nothing of the body.

use axum::{extract::Request, middleware::Next, response::Response};

/// Middleware that writes the line before the answer leaves.
pub async fn log(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    tracing::info!(%method, path, status = response.status().as_u16(), "request");
    response
}
