//! What every side of the port keeps, as test cases. `chain_contract!` runs all of them.

use alloy_primitives::{Address, B256, Bytes, U256};
use async_trait::async_trait;

use crate::{
    port::Chain,
    transaction::{Payment, Sealed},
};

/// A side under test, alone on its own fresh network, and what the port itself does not offer.
///
/// Blocks are made by [`Lab::mine`] only, and hold whatever waits and can be included. The network
/// begins with at least one block and prices that [`Payment`]s of a few gwei more than pay.
#[async_trait]
pub trait Lab: Send + Sync {
    /// The side.
    fn chain(&self) -> &dyn Chain;

    /// EIP-155 chain id of the network.
    fn chain_id(&self) -> u64;

    /// Address of a test account; any number is one, and all begin with nothing.
    fn address(&self, account: u8) -> Address;

    /// Signs with a test account's key.
    fn sign(&self, account: u8, payment: &Payment) -> Sealed;

    /// Sets an address's balance of the network's coin, in wei.
    async fn set_balance(&self, address: Address, wei: U256);

    /// Makes every call of an address revert with this data.
    async fn make_revert(&self, address: Address, data: Bytes);

    /// Makes this many blocks; the first takes what waits.
    async fn mine(&self, blocks: u64);

    /// Replaces the newest `depth` blocks with as many others. They hold `again` only, each with the index of its new
    /// block (0 is the lowest); everything else of the old ones is gone, from the node's pool too.
    async fn reorg(&self, depth: u64, again: &[(Bytes, u64)]);

    /// Makes the node forget a transaction that waits.
    async fn drop_transaction(&self, hash: B256);
}
