//! What every side of the port keeps, as test cases. `chain_contract!` runs all of them.

use alloy::sol_types::{Revert, SolError};
use alloy_primitives::{Address, B256, Bytes, U256};
use async_trait::async_trait;
use causeway_domain::fees::Fees;

use crate::{
    port::{Block, BlockAt, BroadcastOutcome, Call, Chain, Estimate, Form, NumberAt, Receipt, Reread, Sent},
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

/// Makes one test of each case of the contract; `$lab` is an async expression.
#[macro_export]
macro_rules! chain_contract {
    ($lab:expr) => {
        $crate::chain_contract!(@cases $lab;
            head_blocks_and_receipts_tell_one_story
            what_does_not_exist_is_not_an_error
            a_broadcast_waits_then_counts
            what_every_provider_is_handed_is_taken_once
            the_same_bytes_again_are_known
            a_used_number_is_too_low
            a_number_ahead_waits_or_is_refused
            a_replacement_must_pay_more
            a_poor_sender_is_told_so
            what_is_no_transaction_of_this_network_is_refused
            a_dropped_transaction_is_forgotten_and_taken_again
            estimates_name_gas_or_the_reason
            a_revert_is_a_receipt_with_a_reason
            fees_cover_what_is_asked_for
            final_is_behind_the_head
            providers_testify_of_a_height
            holdings_are_those_of_the_height
            a_reorg_takes_a_transaction_away
            a_reorg_moves_a_transaction
        );
    };
    (@cases $lab:expr; $($case:ident)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                $crate::contract::$case(&$lab.await).await;
            }
        )*
    };
}

/// Test accounts: one that pays, one that is paid.
const PAYER: u8 = 1;
const PAYEE: u8 = 2;
/// Wei that a rich account has: ten coins.
const RICH: U256 = U256::from_limbs([10_u64.pow(19), 0, 0, 0]);
/// Gas of a plain transfer.
const TRANSFER_GAS: u64 = 21_000;

/// A transfer of `wei` that pays well.
fn transfer(lab: &dyn Lab, number: u64, wei: u64) -> Payment {
    Payment {
        chain_id: lab.chain_id(),
        number,
        to: lab.address(PAYEE),
        value: U256::from(wei),
        data: Bytes::new(),
        gas_limit: TRANSFER_GAS,
        fees: Fees { max_fee_wei: 10_000_000_000, max_priority_wei: 1_000_000_000 },
    }
}

fn call(lab: &dyn Lab, to: Address, value: u64) -> Call {
    let (from, value, data) = (lab.address(PAYER), U256::from(value), Bytes::new());
    Call { from, to, value, data, gas: None, gas_max: None, gas_price_wei: None }
}

async fn said(lab: &dyn Lab, raw: &Bytes) -> BroadcastOutcome {
    lab.chain().broadcast(raw).await.outcome
}

async fn height(lab: &dyn Lab) -> u64 {
    lab.chain().head().await.expect("a head").value.number
}

async fn block_at(lab: &dyn Lab, number: u64) -> Block {
    lab.chain().block(BlockAt::Number(number)).await.expect("answered").value.expect("a block")
}

async fn receipt_of(lab: &dyn Lab, hash: B256) -> Option<Receipt> {
    lab.chain().receipt(hash).await.expect("answered").value
}

async fn numbers(lab: &dyn Lab, account: u8) -> (u64, u64) {
    let ask = |at| lab.chain().next_number(lab.address(account), at);
    let latest = ask(NumberAt::Latest).await.expect("answered").value;
    (latest, ask(NumberAt::Pending).await.expect("answered").value)
}

/// Pays once, in a block of its own.
async fn paid(lab: &dyn Lab) -> Sealed {
    lab.set_balance(lab.address(PAYER), RICH).await;
    // A balance belongs to a block like everything else: it must be below what a reorg takes away.
    lab.mine(3).await;
    let sealed = lab.sign(PAYER, &transfer(lab, 0, 5));
    assert_eq!(said(lab, &sealed.raw).await, BroadcastOutcome::Accepted);
    lab.mine(1).await;
    sealed
}

