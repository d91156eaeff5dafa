//! `transfers`: ask for them by either surface, look at them, follow them.

use causeway_domain::limits::PAGE_ROWS_DEFAULT;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::{
    ROWS_MAX, key_or_new,
    watch::{self, Pace},
};
use crate::{
    api::{AnyId, Api, Call, Surface},
    assets,
    context::{Context, Role},
    error::CliError,
    output::{Column, number, text},
};

/// Verbs of `transfers`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Ask for a transfer; repeating it with the same --key never pays twice
    Create(Create),
    /// Show one by its id (tx-… or tr_…)
    Get {
        /// The id
        id: AnyId,
    },
    /// List the tenant's, newest first
    List {
        /// How many at most
        #[arg(long, default_value_t = PAGE_ROWS_DEFAULT)]
        limit: usize,
    },
    /// List what waits, of all tenants, and what for: those accepted first come first (for operators)
    Waiting {
        /// Only on this network
        network: Option<String>,
    },
    /// Cancel one: at once while it is not signed; afterwards the chain decides which wins
    Cancel {
        /// The id (tx-… or tr_…; an operator needs tr_…)
        id: AnyId,
        /// Act as an operator, on any tenant's; why goes into the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// As an operator: you have looked at the chain yourself, and it has not paid it, where nothing else can tell
        #[arg(long, requires = "reason")]
        unpaid: bool,
    },
    /// Follow some to their end
    Watch {
        /// Their ids (tx-… or tr_…)
        #[arg(required = true)]
        ids: Vec<AnyId>,
        #[command(flatten)]
        pace: Pace,
    },
}

/// What to ask for.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Which surface to ask
    #[arg(long, value_enum, default_value_t = Surface::Withdrawal)]
    via: Surface,
    /// The tenant's treasury that pays (only, and always, with --via transfer)
    #[arg(long, value_name = "ADDRESS", required_if_eq("via", "transfer"))]
    from: Option<String>,
    /// Who receives
    #[arg(long, value_name = "ADDRESS")]
    to: String,
    /// How much, in the token's own unit, such as 12.5
    #[arg(long)]
    amount: String,
    /// Symbol or contract address
    #[arg(long)]
    token: String,
    /// Network; --via transfer needs it only if the treasury is on several
    #[arg(long, required_if_eq("via", "withdrawal"))]
    network: Option<String>,
    /// Which queue it takes (only with --via transfer)
    #[arg(long, value_enum)]
    priority: Option<Priority>,
    /// Idempotency key; a new one, which is shown, when left out
    #[arg(long, value_name = "TEXT")]
    key: Option<String>,
    /// Follow it to its end
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    pace: Pace,
}

/// How urgent a transfer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Priority {
    /// When nothing else waits
    Low,
    /// In its turn
    Normal,
    /// Before the others
    High,
}

impl Priority {
    /// The API's word.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }
}

const COLUMNS: [Column; 10] = [
    text("ID", "/transferId"),
    text("STATE", "/state"),
    text("WAITS FOR", "/waitingFor"),
    number("AMOUNT", "/amount"),
    text("TOKEN", "/token"),
    text("NETWORK", "/network"),
    text("TO", "/to"),
    text("TRANSACTION", "/transactionHash"),
    text("CREATED", "/createdAt"),
    text("ERROR", "/error/code"),
];

const WAITING_COLUMNS: [Column; 9] = [
    text("ID", "/transferId"),
    text("STATE", "/state"),
    text("WAITS FOR", "/waitingFor"),
    number("AMOUNT", "/amount"),
    text("TOKEN", "/symbol"),
    text("TENANT", "/tenant"),
    text("LANE", "/lane"),
    text("SINCE", "/createdAt"),
    text("LOOKED AT BY", "/dueAt"),
];

