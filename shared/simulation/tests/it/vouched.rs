//! The tracker's word that rows are as the chain is: how it comes back once nobody has looked for long, what one lane
//! can do to it, and who hears of it while it is missing.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use alloy_primitives::{Address, U256};
use axum::http::{Method, StatusCode};
use causeway_chains::model::{Fault, Provider};
use causeway_domain::{Clock, lane::LaneId, parcel::ParcelState};
use causeway_runtime::metrics::{HEARTBEAT, LANES_HALTED, OLDEST_UNSEEN_AGE};
use causeway_simulation::{Setup, World, api::recipient, faults::ChainScript};
use causeway_state::{
    lane::{Attempt, Counter, Gate, Transaction},
    message::queues,
    wallet::Treasury,
};
use causeway_store::{Item, Key, Write};

/// From one period of an alarm to the next.
const PERIOD_MS: u64 = 60_000;

/// A world whose two lanes have each paid once, and for which nobody vouches any more.
fn unvouched() -> World {
    let mut world = World::new(Setup::default());
    for tenant in ["acme", "globex"] {
        let answer = world.clock.run(world.request(tenant, Some("first"), "ETH", "1", recipient("first")));
        assert_eq!(answer.status, StatusCode::CREATED);
        world.take_note(tenant, &answer);
    }
    world.finish();
    world.forget_look();
    world
}

fn vouches(world: &World) -> bool {
    world.head().expect("a head").vouches(world.clock.now_ms())
}

fn gate(world: &World, lane: &LaneId) -> Gate {
    world.row(&Gate::key(lane)).expect("a gate").parse().expect("a gate")
}

fn put(world: &World, lane: &LaneId, gate: Gate) {
    let item = Item::from_fields(&gate).expect("a row");
    world.must_commit(&[Write::Put { key: Gate::key(lane), item, expect: vec![] }]);
}

#[test]
fn one_lane_of_which_nobody_tells_is_doubted_and_holds_up_no_other() {
    let mut world = unvouched();
    let spared = AtomicBool::new(false);
    world.chain.set_faults(Arc::new(ChainScript(move |call| {
        if call == "next_number" && !spared.swap(true, Ordering::Relaxed) { Fault::FailBefore } else { Fault::Pass }
    })));
    world.until("the tracker's word", vouches);
    let lanes = ["acme", "globex"].map(|tenant| world.lane(tenant));
    let doubted = lanes.iter().filter(|lane| gate(&world, lane).is_doubted()).count();
    assert_eq!(doubted, 1, "the one that was asked for first");
    world.pass(15_000);
    assert!(lanes.iter().all(|lane| gate(&world, lane).takes_more()), "the next look is soon");
    world.withdraw("ETH", "1", recipient("rosa"));
    world.finish();
}

#[test]
fn one_lane_whose_rows_cannot_be_read_is_doubted_and_holds_up_no_other() {
    for is_anew in [true, false] {
        let mut world = unvouched();
        if !is_anew {
            world.until("the tracker's word", vouches);
        }
        let lane = world.lane("globex");
        // A look must read this attempt, to tell whose number 0 was.
        put(&world, &lane, Gate { consumed: 0, ..gate(&world, &lane) });
        let key = Attempt::key(&lane, 0, 0);
        let item = Item::new().with("raw", "no bytes").with("number", "none");
        world.must_commit(&[Write::Put { key, item, expect: vec![] }]);
        world.until("a look", |world| gate(world, &lane).is_doubted());
        world.until("the tracker's word", vouches);
        let id = world.withdraw("ETH", "1", recipient("rosa"));
        world.until("its end", |world| world.parcel(&id).state == ParcelState::Confirmed);
        assert!(gate(&world, &lane).is_doubted(), "what cannot be read, people must look at");
        world.pass(11 * PERIOD_MS);
        assert_eq!(world.measured.last(LANES_HALTED).map(|(_, lanes)| lanes), Some(1));
    }
}

#[test]
fn a_lane_whose_counter_cannot_be_read_frees_nothing() {
    let mut world = unvouched();
    world.held.insert(queues::TRANSFERS_NORMAL);
    let id = world.withdraw("ETH", "1", recipient("rosa"));
    let key = Counter::key(&world.lane("acme"));
    let counter = world.row(&key).expect("begun");
    let put = |item: Item| Write::Put { key: key.clone(), item, expect: vec![] };
    world.check();
    // The simulation's own rules would stop at what is planted here.
    world.must_commit(&[put(Item::new().with("next", "none"))]);
    world.rows.journal();
    world.until("the tracker's word", vouches);
    // Nobody could hold it against the chain.
    let path = format!("/withdrawal/cancel/{id}");
    let answer = world.clock.run(world.call("acme", Method::POST, &path, None, None));
    assert_eq!((answer.status, world.parcel(&id).state), (StatusCode::ACCEPTED, ParcelState::Accepted));
    let mut mended = Item::new();
    for (name, value) in
        counter.fields().iter().filter(|(name, _)| !["pk", "sk", "version", "last_commit"].contains(&&***name))
    {
        mended.set(name.clone(), value.clone());
    }
    world.must_commit(&[put(mended)]);
    world.rows.journal();
    world.held.clear();
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Cancelled);
}

