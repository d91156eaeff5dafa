use std::{
    future::Future,
    sync::{Arc, Mutex},
};

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use causeway_domain::fees::Fees;
use futures::FutureExt;
use k256::ecdsa::SigningKey;

use super::*;
use crate::{
    token::transfer_input,
    transaction::{Payment, Sealed, digest, seal},
};

mod branches;
mod pool;
mod providers;
mod tokens;

const GWEI: u128 = 1_000_000_000;

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("the model never waits")
}

/// Test accounts: their keys are numbers.
fn key(account: u8) -> SigningKey {
    let mut secret = [0; 32];
    secret[31] = account;
    SigningKey::from_slice(&secret).expect("small and not zero")
}

fn address(account: u8) -> Address {
    let point = key(account).verifying_key().to_encoded_point(false);
    Address::from_slice(&keccak256(&point.as_bytes()[1..])[12..])
}

fn sign(account: u8, payment: &Payment) -> Sealed {
    let (signature, recovery) = key(account).sign_prehash_recoverable(digest(payment).as_slice()).expect("32 bytes");
    let r = U256::from_be_slice(&signature.r().to_bytes());
    let s = U256::from_be_slice(&signature.s().to_bytes());
    seal(payment, r, s, recovery.is_y_odd())
}

/// Ten wei to account 9, at twice the base fee.
fn coin(number: u64) -> Payment {
    Payment {
        chain_id: 31337,
        number,
        to: address(9),
        value: U256::from(10),
        data: Bytes::new(),
        gas_limit: 21_000,
        fees: Fees { max_fee_wei: 2 * GWEI, max_priority_wei: GWEI / 2 },
    }
}

fn priced(number: u64, max_fee_wei: u128, max_priority_wei: u128) -> Payment {
    Payment { fees: Fees { max_fee_wei, max_priority_wei }, ..coin(number) }
}

/// A network where accounts 1 and 2 have a coin each.
fn network(config: ModelConfig) -> ModelChain {
    let chain = ModelChain::new(config);
    for account in [1, 2] {
        chain.credit(address(account), None, U256::from(10_u128.pow(18)));
    }
    chain
}

fn usual() -> ModelChain {
    network(ModelConfig::default())
}

fn send(chain: &ModelChain, sealed: &Sealed) -> BroadcastOutcome {
    now(chain.broadcast(&sealed.raw)).outcome
}

fn accepted(chain: &ModelChain, account: u8, payment: &Payment) -> Sealed {
    let sealed = sign(account, payment);
    assert_eq!(send(chain, &sealed), BroadcastOutcome::Accepted);
    sealed
}

fn receipt(chain: &ModelChain, hash: B256) -> Option<Receipt> {
    now(chain.receipt(hash)).expect("up").value
}

fn next(chain: &ModelChain, account: u8, at: NumberAt) -> u64 {
    now(chain.next_number(address(account), at)).expect("up").value
}

fn balance(chain: &ModelChain, holder: Address, token: Option<Address>) -> U256 {
    now(chain.balance(holder, token)).expect("up").value
}

#[test]
fn a_transaction_waits_and_is_included_and_paid_for() {
    let chain = usual();
    let before = balance(&chain, address(1), None);
    let sealed = accepted(&chain, 1, &coin(0));
    assert!(now(chain.knows(sealed.hash)).expect("up").value);
    assert_eq!(receipt(&chain, sealed.hash), None);
    assert_eq!((next(&chain, 1, NumberAt::Latest), next(&chain, 1, NumberAt::Pending)), (0, 1));
    assert_eq!(send(&chain, &sealed), BroadcastOutcome::AlreadyKnown);

    let header = chain.mine();
    let found = receipt(&chain, sealed.hash).expect("included");
    assert_eq!((found.block_hash, found.block_number, found.success), (header.hash, 1, true));
    assert_eq!((found.from, found.to, found.gas_used), (address(1), Some(address(9)), 21_000));
    assert_eq!(found.effective_gas_price_wei, GWEI + GWEI / 2);
    assert_eq!(balance(&chain, address(9), None), U256::from(10));
    let fee = U256::from(21_000) * U256::from(GWEI + GWEI / 2);
    assert_eq!(balance(&chain, address(1), None), before - fee - U256::from(10));
    assert_eq!(chain.burnt(), U256::from(21_000) * U256::from(GWEI));
    assert_eq!((next(&chain, 1, NumberAt::Latest), next(&chain, 1, NumberAt::Pending)), (1, 1));
    assert_eq!(send(&chain, &sealed), BroadcastOutcome::NumberTooLow);
    assert!(now(chain.knows(sealed.hash)).expect("up").value);
}

