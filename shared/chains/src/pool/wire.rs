//! What nodes' answers hold, as far as the port needs it. Fields that only some networks have are not looked at, so
//! that a network with transaction types of its own is read like any other.

use alloy_primitives::{Address, B256, Bytes, U64, U128, U256};
use causeway_domain::fees::{FeeHistory, Fees, Priority};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::value::RawValue;

use crate::{
    port::{Block, Form, Header, Log, Receipt, Sent},
    transaction::{Payment, Sealed, seal},
};

/// The transaction type that ours have (EIP-2718, EIP-1559).
const EIP1559: u8 = 2;

/// Reads an answer, or says what is wrong with it.
pub(super) fn read<T: DeserializeOwned>(result: &RawValue) -> Result<T, String> {
    // The error holds a position and a field's name, no part of the answer that could be large.
    serde_json::from_str(result.get()).map_err(|error| format!("unreadable answer: {error}"))
}

/// A block that is asked for with its transactions' hashes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockWire {
    number: U64,
    hash: B256,
    parent_hash: B256,
    timestamp: U64,
    transactions: Vec<B256>,
}

impl From<BlockWire> for Block {
    fn from(wire: BlockWire) -> Self {
        let header = Header {
            number: wire.number.to(),
            hash: wire.hash,
            parent: wire.parent_hash,
            timestamp_s: wire.timestamp.to(),
        };
        Self { header, transactions: wire.transactions }
    }
}

/// A block that is asked for with its transactions, of which only the sender and its number are looked at.
#[derive(Debug, Deserialize)]
pub(super) struct FullBlockWire {
    number: U64,
    hash: B256,
    transactions: Vec<SenderWire>,
}

#[derive(Debug, Deserialize)]
struct SenderWire {
    hash: B256,
    // Some networks have transactions that nobody sends, or that use no number.
    from: Option<Address>,
    nonce: Option<U64>,
}

impl FullBlockWire {
    /// What an address sent in it, if it is the block of this height.
    pub(super) fn sent_by(self, height: u64, from: Address) -> Result<Sent, String> {
        if self.number.to::<u64>() != height {
            return Err("another block than asked for".to_owned());
        }
        let of = self.transactions.into_iter().filter(|transaction| transaction.from == Some(from));
        let by_number = of.filter_map(|transaction| Some((transaction.nonce?.to(), transaction.hash))).collect();
        Ok(Sent { block: self.hash, by_number })
    }
}

/// A transaction that a node knows.
#[derive(Debug, Deserialize)]
struct TransactionWire {
    hash: B256,
}

/// A receipt.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReceiptWire {
    transaction_hash: B256,
    block_hash: B256,
    block_number: U64,
    status: U64,
    gas_used: U64,
    effective_gas_price: U128,
    from: Address,
    to: Option<Address>,
    logs: Vec<LogWire>,
}

#[derive(Debug, Deserialize)]
struct LogWire {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
}

impl TryFrom<ReceiptWire> for Receipt {
    type Error = String;

    fn try_from(wire: ReceiptWire) -> Result<Self, String> {
        let success = match wire.status.to::<u64>() {
            0 => false,
            1 => true,
            other => return Err(format!("a receipt's status is {other}")),
        };
        let log = |log: LogWire| Log { address: log.address, topics: log.topics, data: log.data };
        Ok(Self {
            hash: wire.transaction_hash,
            block_hash: wire.block_hash,
            block_number: wire.block_number.to(),
            success,
            gas_used: wire.gas_used.to(),
            effective_gas_price_wei: wire.effective_gas_price.to(),
            from: wire.from,
            to: wire.to,
            logs: wire.logs.into_iter().map(log).collect(),
        })
    }
}

/// A transaction's receipt, if there is one.
pub(super) fn read_receipt(result: &RawValue, hash: B256) -> Result<Option<Receipt>, String> {
    let receipt: Option<Receipt> = read::<Option<ReceiptWire>>(result)?.map(TryInto::try_into).transpose()?;
    match receipt {
        Some(receipt) if receipt.hash != hash => Err("another transaction's receipt".to_owned()),
        Some(_) | None => Ok(receipt),
    }
}

