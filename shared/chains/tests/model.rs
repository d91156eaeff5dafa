//! The contract of the Chain port, kept by the chain in memory.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use async_trait::async_trait;
use causeway_chains::{
    Chain, ModelChain, chain_contract,
    contract::Lab,
    model::{Gaps, ModelConfig, Orphans, Reorg},
    transaction::{Payment, Sealed, digest, seal},
};
use k256::ecdsa::SigningKey;

struct Model {
    chain: ModelChain,
    chain_id: u64,
}

impl Model {
    async fn new(config: ModelConfig) -> Self {
        Self { chain_id: config.chain_id, chain: ModelChain::new(config) }
    }
}

fn key(account: u8) -> SigningKey {
    let mut secret = [0; 32];
    (secret[30], secret[31]) = (1, account);
    SigningKey::from_slice(&secret).expect("small and not zero")
}

#[async_trait]
impl Lab for Model {
    fn chain(&self) -> &dyn Chain {
        &self.chain
    }

    fn chain_id(&self) -> u64 {
        self.chain_id
    }

    fn address(&self, account: u8) -> Address {
        let point = key(account).verifying_key().to_encoded_point(false);
        Address::from_slice(&keccak256(&point.as_bytes()[1..])[12..])
    }

    fn sign(&self, account: u8, payment: &Payment) -> Sealed {
        let (signature, recovery) =
            key(account).sign_prehash_recoverable(digest(payment).as_slice()).expect("a digest has 32 bytes");
        let r = U256::from_be_slice(&signature.r().to_bytes());
        let s = U256::from_be_slice(&signature.s().to_bytes());
        seal(payment, r, s, recovery.is_y_odd())
    }

    async fn set_balance(&self, address: Address, wei: U256) {
        self.chain.set_balance(address, wei);
    }

    async fn make_revert(&self, address: Address, data: Bytes) {
        self.chain.make_revert(address, data);
    }

    async fn mine(&self, blocks: u64) {
        for _ in 0..blocks {
            self.chain.mine();
        }
    }

    async fn reorg(&self, depth: u64, again: &[(Bytes, u64)]) {
        let reorg = Reorg { depth, blocks: depth, again: again.to_vec(), orphans: Orphans::Forgotten };
        assert_eq!(self.chain.reorg(&reorg), Vec::<B256>::new(), "all of them fit on the new branch");
    }

    async fn drop_transaction(&self, hash: B256) {
        assert!(self.chain.drop_from_pool(hash), "it waited");
    }
}

chain_contract!(Model::new(ModelConfig::default()));

/// Nodes that keep nothing behind a gap, on another network, behind two providers that take turns.
mod strict {
    use super::*;

    fn config() -> ModelConfig {
        ModelConfig { chain_id: 11_155_111, gaps: Gaps::Refused, providers: 2, rotate: true, ..ModelConfig::default() }
    }

    chain_contract!(Model::new(config()));
}
