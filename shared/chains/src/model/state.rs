//! What a block leaves behind (numbers and balances), and how one call changes it.

use std::collections::{BTreeMap, BTreeSet};

use alloy::sol_types::{SolCall, SolError, SolEvent, SolValue};
use alloy_primitives::{Address, B256, Bytes, U256, address};
use causeway_domain::fees::Fees;

use crate::port::Log;

mod abi {
    alloy::sol! {
        function transfer(address to, uint256 amount) external returns (bool);
        event Transfer(address indexed from, address indexed to, uint256 value);
        error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed);
        error Blacklisted(address account);
    }
}

/// Who is paid the tips.
pub(super) const COINBASE: Address = address!("0xC01BA5E0000000000000000000000000000000C0");

/// Gas of any transaction, per zero byte and per other byte of input (yellow paper, EIP-2028).
const GAS_BASE: u64 = 21_000;
const GAS_ZERO_BYTE: u64 = 4;
const GAS_BYTE: u64 = 16;
/// Floor per token of input, a zero byte being one and any other four (EIP-7623).
const GAS_FLOOR_TOKEN: u64 = 10;
/// What a token's transfer takes on top: to somebody who holds some already, and to a new holder.
const GAS_TOKEN: u64 = 14_000;
const GAS_TOKEN_NEW_HOLDER: u64 = 31_100;
/// What a transfer's event takes (yellow paper: 375, as much per topic, 8 per byte).
const GAS_EVENT: u64 = 375 * 4 + 8 * 32;
/// What a revert takes on top.
const GAS_REVERT: u64 = 3_000;

/// How a token behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// As ERC-20 says.
    Standard,
    /// Transfers move and log but return nothing. A receipt does not show the difference.
    NoReturn,
    /// Transfers return false, move nothing and log nothing; the transaction succeeds.
    False,
    /// Transfers move, and log an event whose addresses are not indexed, as some old contracts do.
    Unindexed,
    /// Transfers move, and another contract logs them, as with tokens that handed their books over to a newer one.
    ToldElsewhere,
    /// Transfers keep so many hundredths for the contract, and log where both parts went.
    Fee(u8),
}

/// A token's contract.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    /// Senders and recipients whose transfers revert.
    pub(super) blacklist: BTreeSet<Address>,
    /// Ignores the blacklist at a gas price of zero, so that a simulation passes and the block does not.
    pub(super) lenient: bool,
}

/// The contracts. They hold on every branch: who changes them means "since ever".
#[derive(Debug, Clone, Default)]
pub(super) struct Rules {
    pub(super) tokens: BTreeMap<Address, Token>,
    /// Addresses of which every call reverts, with their data.
    pub(super) reverting: BTreeMap<Address, Bytes>,
    /// Addresses that burn this much gas on top when they are paid.
    pub(super) burning: BTreeMap<Address, u64>,
    /// Addresses that log so many transfers of a token of their own, from whoever pays them the coin.
    pub(super) lying: BTreeMap<Address, u64>,
}

/// A transaction as the chain runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tx {
    pub(super) hash: B256,
    pub(super) from: Address,
    pub(super) number: u64,
    pub(super) to: Address,
    pub(super) value: U256,
    pub(super) data: Bytes,
    pub(super) gas_limit: u64,
    pub(super) fees: Fees,
    /// The bytes it came in; none for a stranger's.
    pub(super) raw: Option<Bytes>,
}

impl Tx {
    /// The most it can cost.
    pub(super) fn cost(&self) -> U256 {
        self.value.saturating_add(U256::from(self.gas_limit).saturating_mul(U256::from(self.fees.max_fee_wei)))
    }

    /// What it pays per gas above the base fee; `None` where it does not pay the base fee.
    pub(super) fn tip(&self, base_fee_wei: u128) -> Option<u128> {
        let room = self.fees.max_fee_wei.checked_sub(base_fee_wei)?;
        Some(room.min(self.fees.max_priority_wei))
    }

    fn message(&self, gas_price_wei: u128) -> Message<'_> {
        Message { from: self.from, to: self.to, value: self.value, data: &self.data, gas_price_wei }
    }
}

/// A call without its envelope.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) from: Address,
    pub(super) to: Address,
    pub(super) value: U256,
    pub(super) data: &'a [u8],
    pub(super) gas_price_wei: u128,
}

