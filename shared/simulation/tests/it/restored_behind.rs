//! Tables that were set back to an earlier time, numbers that were signed anew since, and a transaction of the time that was
//! lost which takes one of them: who is paid by it is not paid again.

use alloy_primitives::{U256, keccak256};
use axum::http::{Method, StatusCode};
use causeway_chains::{model::Provider, transaction::open};
use causeway_domain::{Bytes, Clock, parcel::ParcelState};
use causeway_simulation::{
    Setup, World,
    api::recipient,
    people::{Act, Promise},
};
use causeway_state::{
    adopt::Found,
    lane::{Attempt, Counter, Intent, Transaction},
    message::queues,
    parcel::Parcel,
    reconciliation::{Kind, Report},
    tracker::Head,
    wallet::Scope,
};
use causeway_store::{Commit, CommitToken, Expect, Item, Key, Store, Write};
use futures::FutureExt;
use serde_json::json;

use crate::{
    reconciliation::{report, settled, tamper},
    replacements::throw,
    restored::{LOOKS_MS, begun, got, lost, ours, value},
};

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

/// An operator gives number 1 up.
fn displace(world: &World) -> Act {
    let (what, path) = ("people: displace", format!("lanes/{}/displace", world.lane("acme")));
    Act { what, path, body: json!({"number": 1, "reason": "a restore"}), promise: Promise::Nothing }
}

#[test]
fn what_took_a_number_and_paid_what_another_row_asks_for_is_for_people() {
    for (is_signed, wordless) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut world = begun(two());
        // Nodes that tell of no transaction what it does prove nothing of it.
        for provider in 0..2 {
            world.chain.set_provider(provider, Provider { wordless, ..Provider::default() });
        }
        let [first, second] = first_and_second(&mut world, is_signed);
        let amount = value(&world, &second);
        lost(&mut world, 1, recipient("rosb"), amount);
        world.held.remove(queues::TRANSACTIONS);
        world.until("its halt", World::has_halted);
        world.held.clear();
        world.pass(8 * LOOKS_MS);
        assert_eq!(world.parcel(&second).number, is_signed.then_some(2));
        assert_eq!(got(&world, "rosb"), amount, "once; signed: {is_signed}, wordless: {wordless}");
        assert!(world.has_halted());
        assert_eq!((world.parcel(&first).state, world.parcel(&first).displaced), (ParcelState::Assigned, 0));
        assert_ne!(world.parcel(&second).state, ParcelState::Confirmed, "people find out first");
        let act = displace(&world);
        assert_eq!(world.act(&act).status, StatusCode::CONFLICT, "signed: {is_signed}, wordless: {wordless}");
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
    unsigned_but(world, 1, |_| false)
}

/// As [`unsigned`], under another number, and without some of the rest.
fn unsigned_but(world: &mut World, number: u64, is_lost: impl Fn(&Key) -> bool) -> String {
    world.held.insert(queues::TRANSFERS_NORMAL);
    let id = world.withdraw("ETH", "1", recipient("rosa"));
    let (lane, parcel) = (world.lane("acme"), world.parcel(&id));
    let raw = ours(world, number, recipient("rosa"), value(world, &id));
    let payment = open(&raw).expect("ours").payment;
    let intent = Intent { to: payment.to, value: payment.value, data: payment.data, gas_limit: payment.gas_limit };
    let found = Found { number, hash: keccak256(&raw), raw, intent, fees: payment.fees };
    let writes = found.as_transaction(&lane, &parcel, 1, world.clock.now_ms()).expect("rows");
    let rest: Vec<Write> = writes.into_iter().filter(|write| *write.key() != Parcel::key(parcel.id)).collect();
    assert_eq!(rest.len(), 4, "counter, transaction, attempt, watch");
    let rest: Vec<Write> = rest.into_iter().filter(|write| !is_lost(write.key())).collect();
    world.must_commit(&rest);
    id
}