/// Blocks link to their parents, by number and by hash alike, and receipts belong to their block.
pub async fn head_blocks_and_receipts_tell_one_story(lab: &dyn Lab) {
    let sealed = paid(lab).await;
    let before = block_at(lab, height(lab).await - 1).await.header;
    let reply = lab.chain().head().await.expect("a head");
    let head = reply.value;
    assert!(!reply.provider.is_empty());
    assert_eq!(reply.height, Some(head.number));
    assert_eq!((head.number, head.parent), (before.number + 1, before.hash));
    assert!(head.timestamp_s >= before.timestamp_s);

    let block = block_at(lab, head.number).await;
    assert_eq!(block, Block { header: head.clone(), transactions: vec![sealed.hash] });
    let by_hash = lab.chain().block(BlockAt::Hash(head.hash)).await.expect("answered").value;
    assert_eq!(by_hash, Some(block));

    let receipts = lab.chain().receipts(head.hash, &[sealed.hash]).await.expect("answered").value.expect("all of them");
    let receipt = receipt_of(lab, sealed.hash).await.expect("included");
    assert_eq!(receipts, std::slice::from_ref(&receipt));
    assert_eq!((receipt.hash, receipt.block_hash, receipt.block_number), (sealed.hash, head.hash, head.number));
    assert_eq!((receipt.from, receipt.to), (lab.address(PAYER), Some(lab.address(PAYEE))));
    assert!(receipt.success && receipt.logs.is_empty());
    assert_eq!(receipt.gas_used, TRANSFER_GAS);
    let price = receipt.effective_gas_price_wei;
    assert!((1_000_000_000..=10_000_000_000).contains(&price), "between tip and cap: {price}");

    for (height, is_far) in [(head.number, true), (head.number + 1_000, false)] {
        let each = lab.chain().receipts_by_each(head.hash, &[sealed.hash], height).await;
        let told = Reread { is_far, receipts: vec![receipt.clone()] };
        assert!(!each.is_empty() && each.iter().all(|reply| reply.value == told), "{each:?}");
    }
    let other = lab.chain().receipts_by_each(before.hash, &[sealed.hash], head.number).await;
    assert_eq!(other, [], "it is in no other block");

    let sent = |at, by| async move { lab.chain().sent_in(at, lab.address(by)).await.expect("answered").value };
    let by_number = [(0, sealed.hash)].into();
    assert_eq!(sent(head.number, PAYER).await, Some(Sent { block: head.hash, by_number }));
    assert_eq!(sent(head.number, PAYEE).await.map(|sent| sent.by_number.len()), Some(0));
    assert_eq!(sent(head.number + 1, PAYER).await, None, "no block of that height");

    let elsewhere = lab.chain().receipts(before.hash, &[sealed.hash]).await.expect("answered").value;
    assert_eq!(elsewhere, None, "it is in no other block");
    let balance = |account| lab.chain().balance(lab.address(account), None);
    assert_eq!(balance(PAYEE).await.expect("answered").value, U256::from(5));
    let cost = U256::from(price) * U256::from(TRANSFER_GAS) + U256::from(5);
    assert_eq!(balance(PAYER).await.expect("answered").value, RICH - cost);
}

/// Unknown blocks and hashes are answers, not errors.
pub async fn what_does_not_exist_is_not_an_error(lab: &dyn Lab) {
    let nowhere = B256::repeat_byte(0xEE);
    let chain = lab.chain();
    assert_eq!(chain.block(BlockAt::Hash(nowhere)).await.expect("answered").value, None);
    let above = height(lab).await + 1;
    assert_eq!(chain.block(BlockAt::Number(above)).await.expect("answered").value, None);
    assert_eq!(chain.receipts(nowhere, &[nowhere]).await.expect("answered").value, None);
    assert_eq!(receipt_of(lab, nowhere).await, None);
    assert!(!chain.knows(nowhere).await.expect("answered").value);
    assert_eq!(chain.signed(nowhere).await.expect("answered").value, None);
    assert_eq!(numbers(lab, 99).await, (0, 0));
    assert_eq!(chain.balance(lab.address(99), None).await.expect("answered").value, U256::ZERO);
}

