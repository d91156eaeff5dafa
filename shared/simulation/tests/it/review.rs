//! What an outsider would try: rows that cannot be read, nodes that are silent on one question only, odd recipients and
//! tokens, old messages, and operators who act while transfers are under way.

use std::sync::Arc;

use alloy_primitives::U256;
use axum::http::StatusCode;
use causeway_chains::model::{Fault, Orphans, Reorg, TokenKind};
use causeway_domain::{clock::Millis, lane::LaneGate, parcel::ParcelState};
use causeway_queue::{QueueName, memory::Fault as QueueFault};
use causeway_simulation::{Setup, World, api::recipient, faults::ChainScript, world::TUSDT};
use causeway_state::{
    message::{Stage, StageMessage, queues},
    parcel::{HoldPart, Parcel},
    tables::TRANSFERS,
    tracker::HeaderRow,
};
use causeway_store::{Expect, Item, Key, Write};

/// Lets one question to the chain fail, always.
fn silent_on(world: &World, question: &'static str) {
    let script = ChainScript(move |call| if call == question { Fault::FailBefore } else { Fault::Pass });
    world.chain.set_faults(Arc::new(script));
}

#[test]
fn the_first_block_that_was_ever_followed_may_leave_the_chain() {
    let mut world = World::new(Setup::default());
    world.chain.mine_empty(20);
    world.track();
    let first = world.head().expect("followed");
    world.chain.reorg(&Reorg { depth: 3, blocks: 5, again: Vec::new(), orphans: Orphans::Forgotten });
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
    assert!(world.head().expect("followed").height > first.height);
}

#[test]
fn a_chain_that_tells_nothing_about_lanes_is_followed_all_the_same() {
    let mut world = World::new(Setup::default());
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.track();
    world.deliver_all(queues::TRANSFERS_NORMAL);
    silent_on(&world, "next_number");
    world.replace_tracker();
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
}

#[test]
fn success_is_told_while_nobody_says_what_is_final() {
    let mut world = World::new(Setup { final_tag: true, ..Setup::default() });
    // High enough that there is something to ask about.
    world.chain.mine_empty(20);
    world.pass(3_000);
    silent_on(&world, "finalized");
    let followed = |world: &World| world.lead.as_ref().expect("led").head.clone();
    let last = followed(&world).finalized;
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.until("its confirmation", |world| world.parcel(&id).state == ParcelState::Confirmed);
    let head = followed(&world);
    assert!(head.height + 1 - world.network.final_at > last, "there is, and the depth alone would do");
    assert_eq!(head.finalized, last, "and nothing more is final");
    world.chain.set_faults(Arc::new(ChainScript(|_| Fault::Pass)));
    world.finish();
}

#[test]
fn a_due_row_that_cannot_be_read_stops_nobody_else() {
    let mut world = World::new(Setup::default());
    let item = Item::new().with("due_pk", Parcel::due_pk(&world.network.id, 0)).with("due_at", 1_u64);
    world.must_commit(&[Write::create(Key::new(TRANSFERS, "PCL#broken", "BROKEN"), item)]);
    world.held.insert(queues::TRANSFERS_NORMAL);
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.pass(1_000);
    // Its message is gone: only the sweep can help.
    world.inbox.lose(queues::TRANSFERS_NORMAL);
    world.held.clear();
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
}

#[test]
fn a_lane_that_cannot_be_read_stops_nobody_else() {
    let mut world = World::new(Setup::default());
    let other = world.lane("globex");
    let broken = Item::new().with("next", "none");
    world.must_commit(&[
        Write::create(causeway_state::lane::Counter::key(&other), broken.clone()),
        Write::create(causeway_state::lane::Gate::key(&other), broken),
    ]);
    let lane = |world: &mut World| {
        world.clock.advance(1_000);
        world.make_blocks();
        world.track();
        for queue in [queues::TRANSFERS_NORMAL, queues::TRANSACTIONS, queues::CHAIN_EVENTS] {
            world.deliver_all(queue);
        }
    };
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    (0..30).for_each(|_| lane(&mut world));
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
}

