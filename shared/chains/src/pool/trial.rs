//! Calls that are tried and not sent: gas estimates and replays of what reverted.

use alloy_primitives::{Bytes, U64, U128, hex};
use causeway_domain::limits::REVERT_REASON_CHARS_MAX;
use serde_json::{Value, json};

use super::{
    RpcChain,
    provider::Provider,
    tally::Tally,
    transport::{Failure, NodeError, Op},
    wire::read,
};
use crate::{
    classify,
    port::{BroadcastOutcome, Call, ChainError, Estimate, Reply},
    revert::{self, printable},
};

/// Levels of an error's data that are searched for revert data.
const DEPTH_MAX: usize = 4;

impl RpcChain {
    /// Estimates gas. A refusal rejects somebody's transfer, and so does more gas than it may take; a provider that is behind,
    /// or makes up its figures, could give either, so it takes two: the next provider in service is asked too, and where they differ the one whose head is higher at that
    /// moment is right, or the one that names an amount of gas when the heads are level; of two amounts the lower counts. While a second provider is
    /// listed and in service but silent there is no answer; when it has failed long enough to be out of service, the
    /// first one's word stands alone.
    pub(super) async fn try_call(&self, call: &Call) -> Result<Reply<Estimate>, ChainError> {
        let mut tally = Tally::default();
        let mut first: Option<(&Provider, Estimate)> = None;
        let mut silent = false;
        for provider in self.ranked() {
            let in_service = provider.in_service();
            let estimate = match Self::estimate_by(provider, call).await {
                Ok(estimate) => estimate,
                Err(failure) => {
                    silent |= in_service;
                    tally.note(provider, failure);
                    continue;
                }
            };
            match first.take() {
                None if will_do(call, &estimate) => return Ok(provider.reply(estimate)),
                None => first = Some((provider, estimate)),
                Some(first) => return self.settle_estimates(first, (provider, estimate)).await,
            }
        }
        match first {
            Some((provider, estimate)) if !silent => Ok(provider.reply(estimate)),
            Some(_) | None => Err(tally.into_error(&self.network)),
        }
    }

    /// Replays a call on the state after its block, where what went before it in the block has happened, and then on
    /// the state before the block. The first of the two that reverts tells the reason.
    pub(super) async fn replay(&self, call: &Call, block: u64) -> Result<Reply<Option<String>>, ChainError> {
        let mut tally = Tally::default();
        for provider in self.ranked() {
            match Self::replay_by(provider, call, block).await {
                Ok(reason) => return Ok(provider.reply(reason)),
                Err(failure) => tally.note(provider, failure),
            }
        }
        Err(tally.into_error(&self.network))
    }

    async fn estimate_by(provider: &Provider, call: &Call) -> Result<Estimate, Failure> {
        let gas = Self::ask_one(provider, Op::ESTIMATE, &json!([wire(call), "latest"]), read::<U64>).await;
        match gas {
            Ok(gas) => Ok(Estimate::Gas(gas.to())),
            Err(Failure::Node(error)) => verdict(&error).ok_or(Failure::Node(error)),
            Err(failure @ (Failure::Lost(_) | Failure::Limited { .. } | Failure::Nonsense(_))) => Err(failure),
        }
    }

