//! The Chain port over several JSON-RPC providers of one network.
//!
//! Questions go to the first provider in the listed order that is in service and not known to be behind, and move on
//! to the next when it does not answer, limits us, or answers with an error or nonsense. A provider is left alone
//! after failures in a row (`provider`), and for good when it serves another network.
//!
//! Invariant: an address, which may hold a key, appears in no error, log or Debug text.

mod blocks;
mod broadcast;
mod holdings;
mod provider;
mod tally;
mod testify;
#[cfg(test)]
mod tests;
mod transport;
mod trial;
mod wire;

use std::{collections::BTreeSet, sync::Arc};

use alloy_primitives::{Address, B256, Bytes, U64, U256};
use async_trait::async_trait;
use causeway_domain::{
    Clock, Network,
    fees::{FeeHistory, Priority},
};
use serde_json::{Value, json, value::RawValue};

use crate::{
    port::{
        Block, BlockAt, Broadcast, Call, Chain, ChainError, Estimate, Form, Header, Holdings, NumberAt, Receipt, Reply,
        Reread, Sent, Testimony,
    },
    token,
};
use provider::Provider;
use tally::Tally;
use transport::{Endpoint, Failure, Op};
use wire::{FeeHistoryWire, read, read_known, read_receipt, read_signed};

/// Blocks whose fees are asked for: enough for a median, few enough to follow a spike within minutes.
const FEE_BLOCKS: u64 = 10;

/// Why a pool cannot be made. The address is not part of it: it may hold a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// No endpoint at all.
    #[error("network {network} has no RPC endpoint")]
    Empty {
        /// The network.
        network: String,
    },
    /// A network that asks for a second opinion has nobody to ask.
    #[error("network {network} asks for a second opinion, which takes RPC endpoints of two hosts")]
    NoSecond {
        /// The network.
        network: String,
    },
    /// Not an http or https address.
    #[error("RPC endpoint {position} of network {network} is not an http or https address")]
    Endpoint {
        /// The network.
        network: String,
        /// Its position in the list, from 1.
        position: usize,
    },
    /// The HTTP client cannot start.
    #[error("the HTTP client cannot start: {0}")]
    Client(String),
}

/// One network behind its providers.
#[derive(Debug)]
pub struct RpcChain {
    network: String,
    block_time_ms: u64,
    providers: Vec<Arc<Provider>>,
    clock: Arc<dyn Clock>,
}

impl RpcChain {
    /// A pool over these endpoints, in order of preference. Nothing is called before the first question.
    pub fn new(network: &Network, endpoints: Vec<String>, clock: Arc<dyn Clock>) -> Result<Self, PoolError> {
        let name = network.id.to_string();
        if endpoints.is_empty() {
            return Err(PoolError::Empty { network: name });
        }
        let client = transport::client().map_err(|error| PoolError::Client(error.without_url().to_string()))?;
        let provider = |(index, text): (usize, &String)| {
            let position = index + 1;
            let wrong = || PoolError::Endpoint { network: name.clone(), position };
            let endpoint = Endpoint::new(text, client.clone()).ok_or_else(wrong)?;
            Ok(Arc::new(Provider::new(format!("{name}-{position}"), network.chain_id, endpoint, clock.clone())))
        };
        let providers = endpoints.iter().enumerate().map(provider).collect::<Result<Vec<_>, _>>()?;
        let hosts: BTreeSet<_> = providers.iter().map(|provider| provider.host()).collect();
        if network.second_opinion && hosts.len() < 2 {
            return Err(PoolError::NoSecond { network: name });
        }
        Ok(Self { network: name, block_time_ms: network.block_time_ms, providers, clock })
    }

    /// All providers, in the order in which they are asked now.
    fn ranked(&self) -> Vec<&Provider> {
        let mut ranked: Vec<&Provider> = self.providers.iter().map(AsRef::as_ref).collect();
        // Stable: the listed order stays among equals.
        ranked.sort_by_key(|provider| provider.is_behind());
        ranked
    }

    /// The highest head any provider has shown.
    fn best_height(&self) -> Option<u64> {
        self.providers.iter().filter_map(|provider| provider.height()).max()
    }

    /// Asks one provider one question.
    async fn ask_one<T>(
        provider: &Provider,
        op: Op,
        params: &Value,
        read: impl Fn(&RawValue) -> Result<T, String>,
    ) -> Result<T, Failure> {
        let result = provider.call(op, params).await?;
        read(&result).map_err(|what| provider.nonsense(what))
    }

    /// Asks one question until a provider answers.
    async fn ask<T>(
        &self,
        op: Op,
        params: Value,
        read: impl Fn(&RawValue) -> Result<T, String>,
    ) -> Result<Reply<T>, ChainError> {
        let mut tally = Tally::default();
        for provider in self.ranked() {
            match Self::ask_one(provider, op, &params, &read).await {
                Ok(value) => return Ok(provider.reply(value)),
                Err(failure) => tally.note(provider, failure),
            }
        }
        Err(tally.into_error(&self.network))
    }

