//! What can be typed: the options that every verb takes, and the verbs by noun.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use crate::{commands, demo, load};

/// The operator's command line of Causeway.
#[derive(Debug, Parser)]
#[command(name = "causeway", version, propagate_version = true, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) noun: Noun,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 denied, 5 ended other than hoped.
A token is read from CAUSEWAY_TOKEN only, a password from the profile or CAUSEWAY_PASSWORD.";

/// Options that every verb takes.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Globals {
    /// Address of the API; the profile's when left out
    #[arg(long, global = true, env = "CAUSEWAY_API", value_name = "URL")]
    pub(crate) api: Option<String>,
    /// The deployment's outputs (JSON); outputs.json in CAUSEWAY_STATE or .local/state when left out
    #[arg(long, global = true, env = "CAUSEWAY_PROFILE_FILE", value_name = "FILE")]
    pub(crate) profile: Option<PathBuf>,
    /// User of the profile to log in as, unless CAUSEWAY_TOKEN is set; olga for operators' verbs, alice for transfers
    #[arg(long, global = true, env = "CAUSEWAY_USER", value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// How results are printed
    #[arg(long, global = true, value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) output: Format,
    /// Do not ask before money moves
    #[arg(long, short, global = true)]
    pub(crate) yes: bool,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs
    Json,
}

/// What there is to act on.
#[derive(Debug, Subcommand)]
pub(crate) enum Noun {
    /// Ask for transfers and follow them
    #[command(subcommand)]
    Transfers(commands::transfers::Verb),
    /// Ledger accounts: look, add, take away, prove
    #[command(subcommand)]
    Accounts(commands::accounts::Verb),
    /// The number lines transactions are sent on
    #[command(subcommand)]
    Lanes(commands::lanes::Verb),
    /// Messages that no step could finish
    #[command(subcommand)]
    DeadLetters(commands::dead_letters::Verb),
    /// Depth of every queue
    Queues,
    /// What does not agree between lanes, parcels, ledger and chain; exit code 5 if somebody must look
    Reconciliation,
    /// Wallets that pay for a tenant
    #[command(subcommand)]
    Treasuries(commands::treasuries::Verb),
    /// Stop and resume the payments of a tenant, a lane or a network
    #[command(subcommand)]
    Switches(commands::switches::Verb),
    /// The newest records of what operators did
    Audit(commands::audit::AuditArgs),
    /// Run 20 mixed withdrawals on a local stack and check how each ends
    Demo(demo::DemoArgs),
    /// Send many transfers and measure how fast they get through
    Load(load::LoadArgs),
    /// Print the completions of a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory};

    use super::Args;

    fn undocumented(command: &Command, path: &str, found: &mut Vec<String>) {
        let path = format!("{path} {}", command.get_name());
        if command.get_about().is_none() {
            found.push(path.clone());
        }
        for argument in command.get_arguments().filter(|argument| argument.get_help().is_none()) {
            found.push(format!("{path} <{}>", argument.get_id()));
        }
        for verb in command.get_subcommands() {
            undocumented(verb, &path, found);
        }
    }

    #[test]
    fn every_verb_and_option_says_what_it_is() {
        let mut found = Vec::new();
        undocumented(&Args::command(), "", &mut found);
        assert!(found.is_empty(), "without help: {found:?}");
    }

    #[test]
    fn the_definition_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn no_option_takes_a_token_or_a_password() {
        fn options(command: &Command) -> Vec<String> {
            let own = command.get_arguments().filter_map(|argument| argument.get_long().map(str::to_owned));
            own.chain(command.get_subcommands().flat_map(options)).collect()
        }
        let secrets = ["password", "secret-key", "private-key", "access-token", "id-token"];
        let found: Vec<_> =
            options(&Args::command()).into_iter().filter(|name| secrets.contains(&name.as_str())).collect();
        assert!(found.is_empty(), "{found:?}");
    }
}
