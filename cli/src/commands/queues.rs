//! `queues`: how much waits where.

use serde_json::Value;

use super::ROWS_MAX;
use crate::{
    api::Call,
    context::{Context, Role},
    error::CliError,
    output::{Column, number, text},
};

const COLUMNS: [Column; 4] = [
    text("QUEUE", "/queue"),
    number("READY", "/ready"),
    number("IN FLIGHT", "/inFlight"),
    number("DELAYED", "/delayed"),
];

pub(super) async fn run(context: &Context) -> Result<(), CliError> {
    let call = Call::get(&["admin", "v1", "queues"]);
    let rows: Vec<Value> = context.api(Role::Operator)?.pages(call, "items", ROWS_MAX).await?;
    context.output.rows(&COLUMNS, &rows)
}
