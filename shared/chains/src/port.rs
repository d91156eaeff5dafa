//! The port itself.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U256};
use async_trait::async_trait;
use causeway_domain::fees::FeeHistory;

/// An answer with its witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply<T> {
    /// The answer.
    pub value: T,
    /// Name of the provider that gave it (its position in the pool; never an address with a key in it).
    pub provider: String,
    /// Height of the provider's head as last seen, at or before the answer.
    pub height: Option<u64>,
}

/// What an address sent in a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The block's hash.
    pub block: B256,
    /// Hashes by the numbers that they used.
    pub by_number: BTreeMap<u64, B256>,
}

/// A transaction's signed bytes, as far as they are of the kind that [`seal`](crate::transaction::seal) makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// Of that kind, and they hash to what was asked for.
    Ours(Bytes),
    /// A node has the transaction, and it is of another kind.
    Another,
}

/// Receipts as one provider tells them once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reread {
    /// Whether it has the chain as far as it was asked: to one that lags a block may be as new as it was.
    pub is_far: bool,
    /// The receipts, in the order asked for.
    pub receipts: Vec<Receipt>,
}

/// A block's header, as far as the tracker needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Height.
    pub number: u64,
    /// Hash.
    pub hash: B256,
    /// Hash of the block before.
    pub parent: B256,
    /// Seconds since 1970.
    pub timestamp_s: u64,
}

/// A block with the hashes of its transactions, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// Transactions' hashes.
    pub transactions: Vec<B256>,
}

/// Which block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockAt {
    /// The canonical one of this height.
    Number(u64),
    /// Exactly this one.
    Hash(B256),
}

/// What a transaction wrote to the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The contract.
    pub address: Address,
    /// Topics, the event's signature first.
    pub topics: Vec<B256>,
    /// Data.
    pub data: Bytes,
}

/// A transaction's receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The transaction.
    pub hash: B256,
    /// Block that includes it.
    pub block_hash: B256,
    /// Height of that block.
    pub block_number: u64,
    /// Whether it took effect (EIP-658 status 1).
    pub success: bool,
    /// Gas used.
    pub gas_used: u64,
    /// Wei paid per gas.
    pub effective_gas_price_wei: u128,
    /// Sender.
    pub from: Address,
    /// Called address.
    pub to: Option<Address>,
    /// Its logs.
    pub logs: Vec<Log>,
}

/// A call to be tried without sending it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Sender.
    pub from: Address,
    /// Called address.
    pub to: Address,
    /// Wei sent along.
    pub value: U256,
    /// Input.
    pub data: Bytes,
    /// Gas limit, when the call is replayed as it was sent.
    pub gas: Option<u64>,
    /// Gas that an estimate may come to: more than that refuses somebody's transfer, as a revert does.
    pub gas_max: Option<u64>,
    /// Wei per gas, when the call is replayed as it was sent.
    pub gas_price_wei: Option<u128>,
}

/// What one provider says of a height and of some transactions, all of it from one branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Testimony {
    /// Header of the provider's block at the height.
    pub header: Header,
    /// First number that the address had not used in the state of that block; `None` where no address was named.
    pub number_at: Option<u64>,
    /// Which of the transactions the provider has, included anywhere on its chain or waiting, in the order asked.
    pub known: Vec<B256>,
}

/// What an address has in the state of one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdings {
    /// The block.
    pub header: Header,
    /// First number that the address had not used.
    pub number: u64,
    /// Its wei of the network's coin.
    pub coin: U256,
    /// Its units of each token asked for, in that order; `None` where the contract gives no number.
    pub tokens: Vec<Option<U256>>,
}

/// Which of an address's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberAt {
    /// First number not used by a block of the current chain.
    Latest,
    /// First number not used by a block or the node's pool.
    Pending,
}

/// How a trial of a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Estimate {
    /// It would work with this much gas.
    Gas(u64),
    /// It would revert.
    Reverted {
        /// The decoded reason.
        reason: String,
    },
    /// The sender cannot pay for value and gas.
    InsufficientFunds,
}

