//! Routes: each wants the role operator, before anything else is looked at.

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{Request, State},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use causeway_http::{ApiError, Principal, Role, Shape, access, request::no_route};
use lambda_http::request::RequestContext;

use crate::{
    Admin,
    routes::{accounts, audit, dead_letters, lanes, queues, reconciliation, switches, transfers, treasuries},
};

/// A refusal in the operators' shape, which is the transfers'.
#[derive(Debug)]
pub struct Refused(ApiError);

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        self.0.respond(Shape::Transfer)
    }
}

/// All routes of admin.
pub fn router(admin: Arc<Admin>) -> Router {
    let operators = Router::new()
        .route("/accounts", get(accounts::list))
        .route("/accounts/credit", post(accounts::credit))
        .route("/accounts/debit", post(accounts::debit))
        .route("/accounts/check", post(accounts::check))
        .route("/accounts/{tenant}", get(accounts::of_tenant))
        .route("/lanes", get(lanes::list))
        .route("/lanes/{network}/{address}", get(lanes::show))
        .route("/lanes/{network}/{address}/release", post(lanes::release))
        .route("/lanes/{network}/{address}/displace", post(lanes::displace))
        .route("/transfers/waiting", get(transfers::waiting))
        .route("/transfers/{id}/cancel", post(transfers::cancel))
        .route("/dead-letters", get(dead_letters::list))
        .route("/dead-letters/{id}", get(dead_letters::show))
        .route("/dead-letters/{id}/replay", post(dead_letters::replay))
        .route("/dead-letters/{id}/refund", post(dead_letters::refund))
        .route("/dead-letters/{id}/discard", post(dead_letters::discard))
        .route("/dead-letters/{id}/settle", post(dead_letters::settle))
        .route("/queues", get(queues::list))
        .route("/reconciliation", get(reconciliation::show))
        .route("/treasuries", get(treasuries::list).post(treasuries::register))
        .route("/switches", get(switches::list).post(switches::throw))
        .route("/audit", get(audit::list))
        .route_layer(from_fn_with_state((Arc::clone(&admin), Shape::Transfer), operators_only));
    let items = Router::new()
        .route("/withdrawal/queue/items", get(queues::items))
        .route_layer(from_fn_with_state((Arc::clone(&admin), Shape::Withdrawal), operators_only));
    Router::new()
        .nest("/admin/v1", operators)
        .merge(items)
        .fallback(|| async { Refused(no_route()) })
        .method_not_allowed_fallback(|| async { Refused(no_route()) })
        .layer(from_fn(access::log))
        .with_state(admin)
}

/// Lets operators through and tells the handlers who they are.
async fn operators_only(
    State((admin, shape)): State<(Arc<Admin>, Shape)>,
    context: Option<Extension<RequestContext>>,
    mut request: Request,
    next: Next,
) -> Response {
    let context = context.map(|Extension(context)| context);
    let principal = Principal::of(context.as_ref(), &admin.claims);
    match principal.and_then(|principal| principal.must_be(&[Role::Operator]).map(|()| principal)) {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(error) => error.respond(shape),
    }
}