/// Five payments in blocks, and what settle is told of them, which is held back.
fn told() -> (World, Vec<String>, Vec<String>) {
    let mut world = World::new(Setup::default());
    world.track();
    let ids: Vec<String> = (0..5).map(|n| world.withdraw("TUSD", "1", recipient(&format!("{n}")))).collect();
    world.held.insert(queues::CHAIN_EVENTS);
    world.until("confirmed", |world| !world.inbox.of(queues::CHAIN_EVENTS).is_empty());
    let bodies: Vec<String> =
        world.inbox.of(queues::CHAIN_EVENTS).into_iter().map(|letter| letter.message.body.clone()).collect();
    (world, ids, bodies)
}

/// All but one of them are confirmed.
fn all_but_the_third(world: &World, ids: &[String]) {
    for (number, id) in ids.iter().enumerate() {
        let expected = if number == 2 { ParcelState::Assigned } else { ParcelState::Confirmed };
        assert_eq!(world.parcel(id).state, expected, "{number}");
    }
}

#[test]
fn a_parcel_that_cannot_be_read_leaves_the_others_of_its_block_settled() {
    let (mut world, ids, bodies) = told();
    let key = Parcel::key(world.parcel(&ids[2]).id);
    let whole = world.row(&key).expect("there");
    let put = |world: &World, item: Item| world.must_commit(&[Write::Put { key: key.clone(), item, expect: vec![] }]);
    put(&world, Item::new().with("id", "broken"));
    assert_eq!(world.hand(queues::CHAIN_EVENTS, &bodies), 0, "people are told of it");
    put(&world, whole.parse::<Parcel>().expect("a parcel").item().expect("a row"));
    all_but_the_third(&world, &ids);
    // Once the row is whole, a replay settles it too.
    world.held.clear();
    world.finish();
    let letters = world.dead_letters();
    assert_eq!(letters.len(), 1, "{letters:?}");
}

#[test]
fn a_hold_that_is_not_in_the_books_leaves_the_others_of_its_block_settled() {
    let (mut world, ids, bodies) = told();
    let parcel = world.parcel(&ids[2]);
    let held =
        |world: &World| -> Vec<u8> { ids.iter().flat_map(|id| world.parcel(id).hold).map(|part| part.shard).collect() };
    let free = (0..16).find(|shard| !held(&world).contains(shard)).expect("few are held");
    let hold = parcel.hold.iter().map(|part| HoldPart { shard: free, ..*part }).collect();
    let put = |world: &World, parcel: &Parcel| {
        let item = parcel.item().expect("a row");
        world.must_commit(&[Write::Put { key: Parcel::key(parcel.id), item, expect: vec![] }]);
    };
    put(&world, &Parcel { hold, ..parcel.clone() });
    assert!(world.hand(queues::CHAIN_EVENTS, &bodies) > 0, "it comes again, until it lies in front of people");
    all_but_the_third(&world, &ids);
    put(&world, &parcel);
    world.held.clear();
    world.finish();
    assert_eq!(world.parcel(&ids[2]).state, ParcelState::Confirmed);
}

#[test]
fn what_cannot_be_told_keeps_no_lane_closed() {
    let mut world = World::new(Setup::default());
    let first = world.withdraw("ETH", "1", recipient("rosa"));
    let refuses = |queue: QueueName, _: &_| {
        if queue.0 == queues::CHAIN_EVENTS { QueueFault::RefuseBefore } else { QueueFault::Pass }
    };
    world.queue.set_fault(refuses);
    // Longer than a look is believed.
    world.pass(600_000);
    assert_eq!(world.parcel(&first).state, ParcelState::Assigned, "nobody was told");
    let second = world.withdraw("ETH", "1", recipient("rosa"));
    world.pass(10_000);
    assert_eq!(world.parcel(&second).state, ParcelState::Assigned, "its lane was looked at all the same");
    world.queue.set_fault(|_, _| QueueFault::Pass);
    world.finish();
    assert!([first, second].iter().all(|id| world.parcel(id).state == ParcelState::Confirmed));
}

