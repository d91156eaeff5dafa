//! `audit`: what operators did, newest first.

use clap::Args;
use serde_json::Value;

use crate::{
    api::Call,
    context::{Context, Role},
    error::CliError,
    output::{Column, text},
};

/// Options of `audit`.
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// How many at most
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

const COLUMNS: [Column; 5] =
    [text("AT", "/at"), text("BY", "/by"), text("ACT", "/action"), text("ON", "/target"), text("REASON", "/reason")];

pub(super) async fn run(context: &Context, args: AuditArgs) -> Result<(), CliError> {
    let call = Call::get(&["admin", "v1", "audit"]);
    let rows: Vec<Value> = context.api(Role::Operator)?.pages(call, "items", args.limit).await?;
    context.output.rows(&COLUMNS, &rows)
}