    /// Asks one question until a provider knows something: one without it is not the last word while another one may have it.
    async fn ask_for<T>(
        &self,
        op: Op,
        params: Value,
        read: impl Fn(&RawValue) -> Result<Option<T>, String>,
    ) -> Result<Reply<Option<T>>, ChainError> {
        let (mut tally, mut without) = (Tally::default(), None);
        for provider in self.ranked() {
            match Self::ask_one(provider, op, &params, &read).await {
                Ok(Some(value)) => return Ok(provider.reply(Some(value))),
                Ok(None) => without = without.or_else(|| Some(provider.reply(None))),
                Err(failure) => tally.note(provider, failure),
            }
        }
        without.ok_or_else(|| tally.into_error(&self.network))
    }
}

#[async_trait]
impl Chain for RpcChain {
    async fn head(&self) -> Result<Reply<Header>, ChainError> {
        self.newest().await
    }

    async fn finalized(&self) -> Result<Reply<Option<u64>>, ChainError> {
        self.final_height().await
    }

    async fn finalities(&self) -> Vec<Reply<u64>> {
        self.final_heights().await
    }

    async fn block(&self, at: BlockAt) -> Result<Reply<Option<Block>>, ChainError> {
        self.block_at(at).await
    }

    async fn sent_in(&self, height: u64, from: Address) -> Result<Reply<Option<Sent>>, ChainError> {
        self.sent_by(height, from).await
    }

    async fn receipts(&self, block: B256, of: &[B256]) -> Result<Reply<Option<Vec<Receipt>>>, ChainError> {
        self.block_receipts(block, of).await
    }

    async fn receipts_by_each(&self, block: B256, of: &[B256], height: u64) -> Vec<Reply<Reread>> {
        self.ask_each(|provider| self.reread_by(provider, block, of, height)).await
    }

    async fn receipt(&self, hash: B256) -> Result<Reply<Option<Receipt>>, ChainError> {
        self.ask_for(Op::RECEIPT, json!([hash]), |result| read_receipt(result, hash)).await
    }

    async fn signed(&self, hash: B256) -> Result<Reply<Option<Form>>, ChainError> {
        self.ask_for(Op::TRANSACTION, json!([hash]), |result| read_signed(result, hash)).await
    }

    async fn knows(&self, hash: B256) -> Result<Reply<bool>, ChainError> {
        self.ask(Op::TRANSACTION, json!([hash]), |result| read_known(result, hash)).await
    }

    async fn testify(&self, height: u64, address: Option<Address>, hashes: &[B256]) -> Vec<Reply<Testimony>> {
        self.testimonies(height, address, hashes).await
    }

    async fn broadcast(&self, raw: &Bytes) -> Broadcast {
        self.send(raw).await
    }

    async fn broadcast_to_all(&self, raw: &Bytes) -> Broadcast {
        self.send_to_all(raw).await
    }

    async fn fee_history(&self) -> Result<Reply<FeeHistory>, ChainError> {
        let params = json!([U64::from(FEE_BLOCKS), "latest", Priority::PERCENTILES]);
        let read = |result: &RawValue| {
            let wire = read::<FeeHistoryWire>(result)?;
            let newest = wire.newest();
            Ok((FeeHistory::try_from(wire)?, newest))
        };
        let Reply { value: (value, newest), provider, height } = self.ask(Op::FEE_HISTORY, params, read).await?;
        // It names its blocks itself: who prices by it knows the height without another call.
        Ok(Reply { value, provider, height: newest.or(height) })
    }

    async fn next_number(&self, address: Address, at: NumberAt) -> Result<Reply<u64>, ChainError> {
        let tag = match at {
            NumberAt::Latest => "latest",
            NumberAt::Pending => "pending",
        };
        self.ask(Op::NUMBER, json!([address, tag]), |result| Ok(read::<U64>(result)?.to())).await
    }

    async fn balance(&self, holder: Address, token: Option<Address>) -> Result<Reply<U256>, ChainError> {
        let Some(token) = token else {
            return self.ask(Op::BALANCE, json!([holder, "latest"]), read::<U256>).await;
        };
        let call = json!({ "to": token, "data": token::balance_input(holder) });
        let reply = self.ask(Op::CALL, json!([call, "latest"]), read::<Bytes>).await?;
        // Not the provider's fault, so it is not counted against it: there may be no token at this address.
        let value = token::balance_output(&reply.value).ok_or_else(|| ChainError::Nonsense {
            network: self.network.clone(),
            detail: format!("{}: balanceOf at {token} did not return a number", reply.provider),
        })?;
        Ok(Reply { value, provider: reply.provider, height: reply.height })
    }

    async fn holdings(
        &self,
        height: u64,
        address: Address,
        tokens: &[Address],
    ) -> Result<Reply<Option<Holdings>>, ChainError> {
        self.holdings_at(height, address, tokens).await
    }

    async fn estimate(&self, call: &Call) -> Result<Reply<Estimate>, ChainError> {
        self.try_call(call).await
    }

    async fn revert_reason(&self, call: &Call, block: u64) -> Result<Reply<Option<String>>, ChainError> {
        self.replay(call, block).await
    }
}