/// What is accepted waits, is known, has no receipt, and raises only the pending number.
pub async fn a_broadcast_waits_then_counts(lab: &dyn Lab) {
    lab.set_balance(lab.address(PAYER), RICH).await;
    let first = lab.sign(PAYER, &transfer(lab, 0, 1));
    let second = lab.sign(PAYER, &transfer(lab, 1, 1));
    for sealed in [&first, &second] {
        let broadcast = lab.chain().broadcast(&sealed.raw).await;
        assert_eq!(broadcast.outcome, BroadcastOutcome::Accepted);
        assert!(!broadcast.provider.is_empty());
        assert!(lab.chain().knows(sealed.hash).await.expect("answered").value);
        let form = lab.chain().signed(sealed.hash).await.expect("answered").value;
        assert_eq!(form, Some(Form::Ours(sealed.raw.clone())));
        assert_eq!(receipt_of(lab, sealed.hash).await, None);
    }
    assert_eq!(numbers(lab, PAYER).await, (0, 2));
    lab.mine(1).await;
    assert_eq!(numbers(lab, PAYER).await, (2, 2));
    let block = block_at(lab, height(lab).await).await;
    assert_eq!(block.transactions, [first.hash, second.hash], "in the order of their numbers");
    let form = lab.chain().signed(second.hash).await.expect("answered").value;
    assert_eq!(form, Some(Form::Ours(second.raw.clone())));
    assert!(lab.chain().knows(first.hash).await.expect("answered").value);
}

/// Handed to every provider, and once more: one transaction.
pub async fn what_every_provider_is_handed_is_taken_once(lab: &dyn Lab) {
    lab.set_balance(lab.address(PAYER), RICH).await;
    let sealed = lab.sign(PAYER, &transfer(lab, 0, 1));
    let first = lab.chain().broadcast_to_all(&sealed.raw).await;
    assert_eq!(first.outcome, BroadcastOutcome::Accepted);
    assert!(!first.provider.is_empty());
    assert_eq!(lab.chain().broadcast_to_all(&sealed.raw).await.outcome, BroadcastOutcome::AlreadyKnown);
    lab.mine(1).await;
    assert_eq!(numbers(lab, PAYER).await, (1, 1));
}

/// Sending again what waits is success. (What is included is answered as [`BroadcastOutcome::NumberTooLow`] or
/// [`BroadcastOutcome::AlreadyKnown`], by the client.)
pub async fn the_same_bytes_again_are_known(lab: &dyn Lab) {
    lab.set_balance(lab.address(PAYER), RICH).await;
    let sealed = lab.sign(PAYER, &transfer(lab, 0, 1));
    assert_eq!(said(lab, &sealed.raw).await, BroadcastOutcome::Accepted);
    assert_eq!(said(lab, &sealed.raw).await, BroadcastOutcome::AlreadyKnown);
    lab.mine(1).await;
    let included = said(lab, &sealed.raw).await;
    assert!(matches!(included, BroadcastOutcome::AlreadyKnown | BroadcastOutcome::NumberTooLow), "{included:?}");
}

/// Another transaction of a used number.
pub async fn a_used_number_is_too_low(lab: &dyn Lab) {
    paid(lab).await;
    let late = lab.sign(PAYER, &transfer(lab, 0, 6));
    assert_eq!(said(lab, &late.raw).await, BroadcastOutcome::NumberTooLow);
    assert!(!lab.chain().knows(late.hash).await.expect("answered").value);
}

/// Clients differ: most keep it until the gap closes, some refuse it. Neither may include it before.
pub async fn a_number_ahead_waits_or_is_refused(lab: &dyn Lab) {
    lab.set_balance(lab.address(PAYER), RICH).await;
    let ahead = lab.sign(PAYER, &transfer(lab, 1, 1));
    let outcome = said(lab, &ahead.raw).await;
    assert!(matches!(outcome, BroadcastOutcome::Accepted | BroadcastOutcome::NumberTooHigh), "{outcome:?}");
    lab.mine(1).await;
    assert_eq!(receipt_of(lab, ahead.hash).await, None);
    assert_eq!(numbers(lab, PAYER).await, (0, 0), "the pending number stops at the gap");

    let first = lab.sign(PAYER, &transfer(lab, 0, 1));
    assert_eq!(said(lab, &first.raw).await, BroadcastOutcome::Accepted);
    if outcome == BroadcastOutcome::NumberTooHigh {
        assert_eq!(said(lab, &ahead.raw).await, BroadcastOutcome::Accepted);
    }
    lab.mine(1).await;
    assert!(receipt_of(lab, ahead.hash).await.is_some(), "the gap has closed");
    assert_eq!(numbers(lab, PAYER).await, (2, 2));
}

