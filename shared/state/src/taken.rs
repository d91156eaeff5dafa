//! What took a number that is not ours: the block at which a look found it so, what people say it was, and what it paid.

use causeway_domain::{Address, Amount, B256, id::NetworkId, lane::LaneId};
use causeway_store::Write;
use serde::{Deserialize, Serialize};

use crate::{
    parcel::Parcel,
    tracker::{Head, HeaderRow},
};

/// A block of the chain, as a look knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenAt {
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: B256,
}

impl TakenAt {
    /// For a commit that must not happen unless the chain has this block, and no branch can take it back.
    pub fn is_final(self, network: &NetworkId) -> [Write; 2] {
        [Head::is_final(network, self.height), HeaderRow::holds(network, self.height, self.hash)]
    }
}

/// A transaction that people name as what took a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Its hash.
    pub hash: B256,
    /// Whether a look at a final block has asked nodes for it, and nobody knows it as what has the number.
    pub sought: bool,
    /// The number that nodes tell it has: another one of the lane's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
}

/// What a transaction paid that took a number, where it is of the kind that Causeway makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// The token's contract; zero for the coin.
    pub asset: Address,
    /// Who was paid.
    pub to: Address,
    /// How much.
    pub amount: Amount,
}

impl Paid {
    /// Whether a parcel asks the lane for exactly this.
    pub fn is_asked_by(&self, lane: &LaneId, parcel: &Parcel) -> bool {
        let [line] = parcel.transfers.as_slice() else { return false };
        parcel.wallet == *lane && (parcel.asset.address, line.to, line.amount) == (self.asset, self.to, self.amount)
    }
}
