//! `switches`: what is blocked. A block holds also for payments that are already queued.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::ROWS_MAX;
use crate::{
    api::Call,
    context::{Context, Role},
    error::CliError,
    output::{Column, text},
};

/// Verbs of `switches`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List what is blocked
    List,
    /// Stop all payments of a scope; answers when it holds everywhere
    Block(Throw),
    /// Let the payments of a scope go on
    Unblock(Throw),
}

/// A scope and why.
#[derive(Debug, Args)]
pub(crate) struct Throw {
    /// tenant:NAME, lane:NETWORK/ADDRESS or network:NAME
    scope: String,
    /// Why; goes into the audit log
    #[arg(long)]
    reason: String,
}

const COLUMNS: [Column; 6] = [
    text("SCOPE", "/scope"),
    text("BLOCKED", "/blocked"),
    text("EVERYWHERE", "/everywhere"),
    text("REASON", "/reason"),
    text("BY", "/by"),
    text("AT", "/at"),
];

pub(super) async fn run(context: &Context, verb: Verb) -> Result<(), CliError> {
    match verb {
        Verb::List => {
            let call = Call::get(&["admin", "v1", "switches"]);
            let rows: Vec<Value> = context.api(Role::Operator)?.pages(call, "items", ROWS_MAX).await?;
            context.output.rows(&COLUMNS, &rows)
        }
        Verb::Block(args) => {
            context.confirm(&format!("stop all payments of {}", args.scope), &args.scope)?;
            throw(context, args, true).await
        }
        Verb::Unblock(args) => throw(context, args, false).await,
    }
}

async fn throw(context: &Context, args: Throw, blocked: bool) -> Result<(), CliError> {
    let body = json!({"scope": args.scope, "blocked": blocked, "reason": args.reason});
    let answer: Value = context.api(Role::Operator)?.call(&Call::post(&["admin", "v1", "switches"], body)).await?;
    context.output.record(&answer)
}