#[test]
fn a_treasury_does_not_pay_itself() {
    let world = World::new(Setup::default());
    let treasury = world.lane("acme").address;
    for symbol in ["ETH", "TUSD"] {
        let answer = world.clock.run(world.request("acme", None, symbol, "1", treasury));
        assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "VALIDATION_ERROR"));
    }
    assert_eq!(world.parcels().len(), 0);
    world.check_end();
}

#[test]
fn an_old_word_of_a_branch_takes_nothing_back_once_headers_are_forgotten() {
    let mut world = World::new(Setup::default());
    world.track();
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.until("its confirmation", |world| world.parcel(&id).state == ParcelState::Confirmed);
    let settled = world.parcel(&id).settled.expect("settled");
    let (_, attempt) = world.lane_view("acme").expect("begun").transactions[0].clone();
    world.finish();
    let inclusions =
        causeway_state::tracker::InclusionChunk::query(&world.network.id, settled.height, settled.block_hash);
    let rows = world.rows.dump(causeway_state::tables::TRACKER);
    let chunk = rows.iter().find(|row| row.text("pk") == Some(inclusions.pk.as_str())).expect("its inclusions");
    let chunk: causeway_state::tracker::InclusionChunk = chunk.parse().expect("a chunk");
    assert_eq!(chunk.inclusions[0].hash, attempt.hash);
    let message = StageMessage {
        network: world.network.id.clone(),
        stage: Stage::Reorged,
        height: settled.height,
        block_hash: settled.block_hash,
        inclusions: chunk.inclusions,
    };
    let body = serde_json::to_string(&message).expect("a body");
    assert_eq!(world.hand(queues::CHAIN_EVENTS, std::slice::from_ref(&body)), 0, "the block is on the chain");
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
    // A month later its header's row is gone.
    let key = HeaderRow::key(&world.network.id, settled.height);
    world.must_commit(&[Write::Delete { key, expect: vec![Expect::Exists] }]);
    assert_eq!(world.hand(queues::CHAIN_EVENTS, &[body]), 1, "nothing follows from a row that is not there");
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
    world.check_end();
}

#[test]
fn a_token_whose_event_cannot_be_read_is_not_taken_for_unpaid() {
    for kind in [TokenKind::Unindexed, TokenKind::ToldElsewhere] {
        let mut world = World::new(Setup::default());
        world.chain.add_token(TUSDT, kind);
        let id = world.withdraw("TUSDT", "3", recipient("rosa"));
        world.until("an operator's case", |world| !world.dead_letters().is_empty());
        world.pass(60_000);
        assert_eq!(world.on_chain(recipient("rosa"), TUSDT), U256::from(3_000_000), "it landed");
        assert_eq!(world.parcel(&id).state, ParcelState::Assigned, "so its money is not free");
        assert_eq!(world.money("acme", "TUSDT").held, 3_000_000);
    }
}

#[test]
fn a_recipient_that_burns_a_block_of_gas_does_not_stop_the_lane() {
    let mut world = World::new(Setup::default());
    world.chain.make_burn(recipient("burner"), 29_000_000);
    let greedy = world.withdraw("ETH", "1", recipient("burner"));
    let after = world.withdraw("ETH", "1", recipient("rosa"));
    world.finish();
    assert_eq!(world.parcel(&greedy).state, ParcelState::Rejected);
    assert!(world.status(&greedy).text("error").contains("29021000 gas"), "{:?}", world.status(&greedy));
    assert_eq!(world.parcel(&after).number, Some(0), "no number was spent on it");
    assert!(matches!(world.lane_view("acme").expect("begun").gate.gate, LaneGate::Open));
}

