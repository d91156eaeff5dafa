//! The local chain: balances by JSON-RPC, and the test tokens through the project's own script.

use std::path::PathBuf;

use alloy_primitives::{Address, U256, hex, keccak256};
use causeway_domain::Asset;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::error::CliError;

/// A node of the local chain.
#[derive(Debug)]
pub(super) struct Chain {
    http: Client,
    url: String,
}

impl Chain {
    pub(super) const fn new(http: Client, url: String) -> Self {
        Self { http, url }
    }

    /// What an address holds of an asset, in smallest units, at the newest block.
    pub(super) async fn balance(&self, asset: &Asset, holder: Address) -> Result<U256, CliError> {
        let answer = if asset.is_native() {
            self.call("eth_getBalance", json!([holder, "latest"])).await?
        } else {
            let data =
                format!("0x{}{}", hex::encode(&keccak256("balanceOf(address)")[..4]), hex::encode(holder.into_word()));
            self.call("eth_call", json!([{"to": asset.address, "data": data}, "latest"])).await?
        };
        let text = answer.as_str().unwrap_or_default();
        text.parse().map_err(|_| self.fault(format!("the balance of {} is '{text}'", asset.symbol), None))
    }

    async fn call(&self, method: &str, params: Value) -> Result<Value, CliError> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let fault = |source| self.fault(format!("no answer to {method}"), Some(source));
        let mut answer: Value =
            self.http.post(&self.url).json(&body).send().await.map_err(fault)?.json().await.map_err(fault)?;
        match answer.get("error") {
            Some(error) => Err(self.fault(format!("{method}: {error}"), None)),
            None => Ok(answer.get_mut("result").map(Value::take).unwrap_or_default()),
        }
    }

    fn fault(&self, what: String, source: Option<reqwest::Error>) -> CliError {
        CliError::Node { url: self.url.clone(), what, source }
    }
}

/// The test tokens, run by `contracts/deploy.py`.
#[derive(Debug)]
pub(super) struct Contracts {
    script: PathBuf,
    rpc: String,
}

impl Contracts {
    pub(super) fn new(folder: PathBuf, rpc: String) -> Self {
        Self { script: folder.join("deploy.py"), rpc }
    }

    /// Puts the missing tokens on the chain.
    pub(super) async fn deploy(&self) -> Result<(), CliError> {
        self.script(&[]).await
    }

    /// Gives an address some of an asset, out of thin air.
    pub(super) async fn give(&self, asset: &Asset, to: Address, amount: &str) -> Result<(), CliError> {
        let to = to.to_string();
        if asset.is_native() {
            self.script(&["fund", &to, amount]).await
        } else {
            self.script(&["mint", &asset.symbol, &to, amount]).await
        }
    }

    /// Puts an address on the blacklist of TBLK.
    pub(super) async fn blacklist(&self, address: Address) -> Result<(), CliError> {
        self.script(&["blacklist", &address.to_string()]).await
    }

    /// Whether TBLK hides its blacklist from simulations.
    pub(super) async fn lenient(&self, on: bool) -> Result<(), CliError> {
        self.script(&["lenient", if on { "on" } else { "off" }]).await
    }

    async fn script(&self, verb: &[&str]) -> Result<(), CliError> {
        let mut command = Command::new("python3");
        command.arg(&self.script).args(["--rpc", &self.rpc]).args(verb).kill_on_drop(true);
        let output = command.output().await?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(CliError::Program { program: format!("{} {}", self.script.display(), verb.join(" ")), said })
    }
}
