//! `reconciliation`: what does not agree between lanes, parcels, ledger and chain.

use serde_json::Value;

use super::ROWS_MAX;
use crate::{
    api::Call,
    context::{Context, Role},
    error::CliError,
    output::{Column, number, table, text},
};

const NETWORKS: [Column; 6] = [
    text("NETWORK", "/network"),
    text("CLEAN", "/clean"),
    number("TREASURIES", "/treasuries"),
    text("LOOKED AT", "/lookedAt"),
    number("SUSPECTED", "/suspected"),
    number("MORE", "/more"),
];

const DIFFERENCES: [Column; 6] = [
    text("KIND", "/kind"),
    text("ALARM", "/alarm"),
    text("TENANT", "/tenant"),
    text("SUBJECT", "/subject"),
    text("DETAIL", "/detail"),
    text("AT", "/at"),
];

pub(super) async fn run(context: &Context) -> Result<(), CliError> {
    let call = Call::get(&["admin", "v1", "reconciliation"]);
    let networks: Vec<Value> = context.api(Role::Operator)?.pages(call, "items", ROWS_MAX).await?;
    let of = |network: &Value| network.get("differences").and_then(Value::as_array).cloned().unwrap_or_default();
    let differences: Vec<Value> = networks.iter().flat_map(of).collect();
    let mut tables = table(&NETWORKS, &networks);
    if !differences.is_empty() {
        tables.push_str(&format!("\n\n{}", table(&DIFFERENCES, &differences)));
    }
    context.output.report(&tables, &Value::Array(networks.clone()))?;
    // A network that does not say so is not clean.
    let clean = |network: &Value| network.get("clean").and_then(Value::as_bool).unwrap_or(false);
    if networks.iter().all(clean) { Ok(()) } else { Err(CliError::Unhoped("not everything agrees".to_owned())) }
}