/// Whether a node has a transaction, waiting or included.
pub(super) fn read_known(result: &RawValue, hash: B256) -> Result<bool, String> {
    match read::<Option<TransactionWire>>(result)? {
        Some(transaction) if transaction.hash != hash => Err("another transaction".to_owned()),
        found => Ok(found.is_some()),
    }
}

/// An EIP-1559 transaction's fields; one of another type lacks some.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignedWire {
    hash: Option<B256>,
    #[serde(rename = "type")]
    kind: Option<U64>,
    #[serde(default)]
    access_list: Option<Vec<IgnoredAny>>,
    chain_id: Option<U64>,
    nonce: U64,
    to: Option<Address>,
    value: U256,
    input: Bytes,
    gas: U64,
    max_fee_per_gas: Option<U128>,
    max_priority_fee_per_gas: Option<U128>,
    r: Option<U256>,
    s: Option<U256>,
    y_parity: Option<U64>,
    v: Option<U64>,
}

impl SignedWire {
    /// Whether it says itself to be of another kind than ours: of another type, or with what ours never has.
    fn is_another(&self) -> bool {
        let lists = self.access_list.as_ref().is_some_and(|list| !list.is_empty());
        lists || self.kind.is_some_and(|kind| kind != U64::from(EIP1559))
    }

    fn sealed(self) -> Option<Sealed> {
        let fees =
            Fees { max_fee_wei: self.max_fee_per_gas?.to(), max_priority_wei: self.max_priority_fee_per_gas?.to() };
        let payment = Payment {
            chain_id: self.chain_id?.to(),
            number: self.nonce.to(),
            to: self.to?,
            value: self.value,
            data: self.input,
            gas_limit: self.gas.to(),
            fees,
        };
        let odd = self.y_parity.or(self.v)?.to::<u64>();
        Some(seal(&payment, self.r?, self.s?, odd == 1))
    }
}

/// A transaction's bytes, made anew from its fields: what they hash to proves that none was left out. One with too few of
/// them is as one that is not known.
pub(super) fn read_signed(result: &RawValue, hash: B256) -> Result<Option<Form>, String> {
    let Some(wire) = read::<Option<SignedWire>>(result)? else { return Ok(None) };
    let another = (wire.hash == Some(hash) && wire.is_another()).then_some(Form::Another);
    Ok(wire.sealed().filter(|sealed| sealed.hash == hash).map(|sealed| Form::Ours(sealed.raw)).or(another))
}

/// Fees of recent blocks.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FeeHistoryWire {
    #[serde(default)]
    oldest_block: Option<U64>,
    base_fee_per_gas: Vec<U128>,
    #[serde(default)]
    reward: Option<Vec<Vec<U128>>>,
}

impl FeeHistoryWire {
    /// Height of the newest block it tells of, where it says so: the last base fee is of the block after that.
    pub(super) fn newest(&self) -> Option<u64> {
        let blocks = u64::try_from(self.base_fee_per_gas.len()).ok()?.checked_sub(1)?;
        (self.oldest_block?.to::<u64>() + blocks).checked_sub(1)
    }
}

impl TryFrom<FeeHistoryWire> for FeeHistory {
    type Error = String;

    fn try_from(wire: FeeHistoryWire) -> Result<Self, String> {
        // One more than blocks were asked for: the last is the next block's.
        let next = wire.base_fee_per_gas.last().ok_or("a fee history without base fees")?;
        let row = |row: Vec<U128>| -> Result<[u128; Priority::PERCENTILES.len()], String> {
            let tips: Vec<u128> = row.into_iter().map(|tip| tip.to()).collect();
            tips.try_into().map_err(|_| "a fee history with other percentiles".to_owned())
        };
        let tips_wei = wire.reward.unwrap_or_default().into_iter().map(row).collect::<Result<_, _>>()?;
        Ok(Self { next_base_fee_wei: next.to(), tips_wei })
    }
}
