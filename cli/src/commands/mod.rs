//! One file for each noun: what its verbs take, which route they use, what they print.

pub(crate) mod accounts;
pub(crate) mod audit;
pub(crate) mod dead_letters;
pub(crate) mod lanes;
mod queues;
mod reconciliation;
pub(crate) mod switches;
pub(crate) mod transfers;
pub(crate) mod treasuries;
mod watch;

use clap::CommandFactory;

use crate::{
    api::random_key,
    args::{Args, Noun},
    context::Context,
    demo,
    error::CliError,
    load, output,
};

/// Most rows of a list that is not limited by its caller.
const ROWS_MAX: usize = 1000;

/// Does what was asked for.
pub(crate) async fn run(args: Args) -> Result<(), CliError> {
    // Completions need neither a profile nor a network.
    if let Noun::Completions { shell } = args.noun {
        return completions(shell);
    }
    let context = Context::new(args.globals)?;
    match args.noun {
        Noun::Transfers(verb) => transfers::run(&context, verb).await,
        Noun::Accounts(verb) => accounts::run(&context, verb).await,
        Noun::Lanes(verb) => lanes::run(&context, verb).await,
        Noun::DeadLetters(verb) => dead_letters::run(&context, verb).await,
        Noun::Queues => queues::run(&context).await,
        Noun::Reconciliation => reconciliation::run(&context).await,
        Noun::Treasuries(verb) => treasuries::run(&context, verb).await,
        Noun::Switches(verb) => switches::run(&context, verb).await,
        Noun::Audit(args) => audit::run(&context, args).await,
        Noun::Demo(args) => demo::run(&context, args).await,
        Noun::Load(args) => load::run(&context, args).await,
        Noun::Completions { shell } => completions(shell),
    }
}

/// The idempotency key that a person gave, or a new one. That is shown before anything is sent, since whoever is interrupted,
/// or hears nothing, can repeat it safely with this key only.
fn key_or_new(given: Option<String>) -> String {
    given.unwrap_or_else(|| {
        let key = random_key("cli");
        eprintln!("key: {key}\n  interrupted, or no clear answer? repeat it with --key {key}: money moves once");
        key
    })
}

fn completions(shell: clap_complete::Shell) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "causeway", &mut script);
    output::print(String::from_utf8_lossy(&script).trim_end())
}
