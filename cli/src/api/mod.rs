//! The HTTP API as a client sees it: login, calls with retries where they are harmless, and
//! the answers' shapes. The routes are described in `docs/api.md`.

mod client;
mod login;
mod model;
mod problem;

pub(crate) use client::{Api, Call, random_key};
pub(crate) use login::{Login, Tokens};
pub(crate) use model::{AnyId, Followed, Standing, Surface, Transfer};
pub(crate) use problem::{ApiError, Problem};
