//! `treasuries`: the wallets that pay for a tenant's transfers.

use causeway_domain::id::TenantId;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::ROWS_MAX;
use crate::{
    api::Call,
    context::{Context, Role},
    error::CliError,
    output::{Column, text},
};

/// Verbs of `treasuries`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List a tenant's
    List {
        /// Whose
        tenant: TenantId,
    },
    /// Let a wallet pay for a tenant's transfers on a network
    Register(Register),
}

/// A wallet and how its key is held.
#[derive(Debug, Args)]
pub(crate) struct Register {
    /// Whose
    tenant: TenantId,
    /// Network
    #[arg(long)]
    network: String,
    /// KMS key (its ARN); the address follows from it
    #[arg(long, value_name = "ARN", required_unless_present = "secret", conflicts_with = "secret")]
    kms_key: Option<String>,
    /// Name of an imported key in Secrets Manager; needs --address
    #[arg(long, value_name = "NAME", requires = "address")]
    secret: Option<String>,
    /// Address of the imported key
    #[arg(long, requires = "secret")]
    address: Option<String>,
    /// Why; goes into the audit log
    #[arg(long)]
    reason: String,
}

const COLUMNS: [Column; 5] = [
    text("TENANT", "/tenant"),
    text("NETWORK", "/network"),
    text("ADDRESS", "/address"),
    text("KIND", "/key/kind"),
    text("KEY", "/key"),
];

pub(super) async fn run(context: &Context, verb: Verb) -> Result<(), CliError> {
    let api = context.api(Role::Operator)?;
    match verb {
        Verb::List { tenant } => {
            let rows: Vec<Value> = api.pages(list_call(tenant.as_str()), "items", ROWS_MAX).await?;
            context.output.rows(&COLUMNS, &rows)
        }
        Verb::Register(register) => {
            let key = match (register.kms_key, register.secret) {
                (Some(key_id), _) => json!({"kind": "kms", "keyId": key_id}),
                (None, name) => json!({"kind": "secret", "name": name, "address": register.address}),
            };
            let call = register_call(register.tenant.as_str(), &register.network, &key, &register.reason);
            let answer: Value = api.call(&call).await?;
            context.output.record(&answer)
        }
    }
}

/// The call that lists a tenant's treasuries.
pub(crate) fn list_call(tenant: &str) -> Call {
    Call::get(&["admin", "v1", "treasuries"]).with("tenant", tenant)
}

/// The call that registers a treasury.
pub(crate) fn register_call(tenant: &str, network: &str, key: &Value, reason: &str) -> Call {
    let body = json!({"tenant": tenant, "network": network, "key": key, "reason": reason});
    Call::post(&["admin", "v1", "treasuries"], body)
}
