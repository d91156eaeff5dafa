//! `lanes`: the number lines transactions are sent on.

use causeway_domain::{B256, lane::LaneId};
use clap::Subcommand;
use serde_json::{Value, json};

use super::ROWS_MAX;
use crate::{
    api::Call,
    context::{Context, Role},
    error::CliError,
    output::{Column, number, text},
};

/// Verbs of `lanes`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List all with their counters
    List,
    /// Show one with its newest transactions
    Show {
        /// Network and address, such as ethereum/0x…
        #[arg(value_parser = parse)]
        lane: LaneId,
    },
    /// Give up the number at which one halted, since another's transaction took it for good: what it was to pay is
    /// signed anew. Only after two sources showed, at a final block, that none of its hashes is on the chain
    Displace {
        /// Network and address, such as ethereum/0x…
        #[arg(value_parser = parse)]
        lane: LaneId,
        /// The number at which it halted
        #[arg(long)]
        number: u64,
        /// The transaction that took it, 0x…; needed where the lane's reason names none, or no node tells what that paid:
        /// you found it out elsewhere
        #[arg(long, value_name = "HASH")]
        taken_by: Option<B256>,
        /// Why, and what was seen; goes into the audit log
        #[arg(long)]
        reason: String,
    },
    /// Open a halted one: what is unsent goes out
    Release {
        /// Network and address, such as ethereum/0x…
        #[arg(value_parser = parse)]
        lane: LaneId,
        /// Where its key was used before it began, and tables were restored: the first of those numbers that is
        /// Causeway's (0 for a key that nobody else ever had); the tracker looks at each
        #[arg(long)]
        from: Option<u64>,
        /// Where its key was used before it began: none of those numbers is Causeway's. What one of ours paid would be
        /// paid again
        #[arg(long, conflicts_with = "from")]
        others: bool,
        /// Why; goes into the audit log
        #[arg(long)]
        reason: String,
    },
}

const COLUMNS: [Column; 7] = [
    text("LANE", "/lane"),
    text("TENANT", "/tenant"),
    number("NEXT", "/next"),
    number("SEEN", "/seen"),
    number("CONSUMED", "/consumed"),
    text("STATE", "/state"),
    text("REASON", "/reason"),
];

pub(super) async fn run(context: &Context, verb: Verb) -> Result<(), CliError> {
    let api = context.api(Role::Operator)?;
    match verb {
        Verb::List => {
            let rows: Vec<Value> = api.pages(Call::get(&["admin", "v1", "lanes"]), "items", ROWS_MAX).await?;
            context.output.rows(&COLUMNS, &rows)
        }
        Verb::Show { lane } => {
            let address = lane.address.to_string();
            let call = Call::get(&["admin", "v1", "lanes", lane.network.as_str(), &address]);
            context.output.record(&api.call(&call).await?)
        }
        Verb::Displace { lane, number, taken_by, reason } => {
            let what = match taken_by {
                None => format!("give up number {number} of lane {lane}, so that what it was to pay is signed anew"),
                Some(hash) => format!(
                    "give up number {number} of lane {lane}, which {hash} took: what that paid of Causeway's is paid again"
                ),
            };
            context.confirm(&what, "displace")?;
            let address = lane.address.to_string();
            let path = ["admin", "v1", "lanes", lane.network.as_str(), &address, "displace"];
            let mut body = json!({"number": number, "reason": reason});
            if let Some(hash) = taken_by {
                body["takenBy"] = json!(hash);
            }
            let answer: Value = api.call(&Call::post(&path, body)).await?;
            context.output.record(&answer)
        }
        Verb::Release { lane, from, others, reason } => {
            let word = match (from, others) {
                (Some(from), _) => format!("release lane {lane}; its numbers from {from} on are Causeway's"),
                (None, true) => format!("release lane {lane}; none of the numbers used before is Causeway's"),
                (None, false) => format!("release lane {lane}, so that its unsent transactions go out"),
            };
            context.confirm(&word, "release")?;
            let address = lane.address.to_string();
            let path = ["admin", "v1", "lanes", lane.network.as_str(), &address, "release"];
            let mut body = json!({"reason": reason});
            if let Some(from) = from {
                body["from"] = json!(from);
            }
            if others {
                body["others"] = json!(true);
            }
            let answer: Value = api.call(&Call::post(&path, body)).await?;
            context.output.record(&answer)
        }
    }
}

fn parse(text: &str) -> Result<LaneId, causeway_domain::id::IdError> {
    LaneId::try_from(text.to_owned())
}