/// It mints or sells gas: the treasury would pay for it, again and again.
#[test]
fn a_recipient_that_takes_more_gas_than_a_transfer_needs_is_not_paid_for_it() {
    let mut world = World::new(Setup::default());
    world.chain.make_burn(recipient("minter"), 500_000);
    world.chain.make_burn(recipient("wallet"), 100_000);
    let (greedy, usual) =
        (world.withdraw("ETH", "1", recipient("minter")), world.withdraw("ETH", "1", recipient("wallet")));
    world.finish();
    assert_eq!(world.parcel(&greedy).state, ParcelState::Rejected);
    assert!(world.status(&greedy).text("error").contains("500000"), "{:?}", world.status(&greedy));
    assert_eq!(world.parcel(&usual).state, ParcelState::Confirmed);
}

#[test]
fn a_recipient_that_logs_transfers_of_its_own_stops_nobody() {
    let mut world = World::new(Setup { coins: 200, ..Setup::default() });
    world.chain.make_lie(recipient("liar"), 100);
    world.held.insert(queues::TRANSACTIONS);
    let ids: Vec<String> = (0..60).map(|_| world.withdraw("ETH", "1", recipient("liar"))).collect();
    world.until("all numbers", |world| ids.iter().all(|id| world.parcel(id).number.is_some()));
    world.next_block_at = None;
    world.held.clear();
    world.until("all at a node", |world| world.chain.pooled().len() == 60);
    world.chain.mine();
    assert!(world.chain.pooled().is_empty(), "one block has them all");
    world.next_block_at = Some(causeway_domain::Clock::now_ms(&world.clock));
    world.finish();
    assert!(ids.iter().all(|id| world.parcel(id).state == ParcelState::Confirmed));
}

#[test]
fn a_strangers_number_below_the_lanes_first_never_halts_it() {
    let mut world = World::new(Setup::default());
    let treasury = world.lane("acme").address;
    world.track();
    // It waits in the pool for longer than lanes are left alone.
    world.next_block_at = None;
    world.chain.foreign(treasury, 0).expect("free");
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.pass(200_000);
    assert_eq!(world.parcel(&id).number, None, "the lane does not begin above it");
    world.next_block_at = Some(causeway_domain::Clock::now_ms(&world.clock));
    world.until("people", World::has_halted);
    world.release_lanes();
    assert!(world.has_halted(), "where it begins, only what is final tells");
    world.pass(120_000);
    world.release_lanes();
    world.until("its number", |world| world.parcel(&id).number.is_some());
    assert_eq!(world.parcel(&id).number, Some(1));
    world.until("its end", |world| world.parcel(&id).state == ParcelState::Confirmed);
    world.pass(200_000);
    let gate = world.lane_view("acme").expect("begun").gate;
    assert!(matches!(gate.gate, LaneGate::Open), "{gate:?}");
    assert_eq!(gate.consumed, 2);
}

#[test]
fn more_parcels_than_one_look_sees_wait_for_room_and_all_get_it() {
    let mut world = World::new(Setup { in_flight_max: 40, ..Setup::default() });
    for number in 0..250 {
        world.withdraw("TBLK", "1", recipient(&format!("{number}")));
    }
    world.finish();
    assert_eq!(world.lane_view("acme").expect("begun").next, 250);
}

/// A leader whose clock is this far ahead dies with its lease.
fn dead_leader_ahead(world: &mut World, ahead_ms: Millis) {
    world.track();
    let mut head = world.head().expect("followed");
    head.lease_until += ahead_ms;
    let key = causeway_state::tracker::Head::key(&world.network.id);
    let item = Item::from_fields(&head).expect("a row");
    world.must_commit(&[Write::Put { key, item, expect: vec![] }]);
    world.replace_tracker();
}

#[test]
fn a_dead_leader_whose_clock_was_ahead_is_replaced() {
    let mut world = World::new(Setup::default());
    dead_leader_ahead(&mut world, 24 * 60 * 60 * 1000);
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.pass(60_000);
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
    world.finish();
}
