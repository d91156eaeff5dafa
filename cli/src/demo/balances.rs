//! What the chain holds and what the ledger says, side by side.

use std::time::Duration;

use alloy_primitives::Address;
use causeway_domain::{Amount, AmountError, Asset};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::{NETWORK, Stage, prepare::Treasury};
use crate::{
    api::Call,
    error::CliError,
    output::{Column, number, table, text},
};

/// Smallest units, signed: a treasury's account is negative in the ledger.
pub(super) type Units = i128;

/// Postings follow what the chain shows by a moment; a difference that lasts longer is one.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(500);
/// Most accounts of a demo tenant.
const ROWS_MAX: usize = 200;

/// An account as the API lists it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Account {
    account: String,
    asset: String,
    available: String,
    held: String,
}

/// One treasury's units of one asset, seen from both sides.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Balance {
    tenant: &'static str,
    treasury: String,
    symbol: String,
    chain: String,
    ledger: String,
    difference: String,
    /// Whether both sides agree.
    pub(super) equal: bool,
}

const COLUMNS: [Column; 7] = [
    text("TENANT", "/tenant"),
    text("TREASURY", "/treasury"),
    text("ASSET", "/symbol"),
    number("ON CHAIN", "/chain"),
    number("IN LEDGER", "/ledger"),
    number("DIFFERENCE", "/difference"),
    text("EQUAL", "/equal"),
];

/// Compares every treasury, once more until they agree or patience ends.
pub(super) async fn compare(stage: &Stage, treasuries: &[Treasury]) -> Result<Vec<Balance>, CliError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut balances = Vec::new();
        for treasury in treasuries {
            let accounts = accounts_of(stage, treasury.user.tenant()).await?;
            for asset in &treasury.assets {
                balances.push(balance(stage, treasury, &accounts, asset).await?);
            }
        }
        if balances.iter().all(|balance| balance.equal) || Instant::now() >= deadline {
            return Ok(balances);
        }
        sleep(PAUSE).await;
    }
}

pub(super) async fn balance(
    stage: &Stage,
    treasury: &Treasury,
    accounts: &[Account],
    asset: &Asset,
) -> Result<Balance, CliError> {
    let chain = on_chain(stage, asset, treasury.address).await?;
    let ledger = treasury_units(accounts, treasury.address, asset)?;
    Ok(Balance {
        tenant: treasury.user.tenant(),
        treasury: treasury.address.to_string(),
        symbol: asset.symbol.clone(),
        chain: shown(chain, asset),
        ledger: shown(ledger, asset),
        difference: shown(chain - ledger, asset),
        equal: chain == ledger,
    })
}

/// The comparison for people.
pub(super) fn table_of(balances: &[Balance]) -> String {
    let rows: Vec<_> = balances.iter().map(|balance| serde_json::to_value(balance).unwrap_or_default()).collect();
    table(&COLUMNS, &rows)
}

/// What an address holds on chain.
pub(super) async fn on_chain(stage: &Stage, asset: &Asset, holder: Address) -> Result<Units, CliError> {
    let held = stage.chain.balance(asset, holder).await?;
    Amount::try_from(held).map(Amount::signed).map_err(|error| CliError::Amount {
        field: asset.symbol.clone(),
        text: held.to_string(),
        reason: error.to_string(),
    })
}

/// A tenant's accounts, with its treasuries' and its gas account.
pub(super) async fn accounts_of(stage: &Stage, tenant: &str) -> Result<Vec<Account>, CliError> {
    Ok(stage.operator.pages(Call::get(&["admin", "v1", "accounts", tenant]), "items", ROWS_MAX).await?)
}

/// What the ledger says a treasury holds: its account, seen from the other side.
pub(super) fn treasury_units(accounts: &[Account], treasury: Address, asset: &Asset) -> Result<Units, CliError> {
    let owner = format!("treasury:{NETWORK}/{treasury}");
    let account = find(accounts, &owner, asset);
    Ok(-account
        .map_or(Ok(0), |account| Ok::<_, CliError>(units(&account.available, asset)? + units(&account.held, asset)?))?)
}

/// What is free to use in an account.
pub(super) fn available(accounts: &[Account], owner: &str, asset: &Asset) -> Result<Units, CliError> {
    find(accounts, owner, asset).map_or(Ok(0), |account| units(&account.available, asset))
}

fn find<'a>(accounts: &'a [Account], owner: &str, asset: &Asset) -> Option<&'a Account> {
    let asset = asset.id().to_string();
    // Addresses may come in either case.
    accounts
        .iter()
        .find(|account| account.account.eq_ignore_ascii_case(owner) && account.asset.eq_ignore_ascii_case(&asset))
}

/// A signed decimal string as smallest units.
fn units(text: &str, asset: &Asset) -> Result<Units, CliError> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let wrong = |error: AmountError| CliError::Amount {
        field: format!("{} in the ledger", asset.symbol),
        text: text.to_owned(),
        reason: error.to_string(),
    };
    match Amount::parse(digits, asset.decimals) {
        Ok(amount) => Ok(sign * amount.signed()),
        Err(AmountError::Zero) => Ok(0),
        Err(error @ (AmountError::Syntax | AmountError::TooPrecise { .. } | AmountError::TooLarge)) => {
            Err(wrong(error))
        }
    }
}

/// Smallest units as a signed decimal string.
pub(super) fn shown(units: Units, asset: &Asset) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let amount =
        Amount::new(units.unsigned_abs()).map_or_else(|| units.to_string(), |amount| amount.format(asset.decimals));
    format!("{sign}{amount}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assets;

    fn account(account: &str, available: &str, held: &str) -> Account {
        let asset = assets::find(NETWORK, "TUSD").expect("a known asset").id().to_string();
        Account { account: account.to_owned(), asset, available: available.to_owned(), held: held.to_owned() }
    }

    #[test]
    fn a_treasury_is_seen_from_the_other_side() {
        let tusd = assets::find(NETWORK, "TUSD").expect("a known asset");
        let address = Address::repeat_byte(0xab);
        let accounts =
            [account("tenant:acme", "7.5", "2"), account(&format!("treasury:local/{address:#x}"), "-9.5", "0")];
        assert_eq!(treasury_units(&accounts, address, &tusd).ok(), Some(9_500_000));
        assert_eq!(treasury_units(&accounts, Address::ZERO, &tusd).ok(), Some(0));
        assert_eq!(available(&accounts, "tenant:acme", &tusd).ok(), Some(7_500_000));
    }

    #[test]
    fn signed_amounts_are_read_and_shown_exactly() {
        let tusd = assets::find(NETWORK, "TUSD").expect("a known asset");
        for text in ["0", "-0.000001", "123456789.123456"] {
            assert_eq!(units(text, &tusd).map(|units| shown(units, &tusd)).ok().as_deref(), Some(text));
        }
        for text in ["", "--1", "1e3", "0.0000001"] {
            assert!(units(text, &tusd).is_err(), "{text:?}");
        }
    }
}