#[test]
fn blocks_are_linked_and_hold_the_best_tip_first() {
    let chain = usual();
    chain.set_next_timestamp(1_800_000_000);
    let cheap = accepted(&chain, 1, &priced(0, 2 * GWEI, GWEI / 4));
    let cheap_next = accepted(&chain, 1, &priced(1, 2 * GWEI, GWEI));
    let dear = accepted(&chain, 2, &priced(0, 2 * GWEI, GWEI / 2));
    let header = chain.mine();
    assert_eq!(header.timestamp_s, 1_800_000_000);
    assert_eq!(chain.mine().timestamp_s, 1_800_000_001);
    let block = now(chain.block(BlockAt::Number(1))).expect("up").value.expect("there");
    assert_eq!(block.transactions, [dear.hash, cheap.hash, cheap_next.hash]);
    assert_eq!(now(chain.block(BlockAt::Hash(header.hash))).expect("up").value, Some(block.clone()));
    let parent = now(chain.block(BlockAt::Number(0))).expect("up").value.expect("there");
    assert_eq!(block.header.parent, parent.header.hash);
    let receipts = now(chain.receipts(header.hash, &block.transactions)).expect("up").value.expect("all");
    assert_eq!(receipts.iter().map(|receipt| receipt.hash).collect::<Vec<_>>(), block.transactions);
    assert_eq!(now(chain.block(BlockAt::Number(3))).expect("up").value, None);
    assert_eq!(now(chain.receipts(B256::ZERO, &[B256::ZERO])).expect("up").value, None);
    let history = now(chain.fee_history()).expect("up").value;
    assert_eq!(history.next_base_fee_wei, GWEI);
    assert_eq!(history.tips_wei, [[0; 3], [GWEI / 4, GWEI / 2, GWEI], [0; 3]]);
}

#[test]
fn a_block_is_full_when_its_gas_is_spent() {
    let chain = network(ModelConfig { block_gas_limit: 50_000, ..ModelConfig::default() });
    (0..3).for_each(|number| drop(accepted(&chain, 1, &coin(number))));
    chain.mine();
    assert_eq!(chain.pooled().len(), 1);
    assert_eq!(chain.pooled()[0].number, 2);
    chain.mine();
    assert!(chain.pooled().is_empty());
}

#[test]
fn waiting_stays_when_the_base_fee_rises_and_goes_when_it_falls() {
    let chain = usual();
    let sealed = accepted(&chain, 1, &coin(0));
    chain.set_base_fee(3 * GWEI);
    chain.mine();
    assert_eq!(receipt(&chain, sealed.hash), None);
    assert_eq!(now(chain.fee_history()).expect("up").value.next_base_fee_wei, 3 * GWEI);
    chain.set_base_fee(2 * GWEI);
    chain.mine();
    let found = receipt(&chain, sealed.hash).expect("included");
    assert_eq!(found.effective_gas_price_wei, 2 * GWEI, "nothing left for a tip");
}

