//! ERC-20: the calls we make and the events that prove what moved.
//!
//! Invariant: a receipt's success alone proves nothing of a token (some return false instead of
//! reverting, some keep a fee); only a well-formed `Transfer` event of the token's own contract does.

use alloy::sol_types::{SolCall, SolEvent};
use alloy_primitives::{Address, Bytes, U256};
use causeway_domain::{Amount, Asset};

use crate::port::Log;

mod abi {
    alloy::sol! {
        function transfer(address to, uint256 amount) external returns (bool);
        function balanceOf(address holder) external view returns (uint256);
        event Transfer(address indexed from, address indexed to, uint256 value);
    }
}

/// What a transfer of an asset calls: the called address, the wei sent along and the input.
pub fn payment_for(asset: &Asset, to: Address, amount: Amount) -> (Address, U256, Bytes) {
    if asset.is_native() {
        (to, amount.to_u256(), Bytes::new())
    } else {
        (asset.address, U256::ZERO, transfer_input(to, amount.to_u256()))
    }
}

/// What a call pays, if it is one that [`payment_for`] makes: the token's contract (zero for the coin), the recipient, and
/// how much.
pub fn paid_by(called: Address, value: U256, input: &Bytes) -> Option<(Address, Address, Amount)> {
    if input.is_empty() {
        return Some((Address::ZERO, called, Amount::try_from(value).ok()?));
    }
    let abi::transferCall { to, amount } = abi::transferCall::abi_decode_validate(input).ok()?;
    let exact = value.is_zero() && transfer_input(to, amount) == *input;
    exact.then_some((called, to, Amount::try_from(amount).ok()?))
}

/// Input of `transfer(to, units)`; units are the token's smallest.
pub fn transfer_input(to: Address, units: U256) -> Bytes {
    abi::transferCall { to, amount: units }.abi_encode().into()
}

/// Input of `balanceOf(holder)`.
pub fn balance_input(holder: Address) -> Bytes {
    abi::balanceOfCall { holder }.abi_encode().into()
}

/// What `balanceOf` returned, in smallest units; `None` unless it is exactly one number (nothing at all is what an
/// address without a contract returns).
pub fn balance_output(output: &[u8]) -> Option<U256> {
    <[u8; 32]>::try_from(output).ok().map(U256::from_be_bytes)
}

/// Smallest units of a token that a transaction moved from one address to another, by its logs; the sum saturates.
pub fn transferred(logs: &[Log], token: Address, from: Address, to: Address) -> U256 {
    logs.iter()
        .filter_map(|log| movement(log, token))
        .filter(|movement| movement.from == from && movement.to == to)
        .fold(U256::ZERO, |sum, movement| sum.saturating_add(movement.value))
}

/// Whether a transaction moved any of a token away from an address, to whomever. On its answer money is released, so
/// an event that names `Transfer` in another shape counts as a movement: a person looks at it.
pub fn moved_at_all(logs: &[Log], token: Address, from: Address) -> bool {
    logs.iter().filter(|log| log.address == token && names_transfer(log)).any(|log| match movement(log, token) {
        Some(movement) => movement.from == from && !movement.value.is_zero(),
        None => true,
    })
}

/// The first `most` movements of tokens that a transaction's logs say left an address: token, recipient, smallest units.
/// One of 10^38 units or more is left out: no parcel has such an amount.
pub fn movements_from(logs: &[Log], from: Address, most: usize) -> Vec<(Address, Address, Amount)> {
    logs.iter()
        .filter_map(|log| movement(log, log.address).map(|movement| (log.address, movement)))
        .filter(|(_, movement)| movement.from == from)
        .filter_map(|(token, movement)| Some((token, movement.to, Amount::try_from(movement.value).ok()?)))
        .take(most)
        .collect()
}

fn names_transfer(log: &Log) -> bool {
    log.topics.first() == Some(&abi::Transfer::SIGNATURE_HASH)
}