/// What a node said to a broadcast, in one vocabulary for all dialects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BroadcastOutcome {
    /// Taken.
    Accepted,
    /// It has exactly this transaction already, waiting or included.
    AlreadyKnown,
    /// The number is used up on chain: by this transaction, another attempt, or a stranger's.
    NumberTooLow,
    /// The node misses a number before this one.
    NumberTooHigh,
    /// Another transaction of this number waits at the node, and this one does not pay enough more.
    ReplacementUnderpriced,
    /// Pays less than the node, or the next block, asks for.
    Underpriced,
    /// The sender cannot pay for value and gas at this node's state.
    InsufficientFunds,
    /// The node is full, busy or limits us; try again.
    Busy {
        /// What it asked us to wait, if it did.
        after_ms: Option<u64>,
    },
    /// Will never be taken as it is (malformed, wrong chain, too much gas ...).
    Refused {
        /// The node's words, bounded.
        reason: String,
    },
    /// No answer, or none that is understood: it may have been taken.
    Unknown {
        /// What is known of the failure, bounded; for the log.
        detail: String,
    },
}

/// A broadcast's outcome with its witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broadcast {
    /// The outcome.
    pub outcome: BroadcastOutcome,
    /// Who said so; empty when nobody answered.
    pub provider: String,
}

impl Broadcast {
    /// Nobody was asked, or nobody answered.
    pub fn nobody(detail: &str) -> Self {
        Self { outcome: BroadcastOutcome::Unknown { detail: detail.to_owned() }, provider: String::new() }
    }

    /// Of two providers' answers the one to act on: who took the bytes, then who said something definite about them, then
    /// that they may have been taken, then that somebody may take them later. Only what nobody takes is refused.
    pub fn or(self, other: Self) -> Self {
        match (&self.outcome, &other.outcome) {
            (BroadcastOutcome::Busy { after_ms: first }, BroadcastOutcome::Busy { after_ms: second }) => {
                let after_ms = [*first, *second].into_iter().flatten().min();
                Self { outcome: BroadcastOutcome::Busy { after_ms }, ..self }
            }
            (one, another) if another.rank() < one.rank() => other,
            _ => self,
        }
    }
}

impl BroadcastOutcome {
    /// Whether other providers need not be asked.
    pub const fn is_definite(&self) -> bool {
        self.rank() <= Self::DEFINITE
    }

    const DEFINITE: u8 = 4;

    const fn rank(&self) -> u8 {
        match self {
            Self::Accepted => 0,
            Self::AlreadyKnown => 1,
            // Who knows that it is used, or waits already, knows more than who looks at a price or a balance.
            Self::NumberTooLow => 2,
            Self::ReplacementUnderpriced => 3,
            Self::NumberTooHigh | Self::Underpriced | Self::InsufficientFunds => Self::DEFINITE,
            Self::Unknown { .. } => 5,
            Self::Busy { .. } => 6,
            Self::Refused { .. } => 7,
        }
    }
}

/// Why a question has no answer. None of these says anything about the chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// No provider answered in time.
    #[error("no provider of {network} answered")]
    Unavailable {
        /// The network.
        network: String,
        /// What each provider did, bounded; for the log.
        detail: String,
    },
    /// Every provider limits us.
    #[error("the providers of {network} limit us")]
    Limited {
        /// The network.
        network: String,
        /// What they asked us to wait, if they did.
        after_ms: Option<u64>,
    },
    /// A provider answered with something that cannot be (a block whose hash is not the one asked for, a wrong chain id).
    #[error("a provider of {network} answers nonsense")]
    Nonsense {
        /// The network.
        network: String,
        /// What; for the log.
        detail: String,
    },
}

/// One network.
#[async_trait]
pub trait Chain: Send + Sync + std::fmt::Debug {
    /// The newest block's header.
    async fn head(&self) -> Result<Reply<Header>, ChainError>;

