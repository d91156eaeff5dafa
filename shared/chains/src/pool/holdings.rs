//! What an address has in the state of one block.

use alloy_primitives::{Address, Bytes, U64, U256};
use serde_json::json;

use super::{
    RpcChain,
    provider::Provider,
    tally::Tally,
    testify::number_at,
    transport::{Failure, Op},
    trial::verdict,
    wire::read,
};
use crate::{
    port::{BlockAt, ChainError, Holdings, Reply},
    token,
};

impl RpcChain {
    /// A provider without the block is not the last word while another one may have it.
    pub(super) async fn holdings_at(
        &self,
        height: u64,
        address: Address,
        tokens: &[Address],
    ) -> Result<Reply<Option<Holdings>>, ChainError> {
        let mut tally = Tally::default();
        let mut without = None;
        for provider in self.ranked() {
            match self.holdings_of(provider, height, address, tokens).await {
                Ok(Some(holdings)) => return Ok(provider.reply(Some(holdings))),
                Ok(None) => without = without.or_else(|| Some(provider.reply(None))),
                Err(failure) => tally.note(provider, failure),
            }
        }
        without.ok_or_else(|| tally.into_error(&self.network))
    }

    /// Nodes are asked by height, which all of them understand; the block before and after shows that it was one state.
    async fn holdings_of(
        &self,
        provider: &Provider,
        height: u64,
        address: Address,
        tokens: &[Address],
    ) -> Result<Option<Holdings>, Failure> {
        let Some(block) = self.block_of(provider, BlockAt::Number(height)).await? else { return Ok(None) };
        let header = block.header;
        let number = number_at(provider, address, height).await?;
        let coin = Self::ask_one(provider, Op::BALANCE, &json!([address, U64::from(height)]), read::<U256>).await?;
        let mut units = Vec::with_capacity(tokens.len());
        for token in tokens {
            units.push(units_of(provider, address, *token, height).await?);
        }
        let after = self.block_of(provider, BlockAt::Number(height)).await?;
        let unmoved = after.is_some_and(|after| after.header.hash == header.hash);
        Ok(unmoved.then_some(Holdings { header, number, coin, tokens: units }))
    }
}

async fn units_of(provider: &Provider, holder: Address, token: Address, height: u64) -> Result<Option<U256>, Failure> {
    let call = json!({ "to": token, "data": token::balance_input(holder) });
    match RpcChain::ask_one(provider, Op::CALL, &json!([call, U64::from(height)]), read::<Bytes>).await {
        Ok(output) => Ok(token::balance_output(&output)),
        // The contract refuses; that is no trouble of the node's.
        Err(Failure::Node(error)) if verdict(&error).is_some() => Ok(None),
        Err(failure) => Err(failure),
    }
}
