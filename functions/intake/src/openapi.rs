//! The OpenAPI document, generated from the types that are answered.

use utoipa::OpenApi;

use crate::{queue_status, transfer, withdrawal};

/// The committed document of the whole API; a test holds it against the code.
pub const COMMITTED: &str = include_str!("../../../docs/openapi.json");

/// intake's part of the document.
#[derive(Debug, OpenApi)]
#[openapi(
    info(title = "Causeway", description = "Payments and custody: ask for money to be moved, and follow it until it is final."),
    paths(),
    components(schemas(
        withdrawal::WithdrawalRequest,
        withdrawal::WithdrawalTaken,
        withdrawal::WithdrawalStatus,
        transfer::TransferRequest,
        transfer::TransferTaken,
        transfer::TransferStatus,
        transfer::TransferPage,
        queue_status::QueueStatus,
    ))
)]
pub struct Document;