/// What a call would do.
#[derive(Debug)]
pub(super) struct Run {
    /// Gas it takes.
    pub(super) gas: u64,
    /// Token movement it makes, if any; or the data it reverts with.
    pub(super) outcome: Result<Option<Movement>, Bytes>,
}

/// Where a token that handed its books over has its transfers told.
const NEWER: Address = Address::repeat_byte(0x4e);

/// Units of a token that change hands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Movement {
    token: Address,
    /// The contract that tells of it.
    logs_at: Address,
    from: Address,
    to: Address,
    units: U256,
    /// How much of it the contract keeps.
    fee: U256,
    indexed: bool,
}

/// What a transaction did.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) success: bool,
    pub(super) gas_used: u64,
    pub(super) price_wei: u128,
    pub(super) logs: Vec<Log>,
}

/// Numbers and balances after a block.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    numbers: BTreeMap<Address, u64>,
    pub(super) coins: BTreeMap<Address, U256>,
    pub(super) tokens: BTreeMap<(Address, Address), U256>,
    /// Base fees that were paid: they belong to nobody.
    pub(super) burnt: U256,
}

impl State {
    pub(super) fn number(&self, address: Address) -> u64 {
        self.numbers.get(&address).copied().unwrap_or(0)
    }

    pub(super) fn coins_of(&self, holder: Address) -> U256 {
        self.coins.get(&holder).copied().unwrap_or_default()
    }

    pub(super) fn tokens_of(&self, token: Address, holder: Address) -> U256 {
        self.tokens.get(&(token, holder)).copied().unwrap_or_default()
    }

    /// A balance of the coin (`token` is `None`) or of a token, to change.
    pub(super) fn balance(&mut self, holder: Address, token: Option<Address>) -> &mut U256 {
        match token {
            None => self.coins.entry(holder).or_default(),
            Some(token) => self.tokens.entry((token, holder)).or_default(),
        }
    }

    /// What a call would do here. Whether the sender can pay is the caller's to check.
    pub(super) fn run(&self, rules: &Rules, message: Message<'_>) -> Run {
        let base = intrinsic_gas(message.data);
        let reverted = |data: Bytes| Run { gas: base + GAS_REVERT, outcome: Err(data) };
        if let Some(data) = rules.reverting.get(&message.to) {
            return reverted(data.clone());
        }
        let Some(token) = rules.tokens.get(&message.to) else {
            let burnt = rules.burning.get(&message.to).copied().unwrap_or(0);
            let lies = rules.lying.get(&message.to).copied().unwrap_or(0);
            return Run { gas: base + burnt + lies * GAS_EVENT, outcome: Ok(None) };
        };
        match self.transfer(token, message) {
            Ok(Some(movement)) => {
                let known = !self.tokens_of(movement.token, movement.to).is_zero();
                let gas = base + if known { GAS_TOKEN } else { GAS_TOKEN_NEW_HOLDER };
                Run { gas, outcome: Ok(Some(movement)) }
            }
            Ok(None) => Run { gas: base + GAS_TOKEN, outcome: Ok(None) },
            Err(data) => reverted(data),
        }
    }

    fn transfer(&self, token: &Token, message: Message<'_>) -> Result<Option<Movement>, Bytes> {
        let call = abi::transferCall::abi_decode_validate(message.data).map_err(|_| Bytes::new())?;
        if !message.value.is_zero() {
            return Err(Bytes::new());
        }
        let forgiving = token.lenient && message.gas_price_wei == 0;
        if let Some(account) = [message.from, call.to].into_iter().find(|who| token.blacklist.contains(who))
            && !forgiving
        {
            return Err(abi::Blacklisted { account }.abi_encode().into());
        }
        let balance = self.tokens_of(message.to, message.from);
        match token.kind {
            TokenKind::False => Ok(None),
            TokenKind::Standard
            | TokenKind::NoReturn
            | TokenKind::Unindexed
            | TokenKind::ToldElsewhere
            | TokenKind::Fee(_)
                if balance < call.amount =>
            {
                let error = abi::ERC20InsufficientBalance { sender: message.from, balance, needed: call.amount };
                Err(error.abi_encode().into())
            }
            TokenKind::Standard
            | TokenKind::NoReturn
            | TokenKind::Unindexed
            | TokenKind::ToldElsewhere
            | TokenKind::Fee(_) => {
                let (token_kind, indexed) = (token.kind, token.kind != TokenKind::Unindexed);
                let fee = fee(token_kind, call.amount);
                let (token, from, to, units) = (message.to, message.from, call.to, call.amount);
                let logs_at = if token_kind == TokenKind::ToldElsewhere { NEWER } else { token };
                Ok(Some(Movement { token, logs_at, from, to, units, fee, indexed }))
            }
        }
    }

