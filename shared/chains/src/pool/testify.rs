//! The same questions to each provider on its own.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, U64};
use futures::{StreamExt, TryStreamExt, future::join_all, stream};
use serde_json::json;

use super::{
    RpcChain,
    blocks::RECEIPTS_AT_ONCE,
    provider::Provider,
    transport::{Failure, Op},
    wire::{read, read_known, read_receipt},
};
use crate::port::{BlockAt, Reply, Testimony};

impl RpcChain {
    pub(super) async fn testimonies(
        &self,
        height: u64,
        address: Option<Address>,
        hashes: &[B256],
    ) -> Vec<Reply<Testimony>> {
        self.ask_each(|provider| self.testimony_of(provider, height, address, hashes)).await
    }

    pub(super) async fn final_heights(&self) -> Vec<Reply<u64>> {
        self.ask_each(Self::final_height_of).await
    }

    /// Asks all providers side by side and keeps one answer of each host: two addresses at one host are one provider
    /// with two keys.
    pub(super) async fn ask_each<'a, T, F>(&'a self, ask: impl Fn(&'a Provider) -> F) -> Vec<Reply<T>>
    where
        F: Future<Output = Result<Option<T>, Failure>>,
    {
        let asked = self.providers.iter().map(|provider| {
            let answer = ask(provider);
            async move {
                match answer.await {
                    Ok(value) => value.map(|value| (provider.host(), provider.reply(value))),
                    Err(failure) => {
                        tracing::debug!(provider = %provider.name, %failure, "a provider does not testify");
                        None
                    }
                }
            }
        });
        let mut hosts = BTreeSet::new();
        let given = join_all(asked).await.into_iter().flatten();
        given.filter(|(host, _)| hosts.insert(*host)).map(|(_, reply)| reply).collect()
    }

    /// `None` where the provider has no such block, or another one after the questions than before: the answers could
    /// then be of two branches.
    async fn testimony_of(
        &self,
        provider: &Provider,
        height: u64,
        address: Option<Address>,
        hashes: &[B256],
    ) -> Result<Option<Testimony>, Failure> {
        let at = BlockAt::Number(height);
        let Some(block) = self.block_of(provider, at).await? else { return Ok(None) };
        let header = block.header;
        if address.is_none() && hashes.is_empty() {
            return Ok(Some(Testimony { header, number_at: None, known: Vec::new() }));
        }
        let number_at = match address {
            Some(address) => Some(number_at(provider, address, height).await?),
            None => None,
        };
        let look = |hash: B256| async move { Ok(knows(provider, hash).await?.then_some(hash)) };
        let known: Vec<Option<B256>> =
            stream::iter(hashes.to_vec()).map(look).buffered(RECEIPTS_AT_ONCE).try_collect().await?;
        let known = known.into_iter().flatten().collect();
        let after = self.block_of(provider, at).await?;
        let unmoved = after.is_some_and(|after| after.header.hash == header.hash);
        Ok(unmoved.then_some(Testimony { header, number_at, known }))
    }
}

pub(super) async fn number_at(provider: &Provider, address: Address, height: u64) -> Result<u64, Failure> {
    let number: U64 =
        RpcChain::ask_one(provider, Op::NUMBER, &json!([address, U64::from(height)]), read::<U64>).await?;
    Ok(number.to())
}

/// Nodes keep transactions and receipts in indexes of their own, and either may be late: one of them is enough.
async fn knows(provider: &Provider, hash: B256) -> Result<bool, Failure> {
    let has = RpcChain::ask_one(provider, Op::TRANSACTION, &json!([hash]), |result| read_known(result, hash)).await?;
    if has {
        return Ok(true);
    }
    let receipt = RpcChain::ask_one(provider, Op::RECEIPT, &json!([hash]), |result| read_receipt(result, hash)).await?;
    Ok(receipt.is_some())
}
