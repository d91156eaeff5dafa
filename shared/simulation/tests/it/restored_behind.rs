//! Tables that were set back to an earlier time, numbers that were signed anew since, and a transaction of the time that was
//! lost which takes one of them: who is paid by it is not paid again.

use alloy_primitives::{U256, keccak256};
use causeway_chains::transaction::open;
use causeway_domain::{Bytes, Clock, parcel::ParcelState};
use causeway_simulation::{Setup, World, api::recipient};
use causeway_state::{
    adopt::Found,
    lane::{Attempt, Intent, Transaction},
    message::queues,
    parcel::Parcel,
    reconciliation::{Kind, Report},
    tracker::Head,
};
use causeway_store::{Item, Write};

use crate::restored::{LOOKS_MS, begun, got, lost, ours, value};

fn two() -> Setup {
    Setup { providers: 2, ..Setup::default() }
}

/// Whom a withdrawal of the first number pays, and one behind it, which has the next number or none yet.
fn first_and_second(world: &mut World, is_signed: bool) -> [String; 2] {
    world.held.insert(queues::TRANSACTIONS);
    let first = world.withdraw("ETH", "2", recipient("rosa"));
    world.pass(2_000);
    if !is_signed {
        world.held.insert(queues::TRANSFERS_NORMAL);
    }
    let second = world.withdraw("ETH", "1", recipient("rosb"));
    world.pass(2_000);
    assert_eq!(world.parcel(&first).number, Some(1));
    assert_eq!(world.parcel(&second).number, is_signed.then_some(2));
    [first, second]
}

#[test]
fn what_took_a_number_and_paid_what_another_row_asks_for_is_for_people() {
    for is_signed in [true, false] {
        let mut world = begun(two());
        let [first, second] = first_and_second(&mut world, is_signed);
        let amount = value(&world, &second);
        lost(&mut world, 1, recipient("rosb"), amount);
        world.held.remove(queues::TRANSACTIONS);
        world.until("its halt", World::has_halted);
        world.held.clear();
        world.pass(8 * LOOKS_MS);
        assert_eq!(world.parcel(&second).number, is_signed.then_some(2));
        assert_eq!(got(&world, "rosb"), amount, "once; signed: {is_signed}");
        assert!(world.has_halted());
        assert_eq!((world.parcel(&first).state, world.parcel(&first).displaced), (ParcelState::Assigned, 0));
        assert_ne!(world.parcel(&second).state, ParcelState::Confirmed, "people find out first");
    }
}

/// The transfer that it paid was accepted after the moment of the restore, and its client asks again.
#[test]
fn what_took_a_number_after_tables_may_have_been_set_back_is_for_people() {
    let mut world = begun(two());
    world.forget_look();
    world.pass(LOOKS_MS);
    world.held.insert(queues::TRANSACTIONS);
    let first = world.withdraw("ETH", "2", recipient("rosa"));
    world.pass(2_000);
    assert_eq!(world.parcel(&first).number, Some(1));
    let amount = value(&world, &first) / U256::from(2);
    lost(&mut world, 1, recipient("rosb"), amount);
    world.held.clear();
    world.pass(8 * LOOKS_MS);
    assert!(world.has_halted());
    let again = world.withdraw("ETH", "1", recipient("rosb"));
    world.pass(8 * LOOKS_MS);
    assert_eq!(got(&world, "rosb"), amount, "once");
    assert_eq!((world.parcel(&first).state, world.parcel(&first).displaced), (ParcelState::Assigned, 0));
    assert_ne!(world.parcel(&again).state, ParcelState::Confirmed);
}

/// A day after that it is a stranger's again.
#[test]
fn what_took_a_number_long_after_tables_may_have_been_set_back_is_a_strangers() {
    let mut world = begun(two());
    let key = Head::key(&world.network.id);
    let head = world.head().expect("a head");
    assert_eq!(head.anew_at, 0, "a look has always been believed");
    let item = Item::from_fields(&Head { anew_at: world.clock.now_ms() - 86_400_000, ..head }).expect("a row");
    world.must_commit(&[Write::Put { key, item, expect: vec![] }]);
    world.replace_tracker();
    world.held.insert(queues::TRANSACTIONS);
    let first = world.withdraw("ETH", "2", recipient("rosa"));
    world.pass(2_000);
    lost(&mut world, 1, recipient("rosb"), U256::from(7));
    world.held.clear();
    world.pass(8 * LOOKS_MS);
    assert_eq!((world.parcel(&first).state, world.parcel(&first).displaced), (ParcelState::Confirmed, 1));
}