/// Another transaction of a waiting number: refused at the same price, taken at twice the price.
pub async fn a_replacement_must_pay_more(lab: &dyn Lab) {
    lab.set_balance(lab.address(PAYER), RICH).await;
    let cheap = lab.sign(PAYER, &transfer(lab, 0, 1));
    let same = lab.sign(PAYER, &transfer(lab, 0, 2));
    let mut payment = transfer(lab, 0, 3);
    payment.fees = Fees { max_fee_wei: 20_000_000_000, max_priority_wei: 2_000_000_000 };
    let dear = lab.sign(PAYER, &payment);
    assert_eq!(said(lab, &cheap.raw).await, BroadcastOutcome::Accepted);
    assert_eq!(said(lab, &same.raw).await, BroadcastOutcome::ReplacementUnderpriced);
    assert_eq!(said(lab, &dear.raw).await, BroadcastOutcome::Accepted);
    lab.mine(1).await;
    assert_eq!(block_at(lab, height(lab).await).await.transactions, [dear.hash]);
    assert_eq!(receipt_of(lab, cheap.hash).await, None);
    assert!(!lab.chain().knows(cheap.hash).await.expect("answered").value);
}

/// A sender that cannot pay for value and gas.
pub async fn a_poor_sender_is_told_so(lab: &dyn Lab) {
    lab.set_balance(lab.address(PAYER), U256::from(1_000)).await;
    let sealed = lab.sign(PAYER, &transfer(lab, 0, 1));
    assert_eq!(said(lab, &sealed.raw).await, BroadcastOutcome::InsufficientFunds);
    lab.set_balance(lab.address(PAYER), RICH).await;
    assert_eq!(said(lab, &sealed.raw).await, BroadcastOutcome::Accepted, "the same bytes once it can");
}

/// Bytes that no node of this network could ever take.
pub async fn what_is_no_transaction_of_this_network_is_refused(lab: &dyn Lab) {
    lab.set_balance(lab.address(PAYER), RICH).await;
    let mut elsewhere = transfer(lab, 0, 1);
    elsewhere.chain_id += 1;
    let elsewhere = lab.sign(PAYER, &elsewhere).raw;
    let mut starved = transfer(lab, 0, 1);
    starved.gas_limit = TRANSFER_GAS - 1;
    let starved = lab.sign(PAYER, &starved).raw;
    for raw in [elsewhere, starved, Bytes::from_static(&[0x02, 0xC0]), Bytes::from_static(b"nonsense")] {
        let outcome = said(lab, &raw).await;
        assert!(matches!(outcome, BroadcastOutcome::Refused { .. }), "{raw}: {outcome:?}");
    }
    assert_eq!(numbers(lab, PAYER).await, (0, 0));
}

/// A node may forget what waits; the same bytes bring it back.
pub async fn a_dropped_transaction_is_forgotten_and_taken_again(lab: &dyn Lab) {
    lab.set_balance(lab.address(PAYER), RICH).await;
    let sealed = lab.sign(PAYER, &transfer(lab, 0, 1));
    assert_eq!(said(lab, &sealed.raw).await, BroadcastOutcome::Accepted);
    lab.drop_transaction(sealed.hash).await;
    assert!(!lab.chain().knows(sealed.hash).await.expect("answered").value);
    assert_eq!(numbers(lab, PAYER).await, (0, 0));
    assert_eq!(said(lab, &sealed.raw).await, BroadcastOutcome::Accepted);
    lab.mine(1).await;
    assert!(receipt_of(lab, sealed.hash).await.is_some());
}

/// Gas of a call that works, the reason of one that does not.
pub async fn estimates_name_gas_or_the_reason(lab: &dyn Lab) {
    lab.set_balance(lab.address(PAYER), RICH).await;
    let works = lab.chain().estimate(&call(lab, lab.address(PAYEE), 5)).await.expect("answered").value;
    assert_eq!(works, Estimate::Gas(TRANSFER_GAS));

    let contract = Address::repeat_byte(0x77);
    let told = Revert { reason: "not today".to_owned() }.abi_encode();
    for (data, reason) in [
        (Bytes::from(told), "not today"),
        (Bytes::from_static(&[0x12, 0x34, 0x56, 0x78]), "custom error 0x12345678"),
        (Bytes::new(), "reverted without a reason"),
    ] {
        lab.make_revert(contract, data).await;
        let fails = lab.chain().estimate(&call(lab, contract, 0)).await.expect("answered").value;
        assert_eq!(fails, Estimate::Reverted { reason: reason.to_owned() });
    }
}