    /// Runs a transaction that has the sender's next number, pays the base fee and can be paid for; `None`, and no
    /// change, where one of these fails.
    pub(super) fn execute(&mut self, rules: &Rules, tx: &Tx, base_fee_wei: u128) -> Option<Done> {
        let tip = tx.tip(base_fee_wei)?;
        let price_wei = base_fee_wei + tip;
        let payable = self.coins_of(tx.from) >= tx.cost() && tx.gas_limit >= intrinsic_gas(&tx.data);
        if self.number(tx.from) != tx.number || !payable {
            return None;
        }
        let run = self.run(rules, tx.message(price_wei));
        let within = run.gas <= tx.gas_limit;
        let movement = run.outcome.ok().filter(|_| within);
        let success = movement.is_some();
        let gas_used = run.gas.min(tx.gas_limit);
        self.numbers.insert(tx.from, tx.number + 1);
        let base = self.pay(tx.from, gas_used, base_fee_wei);
        self.burnt += base;
        let tips = self.pay(tx.from, gas_used, tip);
        *self.coins.entry(COINBASE).or_default() += tips;
        if success {
            *self.coins.entry(tx.from).or_default() -= tx.value;
            *self.coins.entry(tx.to).or_default() += tx.value;
        }
        let mut logs = movement.flatten().map(|movement| self.hand_over(movement)).unwrap_or_default();
        let lies = rules.lying.get(&tx.to).copied().unwrap_or(0);
        logs.extend(
            (0..lies).filter(|_| success).map(|lie| transfer_event(tx.to, tx.from, tx.to, U256::from(lie + 1))),
        );
        Some(Done { success, gas_used, price_wei, logs })
    }

    /// Takes gas from somebody who is known to have it.
    fn pay(&mut self, from: Address, gas: u64, wei_per_gas: u128) -> U256 {
        let wei = U256::from(gas) * U256::from(wei_per_gas);
        *self.coins.entry(from).or_default() -= wei;
        wei
    }

    fn hand_over(&mut self, Movement { token, logs_at, from, to, units, fee, indexed }: Movement) -> Vec<Log> {
        let kept = (!fee.is_zero()).then_some((token, fee));
        let parts = [(to, units - fee)].into_iter().chain(kept);
        let log = |(to, units): (Address, U256)| {
            *self.tokens.entry((token, from)).or_default() -= units;
            *self.tokens.entry((token, to)).or_default() += units;
            if !indexed {
                let topics = vec![abi::Transfer::SIGNATURE_HASH];
                return Log { address: logs_at, topics, data: (from, to, units).abi_encode().into() };
            }
            transfer_event(logs_at, from, to, units)
        };
        parts.map(log).collect()
    }
}

fn transfer_event(token: Address, from: Address, to: Address, units: U256) -> Log {
    let log = abi::Transfer { from, to, value: units }.encode_log_data();
    Log { address: token, topics: log.topics().to_vec(), data: log.data }
}

/// What a token's contract keeps of a transfer.
fn fee(kind: TokenKind, units: U256) -> U256 {
    match kind {
        TokenKind::Standard
        | TokenKind::NoReturn
        | TokenKind::False
        | TokenKind::Unindexed
        | TokenKind::ToldElsewhere => U256::ZERO,
        TokenKind::Fee(hundredths) => units * U256::from(hundredths) / U256::from(100),
    }
}

/// Gas below which no node takes a transaction with this input.
pub(super) fn intrinsic_gas(data: &[u8]) -> u64 {
    let zeros = data.iter().filter(|byte| **byte == 0).count() as u64;
    let others = data.len() as u64 - zeros;
    let standard = zeros * GAS_ZERO_BYTE + others * GAS_BYTE;
    let floor = (zeros + 4 * others) * GAS_FLOOR_TOKEN;
    GAS_BASE + standard.max(floor)
}
