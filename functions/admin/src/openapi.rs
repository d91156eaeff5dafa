//! admin's part of the OpenAPI document, from the routes' own annotations.

use causeway_http::docs::{TransferError, WithdrawalError};
use utoipa::OpenApi;

use crate::routes::{accounts, audit, dead_letters, lanes, queues, reconciliation, switches, transfers, treasuries};

/// admin's part of the document; intake's is merged with it, and a test holds both against the committed file.
#[derive(Debug, OpenApi)]
#[openapi(
    paths(
        accounts::list,
        accounts::of_tenant,
        accounts::credit,
        accounts::debit,
        accounts::check,
        lanes::list,
        lanes::show,
        lanes::release,
        lanes::displace,
        transfers::waiting,
        transfers::cancel,
        dead_letters::list,
        dead_letters::show,
        dead_letters::replay,
        dead_letters::refund,
        dead_letters::discard,
        dead_letters::settle,
        queues::list,
        queues::items,
        reconciliation::show,
        treasuries::list,
        treasuries::register,
        switches::list,
        switches::throw,
        audit::list,
    ),
    components(schemas(TransferError, WithdrawalError))
)]
pub struct Document;