/// A transaction that reverts is included, costs its gas, and can be asked why.
pub async fn a_revert_is_a_receipt_with_a_reason(lab: &dyn Lab) {
    lab.set_balance(lab.address(PAYER), RICH).await;
    let contract = Address::repeat_byte(0x77);
    lab.make_revert(contract, Revert { reason: "not today".to_owned() }.abi_encode().into()).await;
    let mut payment = transfer(lab, 0, 5);
    (payment.to, payment.gas_limit) = (contract, 100_000);
    let sealed = lab.sign(PAYER, &payment);
    assert_eq!(said(lab, &sealed.raw).await, BroadcastOutcome::Accepted);
    lab.mine(1).await;
    let receipt = receipt_of(lab, sealed.hash).await.expect("included");
    assert!(!receipt.success);
    assert!(receipt.gas_used >= TRANSFER_GAS);
    assert_eq!(numbers(lab, PAYER).await, (1, 1));
    let sent = Call {
        gas: Some(payment.gas_limit),
        gas_max: None,
        gas_price_wei: Some(receipt.effective_gas_price_wei),
        ..call(lab, contract, 5)
    };
    let reason = lab.chain().revert_reason(&sent, receipt.block_number).await.expect("answered").value;
    assert_eq!(reason.as_deref(), Some("not today"));
    let fine = call(lab, lab.address(PAYEE), 5);
    assert_eq!(lab.chain().revert_reason(&fine, receipt.block_number).await.expect("answered").value, None);
}

/// How often a node is asked for its history of fees until that has come to its newest block.
const HISTORY_ASKS_MAX: u32 = 1_000;

/// The next base fee is positive, and what pays twice as much is taken.
pub async fn fees_cover_what_is_asked_for(lab: &dyn Lab) {
    paid(lab).await;
    let newest = lab.chain().head().await.expect("answered").value.number;
    let mut reply = lab.chain().fee_history().await.expect("answered");
    // A node may keep its history beside its blocks: it tells up to which one it has come.
    for _ in 0..HISTORY_ASKS_MAX {
        if reply.height == Some(newest) {
            break;
        }
        assert!(reply.height < Some(newest), "the block up to which it tells");
        reply = lab.chain().fee_history().await.expect("answered");
    }
    assert_eq!(reply.height, Some(newest), "the block up to which it tells");
    let history = reply.value;
    assert!(history.next_base_fee_wei > 0);
    let newest = history.tips_wei.last().expect("a block");
    assert!(newest.iter().all(|tip| *tip > 0), "the block's only transaction tips: {newest:?}");
    let mut payment = transfer(lab, 1, 1);
    payment.fees = Fees { max_fee_wei: history.next_base_fee_wei * 2 + 1_000_000_000, max_priority_wei: 1_000_000_000 };
    assert_eq!(said(lab, &lab.sign(PAYER, &payment).raw).await, BroadcastOutcome::Accepted);
}

/// The final height follows the head and never passes it.
pub async fn final_is_behind_the_head(lab: &dyn Lab) {
    lab.mine(5).await;
    let head = height(lab).await;
    let first = lab.chain().finalized().await.expect("answered").value.expect("a tag");
    assert!(first <= head);
    lab.mine(5).await;
    let second = lab.chain().finalized().await.expect("answered").value.expect("a tag");
    assert_eq!(second, first + 5);
    let each = lab.chain().finalities().await;
    assert!(!each.is_empty());
    assert!(each.iter().all(|reply| reply.value == second), "{each:?}");
}

/// A testimony holds what the height's own state and the whole chain say; a height that is not there yet gives none, and
/// a reorg changes what is said.
pub async fn providers_testify_of_a_height(lab: &dyn Lab) {
    let included = paid(lab).await;
    let waiting = lab.sign(PAYER, &transfer(lab, 1, 5));
    assert_eq!(said(lab, &waiting.raw).await, BroadcastOutcome::Accepted);
    let nowhere = B256::repeat_byte(0xEE);
    let payer = Some(lab.address(PAYER));
    let height = height(lab).await;
    let hashes = [nowhere, waiting.hash, included.hash];

    for (at, number) in [(height, 1), (height - 1, 0)] {
        let given = lab.chain().testify(at, payer, &hashes).await;
        let mut names: Vec<_> = given.iter().map(|reply| reply.provider.clone()).collect();
        names.dedup();
        assert_eq!(names.len(), given.len(), "each of another provider");
        assert!(!given.is_empty());
        for reply in given {
            assert_eq!(reply.value.header, block_at(lab, at).await.header);
            assert_eq!(reply.value.number_at, Some(number), "in the state of height {at}");
            assert_eq!(reply.value.known, [waiting.hash, included.hash], "in the order asked");
        }
    }
    for reply in lab.chain().testify(height, None, &[]).await {
        assert_eq!((reply.value.number_at, reply.value.known), (None, vec![]));
    }
    assert_eq!(lab.chain().testify(height + 1, payer, &hashes).await, [], "no block of that height");

    let old = block_at(lab, height).await.header;
    lab.drop_transaction(waiting.hash).await;
    lab.reorg(2, &[]).await;
    let given = lab.chain().testify(height, payer, &hashes).await;
    assert!(!given.is_empty());
    for reply in given {
        assert_ne!(reply.value.header.hash, old.hash);
        assert_eq!((reply.value.number_at, reply.value.known), (Some(0), vec![]));
    }
}

