//! `demo`: 20 mixed withdrawals, good and bad, on a local stack that is up, each with the end
//! that it must have; then chain and ledger side by side.
//!
//! 1. [`prepare`]: treasuries, test tokens, funds on chain, the same credited in the ledger.
//! 2. [`scenario`]: what is asked for, and what must come of it.
//! 3. [`mod@run`]: asks, follows, compares.
//! 4. [`balances`]: what the chain holds and what the ledger says.

mod balances;
mod chain;
mod prepare;
mod run;
mod scenario;

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::{
    api::{Api, random_key},
    commands::accounts::{is_clean, whole_check},
    context::Context,
    error::CliError,
};
use chain::{Chain, Contracts};
use scenario::User;

/// The network that the demo plays on.
const NETWORK: &str = "local";

/// Options of `demo`.
#[derive(Debug, Args)]
#[command(
    after_help = "Needs a local stack that is up, its profile, and python3 for the test tokens. Moves test money only."
)]
pub(crate) struct DemoArgs {
    /// Folder with the test tokens and their deploy.py
    #[arg(long, default_value = "contracts", value_name = "DIR")]
    contracts: PathBuf,
    /// Seconds to wait for everything to end
    #[arg(long, default_value_t = 180, value_name = "S")]
    timeout_s: u64,
}

/// What every part of the demo works with.
#[derive(Debug)]
struct Stage {
    /// Tells this run's recipients and keys from another's.
    run: String,
    operator: Api,
    alice: Api,
    bob: Api,
    carol: Api,
    chain: Chain,
    contracts: Contracts,
}

impl Stage {
    fn api(&self, user: User) -> &Api {
        match user {
            User::Alice => &self.alice,
            User::Bob => &self.bob,
            User::Carol => &self.carol,
        }
    }
}

pub(crate) async fn run(context: &Context, args: DemoArgs) -> Result<(), CliError> {
    let stage = stage(context, args.contracts)?;
    let treasuries = prepare::prepare(context, &stage).await?;
    let scenarios = scenario::all(&stage.run, &treasuries);
    eprintln!("\n{} withdrawals, run {}", scenarios.len(), stage.run);
    let played = run::play(&stage, scenarios, args.timeout_s).await?;
    let balances = balances::compare(&stage, &treasuries).await?;
    let check = whole_check(&stage.operator).await?;

    let clean = is_clean(&check);
    let tables = format!(
        "{}\n\n{}\n\nledger check: {}",
        run::table_of(&played),
        balances::table_of(&balances),
        if clean { "clean" } else { "NOT CLEAN (see 'causeway accounts check')" }
    );
    let report = json!({"run": stage.run, "withdrawals": played, "balances": balances, "check": check});
    context.output.report(&tables, &report)?;

    let wrong = played.iter().filter(|played| !played.as_expected).count();
    let unequal = balances.iter().filter(|balance| !balance.equal).count();
    if wrong == 0 && unequal == 0 && clean {
        eprintln!("every one ended as it should");
        return Ok(());
    }
    Err(CliError::Unhoped(format!(
        "{wrong} withdrawals ended other than they should, {unequal} balances differ, the ledger check is {}",
        if clean { "clean" } else { "not clean" }
    )))
}

fn stage(context: &Context, contracts: PathBuf) -> Result<Stage, CliError> {
    let rpc = context.profile.chain_rpc_url.clone().ok_or_else(|| CliError::Unset {
        what: "the local chain's address".to_owned(),
        next: "the demo needs the profile of a local stack: bring one up".to_owned(),
    })?;
    Ok(Stage {
        run: random_key("demo"),
        operator: context.api_as("olga")?,
        alice: context.api_as(User::Alice.name())?,
        bob: context.api_as(User::Bob.name())?,
        carol: context.api_as(User::Carol.name())?,
        chain: Chain::new(context.http(), rpc.clone()),
        contracts: Contracts::new(contracts, rpc),
    })
}