#[test]
fn what_cannot_be_read_of_a_lane_is_told_to_people() {
    let mut world = unvouched();
    world.next_block_at = None;
    let id = world.withdraw("ETH", "1", recipient("rosa"));
    world.until("its number", |world| world.parcel(&id).number.is_some());
    let lane = world.lane("acme");
    let signed_at = world.clock.now_ms();
    let broken = |key: Key| Write::Put { key, item: Item::new().with("parcels", "none"), expect: vec![] };
    // Its age is told by when the lane moved last.
    world.must_commit(&[broken(Transaction::key(&lane, 1))]);
    for _ in 0..600 {
        world.quiet_step();
    }
    let (at, age) = world.measured.last(OLDEST_UNSEEN_AGE).expect("measured");
    assert!(age >= at - signed_at, "{age} ms at {at}");
    world.must_commit(&[broken(Gate::key(&world.lane("globex")))]);
    for _ in 0..600 {
        world.quiet_step();
    }
    assert_eq!(world.measured.last(LANES_HALTED).map(|(_, lanes)| lanes), Some(1));
}

#[test]
fn a_lane_whose_treasury_cannot_be_read_is_told_to_people_and_goes_on_once_it_can() {
    let mut world = unvouched();
    let id = world.withdraw("ETH", "1", recipient("rosa"));
    let key = Treasury::lane_key(&world.lane("acme"));
    let treasury: Treasury = world.row(&key).expect("registered").parse().expect("a treasury");
    let whole = Item::from_fields(&treasury).expect("a row");
    world.must_commit(&[Write::Put { key: key.clone(), item: Item::new().with("tenant", "none"), expect: vec![] }]);
    for _ in 0..600 {
        world.quiet_step();
    }
    assert_eq!(world.measured.last(LANES_HALTED).map(|(_, lanes)| lanes), Some(1));
    world.must_commit(&[Write::Put { key, item: whole, expect: vec![] }]);
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
}

#[test]
fn who_is_not_vouched_for_has_no_heartbeat() {
    let mut world = World::new(Setup::default());
    world.pass(20_000);
    world.forget_look();
    // Blocks are followed, and no question about lanes that have not begun is answered.
    let script = |call| if call == "next_number" { Fault::FailBefore } else { Fault::Pass };
    world.chain.set_faults(Arc::new(ChainScript(script)));
    world.pass(20_000);
    let (beats, height) = (world.measured.values(HEARTBEAT).len(), world.head().expect("followed").height);
    world.pass(3 * PERIOD_MS);
    assert!(world.head().expect("followed").height > height && !vouches(&world));
    assert_eq!(world.measured.values(HEARTBEAT).len(), beats);
    world.chain.set_faults(Arc::new(ChainScript(|_| Fault::Pass)));
    world.pass(PERIOD_MS);
    assert!(vouches(&world));
    assert!(world.measured.values(HEARTBEAT).len() > beats);
}

#[test]
fn a_doubt_that_lasts_is_told_as_a_lane_that_halted() {
    let mut world = unvouched();
    world.next_block_at = None;
    let lane = world.lane("acme");
    // It stays in a pool, as no block comes.
    world.chain.foreign(lane.address, 1).expect("free");
    world.pass(3 * PERIOD_MS);
    assert!(gate(&world, &lane).is_doubted() && !world.has_halted());
    assert_eq!(world.measured.last(LANES_HALTED).map(|(_, lanes)| lanes), Some(0));
    world.pass(9 * PERIOD_MS);
    assert_eq!(world.measured.last(LANES_HALTED).map(|(_, lanes)| lanes), Some(1));
}

#[test]
fn nothing_is_vouched_for_while_no_provider_answers_and_all_goes_on_afterwards() {
    let mut world = unvouched();
    world.chain.set_provider(0, Provider { down: true, ..Provider::default() });
    let id = world.withdraw("ETH", "1", recipient("rosa"));
    world.pass(PERIOD_MS);
    assert!(!vouches(&world));
    assert_eq!(world.parcel(&id).number, None);
    world.chain.set_provider(0, Provider::default());
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
}

#[test]
fn a_signer_killed_anywhere_in_a_wish_frees_the_money_once() {
    let mut killed = 0;
    for polls in 1.. {
        let mut world = unvouched();
        world.held.insert(queues::TRANSFERS_NORMAL);
        let id = world.withdraw("ETH", "1", recipient("rosa"));
        let path = format!("/withdrawal/cancel/{id}");
        let answer = world.clock.run(world.call("acme", Method::POST, &path, None, None));
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        world.until("the tracker's word", vouches);
        world.crossing.set(true);
        let struck = world.deliver_and_kill(queues::TRANSFERS_NORMAL, polls).expect("a message");
        world.crossing.set(false);
        world.held.clear();
        world.finish();
        assert_eq!(world.parcel(&id).state, ParcelState::Cancelled);
        let money = (world.money("acme", "ETH").held, world.on_chain(recipient("rosa"), Address::ZERO));
        assert_eq!(money, (0, U256::ZERO));
        killed += u32::from(struck);
        if !struck {
            break;
        }
    }
    assert!(killed > 3, "the signer was killed {killed} times");
}
