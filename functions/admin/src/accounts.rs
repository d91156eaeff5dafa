//! Accounts: what the ledger says, and whether it is right.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use causeway_domain::{Amount, id::TenantId, limits::ACCOUNT_SHARDS};
use causeway_http::{ApiError, Fields, time::iso};
use causeway_state::{
    ledger::{AccountId, AccountReport, Balances, End, Place, check_accounts, unbalanced_commits},
    tables::LEDGER,
    wallet::Treasury,
};
use causeway_store::{Query, Range, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Admin,
    list::{List, PageAsked, parse},
};

/// How long one call goes on with a check; a search for what it found may take as long again (the gateway waits for 29 s).
const CHECK_MS: u64 = 10_000;

/// An account and its balances. A treasury's account is negative: its negated sum is what the chain holds.
#[derive(Debug, Serialize, ToSchema)]
pub struct Account {
    /// `tenant:…`, `gas:…` or `treasury:{network}/{address}`.
    #[schema(example = "tenant:acme")]
    pub account: String,
    /// `{network}:{contract}`.
    pub asset: String,
    /// The asset's symbol; absent where the asset is not listed any more: then amounts are in smallest units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// Free to use, in the asset's own unit.
    #[schema(example = "12.5")]
    pub available: String,
    /// Held for transfers under way.
    #[schema(example = "0")]
    pub held: String,
    /// Paid out so far.
    #[schema(example = "0")]
    pub posted: String,
}

/// How far a check of the ledger is to go on; an empty object begins one.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckRequest {
    /// `nextCursor` of the answer before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// What a part of a check of the ledger found; the check is over with the answer that has no `nextCursor`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Whether nothing was found that does not fit.
    pub clean: bool,
    /// The accounts that this part finished.
    pub accounts: Vec<CheckedAccount>,
    /// Commits whose entries do not sum to zero; told at the end.
    pub unbalanced: Vec<String>,
    /// At the end: entries of every commit until then are proven to sum to zero. Ten minutes before the check began where
    /// others wrote meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proven_until: Option<String>,
    /// Where to go on, if not all is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// What a check found for one account.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckedAccount {
    /// `{owner}#{asset}`.
    pub account: String,
    /// Available, held and posted, in smallest units.
    pub balances: [String; 3],
    /// Entries read.
    pub entries: u64,
    /// Parts of it (of eight) that were written whenever they were read: of these nothing is said.
    pub unproven: u8,
    /// What does not fit; empty where all does.
    pub faults: Vec<String>,
}

impl From<AccountReport> for CheckedAccount {
    fn from(report: AccountReport) -> Self {
        let AccountReport { account, balances, entries, unproven, faults } = report;
        Self { account, balances, entries, unproven, faults }
    }
}

impl Admin {
    /// `GET accounts`
    pub async fn accounts(&self, asked: &PageAsked) -> Result<List<Account>, ApiError> {
        self.accounts_of(asked, vec![AccountId::query()]).await
    }

    /// `GET accounts/{tenant}`
    pub async fn tenant_accounts(&self, tenant: &str, asked: &PageAsked) -> Result<List<Account>, ApiError> {
        let tenant: TenantId = tenant.parse().map_err(|error| ApiError::field("tenant", error))?;
        let mut owners = vec![format!("tenant:{tenant}"), format!("gas:{tenant}")];
        let treasuries = self.all(Treasury::query_all(&tenant)).await?;
        owners.extend(treasuries.iter().filter_map(Treasury::lane_at).map(|lane| format!("treasury:{lane}")));
        let of_owner = |owner: String| Query { range: Range::Prefix(format!("{owner}#")), ..AccountId::query() };
        self.accounts_of(asked, owners.into_iter().map(of_owner).collect()).await
    }

    async fn accounts_of(&self, asked: &PageAsked, parts: Vec<Query>) -> Result<List<Account>, ApiError> {
        let page = self.page(asked, parts).await?.try_map(|row| parse::<AccountId>(&row))?;
        let keys: Vec<_> = page.items.iter().flat_map(AccountId::shards).collect();
        let rows = self.read(&keys).await?;
        let mut shards = rows.chunks(usize::from(ACCOUNT_SHARDS));
        page.try_map(|account| Ok(self.account(&account, Balances::sum(shards.next().unwrap_or_default()))))
    }

    fn account(&self, account: &AccountId, balances: Balances) -> Account {
        let asset = self.networks.asset(&account.asset);
        let told = |units| told(units, asset.map_or(0, |asset| asset.decimals));
        Account {
            account: account.owner.to_string(),
            asset: account.asset.to_string(),
            symbol: asset.map(|asset| asset.symbol.clone()),
            available: told(balances.available),
            held: told(balances.held),
            posted: told(balances.posted),
        }
    }

    /// `POST accounts/check`: as much of a check as one call has time for.
    pub async fn check_accounts(&self, body: &[u8]) -> Result<Check, ApiError> {
        let fields = Fields::read(body, &["cursor"])?;
        let cursor = fields.value("cursor").filter(|value| !value.is_null());
        let foreign = || ApiError::field("cursor", "is not one that a check gave");
        let place = match cursor {
            None => Place::beginning(&*self.clock),
            Some(cursor) => cursor.as_str().and_then(read_place).ok_or_else(foreign)?,
        };
        let slice = check_accounts(&*self.store, &*self.clock, place, CHECK_MS).await.map_err(|error| match error {
            StoreError::Refused(_) if cursor.is_some() => foreign(),
            StoreError::Refused(_) | StoreError::Unavailable(_) | StoreError::Denied(_) => ApiError::internal(&error),
        })?;
        let mut check = Check {
            clean: slice.accounts.iter().all(|account| account.faults.is_empty()),
            accounts: slice.accounts.into_iter().map(Into::into).collect(),
            unbalanced: Vec::new(),
            proven_until: None,
            next_cursor: None,
        };
        match slice.end {
            End::GoOn(place) => check.next_cursor = Some(write_place(&place)?),
            End::Proven { until, all } => {
                check.proven_until = Some(iso(until));
                if !all {
                    // Something moved meanwhile, or does not fit since: a search tells which, if it has the time.
                    check.unbalanced = self.unbalanced().await?.unwrap_or_default();
                }
            }
            End::Unbalanced => {
                let unnamed = || vec!["entries of some commits do not sum to zero, too many to say which".to_owned()];
                check.unbalanced = self.unbalanced().await?.filter(|found| !found.is_empty()).unwrap_or_else(unnamed);
            }
        }
        check.clean &= check.unbalanced.is_empty();
        if !check.clean {
            tracing::error!(table = LEDGER.0, "the ledger does not add up");
        }
        Ok(check)
    }

    async fn unbalanced(&self) -> Result<Option<Vec<String>>, ApiError> {
        let found = unbalanced_commits(&*self.store, &*self.clock, CHECK_MS).await;
        found.map_err(|error| ApiError::internal(&error))
    }
}

/// A place as a cursor; it holds nothing that its holder may not see.
fn write_place(place: &Place) -> Result<String, ApiError> {
    serde_json::to_vec(place).map(|json| URL_SAFE_NO_PAD.encode(json)).map_err(|error| ApiError::internal(&error))
}

fn read_place(cursor: &str) -> Option<Place> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}

/// Signed units as a decimal string in the asset's own unit.
pub fn told(units: i128, decimals: u8) -> String {
    let sign = if units < 0 { "-" } else { "" };
    // A sum of shards may leave an amount's bounds; then the units are told as they are.
    Amount::new(units.unsigned_abs())
        .map_or_else(|| units.to_string(), |amount| format!("{sign}{}", amount.format(decimals)))
}