/// What an address has is told as of a height, also after more was spent; a height that is not there yet tells nothing,
/// and what is no token has no units.
pub async fn holdings_are_those_of_the_height(lab: &dyn Lab) {
    let sealed = paid(lab).await;
    let receipt = receipt_of(lab, sealed.hash).await.expect("included");
    let no_token = Address::repeat_byte(0x55);
    let payer = lab.address(PAYER);
    let at =
        |height: u64| async move { lab.chain().holdings(height, payer, &[no_token]).await.expect("answered").value };
    let cost = U256::from(receipt.effective_gas_price_wei) * U256::from(receipt.gas_used) + U256::from(5);
    lab.mine(2).await;
    for (height, number, coin) in [(receipt.block_number - 1, 0, RICH), (receipt.block_number, 1, RICH - cost)] {
        let holdings = at(height).await.expect("a block");
        assert_eq!(holdings.header, block_at(lab, height).await.header);
        assert_eq!((holdings.number, holdings.coin, holdings.tokens), (number, coin, vec![None]));
    }
    assert_eq!(at(height(lab).await + 1).await, None);
    lab.reorg(3, &[]).await;
    let holdings = at(receipt.block_number).await.expect("another block");
    assert_ne!(holdings.header.hash, receipt.block_hash);
    assert_eq!((holdings.number, holdings.coin), (0, RICH));
}

/// After a reorg the height's block is another one, the transaction is gone with its number, and the same bytes are
/// taken again. The old block, by its hash, is unknown or still itself; never another one.
pub async fn a_reorg_takes_a_transaction_away(lab: &dyn Lab) {
    let sealed = paid(lab).await;
    let receipt = receipt_of(lab, sealed.hash).await.expect("included");
    let old = block_at(lab, receipt.block_number).await;
    lab.reorg(2, &[]).await;

    assert_eq!(height(lab).await, receipt.block_number);
    let new = block_at(lab, receipt.block_number).await;
    assert_ne!(new.header.hash, old.header.hash);
    assert_ne!(new.header.parent, old.header.parent, "two blocks deep");
    assert_eq!(receipt_of(lab, sealed.hash).await, None);
    assert!(!lab.chain().knows(sealed.hash).await.expect("answered").value);
    assert_eq!(numbers(lab, PAYER).await, (0, 0));
    let by_hash = lab.chain().block(BlockAt::Hash(old.header.hash)).await.expect("answered").value;
    assert!(by_hash.is_none_or(|block| block == old));
    let receipts = lab.chain().receipts(old.header.hash, &[sealed.hash]).await.expect("answered").value;
    assert!(receipts.is_none_or(|receipts| receipts.iter().all(|receipt| receipt.block_hash == old.header.hash)));

    assert_eq!(said(lab, &sealed.raw).await, BroadcastOutcome::Accepted);
    lab.mine(1).await;
    let again = receipt_of(lab, sealed.hash).await.expect("included");
    assert_eq!(again.block_number, receipt.block_number + 1);
}

/// After a reorg a transaction may be in another block, and its receipt says which.
pub async fn a_reorg_moves_a_transaction(lab: &dyn Lab) {
    let sealed = paid(lab).await;
    let before = receipt_of(lab, sealed.hash).await.expect("included");
    lab.reorg(3, &[(sealed.raw.clone(), 0)]).await;
    let after = receipt_of(lab, sealed.hash).await.expect("included again");
    assert_eq!(after.block_number, before.block_number - 2);
    assert_ne!(after.block_hash, before.block_hash);
    let block = block_at(lab, after.block_number).await;
    assert_eq!((block.header.hash, block.transactions), (after.block_hash, vec![sealed.hash]));
    assert_eq!(numbers(lab, PAYER).await, (1, 1));
}
