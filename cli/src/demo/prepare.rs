//! Before the demo: treasuries, test tokens, funds on chain, and the same funds in the ledger.
//!
//! Running it again is harmless: what is there is kept, what is missing is added, and what the
//! chain holds beyond the ledger is credited.

use std::{fs, path::Path};

use alloy_primitives::{Address, hex};
use causeway_domain::{Amount, Asset};
use k256::ecdsa::SigningKey;
use serde_json::{Value, json};

use super::{
    NETWORK, Stage,
    balances::{self, Units},
    scenario::User,
};
use crate::{
    api::{Call, random_key},
    assets,
    commands::treasuries::{list_call, register_call},
    context::Context,
    error::CliError,
};

/// Name of the imported key in the secret, and of the file that the local deploy keeps it in.
const IMPORTED_KEY: &str = "local-imported";
const IMPORTED_KEYS_FILE: &str = "imported-keys.json";
/// Every tenant's gas account gets this much of the native coin.
const GAS: &str = "1";
const REASON: &str = "demo: test money";
/// Most treasuries of a demo tenant.
const ROWS_MAX: usize = 100;

/// What a tenant holds when the demo starts: symbol and amount in the asset's own unit.
const FUNDS: [(User, &[(&str, &str)]); 3] = [
    (User::Alice, &[("ETH", "10"), ("TUSD", "1000"), ("TUSDT", "1000"), ("TBLK", "1000")]),
    (User::Bob, &[("ETH", "1"), ("TUSD", "50")]),
    (User::Carol, &[("ETH", "5"), ("TUSD", "100")]),
];

/// A tenant's treasury and the assets that the demo moves from it.
#[derive(Debug, Clone)]
pub(super) struct Treasury {
    pub(super) user: User,
    pub(super) address: Address,
    pub(super) assets: Vec<Asset>,
}

/// Prepares everything; a second call changes nothing.
pub(super) async fn prepare(context: &Context, stage: &Stage) -> Result<Vec<Treasury>, CliError> {
    eprintln!("test tokens");
    stage.contracts.deploy().await?;
    stage.contracts.lenient(false).await?;
    let mut treasuries = Vec::new();
    for (user, funds) in FUNDS {
        let address = treasury_of(context, stage, user).await?;
        eprintln!("treasury of {}: {address}", user.tenant());
        let mut assets = Vec::new();
        for (symbol, amount) in funds {
            let asset = assets::find(NETWORK, symbol)?;
            fund(stage, user, address, &asset, amount).await?;
            assets.push(asset);
        }
        treasuries.push(Treasury { user, address, assets });
    }
    Ok(treasuries)
}

/// The tenant's treasury on the network, registered now if there is none.
async fn treasury_of(context: &Context, stage: &Stage, user: User) -> Result<Address, CliError> {
    let known: Vec<Value> = stage.operator.pages(list_call(user.tenant()), "items", ROWS_MAX).await?;
    let here = known.iter().find(|treasury| treasury["network"] == NETWORK);
    if let Some(treasury) = here {
        return address(&treasury["address"]);
    }
    let key = match user {
        User::Alice | User::Bob => json!({"kind": "kms", "keyId": kms_key(context, user.tenant())?}),
        User::Carol => json!({
            "kind": "secret", "name": IMPORTED_KEY, "address": imported_address(&context.profile.folder)?,
        }),
    };
    let answer: Value = stage.operator.call(&register_call(user.tenant(), NETWORK, &key, REASON)).await?;
    address(&answer["address"])
}

fn address(value: &Value) -> Result<Address, CliError> {
    let text = value.as_str().unwrap_or_default();
    text.parse().map_err(|_| CliError::Unhoped(format!("the API's answer: '{text}' is no address")))
}

fn kms_key(context: &Context, tenant: &str) -> Result<String, CliError> {
    let key = context.profile.keys.get("treasury").and_then(|keys| keys.get(tenant)).map(|key| key.arn.clone());
    key.ok_or_else(|| CliError::Unset {
        what: format!("the treasury key of {tenant}"),
        next: "deploy the local stack again: its profile names the keys".to_owned(),
    })
}

