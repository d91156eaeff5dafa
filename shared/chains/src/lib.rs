//! The Chain port: one network's nodes as the handlers see them.
//!
//! Sides: `pool` over JSON-RPC providers (feature `rpc`), and `model`, a chain in memory that is
//! honest about numbers, replacement, balances and reorganisations. `classify` reads nodes'
//! answers; `transaction` builds, hashes and encodes EIP-1559 transactions; `token` encodes and
//! decodes ERC-20.
//!
//! Invariant: an answer that a lagging provider could have given is never turned into a
//! conclusion here; replies carry who answered and at what height.

pub mod classify;
pub mod contract;
pub mod model;
#[cfg(feature = "rpc")]
pub mod pool;
mod port;
pub mod revert;
pub mod token;
pub mod transaction;

pub use model::ModelChain;
pub use port::{
    Block, BlockAt, Broadcast, BroadcastOutcome, Call, Chain, ChainError, Estimate, Form, Header, Holdings, Log,
    NumberAt, Receipt, Reply, Reread, Sent, Testimony,
};