    async fn settle_estimates(
        &self,
        (first, said): (&Provider, Estimate),
        (second, also): (&Provider, Estimate),
    ) -> Result<Reply<Estimate>, ChainError> {
        let agreed = matches!(
            (&said, &also),
            (Estimate::Reverted { .. }, Estimate::Reverted { .. })
                | (Estimate::InsufficientFunds, Estimate::InsufficientFunds)
        );
        if agreed {
            return Ok(first.reply(said));
        }
        if let (Estimate::Gas(much), Estimate::Gas(less)) = (&said, &also) {
            return Ok(if less < much { second.reply(also) } else { first.reply(said) });
        }
        for provider in [first, second] {
            let height = Self::ask_one(provider, Op::HEIGHT, &json!([]), read::<U64>).await;
            match height {
                Ok(height) => provider.saw_head(height.to()),
                Err(failure) => {
                    let mut tally = Tally::default();
                    tally.note(provider, failure);
                    return Err(tally.into_error(&self.network));
                }
            }
        }
        self.mark_laggards();
        let second_wins = match first.height().cmp(&second.height()) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => matches!(also, Estimate::Gas(_)),
            std::cmp::Ordering::Greater => false,
        };
        Ok(if second_wins { second.reply(also) } else { first.reply(said) })
    }

    async fn replay_by(provider: &Provider, call: &Call, block: u64) -> Result<Option<String>, Failure> {
        for height in [block, block.saturating_sub(1)] {
            let params = json!([wire(call), U64::from(height)]);
            match Self::ask_one(provider, Op::CALL, &params, read::<Bytes>).await {
                Ok(_) => {}
                Err(Failure::Node(error)) => match verdict(&error) {
                    Some(Estimate::Reverted { reason }) => return Ok(Some(reason)),
                    // The sender may have spent the rest of its coins since.
                    Some(Estimate::InsufficientFunds) => {}
                    Some(Estimate::Gas(_)) | None => return Err(Failure::Node(error)),
                },
                Err(failure @ (Failure::Lost(_) | Failure::Limited { .. } | Failure::Nonsense(_))) => {
                    return Err(failure);
                }
            }
        }
        Ok(None)
    }
}

/// Whether an estimate refuses nobody's transfer.
fn will_do(call: &Call, estimate: &Estimate) -> bool {
    match estimate {
        Estimate::Gas(gas) => call.gas_max.is_none_or(|most| *gas <= most),
        Estimate::Reverted { .. } | Estimate::InsufficientFunds => false,
    }
}

/// A call as nodes take it. All of them know `data`; `input` is younger.
fn wire(call: &Call) -> Value {
    let mut wire = json!({ "from": call.from, "to": call.to, "value": call.value, "data": call.data });
    if let Some(gas) = call.gas {
        wire["gas"] = json!(U64::from(gas));
    }
    if let Some(price) = call.gas_price_wei {
        wire["gasPrice"] = json!(U128::from(price));
    }
    wire
}

/// What a node's error says of the call; `None` where it speaks of the node itself.
pub(super) fn verdict(error: &NodeError) -> Option<Estimate> {
    let lower = error.message.to_lowercase();
    let data = error.data.as_ref().and_then(|data| revert_data(data, DEPTH_MAX)).or_else(|| hex_in(&error.message));
    // Code 3 is geth's for a revert; others say it in words, or only by the data (Nethermind: -32015).
    if error.code == 3 || lower.contains("revert") || data.is_some() {
        let told = data.filter(|data| !data.is_empty()).map(|data| revert::reason(&data));
        return Some(Estimate::Reverted { reason: told.unwrap_or_else(|| told_in_words(&error.message)) });
    }
    if classify::broadcast(Some(error.code), &error.message) == BroadcastOutcome::InsufficientFunds {
        return Some(Estimate::InsufficientFunds);
    }
    // The call ends without success and without a reason.
    let dead_ends = [
        "invalid opcode",
        "invalid jump",
        "stack underflow",
        "stack limit reached",
        "out of gas",
        "gas required exceeds",
    ];
    let dead = dead_ends.iter().any(|words| lower.contains(words));
    dead.then(|| Estimate::Reverted { reason: printable(&error.message, REVERT_REASON_CHARS_MAX) })
}

