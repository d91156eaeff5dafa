//! The OpenAPI document, from the routes' own annotations.

use causeway_http::docs::{TransferError, WithdrawalError};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Components,
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

use crate::handler;

/// The committed document of the whole API; a test of admin, which has the other part, holds it against the code.
pub const COMMITTED: &str = include_str!("../../../docs/openapi.json");

/// intake's part of the document, and what is common to all of it.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "Causeway",
        description = "Payments and custody: ask for money to be moved, and follow it until it is final. Amounts are \
                       decimal strings in the asset's own unit, times are ISO 8601 in UTC; fields and parameters that \
                       are not listed are refused by name."
    ),
    paths(
        handler::request_withdrawal,
        handler::withdrawal_status,
        handler::cancel_withdrawal,
        handler::queue_status,
        handler::create_transfer,
        handler::list_transfers,
        handler::transfer_status,
        handler::cancel_transfer,
        handler::document,
        handler::health,
    ),
    components(schemas(TransferError, WithdrawalError)),
    security(("token" = [])),
    modifiers(&Token)
)]
pub struct Document;

/// Says how a caller shows who it is.
struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let mut token = Http::new(HttpAuthScheme::Bearer);
        token.bearer_format = Some("JWT".to_owned());
        let components = document.components.get_or_insert_with(Components::default);
        components.add_security_scheme("token", SecurityScheme::Http(token));
    }
}