/// Time passes, and nobody holds the rules: rows that a test wrote are not as they demand.
fn pass_unchecked(world: &mut World, seconds: u32) {
    for _ in 0..seconds {
        world.clock.advance(1_000);
        world.make_blocks();
        world.track();
        for queue in [queues::TRANSFERS_NORMAL, queues::SIGN_REQUESTS, queues::TRANSACTIONS, queues::CHAIN_EVENTS] {
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

/// Neither its parcel nor the counter knows of its number, and another one is signed behind it.
#[test]
fn a_counter_that_does_not_know_of_a_signature_goes_on_behind_it() {
    let mut world = begun(Setup::default());
    let lane = world.lane("acme");
    let counter = Counter::key(&lane);
    let id = unsigned_but(&mut world, 1, |key| *key == counter);
    assert_eq!(world.lane_view("acme").expect("begun").next, 1);
    world.forget_look();
    world.held.clear();
    let other = world.withdraw("ETH", "2", recipient("karl"));
    pass_unchecked(&mut world, 90);
    let told = |id: &str| (world.parcel(id).state, world.parcel(id).number);
    assert_eq!(told(&id), (ParcelState::Confirmed, Some(1)));
    assert_eq!(told(&other), (ParcelState::Confirmed, Some(2)));
    assert_eq!(got(&world, "rosa"), value(&world, &id), "once");
}

/// Of a commit of several numbers a restore kept those in the middle.
#[test]
fn numbers_behind_a_hole_of_which_the_counter_does_not_know_are_stepped_over() {
    let mut world = begun(Setup::default());
    let counter = Counter::key(&world.lane("acme"));
    let id = unsigned_but(&mut world, 3, |key| *key == counter);
    let who = ["karl", "kora", "kurt"];
    let others = who.map(|who| world.withdraw("ETH", "2", recipient(who)));
    world.forget_look();
    world.held.clear();
    pass_unchecked(&mut world, 120);
    let told = |id: &str| (world.parcel(id).state, world.parcel(id).number);
    assert_eq!(told(&id), (ParcelState::Confirmed, Some(3)));
    let mut numbers: Vec<_> = others.iter().map(|id| told(id)).collect();
    numbers.sort_by_key(|(_, number)| *number);
    assert_eq!(numbers, [1, 2, 4].map(|number| (ParcelState::Confirmed, Some(number))));
    assert_eq!(got(&world, "rosa"), value(&world, &id), "once");
}

/// The hole was filled, and what lies behind it went out, before anybody signed once more.
#[test]
fn a_counter_goes_on_behind_numbers_that_are_out() {
    let mut world = begun(Setup::default());
    let counter = Counter::key(&world.lane("acme"));
    let id = unsigned_but(&mut world, 3, |key| *key == counter);
    let others = ["karl", "kora"].map(|who| world.withdraw("ETH", "2", recipient(who)));
    world.forget_look();
    world.held.clear();
    pass_unchecked(&mut world, 240);
    for (id, numbers) in others.iter().chain([&id]).zip([[1, 2], [1, 2], [3, 3]]) {
        let parcel = world.parcel(id);
        assert_eq!(parcel.state, ParcelState::Confirmed);
        assert!(numbers.contains(&parcel.number.expect("signed")), "{:?}", parcel.number);
    }
    let late = world.withdraw("ETH", "2", recipient("kurt"));
    pass_unchecked(&mut world, 240);
    assert_eq!((world.parcel(&late).state, world.parcel(&late).number), (ParcelState::Confirmed, Some(4)));
}

/// Its numbers are all on record: there is nothing that only people could know.
#[test]
fn a_counter_behind_numbers_on_record_goes_on_behind_them() {
    let (mut world, _) = settled();
    let lane = world.lane("acme");
    assert_eq!(world.lane_view("acme").expect("begun").next, 4);
    tamper::<Counter>(&world, &Counter::key(&lane), |counter| counter.next = 2);
    // The simulation's own rules would stop at what is planted here.
    world.rows.journal();
    for _ in 0..2_000 {
        world.quiet_step();
    }
    assert_eq!(world.lane_view("acme").expect("begun").next, 4);
    assert_eq!(report(&world, "acme").differences, []);
    let late = world.withdraw("ETH", "1", recipient("late"));
    world.finish();
    assert_eq!(world.parcel(&late).number, Some(4));
}

/// Its client wants it cancelled: a no-op takes the number that its payment has.
#[test]
fn a_parcel_that_does_not_know_of_its_signature_is_cancelled_by_a_no_op() {
    let mut world = begun(Setup::default());
    let id = unsigned(&mut world);
    world.next_block_at = None;
    world.forget_look();
    let wished = world.clock.run(world.call("acme", Method::POST, &format!("/withdrawal/cancel/{id}"), None, None));
    assert_eq!(wished.status, StatusCode::ACCEPTED);
    let blocked = Scope::Network(world.network.id.clone());
    throw(&mut world, &blocked, true);
    world.held.clear();
    pass_unchecked(&mut world, 60);
    assert_eq!(world.lane_view("acme").expect("begun").gate.seen, 2, "handed out");
    world.next_block_at = Some(world.clock.now_ms());
    pass_unchecked(&mut world, 60);
    assert_eq!((world.parcel(&id).state, got(&world, "rosa")), (ParcelState::Cancelled, U256::ZERO));
}

/// A signer that had its message before, or an operator, writes the same row meanwhile.
#[test]
fn a_parcel_that_others_write_meanwhile_has_its_number_all_the_same() {
    for times in [1, 3, 20] {
        let mut world = begun(Setup::default());
        let id = unsigned(&mut world);
        for nth in 0..times {
            let key = Parcel::key(world.parcel(&id).id);
            world.store.before(assigns, move |rows| {
                let row = rows.get(&key).now_or_never().expect("at once").expect("readable").expect("there");
                let item = row.parse::<Parcel>().expect("a parcel").item().expect("a row");
                let write = Write::Put { key, item, expect: vec![Expect::Version(row.version())] };
                let done = rows.commit(&CommitToken::new(format!("meanwhile {nth}")), &[write]).now_or_never();
                assert_eq!(done.expect("at once").expect("valid"), Commit::Committed);
            });
        }
        world.forget_look();
        world.held.clear();
        pass_unchecked(&mut world, 60);
        let parcel = world.parcel(&id);
        assert_eq!((parcel.state, parcel.number), (ParcelState::Confirmed, Some(1)), "{times} times");
        assert_eq!(got(&world, "rosa"), value(&world, &id), "once");
    }
}

fn assigns(writes: &[Write]) -> bool {
    writes.iter().any(|write| match write {
        Write::Put { item, .. } => item.text("state") == Some("assigned"),
        Write::Update { .. } | Write::Delete { .. } | Write::Check { .. } => false,
    })
}

/// What was paid under a number that a restore lost is to be paid under a later one as well, which nobody has sent yet. An
/// operator gives the number up, and what is behind it must not be paid before its no-op is signed.
#[test]
fn a_later_number_that_asks_for_what_was_paid_is_cancelled_before_it_is_sent() {
    let mut world = begun(Setup::default());
    let [first, second] = first_and_second(&mut world, true);
    let amount = value(&world, &second);
    lost(&mut world, 1, recipient("rosb"), amount);
    world.held.remove(queues::TRANSACTIONS);
    world.until("its halt", World::has_halted);
    world.held.clear();
    world.pass(4 * LOOKS_MS);
    let lane = world.lane("acme");
    let act = displace(&world);
    assert_eq!(world.act(&act).status, StatusCode::CONFLICT, "asked for");
    let wish = world.cancel(world.parcel(&second).id);
    assert_eq!(world.act(&wish).status, StatusCode::OK);
    world.pass(60_000);
    assert_eq!(world.act(&act).status, StatusCode::CONFLICT, "its payment would go out");
    let scope = Scope::Lane(lane);
    throw(&mut world, &scope, true);
    assert_eq!(world.act(&act).status, StatusCode::OK);
    // What the rows say of the second is not what its recipient got.
    pass_unchecked(&mut world, 120);
    assert_eq!((world.parcel(&second).state, got(&world, "rosb")), (ParcelState::Cancelled, amount), "once");
    throw(&mut world, &scope, false);
    pass_unchecked(&mut world, 120);
    assert_eq!((world.parcel(&first).state, world.parcel(&first).number), (ParcelState::Confirmed, Some(3)));
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
