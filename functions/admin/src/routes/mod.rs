//! One function for each route: reads path, query and body, asks [`Admin`], and says in the OpenAPI document what it
//! takes and answers.

pub mod accounts;
pub mod audit;
pub mod dead_letters;
pub mod lanes;
pub mod queues;
pub mod reconciliation;
pub mod switches;
pub mod transfers;
pub mod treasuries;

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Query, State, rejection::QueryRejection},
};
use causeway_http::{ApiError, Principal};

use crate::{Admin, handler::Refused};

type Shared = State<Arc<Admin>>;
type By = Extension<Principal>;
type Asked<T> = Result<Query<T>, QueryRejection>;
type Answer<T> = Result<Json<T>, Refused>;

/// A list's parameters; what the list does not have is refused.
fn asked<T>(asked: Asked<T>) -> Result<T, ApiError> {
    let Query(asked) = asked.map_err(|_| ApiError::field("query", "has a parameter that this list does not take"))?;
    Ok(asked)
}
