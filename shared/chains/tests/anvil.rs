//! The contract on the RPC side, against anvil. Each case has a node of its own.
#![cfg(feature = "rpc")]

use std::{path::PathBuf, process::Stdio, sync::Arc, time::SystemTime};

use alloy_primitives::{Address, B256, Bytes, U64, U256, hex, keccak256};
use async_trait::async_trait;
use causeway_chains::{
    Chain, chain_contract,
    contract::Lab,
    pool::RpcChain,
    transaction::{Payment, Sealed, digest, seal},
};
use causeway_domain::{Clock, Networks};
use k256::ecdsa::SigningKey;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

chain_contract!(Anvil::start());

/// A node of our own; it ends with the test.
struct Anvil {
    chain: RpcChain,
    url: String,
    _process: Child,
}

impl Anvil {
    #[expect(clippy::disallowed_methods, reason = "a test is not a function that can be frozen")]
    async fn start() -> Self {
        // The system picks the port, so that nodes of tests that run side by side never meet.
        let mut process = Command::new(program())
            .args(["--port", "0", "--no-mining", "--slots-in-an-epoch", "1", "--accounts", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("anvil starts");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let address = loop {
            let line = lines.next_line().await.expect("readable").expect("anvil says where it listens");
            if let Some(address) = line.strip_prefix("Listening on ") {
                break address.trim().to_owned();
            }
        };
        // Nobody reads what it says later; it must not wait for a reader.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let url = format!("http://{address}");
        let file = include_str!("../../../infra/networks.toml");
        let networks = Networks::parse(file, &["local"]).expect("valid");
        let network = networks.get("local").expect("there");
        let chain = RpcChain::new(network, vec![url.clone()], Arc::new(WallClock)).expect("valid");
        let anvil = Self { chain, url, _process: process };
        anvil.mine(1).await;
        anvil
    }

    /// Anvil's own methods, which no port offers.
    async fn rpc(&self, method: &str, params: Value) -> Value {
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let sent = reqwest::Client::new().post(&self.url).json(&call).send().await.expect("anvil answers");
        let answer: Value = sent.json().await.expect("JSON");
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }
}

/// A test account's key follows from its number.
fn key(account: u8) -> SigningKey {
    SigningKey::from_slice(keccak256([account]).as_slice()).expect("below the curve's order")
}

/// The native program: the package's own wrapper would leave it running when it is killed.
fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("CAUSEWAY_ANVIL") {
        return path.into();
    }
    let packages = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.local/npm/node_modules/@foundry-rs");
    let natives = std::fs::read_dir(packages).into_iter().flatten().flatten();
    let native = natives.map(|package| package.path().join("bin/anvil")).find(|path| path.is_file());
    native.expect("anvil is missing: run `make install`, or name the program in CAUSEWAY_ANVIL")
}

#[async_trait]
impl Lab for Anvil {
    fn chain(&self) -> &dyn Chain {
        &self.chain
    }

    fn chain_id(&self) -> u64 {
        31337
    }

    fn address(&self, account: u8) -> Address {
        Address::from_public_key(key(account).verifying_key())
    }

    fn sign(&self, account: u8, payment: &Payment) -> Sealed {
        let signed = key(account).sign_prehash_recoverable(digest(payment).as_slice());
        let (signature, recovery) = signed.expect("a digest has 32 bytes");
        let r = U256::from_be_slice(&signature.r().to_bytes());
        let s = U256::from_be_slice(&signature.s().to_bytes());
        seal(payment, r, s, recovery.is_y_odd())
    }

    async fn set_balance(&self, address: Address, wei: U256) {
        self.rpc("anvil_setBalance", json!([address, wei])).await;
    }

    async fn make_revert(&self, address: Address, data: Bytes) {
        // Copies what follows these 12 bytes of code into memory, and reverts with it:
        // PUSH2 length, DUP1, PUSH1 12, PUSH0, CODECOPY, PUSH0, REVERT.
        let length = u16::try_from(data.len()).expect("short");
        let mut code = hex!("61000080600b5f395ffd00").to_vec();
        code[1..3].copy_from_slice(&length.to_be_bytes());
        code.extend_from_slice(&data);
        self.rpc("anvil_setCode", json!([address, Bytes::from(code)])).await;
    }

    async fn mine(&self, blocks: u64) {
        self.rpc("anvil_mine", json!([U64::from(blocks)])).await;
    }

    async fn reorg(&self, depth: u64, again: &[(Bytes, u64)]) {
        self.rpc("anvil_reorg", json!([depth, again])).await;
    }

    async fn drop_transaction(&self, hash: B256) {
        self.rpc("anvil_dropTransaction", json!([hash])).await;
    }
}

#[derive(Debug)]
struct WallClock;

impl Clock for WallClock {
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
        u64::try_from(since.as_millis()).expect("before the year 500 million")
    }

    fn random(&self) -> u128 {
        0
    }

    fn sleep_ms(&self, _: u64) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}
