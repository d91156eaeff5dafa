//! `load`: sends many transfers at a given pace, measures the API, and follows them on their way.
//!
//! Each request has a recipient of its own, derived from the seed and the request's number, and
//! an idempotency key derived from the same: a run repeated with its seed pays nobody twice.
//! Followed transfers are recognised by their recipient in the tenant's list, so that following
//! a thousand costs ten calls a look, not a thousand.

mod drive;
mod follow;
mod plan;
mod report;

use clap::{Args, ValueEnum, builder::RangedU64ValueParser};

use crate::{
    api::{Surface, random_key},
    commands::transfers::Priority,
    context::{Context, Role},
    error::CliError,
};
use plan::{AmountRange, Plan};

/// Requests of a run, as a bound on what one command may send.
const COUNT_MAX: u64 = 1_000_000;

const AFTER_HELP: &str = "\
Give --count, or --rate with --seconds. Without --rate, requests follow each other as fast as
--concurrency allows.";

/// Options of `load`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct LoadArgs {
    /// Requests to start each second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    rate: Option<u64>,
    /// For how long to start requests
    #[arg(long, value_name = "S", requires = "rate", conflicts_with = "count")]
    seconds: Option<u64>,
    /// How many requests
    #[arg(long, value_name = "N", required_unless_present = "seconds", value_parser = count())]
    count: Option<u64>,
    /// Requests that may be under way at once
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// Which surface to ask
    #[arg(long, value_enum, default_value_t = Surface::Withdrawal)]
    via: Surface,
    /// The tenant's treasury that pays (only, and always, with --via transfer)
    #[arg(long, value_name = "ADDRESS", required_if_eq("via", "transfer"))]
    from: Option<String>,
    /// Network
    #[arg(long, default_value = "local")]
    network: String,
    /// Symbol or contract address
    #[arg(long, default_value = "ETH")]
    token: String,
    /// Amount of each, in the token's own unit; MIN..MAX draws each from that range
    #[arg(long, default_value = "0.000001", value_name = "AMOUNT")]
    amount: String,
    /// Which queue they take (only with --via transfer)
    #[arg(long, value_enum)]
    priority: Option<Priority>,
    /// What recipients, amounts and idempotency keys are derived from; a new one when left out
    #[arg(long, value_name = "TEXT")]
    seed: Option<String>,
    /// How far to follow what was accepted
    #[arg(long, value_enum, default_value_t = Goal::Accepted)]
    follow: Goal,
    /// Milliseconds between two looks while following: what was seen is late by up to this
    #[arg(long, value_name = "MS", default_value_t = 250, value_parser = clap::value_parser!(u64).range(20..))]
    poll_ms: u64,
    /// Seconds after the last request after which to give up following
    #[arg(long, value_name = "S", default_value_t = 300)]
    timeout_s: u64,
}

/// How far a transfer is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Goal {
    /// Not at all
    Accepted,
    /// Until a node took it
    Broadcast,
    /// Until it is in a block
    Included,
    /// Until nothing more happens to it
    Terminal,
}

fn count() -> RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=COUNT_MAX)
}

pub(crate) async fn run(context: &Context, args: LoadArgs) -> Result<(), CliError> {
    let plan = args.plan()?;
    let act = format!(
        "send {} times {} {} on {} to addresses that nobody has a key of",
        plan.count, args.amount, args.token, args.network
    );
    context.confirm(&act, &args.network)?;
    let api = context.api(Role::Client)?;
    let samples = plan.samples();
    let following = follow::Follow { goal: args.follow, poll_ms: args.poll_ms, timeout_s: args.timeout_s };
    let (driven, late) = drive::run(&api, &plan, &samples, following).await?;
    let report = report::Report::new(&plan, &samples, driven, following, late);
    context.output.report(&report.tables(), &report.json())?;
    report.verdict()
}

impl LoadArgs {
    fn plan(&self) -> Result<Plan, CliError> {
        if self.via == Surface::Withdrawal && (self.from.is_some() || self.priority.is_some()) {
            return Err(CliError::Usage("--from and --priority belong to --via transfer".to_owned()));
        }
        let count = match (self.count, self.rate, self.seconds) {
            (Some(count), _, _) => count,
            (None, Some(rate), Some(seconds)) => rate.saturating_mul(seconds),
            (None, _, _) => 0,
        };
        if !(1..=COUNT_MAX).contains(&count) {
            return Err(CliError::Usage(format!("a run has 1 to {COUNT_MAX} requests, not {count}")));
        }
        Ok(Plan {
            count,
            rate: self.rate,
            concurrency: usize::from(self.concurrency),
            surface: self.via,
            from: self.from.clone(),
            network: self.network.clone(),
            token: self.token.clone(),
            contract: crate::assets::contract(&self.network, &self.token)?,
            amount: AmountRange::parse(&self.amount, &self.network, &self.token)?,
            priority: self.priority,
            seed: self.seed.clone().unwrap_or_else(|| random_key("load")),
        })
    }
}