#[test]
fn a_strangers_transaction_takes_the_number() {
    let chain = usual();
    let ours = accepted(&chain, 1, &coin(0));
    let theirs = chain.foreign(address(1), 0).expect("not used yet");
    assert!(!now(chain.knows(ours.hash)).expect("up").value);
    assert_eq!(send(&chain, &ours), BroadcastOutcome::ReplacementUnderpriced);
    chain.mine();
    assert!(receipt(&chain, theirs).expect("included").success);
    assert_eq!(send(&chain, &ours), BroadcastOutcome::NumberTooLow);
    assert_eq!(chain.inclusions(address(1))[&0][0].raw, None);
    assert_eq!(chain.foreign(address(1), 0), None);
}

#[test]
fn the_tag_follows_or_stands_or_is_missing() {
    let chain = usual();
    chain.mine_empty(5);
    let tag = || now(chain.finalized()).expect("up").value;
    assert_eq!(tag(), Some(3));
    chain.set_finality(Finality::At(1));
    assert_eq!(tag(), Some(1));
    chain.set_finality(Finality::At(99));
    assert_eq!(tag(), Some(5));
    chain.set_finality(Finality::NoTag);
    assert_eq!(tag(), None);
}

/// Fate of the next calls of one name.
struct Fates(&'static str, Mutex<Vec<Fault>>);

impl ChainFaults for Fates {
    fn on(&self, call: &'static str) -> Fault {
        if call != self.0 {
            return Fault::Pass;
        }
        self.1.lock().expect("not poisoned").pop().unwrap_or(Fault::Pass)
    }
}

#[test]
fn lost_calls_and_lost_replies_are_unknown_alike() {
    let chain = usual();
    let sealed = sign(1, &coin(0));
    let mut told = Vec::new();
    for (fault, arrived) in [(Fault::FailBefore, false), (Fault::Delay, false), (Fault::LoseReply, true)] {
        chain.set_faults(Arc::new(Fates("broadcast", Mutex::new(vec![fault]))));
        let broadcast = now(chain.broadcast(&sealed.raw));
        assert!(matches!(broadcast.outcome, BroadcastOutcome::Unknown { .. }), "{fault:?}: {broadcast:?}");
        assert_eq!(broadcast.provider, "");
        assert_eq!(now(chain.knows(sealed.hash)).expect("up").value, arrived, "{fault:?}");
        told.push(broadcast.outcome);
    }
    assert_eq!(chain.handed().into_iter().map(|handed| handed.outcome).collect::<Vec<_>>(), told);
}

#[test]
fn delayed_bytes_arrive_after_the_caller_has_gone_on() {
    let chain = usual();
    let first = sign(1, &coin(0));
    chain.set_faults(Arc::new(Fates("broadcast", Mutex::new(vec![Fault::Delay]))));
    send(&chain, &first);
    let bump = accepted(&chain, 1, &priced(0, 4 * GWEI, GWEI));
    chain.land();
    assert_eq!(chain.pooled().iter().map(|pooled| pooled.hash).collect::<Vec<_>>(), [bump.hash], "the dearer stays");
    chain.set_faults(Arc::new(Fates("broadcast", Mutex::new(vec![Fault::Delay]))));
    let second = sign(1, &coin(1));
    send(&chain, &second);
    chain.mine();
    chain.land();
    assert!(now(chain.knows(second.hash)).expect("up").value);
}

#[test]
fn questions_fail_or_are_limited_by_their_name() {
    let chain = usual();
    let limit = Fault::Limit { after_ms: Some(700) };
    chain.set_faults(Arc::new(Fates("head", Mutex::new(vec![limit, Fault::FailBefore]))));
    assert!(now(chain.finalized()).is_ok());
    assert!(matches!(now(chain.head()), Err(ChainError::Unavailable { .. })));
    let limited = ChainError::Limited { network: "local".to_owned(), after_ms: Some(700) };
    assert_eq!(now(chain.head()), Err(limited));
    assert!(now(chain.head()).is_ok());
    chain.set_faults(Arc::new(Fates("broadcast", Mutex::new(vec![limit]))));
    assert_eq!(send(&chain, &sign(1, &coin(0))), BroadcastOutcome::Busy { after_ms: Some(700) });
    assert!(chain.pooled().is_empty());
}