    /// Height of the node's `finalized` block; `None` where nodes have no such tag.
    async fn finalized(&self) -> Result<Reply<Option<u64>>, ChainError>;

    /// Height of every provider's own `finalized` block. Who does not answer or has no such tag is absent.
    async fn finalities(&self) -> Vec<Reply<u64>>;

    /// A block, or `None` where the provider does not know it (yet, or any more).
    async fn block(&self, at: BlockAt) -> Result<Reply<Option<Block>>, ChainError>;

    /// What an address sent in the block of a height: each number's transaction, and the block's hash. `None` where the
    /// provider does not know the block.
    async fn sent_in(&self, height: u64, from: Address) -> Result<Reply<Option<Sent>>, ChainError>;

    /// The receipts of these transactions of a block, in their order; by its hash, so that two branches never mix. `None` where
    /// the provider does not know the block, or does not have all of them yet.
    async fn receipts(&self, block: B256, of: &[B256]) -> Result<Reply<Option<Vec<Receipt>>>, ChainError>;

    /// As [`Chain::receipts`], of every provider on its own, and whether it has a block at this height: for conclusions that
    /// what one of them said once must not make alone. Who does not answer, or does not have all of them, is absent, so an empty
    /// answer says nothing.
    async fn receipts_by_each(&self, block: B256, of: &[B256], height: u64) -> Vec<Reply<Reread>>;

    /// A transaction's receipt on the provider's current chain; `None` where nobody who answers has it.
    async fn receipt(&self, hash: B256) -> Result<Reply<Option<Receipt>>, ChainError>;

    /// A transaction's signed bytes; `None` where nobody who answers knows it, or tells enough of it.
    async fn signed(&self, hash: B256) -> Result<Reply<Option<Form>>, ChainError>;

    /// Whether the provider knows the transaction, waiting or included.
    async fn knows(&self, hash: B256) -> Result<Reply<bool>, ChainError>;

    /// Asks every provider on its own: its block at `height`, the number of `address` there, and which of `hashes` it
    /// knows. For conclusions that one provider must not make alone: each testimony is of another provider than the
    /// others. Who does not answer all of it, has no block of that height, or changed that block meanwhile, is absent,
    /// so an empty answer says nothing.
    async fn testify(&self, height: u64, address: Option<Address>, hashes: &[B256]) -> Vec<Reply<Testimony>>;

    /// Hands signed bytes to the network: to the first provider that says something definite. Never errs: what is not
    /// understood is `Unknown`.
    async fn broadcast(&self, raw: &Bytes) -> Broadcast;

    /// As [`Chain::broadcast`], to every provider: for bytes that went out before and are in no block, since a provider may
    /// say that it took them and lose them. Answers what [`Broadcast::or`] makes of all answers.
    async fn broadcast_to_all(&self, raw: &Bytes) -> Broadcast;

    /// Recent fees.
    async fn fee_history(&self) -> Result<Reply<FeeHistory>, ChainError>;

    /// An address's next number.
    async fn next_number(&self, address: Address, at: NumberAt) -> Result<Reply<u64>, ChainError>;

    /// A balance, of the network's coin (`token` is `None`) or of a token, at the newest block.
    async fn balance(&self, holder: Address, token: Option<Address>) -> Result<Reply<U256>, ChainError>;

    /// What an address has at a height, all of it in the state of one block; `None` where the provider has no block of
    /// that height, or another one after the questions than before.
    async fn holdings(
        &self,
        height: u64,
        address: Address,
        tokens: &[Address],
    ) -> Result<Reply<Option<Holdings>>, ChainError>;

    /// Tries a call at the newest block and says how much gas it takes. A revert or a lack of funds is only
    /// answered when a second provider, where there is one, agrees.
    async fn estimate(&self, call: &Call) -> Result<Reply<Estimate>, ChainError>;

    /// Replays a call on the state before and within a block to learn why it reverted; `None` where it does not revert
    /// in the replay.
    async fn revert_reason(&self, call: &Call, block: u64) -> Result<Reply<Option<String>>, ChainError>;
}