/// The address of the imported key. Only the local deploy leaves its file beside the profile.
fn imported_address(folder: &Path) -> Result<Address, CliError> {
    let path = folder.join(IMPORTED_KEYS_FILE);
    let bytes = fs::read(&path).map_err(|source| CliError::ProfileFile { path: path.clone(), source })?;
    let keys: Value =
        serde_json::from_slice(&bytes).map_err(|source| CliError::ProfileSyntax { path: path.clone(), source })?;
    let wrong = || CliError::Unhoped(format!("{}: holds no usable key '{IMPORTED_KEY}'", path.display()));
    let secret = hex::decode(keys[IMPORTED_KEY].as_str().unwrap_or_default()).map_err(|_| wrong())?;
    let key = SigningKey::from_slice(&secret).map_err(|_| wrong())?;
    let point = key.verifying_key().to_encoded_point(false);
    Ok(Address::from_raw_public_key(&point.as_bytes()[1..]))
}

/// Brings the chain up to what the tenant (and its gas account) should have, and credits what
/// the chain then holds beyond the ledger.
async fn fund(stage: &Stage, user: User, treasury: Address, asset: &Asset, amount: &str) -> Result<(), CliError> {
    let gas = if asset.is_native() { parse(GAS, asset)? } else { 0 };
    let wanted = parse(amount, asset)? + gas;
    let held = balances::on_chain(stage, asset, treasury).await?;
    if held < wanted {
        let missing = balances::shown(wanted - held, asset);
        eprintln!("  {missing} {} on chain", asset.symbol);
        stage.contracts.give(asset, treasury, &missing).await?;
    }
    let accounts = balances::accounts_of(stage, user.tenant()).await?;
    let held = balances::on_chain(stage, asset, treasury).await?;
    let mut beyond = held - balances::treasury_units(&accounts, treasury, asset)?;
    if beyond < 0 {
        return Err(CliError::Unhoped(format!(
            "the ledger says {} {} more than the chain holds for {treasury}: is it a new chain under an old ledger?",
            balances::shown(-beyond, asset),
            asset.symbol
        )));
    }
    if asset.is_native() {
        let missing = gas - balances::available(&accounts, &format!("gas:{}", user.tenant()), asset)?;
        let to_gas = missing.clamp(0, beyond);
        credit(stage, user, "gas", asset, to_gas).await?;
        beyond -= to_gas;
    }
    credit(stage, user, "tenant", asset, beyond).await
}

async fn credit(stage: &Stage, user: User, account: &str, asset: &Asset, units: Units) -> Result<(), CliError> {
    if units == 0 {
        return Ok(());
    }
    let amount = balances::shown(units, asset);
    eprintln!("  {amount} {} into the {account} account", asset.symbol);
    let body = json!({
        "tenant": user.tenant(), "account": account, "network": NETWORK, "token": asset.symbol, "amount": amount,
        "reason": REASON, "idempotencyKey": random_key(&stage.run),
    });
    let _: Value = stage.operator.call(&Call::post_repeatable(&["admin", "v1", "accounts", "credit"], body)).await?;
    Ok(())
}

fn parse(text: &str, asset: &Asset) -> Result<Units, CliError> {
    let amount = Amount::parse(text, asset.decimals).map_err(|error| CliError::Amount {
        field: asset.symbol.clone(),
        text: text.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(amount.signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_imported_keys_address_follows_from_it() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let content = json!({IMPORTED_KEY: format!("0x{:064x}", 1)});
        fs::write(folder.path().join(IMPORTED_KEYS_FILE), content.to_string()).expect("the test's file");
        // The well-known address of the private key 1.
        let expected = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf".parse().ok();
        assert_eq!(imported_address(folder.path()).ok(), expected);
    }

    #[test]
    fn what_the_demo_funds_is_known() {
        for (symbol, amount) in FUNDS.iter().flat_map(|(_, funds)| funds.iter()) {
            let asset = assets::find(NETWORK, symbol).expect("a known asset");
            assert!(parse(amount, &asset).is_ok(), "{symbol}");
        }
    }
}