/// A withdrawal that does not know of its signature under number 1, beside the rest of that commit.
fn unsigned(world: &mut World) -> String {
    world.held.insert(queues::TRANSFERS_NORMAL);
    let id = world.withdraw("ETH", "1", recipient("rosa"));
    let (lane, parcel) = (world.lane("acme"), world.parcel(&id));
    let raw = ours(world, 1, recipient("rosa"), value(world, &id));
    let payment = open(&raw).expect("ours").payment;
    let intent = Intent { to: payment.to, value: payment.value, data: payment.data, gas_limit: payment.gas_limit };
    let found = Found { number: 1, hash: keccak256(&raw), raw, intent, fees: payment.fees };
    let writes = found.as_transaction(&lane, &parcel, 1, world.clock.now_ms()).expect("rows");
    let rest: Vec<Write> = writes.into_iter().filter(|write| *write.key() != Parcel::key(parcel.id)).collect();
    assert_eq!(rest.len(), 4, "counter, transaction, attempt, watch");
    world.must_commit(&rest);
    id
}

/// Time passes, and nobody holds the rules: rows that a test wrote are not as they demand.
fn pass_unchecked(world: &mut World, seconds: u32) {
    for _ in 0..seconds {
        world.clock.advance(1_000);
        world.make_blocks();
        world.track();
        for queue in [queues::TRANSFERS_NORMAL, queues::TRANSACTIONS, queues::CHAIN_EVENTS] {
            world.deliver_all(queue);
        }
    }
}

#[test]
fn a_parcel_that_does_not_know_of_its_signature_is_paid_once() {
    for is_sent in [false, true] {
        let mut world = begun(Setup::default());
        let id = unsigned(&mut world);
        let lane = world.lane("acme");
        if is_sent {
            world.clock.run(world.sender.send_lane(&lane)).expect("a node");
            assert_eq!(world.chain.pooled().len(), 1);
        }
        world.forget_look();
        world.held.clear();
        pass_unchecked(&mut world, 60);
        let parcel = world.parcel(&id);
        assert_eq!((parcel.state, parcel.number), (ParcelState::Confirmed, Some(1)), "sent: {is_sent}");
        assert_eq!(got(&world, "rosa"), value(&world, &id), "once");
    }
}

/// What of its bytes is lost may be out: reconciliation tells people of those, and nothing is signed in their place.
#[test]
fn a_parcel_whose_signature_is_not_all_there_has_its_number_all_the_same() {
    let mut world = begun(Setup::default());
    let id = unsigned(&mut world);
    let lane = world.lane("acme");
    world.must_commit(&[Write::Delete { key: Attempt::key(&lane, 1, 0), expect: vec![] }]);
    world.forget_look();
    world.forget_reports();
    world.held.clear();
    pass_unchecked(&mut world, 300);
    let parcel = world.parcel(&id);
    assert_eq!((parcel.state, parcel.number, parcel.hash), (ParcelState::Assigned, Some(1), None));
    let row = world.row(&Report::key(&lane)).expect("looked at");
    let told: Report = row.parse().expect("a report");
    assert!(told.differences.iter().any(|difference| difference.kind == Kind::Transaction), "{told:?}");
}

/// The own row of a payment that reverted cannot be read: why it reverted is not told, and its block is.
#[test]
fn a_revert_of_what_cannot_be_read_holds_up_no_block() {
    let mut world = begun(Setup::default());
    world.held.insert(queues::TRANSACTIONS);
    let id = world.withdraw("ETH", "1", recipient("rosa"));
    world.pass(2_000);
    assert_eq!(world.parcel(&id).number, Some(1));
    world.chain.make_revert(recipient("rosa"), Bytes::new());
    world.held.clear();
    world.deliver_all(queues::TRANSACTIONS);
    let item = Item::new().with("number", "one");
    world.must_commit(&[Write::Put { key: Transaction::key(&world.lane("acme"), 1), item, expect: vec![] }]);
    let height = world.chain.height();
    pass_unchecked(&mut world, 30);
    assert!(!world.chain.inclusions(world.lane("acme").address)[&1][0].receipt.success);
    assert!(world.head().expect("a head").height > height + 1, "the block that has it, and those behind it");
}