/// The event, when it is exactly ERC-20's: three topics, addresses with clean upper bytes, one word of data.
fn movement(log: &Log, token: Address) -> Option<abi::Transfer> {
    let clean = |index: usize| log.topics.get(index).is_some_and(|topic| topic[..12].iter().all(|byte| *byte == 0));
    let shaped = log.topics.len() == 3 && clean(1) && clean(2) && log.data.len() == 32;
    if log.address != token || !names_transfer(log) || !shaped {
        return None;
    }
    abi::Transfer::decode_raw_log(log.topics.iter().copied(), &log.data).ok()
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{B256, address, hex};
    use causeway_domain::Networks;

    use super::*;

    const TOKEN: Address = address!("0xdAC17F958D2ee523a2206206994597C13D831ec7");
    const FROM: Address = Address::repeat_byte(0xAA);
    const TO: Address = Address::repeat_byte(0xBB);

    fn transfer(from: Address, to: Address, value: u64) -> Log {
        Log {
            address: TOKEN,
            topics: vec![abi::Transfer::SIGNATURE_HASH, from.into_word(), to.into_word()],
            data: B256::from(U256::from(value)).into(),
        }
    }

    #[test]
    fn calls_are_encoded_as_the_standard_says() {
        let expected = hex!(
            "a9059cbb"
            "000000000000000000000000bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
            "00000000000000000000000000000000000000000000000000000000000f4240"
        );
        assert_eq!(transfer_input(TO, U256::from(1_000_000))[..], expected);
        assert_eq!(balance_input(FROM)[..4], hex!("70a08231"));
    }

    #[test]
    fn a_coin_is_sent_and_a_token_is_called() {
        let file = include_str!("../../../infra/networks.toml");
        let networks = Networks::parse(file, &["ethereum"]).expect("valid");
        let network = networks.get("ethereum").expect("there");
        let amount = Amount::new(5).expect("small");
        assert_eq!(payment_for(network.native(), TO, amount), (TO, U256::from(5), Bytes::new()));
        let token = network.asset(TOKEN).expect("listed");
        assert_eq!(payment_for(token, TO, amount), (TOKEN, U256::ZERO, transfer_input(TO, U256::from(5))));
    }

    #[test]
    fn what_a_call_pays_is_read_back_from_what_is_made_for_it_and_from_nothing_else() {
        let amount = Amount::new(5).expect("small");
        let call = transfer_input(TO, amount.to_u256());
        assert_eq!(paid_by(TO, amount.to_u256(), &Bytes::new()), Some((Address::ZERO, TO, amount)));
        assert_eq!(paid_by(TOKEN, U256::ZERO, &call), Some((TOKEN, TO, amount)));
        assert_eq!(paid_by(TOKEN, U256::from(1), &call), None, "coins as well");
        assert_eq!(paid_by(TOKEN, U256::ZERO, &call.slice(..67)), None);
        assert_eq!(paid_by(TOKEN, U256::ZERO, &[call.as_ref(), &[0]].concat().into()), None);
        assert_eq!(paid_by(TOKEN, U256::ZERO, &balance_input(TO)), None);
        assert_eq!(paid_by(TO, U256::MAX, &Bytes::new()), None, "more than any amount");
    }

    #[test]
    fn balances_are_one_word() {
        assert_eq!(balance_output(&U256::from(9).to_be_bytes::<32>()), Some(U256::from(9)));
        assert_eq!(balance_output(&[]), None);
        assert_eq!(balance_output(&[0; 33]), None);
    }

    #[test]
    fn sums_what_moved_between_the_two() {
        let mut stranger = transfer(FROM, TO, 100);
        stranger.address = Address::repeat_byte(0xCC);
        let logs =
            [transfer(FROM, TO, 3), transfer(FROM, TO, 4), transfer(FROM, FROM, 50), transfer(TO, FROM, 60), stranger];
        assert_eq!(transferred(&logs, TOKEN, FROM, TO), U256::from(7));
    }

    #[test]
    fn events_of_another_shape_prove_nothing_but_are_not_overlooked() {
        let mut short = transfer(FROM, TO, 3);
        short.data = short.data.slice(..31);
        let mut long = transfer(FROM, TO, 3);
        long.data = [long.data.as_ref(), &[0]].concat().into();
        let mut indexed = transfer(FROM, TO, 3);
        indexed.topics.push(B256::ZERO);
        let mut bare = transfer(FROM, TO, 3);
        bare.topics.truncate(1);
        let mut dirty = transfer(FROM, TO, 3);
        dirty.topics[2].0[0] = 1;
        for log in [short, long, indexed, bare, dirty] {
            assert_eq!(transferred(std::slice::from_ref(&log), TOKEN, FROM, TO), U256::ZERO, "{log:?}");
            assert!(moved_at_all(&[log], TOKEN, FROM));
        }
    }

    #[test]
    fn moving_at_all_means_any_recipient_and_more_than_nothing() {
        assert!(moved_at_all(&[transfer(FROM, Address::repeat_byte(1), 1)], TOKEN, FROM));
        assert!(!moved_at_all(&[transfer(FROM, TO, 0)], TOKEN, FROM));
        assert!(!moved_at_all(&[transfer(TO, FROM, 1)], TOKEN, FROM));
        let mut approval = transfer(FROM, TO, 1);
        approval.topics[0] = B256::repeat_byte(1);
        assert!(!moved_at_all(&[approval], TOKEN, FROM));
        let mut stranger = transfer(FROM, TO, 1);
        stranger.address = Address::repeat_byte(0xCC);
        assert!(!moved_at_all(&[stranger], TOKEN, FROM));
    }
}