/// Revert data in what nodes call `data`: the hex itself (geth, Erigon, Besu, anvil), hex after a word (Nethermind:
/// "Reverted 0x..."), or either of them inside objects (gateways, development nodes).
fn revert_data(data: &Value, depth: usize) -> Option<Bytes> {
    match data {
        Value::String(text) => hex_in(text),
        Value::Object(fields) if depth > 0 => {
            let named = ["data", "return", "result", "originalError"].iter().filter_map(|name| fields.get(*name));
            named
                .chain(fields.values().filter(|value| value.is_object()))
                .find_map(|value| revert_data(value, depth - 1))
        }
        Value::Object(_) | Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// Hex that ends a text, with nothing but a word before it.
fn hex_in(text: &str) -> Option<Bytes> {
    let (before, digits) = text.rsplit_once("0x")?;
    let word = before.trim_end();
    let alone = word.is_empty() || word.to_lowercase().ends_with("reverted");
    (alone).then(|| hex::decode(digits.trim()).ok().map(Bytes::from)).flatten()
}

/// The reason as some nodes put it into the message alone: `execution reverted: REASON`.
fn told_in_words(message: &str) -> String {
    let told = message.split_once("reverted").map_or("", |(_, rest)| rest.trim_start_matches([':', ' ']));
    let told = printable(told, REVERT_REASON_CHARS_MAX);
    if told.is_empty() { revert::reason(&[]) } else { told }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: i64, message: &str, data: Value) -> Option<Estimate> {
        let data = (!data.is_null()).then_some(data);
        verdict(&NodeError { code, message: message.to_owned(), data })
    }

    fn reverted(reason: &str) -> Option<Estimate> {
        Some(Estimate::Reverted { reason: reason.to_owned() })
    }

    /// `Error("paused")`.
    const PAUSED: &str = "0x08c379a0000000000000000000000000000000000000000000000000000000000000002000000000000000000000000000000000000000000000000000000000000000067061757365640000000000000000000000000000000000000000000000000000";

    #[test]
    fn reverts_are_found_in_every_clients_shape() {
        let shapes = [
            (3, "execution reverted: paused", json!(PAUSED)), // geth, Erigon, Reth, anvil
            (-32000, "Execution reverted", json!(PAUSED)),    // Besu
            (-32015, "VM execution error.", json!(format!("Reverted {PAUSED}"))), // Nethermind, OpenEthereum
            (-32603, "Internal JSON-RPC error.", json!({ "code": 3, "data": PAUSED })), // gateways
            (-32000, "reverted", json!({ "originalError": { "data": PAUSED } })), // gateways
            (-32603, "Error: VM Exception while processing transaction", json!({ "message": "x", "data": PAUSED })), // Hardhat
            (-32000, "VM Exception", json!({ "0xab": { "error": "revert", "return": PAUSED } })), // Ganache
            (-32000, "execution reverted: paused", Value::Null), // nodes that send no data
        ];
        for (code, message, data) in shapes {
            assert_eq!(said(code, message, data.clone()), reverted("paused"), "{code} {message} {data}");
        }
    }

    #[test]
    fn reverts_without_a_reason_are_reverts() {
        assert_eq!(said(3, "execution reverted", json!("0x")), reverted("reverted without a reason"));
        assert_eq!(said(-32000, "execution reverted", Value::Null), reverted("reverted without a reason"));
        assert_eq!(said(-32015, "VM execution error.", json!("Reverted 0x")), reverted("reverted without a reason"));
        assert_eq!(said(-32000, "invalid opcode: INVALID", Value::Null), reverted("invalid opcode: INVALID"));
    }

    #[test]
    fn a_poor_sender_is_not_a_revert() {
        let message = "insufficient funds for gas * price + value: address 0x00 have 0 want 1";
        assert_eq!(said(-32000, message, Value::Null), Some(Estimate::InsufficientFunds));
        assert_eq!(
            said(3, "execution reverted: ERC20: insufficient funds", Value::Null),
            reverted("ERC20: insufficient funds")
        );
    }

    #[test]
    fn the_nodes_own_troubles_say_nothing_of_the_call() {
        for (code, message) in [
            (-32000, "header not found"),
            (-32000, "missing trie node 0x1234 (path )"),
            (-32601, "the method eth_estimateGas does not exist/is not available"),
            (-32603, "Internal error"),
        ] {
            assert_eq!(said(code, message, Value::Null), None, "{message}");
        }
    }

    #[test]
    fn data_of_another_kind_is_no_revert_data() {
        assert_eq!(revert_data(&json!("block 0x1234"), DEPTH_MAX), None);
        assert_eq!(revert_data(&json!("0xzz"), DEPTH_MAX), None);
        assert_eq!(revert_data(&json!([PAUSED]), DEPTH_MAX), None);
    }
}
