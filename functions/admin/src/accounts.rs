//! Accounts: what the ledger says, and whether it is right.

use causeway_domain::{Amount, id::TenantId, limits::ACCOUNT_SHARDS};
use causeway_http::ApiError;
use causeway_state::{
    ledger::{AccountId, AccountReport, Balances, check_accounts},
    tables::LEDGER,
    wallet::Treasury,
};
use causeway_store::{Query, Range};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Admin,
    list::{List, PageAsked, parse},
};

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

/// What a check of the ledger found.
#[derive(Debug, Serialize, ToSchema)]
pub struct Check {
    /// Whether every account agrees with its entries, and every commit's entries sum to zero.
    pub clean: bool,
    /// All accounts.
    pub accounts: Vec<CheckedAccount>,
    /// Commits whose entries do not sum to zero.
    pub unbalanced: Vec<String>,
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
    /// What does not fit; empty where all does.
    pub faults: Vec<String>,
}

impl From<AccountReport> for CheckedAccount {
    fn from(report: AccountReport) -> Self {
        let AccountReport { account, balances, entries, faults } = report;
        Self { account, balances, entries, faults }
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
        for row in self.all(Treasury::query_all(&tenant)).await? {
            owners.push(format!("treasury:{}", parse::<Treasury>(&row)?.lane()));
        }
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

    /// `POST accounts/check`
    pub async fn check_accounts(&self) -> Result<Check, ApiError> {
        let checked = check_accounts(&*self.store).await;
        let (accounts, unbalanced) = checked.map_err(|error| ApiError::internal(&error))?;
        let clean = unbalanced.is_empty() && accounts.iter().all(|account| account.faults.is_empty());
        if !clean {
            tracing::error!(table = LEDGER.0, "the ledger does not add up");
        }
        Ok(Check { clean, accounts: accounts.into_iter().map(Into::into).collect(), unbalanced })
    }
}

/// Signed units as a decimal string in the asset's own unit.
pub fn told(units: i128, decimals: u8) -> String {
    let sign = if units < 0 { "-" } else { "" };
    // A sum of shards may leave an amount's bounds; then the units are told as they are.
    Amount::new(units.unsigned_abs())
        .map_or_else(|| units.to_string(), |amount| format!("{sign}{}", amount.format(decimals)))
}
