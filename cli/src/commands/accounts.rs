//! `accounts`: the ledger's accounts, seen and moved by operators.

use causeway_domain::id::TenantId;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{ROWS_MAX, key_or_new};
use crate::{
    api::{Api, ApiError, Call},
    context::{Context, Role},
    error::CliError,
    output::{Column, number, table, text},
};

/// Verbs of `accounts`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show all accounts, or one tenant's with its treasuries' and gas accounts
    Show {
        /// Whose
        tenant: Option<TenantId>,
    },
    /// Add money that arrived for a tenant
    Credit(Movement),
    /// Take money away from a tenant
    Debit(Movement),
    /// Prove that all sums and balances agree; exit code 5 if they do not, or where that could not be proven
    Check,
}

/// Money that an operator moves.
#[derive(Debug, Args)]
pub(crate) struct Movement {
    /// Whose account
    tenant: TenantId,
    /// How much, in the token's own unit
    #[arg(long)]
    amount: String,
    /// Symbol or contract address
    #[arg(long)]
    token: String,
    /// Network
    #[arg(long)]
    network: String,
    /// Which of the tenant's accounts
    #[arg(long, value_enum, default_value_t = Account::Tenant)]
    account: Account,
    /// Address of the treasury that it came to or left; the tenant's first one on that network when left out
    #[arg(long, value_name = "ADDRESS")]
    treasury: Option<String>,
    /// Why; goes into the audit log
    #[arg(long)]
    reason: String,
    /// Idempotency key; a new one, which is shown, when left out. The same key and order move money once
    #[arg(long, value_name = "TEXT")]
    key: Option<String>,
}

/// Which of a tenant's accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Account {
    /// What transfers are paid from
    Tenant,
    /// What gas is paid from
    Gas,
}

const COLUMNS: [Column; 6] = [
    text("ACCOUNT", "/account"),
    text("SYMBOL", "/symbol"),
    number("AVAILABLE", "/available"),
    number("HELD", "/held"),
    number("POSTED", "/posted"),
    text("ASSET", "/asset"),
];

/// A check's balances are in smallest units, as they are stored.
const CHECK_COLUMNS: [Column; 7] = [
    text("ACCOUNT", "/account"),
    number("ENTRIES", "/entries"),
    number("UNPROVEN", "/unproven"),
    number("AVAILABLE UNITS", "/balances/0"),
    number("HELD UNITS", "/balances/1"),
    number("POSTED UNITS", "/balances/2"),
    text("FAULTS", "/faults"),
];

pub(super) async fn run(context: &Context, verb: Verb) -> Result<(), CliError> {
    match verb {
        Verb::Show { tenant } => show(context, tenant).await,
        Verb::Credit(movement) => credit_or_debit(context, "credit", movement).await,
        Verb::Debit(movement) => credit_or_debit(context, "debit", movement).await,
        Verb::Check => check(context).await,
    }
}

async fn show(context: &Context, tenant: Option<TenantId>) -> Result<(), CliError> {
    let call = match &tenant {
        Some(tenant) => Call::get(&["admin", "v1", "accounts", tenant.as_str()]),
        None => Call::get(&["admin", "v1", "accounts"]),
    };
    let rows: Vec<Value> = context.api(Role::Operator)?.pages(call, "items", ROWS_MAX).await?;
    context.output.rows(&COLUMNS, &rows)
}

async fn credit_or_debit(context: &Context, verb: &str, movement: Movement) -> Result<(), CliError> {
    let Movement { tenant, amount, token, network, account, treasury, reason, key } = movement;
    let account = match account {
        Account::Tenant => "tenant",
        Account::Gas => "gas",
    };
    let api = context.api(Role::Operator)?;
    let at = treasury.as_ref().map(|address| format!(", treasury {address}")).unwrap_or_default();
    let what = format!("{verb} {amount} {token} on {network}, {account} account of {tenant}{at}");
    context.confirm(&what, tenant.as_str())?;
    let mut body = json!({
        "tenant": tenant, "account": account, "network": network, "token": token, "amount": amount,
        "reason": reason, "idempotencyKey": key_or_new(key),
    });
    if let Some(treasury) = treasury {
        body["treasury"] = json!(treasury);
    }
    let answer: Value = api.call(&Call::post_repeatable(&["admin", "v1", "accounts", verb], body)).await?;
    context.output.record(&answer)
}

async fn check(context: &Context) -> Result<(), CliError> {
    let report = whole_check(&context.api(Role::Operator)?).await?;
    let list = |name: &str| report.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut tables = table(&CHECK_COLUMNS, &list("accounts"));
    for commit in list("unbalanced") {
        tables.push_str(&format!("\nunbalanced: {commit}"));
    }
    let (clean, unproven) = (is_clean(&report), report["unproven"].as_u64().unwrap_or_default());
    let until = report["provenUntil"].as_str().unwrap_or("?");
    tables.push_str(&match (clean, unproven) {
        (true, 0) => format!("\nclean; every commit until {until} sums to zero"),
        (true, _) => format!("\nNOT ALL PROVEN; every commit until {until} sums to zero"),
        (false, _) => "\nNOT CLEAN".to_owned(),
    });
    context.output.report(&tables, &report)?;
    match (clean, unproven) {
        (true, 0) => Ok(()),
        (true, _) => Err(CliError::Unhoped(
            "some accounts were written whenever they were read: check again when it is quieter, or while their tenant is blocked"
                .to_owned(),
        )),
        (false, _) => Err(CliError::Unhoped("the ledger does not add up".to_owned())),
    }
}

/// A whole check of the ledger, part by part, as one report. It changes nothing, so each part may be repeated.
pub(crate) async fn whole_check(api: &Api) -> Result<Value, ApiError> {
    let (mut accounts, mut unbalanced): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    let (mut body, mut clean) = (json!({}), true);
    loop {
        let mut part: Value = api.call(&Call::post_repeatable(&["admin", "v1", "accounts", "check"], body)).await?;
        // A part that does not say that all is well is not.
        clean &= part["clean"].as_bool().unwrap_or(false);
        for (all, name) in [(&mut accounts, "accounts"), (&mut unbalanced, "unbalanced")] {
            if let Some(more) = part.get_mut(name).and_then(Value::as_array_mut) {
                all.append(more);
            }
        }
        let Some(cursor) = part["nextCursor"].as_str() else {
            let unproven: u64 = accounts.iter().filter_map(|account| account["unproven"].as_u64()).sum();
            return Ok(json!({
                "clean": clean, "accounts": accounts, "unbalanced": unbalanced, "unproven": unproven,
                "provenUntil": part["provenUntil"],
            }));
        };
        eprintln!("{} accounts so far", accounts.len());
        body = json!({"cursor": cursor});
    }
}

/// Whether a check's report says that all is well; a report that does not say so does not.
pub(crate) fn is_clean(report: &Value) -> bool {
    report.get("clean").and_then(Value::as_bool).unwrap_or(false)
}
