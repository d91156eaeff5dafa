//! `dead-letters`: messages that no step could finish, in front of an operator.

use causeway_domain::id::DeadLetterId;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{
    api::Call,
    context::{Context, Role},
    error::CliError,
    output::{Column, number, text},
};

/// Verbs of `dead-letters`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List them, newest first
    List {
        /// Only those in this status
        #[arg(long, default_value = "open", value_parser = ["open", "replayed", "refunded", "discarded", "settled"])]
        status: String,
        /// How many at most
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Show one with its message and the transfer's state
    Show {
        /// Its id (dl_…)
        id: DeadLetterId,
    },
    /// Publish its message again; harmless if the money already moved
    Replay(Act),
    /// Release the held money of a transfer that was never signed, and tell the client
    Refund {
        /// Which, and why
        #[command(flatten)]
        act: Act,
        /// You have looked at the chain yourself, and it has not paid: where nothing else can tell
        #[arg(long)]
        unpaid: bool,
    },
    /// Set it aside; refused while money is held
    Discard(Act),
    /// Say whether a transaction paid that succeeded in a final block and moved something other than what was asked
    /// for. Look at the chain first: nobody takes it back
    Settle {
        /// Which, and why
        #[command(flatten)]
        act: Act,
        /// What was seen
        #[command(flatten)]
        word: Word,
        /// Which of its transactions; only where several wait for people's word
        #[arg(long, value_name = "HASH")]
        hash: Option<String>,
    },
}

/// What an operator has seen on the chain.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Word {
    /// It paid what was asked for: the transfer is confirmed, and its held money posted
    #[arg(long)]
    paid: bool,
    /// It did not: the transfer has failed, and its held money is free again
    #[arg(long)]
    unpaid: bool,
}

/// What an operator does with one.
#[derive(Debug, Args)]
pub(crate) struct Act {
    /// Its id (dl_…)
    id: DeadLetterId,
    /// Why; goes into the audit log
    #[arg(long)]
    reason: String,
}

const COLUMNS: [Column; 7] = [
    text("ID", "/id"),
    text("QUEUE", "/queue"),
    text("REASON", "/reason"),
    text("PARCEL", "/parcel"),
    number("RECEIVES", "/receives"),
    text("STATUS", "/status"),
    text("CREATED", "/createdAt"),
];

pub(super) async fn run(context: &Context, verb: Verb) -> Result<(), CliError> {
    match verb {
        Verb::List { status, limit } => {
            let call = Call::get(&["admin", "v1", "dead-letters"]).with("status", status);
            let rows: Vec<Value> = context.api(Role::Operator)?.pages(call, "items", limit).await?;
            context.output.rows(&COLUMNS, &rows)
        }
        Verb::Show { id } => {
            let call = Call::get(&["admin", "v1", "dead-letters", &id.to_string()]);
            context.output.record(&context.api(Role::Operator)?.call(&call).await?)
        }
        Verb::Replay(act) => decide(context, "replay", act, json!({})).await,
        Verb::Refund { act, unpaid: true } => decide(context, "refund", act, json!({"unpaid": true})).await,
        Verb::Refund { act, unpaid: false } => decide(context, "refund", act, json!({})).await,
        Verb::Discard(act) => decide(context, "discard", act, json!({})).await,
        Verb::Settle { act, word, hash } => {
            let mut body = json!({"paid": word.paid});
            if let Some(hash) = hash {
                body["hash"] = json!(hash);
            }
            decide(context, "settle", act, body).await
        }
    }
}

async fn decide(context: &Context, verb: &str, act: Act, mut body: Value) -> Result<(), CliError> {
    let api = context.api(Role::Operator)?;
    let seen = match (body.get("unpaid"), body.get("paid")) {
        (Some(Value::Bool(true)), _) => "; the chain has not paid its transfer",
        (_, Some(Value::Bool(true))) => "; its transaction paid what was asked for, and the held money is gone",
        (_, Some(Value::Bool(false))) => "; its transaction paid nobody, and the held money is free",
        _ => "",
    };
    context.confirm(&format!("{verb} dead letter {}{seen}", act.id), verb)?;
    body["reason"] = json!(act.reason);
    let call = Call::post(&["admin", "v1", "dead-letters", &act.id.to_string(), verb], body);
    let answer: Value = api.call(&call).await?;
    context.output.record(&answer)
}