pub(super) async fn run(context: &Context, verb: Verb) -> Result<(), CliError> {
    match verb {
        Verb::Create(args) => {
            let call = args.call()?;
            created(context, &context.api(Role::Client)?, &call, &args).await
        }
        Verb::Get { id } => context.output.record(&context.api(Role::Client)?.call(&id.call()).await?),
        Verb::List { limit } => {
            let call = Call::get(&["api", "v1", "transfers"]);
            let rows: Vec<Value> = context.api(Role::Client)?.pages(call, "transfers", limit).await?;
            context.output.rows(&COLUMNS, &rows)
        }
        Verb::Waiting { network } => waiting(context, network).await,
        Verb::Cancel { id, reason, unpaid } => {
            let answer: Value = match reason {
                None => context.api(Role::Client)?.call(&id.cancel()).await?,
                Some(reason) => {
                    let seen = if unpaid { "; the chain has not paid it" } else { "" };
                    context.confirm(&format!("cancel transfer {id}{seen}"), "cancel")?;
                    let AnyId::Transfer(id) = &id else {
                        return Err(CliError::Usage("an operator names a transfer by its tr_… id".to_owned()));
                    };
                    let path = ["admin", "v1", "transfers", &id.to_string(), "cancel"];
                    context
                        .api(Role::Operator)?
                        .call(&Call::post(&path, json!({"reason": reason, "unpaid": unpaid})))
                        .await?
                }
            };
            context.output.record(&answer)
        }
        Verb::Watch { ids, pace } => watch::run(context, &context.api(Role::Client)?, &ids, pace).await,
    }
}

async fn waiting(context: &Context, network: Option<String>) -> Result<(), CliError> {
    let mut call = Call::get(&["admin", "v1", "transfers", "waiting"]);
    if let Some(network) = network {
        call = call.with("network", network);
    }
    let mut rows: Vec<Value> = context.api(Role::Operator)?.pages(call, "items", ROWS_MAX).await?;
    if rows.len() == ROWS_MAX {
        eprintln!("only {ROWS_MAX} are listed, those that are looked at next; name a network for fewer");
    }
    // The API lists them by where they wait; what waits longest is what an alarm is about.
    rows.sort_by(|a, b| a["createdAt"].as_str().cmp(&b["createdAt"].as_str()));
    context.output.rows(&WAITING_COLUMNS, &rows)
}

async fn created(context: &Context, api: &Api, call: &Call, args: &Create) -> Result<(), CliError> {
    let answer: Value = api.call(call).await?;
    if !args.watch {
        return context.output.record(&answer);
    }
    let id = answer.get("requestId").or_else(|| answer.get("transferId")).and_then(Value::as_str).unwrap_or_default();
    let id: AnyId = id.parse().map_err(|error| CliError::Unhoped(format!("the API's answer: '{id}' {error}")))?;
    watch::run(context, api, &[id], args.pace).await
}

impl Create {
    fn call(&self) -> Result<Call, CliError> {
        let key = key_or_new(self.key.clone());
        match self.via {
            Surface::Withdrawal => self.withdrawal(&key),
            Surface::Transfer => Ok(self.transfer(&key)),
        }
    }

    fn withdrawal(&self, key: &str) -> Result<Call, CliError> {
        if self.from.is_some() || self.priority.is_some() {
            return Err(CliError::Usage("--from and --priority belong to --via transfer".to_owned()));
        }
        let network = self.network.as_deref().unwrap_or_default();
        let token = assets::contract(network, &self.token)?;
        let body = json!({"amount": self.amount, "toAddress": self.to, "tokenAddress": token, "network": network});
        Ok(Call::post(&["withdrawal", "request"], body).keyed(key))
    }

    fn transfer(&self, key: &str) -> Call {
        let mut body = Map::new();
        let mut set = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                body.insert(name.to_owned(), Value::from(value));
            }
        };
        set("from", self.from.as_deref());
        set("to", Some(&self.to));
        set("amount", Some(&self.amount));
        set("token", Some(&self.token));
        set("network", self.network.as_deref());
        set("priority", self.priority.map(Priority::as_str));
        set("idempotencyKey", Some(key));
        Call::post_repeatable(&["api", "v1", "transfers"], Value::Object(body))
    }
}
