//! Blocks that hold something of ours of which nobody told its lane in time: told without it, written by a leader that died or
//! was held up, or known only by half of its rows.

use std::sync::Arc;

use causeway_chains::model::{Orphans, Provider, Reorg};
use causeway_domain::{B256, Clock, parcel::ParcelState};
use causeway_simulation::{Setup, World, api::recipient, drive::track};
use causeway_state::{
    message::queues,
    parcel::Parcel,
    tables::TRACKER,
    tracker::{InclusionChunk, Watch},
};
use causeway_store::{Store, Update, Value, Write};
use futures::future::BoxFuture;

use crate::displaced::signed;

#[test]
fn a_block_told_without_its_transactions_is_told_when_final_and_halts_nothing() {
    let mut world = World::new(Setup::default());
    world.pass(2_000);
    let ids: Vec<String> = (0..3).map(|n| world.withdraw("TUSD", "1", recipient(&format!("r-{n}")))).collect();
    world.chain.set_provider(0, Provider { bare: true, ..Provider::default() });
    world.until("a block that has them", |world| world.chain.inclusions(world.lane("acme").address).len() == 3);
    world.pass(1_000);
    world.chain.set_provider(0, Provider::default());
    // A minute's looks find numbers used that nobody was told of.
    world.finish();
    for id in &ids {
        assert_eq!(
            world.parcel(id).state,
            ParcelState::Confirmed,
            "all of the block, not only the one that was asked for"
        );
    }
    assert!(!world.has_halted());
    assert_eq!(world.coverage.all().get("lane: halted"), None, "nobody else has their numbers");
}

#[test]
fn what_a_dead_leader_wrote_of_a_block_is_told_though_the_next_one_sees_the_block_without_it() {
    let mut killed = 0;
    for polls in 1.. {
        let (mut world, id) = signed(Setup::default());
        world.next_block_at = None;
        world.held.clear();
        world.until("its bytes at a node", |world| !world.chain.pooled().is_empty());
        world.chain.mine();
        let struck = world.track_and_kill(polls);
        world.chain.set_provider(0, Provider { bare: true, ..Provider::default() });
        world.replace_tracker();
        let height = world.chain.height();
        world.until("the next leader", |world| world.head().is_some_and(|head| head.height == height));
        world.chain.set_provider(0, Provider::default());
        world.next_block_at = Some(world.clock.now_ms());
        world.finish();
        assert_eq!(world.parcel(&id).state, ParcelState::Confirmed, "killed at {polls}");
        killed += u32::from(struck);
        if !struck {
            break;
        }
    }
    assert!(killed > 3, "the leader was killed {killed} times");
}

#[test]
fn what_a_dead_leader_wrote_of_a_block_is_told_though_the_next_one_sees_only_part_of_it() {
    let mut killed = 0;
    for polls in 1.. {
        let (mut world, first) = signed(Setup::default());
        let second = world.withdraw("ETH", "1", recipient("karl"));
        world.pass(2_000);
        let height = all_mined(&mut world, 2);
        let struck = world.track_and_kill(polls);
        let hides = [world.lane_view("acme").expect("begun").transactions[2].1.hash].into();
        world.chain.set_provider(0, Provider { hides, ..Provider::default() });
        world.replace_tracker();
        world.until("the next leader", |world| world.head().is_some_and(|head| head.height == height));
        world.chain.set_provider(0, Provider::default());
        world.next_block_at = Some(world.clock.now_ms());
        world.finish();
        for id in [&first, &second] {
            assert_eq!(world.parcel(id).state, ParcelState::Confirmed, "killed at {polls}");
        }
        killed += u32::from(struck);
        if !struck {
            break;
        }
    }
    assert!(killed > 3, "the leader was killed {killed} times");
}

/// Mines what was signed, and no block after it; answers its height.
fn mined(world: &mut World) -> u64 {
    all_mined(world, 1)
}

/// As [`mined`], where so many were signed.
fn all_mined(world: &mut World, signed: usize) -> u64 {
    world.held.clear();
    world.until("their bytes at a node", |world| world.chain.pooled().len() == signed);
    world.next_block_at = None;
    world.chain.mine();
    world.chain.height()
}

/// A leader that is held up after so many polls of one turn; `None` where it was not held up.
fn held_up(world: &mut World, polls: u64) -> Option<BoxFuture<'static, ()>> {
    world.crossing.set(true);
    let (tracker, chain, network) = (Arc::clone(&world.tracker), world.chain_port(), world.network.clone());
    let (me, lead) = (world.leader.clone(), world.lead.take());
    let mut old: BoxFuture<'static, ()> = Box::pin(async move {
        track(&tracker, &network, &*chain, &me, lead).await;
    });
    world.clock.poll_some(old.as_mut(), polls).is_none().then_some(old)
}

/// How many numbers of acme's lane are told as used.
fn consumed(world: &World) -> u64 {
    world.lane_view("acme").expect("begun").gate.consumed
}

/// Another leader takes over.
fn next_leader(world: &mut World) {
    world.replace_tracker();
    let leader = world.leader.clone();
    world.until("the next leader", |world| world.head().is_some_and(|head| head.leader == leader));
}

/// The newest block leaves, and on the other branch somebody else takes number 1 before its bytes are sent again; then the
/// leader that was held up goes on.
fn taken_on_another_branch(world: &mut World, height: u64, old: BoxFuture<'static, ()>) {
    world.held.insert(queues::TRANSACTIONS);
    world.chain.reorg(&Reorg { depth: 1, blocks: 1, again: Vec::new(), orphans: Orphans::Forgotten });
    world.chain.foreign(world.lane("acme").address, 1).expect("free");
    world.chain.mine();
    world.until("the other branch", |world| world.head().is_some_and(|head| head.height > height));
    world.clock.run(old);
    world.crossing.set(false);
    world.held.clear();
    world.next_block_at = Some(world.clock.now_ms());
    world.finish();
}

/// A leader has told of the block with what was signed, and died before it told the lane.
fn untold(setup: &Setup) -> (World, String, u64) {
    for polls in 1.. {
        let (mut world, id) = signed(setup.clone());
        let height = mined(&mut world);
        assert!(world.track_and_kill(polls), "no leader died between head and lanes");
        if world.head().is_some_and(|head| head.height >= height) && consumed(&world) == 1 {
            return (world, id, height);
        }
    }
    unreachable!()
}

#[test]
fn what_a_leader_writes_after_another_took_over_is_told_though_that_one_sees_the_block_without_it() {
    let mut late = 0;
    for (polls, final_already) in (1..).flat_map(|polls| [(polls, false), (polls, true)]) {
        let (mut world, id) = signed(Setup::default());
        let height = mined(&mut world);
        let Some(old) = held_up(&mut world, polls) else { break };
        world.chain.set_provider(0, Provider { bare: true, ..Provider::default() });
        world.replace_tracker();
        world.next_block_at = Some(world.clock.now_ms());
        world.until("the next leader", |world| {
            world.head().is_some_and(|head| if final_already { head.finalized } else { head.height } >= height)
        });
        let written = |world: &World| {
            let rows = world.rows.dump(TRACKER);
            rows.iter().filter(|row| row.text("pk").is_some_and(|pk| pk.starts_with("INC#"))).count()
        };
        let before = written(&world);
        world.clock.run(old);
        world.crossing.set(false);
        late += u32::from(written(&world) > before);
        world.chain.set_provider(0, Provider::default());
        world.finish();
        assert_eq!(world.parcel(&id).state, ParcelState::Confirmed, "held up at {polls}, final: {final_already}");
    }
    assert!(late > 3, "it wrote late {late} times");
}

#[test]
fn a_leader_that_was_replaced_tells_no_lane_of_a_block_that_has_left() {
    let mut late = 0;
    for polls in 1.. {
        let (mut world, id) = signed(Setup { providers: 2, final_at: 4, ..Setup::default() });
        let height = mined(&mut world);
        let Some(old) = held_up(&mut world, polls) else { break };
        if world.head().is_none_or(|head| head.height < height) || consumed(&world) > 1 {
            continue;
        }
        late += 1;
        next_leader(&mut world);
        taken_on_another_branch(&mut world, height, old);
        let parcel = world.parcel(&id);
        assert_eq!((parcel.state, parcel.number), (ParcelState::Confirmed, Some(2)), "held up at {polls}");
    }
    assert!(late > 0, "no leader was held up between head and lanes");
}

#[test]
fn a_look_tells_no_lane_of_a_block_that_left_while_it_asked() {
    let mut late = 0;
    for polls in 1.. {
        let (mut world, id, height) = untold(&Setup { providers: 2, final_at: 4, ..Setup::default() });
        next_leader(&mut world);
        let old = held_up(&mut world, polls);
        let (Some(old), 1) = (old, consumed(&world)) else { break };
        late += 1;
        next_leader(&mut world);
        taken_on_another_branch(&mut world, height, old);
        let parcel = world.parcel(&id);
        assert_eq!((parcel.state, parcel.number), (ParcelState::Confirmed, Some(2)), "held up at {polls}");
    }
    assert!(late > 3, "a leader was held up {late} times before it corrected the lane");
}

#[test]
fn a_leader_that_has_much_to_tell_late_keeps_its_lease() {
    const BLOCKS: u64 = 12;
    let mut world = World::new(Setup::default());
    world.pass(2_000);
    world.chain.set_provider(0, Provider { bare: true, ..Provider::default() });
    for block in 1..=BLOCKS {
        world.withdraw("ETH", "1", recipient("rosa"));
        world.until("its block", |world| world.chain.inclusions(world.lane("acme").address).len() as u64 == block);
    }
    let height = world.chain.height();
    world.until("its end", |world| world.head().is_some_and(|head| head.finalized >= height));
    assert_eq!(consumed(&world), 0, "a node told the blocks without them");
    world.chain.set_provider(0, Provider::default());
    next_leader(&mut world);
    let mut slow = held_up(&mut world, 0).expect("not polled yet");
    // Nodes that take their time.
    while world.clock.poll_some(slow.as_mut(), 1).is_none() {
        world.clock.advance(150);
        let head = world.head().expect("followed");
        assert!(head.lease_until > world.clock.now_ms(), "{} of {BLOCKS} were told by then", consumed(&world));
    }
    world.crossing.set(false);
    assert_eq!(consumed(&world), BLOCKS);
    world.finish();
}

#[test]
fn half_of_an_attempts_rows_is_told_though_the_other_one_of_its_block_was() {
    for bare in [false, true] {
        let (mut world, first) = signed(Setup::default());
        let second = world.withdraw("ETH", "1", recipient("karl"));
        world.pass(2_000);
        world.held.clear();
        world.next_block_at = None;
        world.until("both at a node", |world| world.chain.pooled().len() == 2);
        let hash = world.lane_view("acme").expect("begun").transactions[2].1.hash;
        let key = Watch::key(&world.network.id, hash);
        world.must_commit(&[Write::Delete { key: key.clone(), expect: vec![] }]);
        world.chain.set_provider(0, Provider { bare, ..Provider::default() });
        world.chain.mine();
        let height = world.chain.height();
        // Rule 2 does not hold until it is watched again.
        while world.head().is_none_or(|head| head.height < height) {
            world.quiet_step();
        }
        assert_eq!(consumed(&world), if bare { 1 } else { 2 });
        world.chain.set_provider(0, Provider::default());
        world.next_block_at = Some(world.clock.now_ms());
        // Bounded: whoever never watches it again must fail here, not hang.
        for _ in 0..2_000 {
            if world.clock.run(world.rows.get(&key)).expect("memory does not fail").is_some() {
                break;
            }
            world.quiet_step();
        }
        world.finish();
        for id in [&first, &second] {
            assert_eq!(world.parcel(id).state, ParcelState::Confirmed, "bare: {bare}");
        }
        assert_eq!(world.coverage.all().get("lane: halted"), None, "nobody else has their numbers");
    }
}

#[test]
fn stages_that_a_purged_queue_lost_are_told_again_by_reconciliation() {
    let setup = Setup { reconcile_ms: 120_000, ..Setup::default() };
    let mut world = World::new(setup);
    world.track();
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.held.insert(queues::CHAIN_EVENTS);
    world.until("its end", |world| world.head().is_some_and(|head| head.finalized > 10));
    assert!(world.inbox.lose(queues::CHAIN_EVENTS) > 1, "confirmed and final");
    world.held.clear();
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
}

#[test]
fn a_reorganisation_that_a_purged_queue_lost_is_told_again_by_reconciliation() {
    // Looked at in its time, and while what was told may still be heard: neither look takes it for settled.
    for reconcile_ms in [120_000, 2_000] {
        lost_reorganisation(reconcile_ms);
    }
}

fn lost_reorganisation(reconcile_ms: u64) {
    let setup = Setup { reconcile_ms, final_at: 8, ..Setup::default() };
    let mut world = World::new(setup);
    world.track();
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.until("its confirmation", |world| world.parcels()[0].state == ParcelState::Confirmed);
    world.held.insert(queues::CHAIN_EVENTS);
    let height = world.chain.height();
    world.chain.reorg(&Reorg { depth: 5, blocks: 6, again: Vec::new(), orphans: Orphans::Waiting });
    world.until("the other branch's end", |world| world.head().is_some_and(|head| head.finalized > height + 5));
    world.pass(4_000);
    assert!(world.inbox.lose(queues::CHAIN_EVENTS) > 1, "reorged, confirmed and final");
    world.held.clear();
    returns_and_is_paid(&mut world, &id);
}

#[test]
fn what_looks_took_for_settled_and_a_branch_below_what_is_final_took_away_is_told_again_by_reconciliation() {
    let mut world = World::new(Setup { reconcile_ms: 120_000, final_at: 8, ..Setup::default() });
    world.track();
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    let due = |world: &World| world.parcels()[0].settled.as_ref().map_or(u64::MAX, |settled| settled.height + 8);
    world.until("its end", |world| world.head().is_some_and(|head| head.finalized >= due(world)));
    // Looks at what is settled, and final.
    world.pass(250_000);
    let settled = world.parcel(&id).settled.expect("settled");
    let depth = world.chain.height() - settled.height + 1;
    assert!(depth > 100, "far below what is final");
    world.held.insert(queues::CHAIN_EVENTS);
    world.chain.reorg(&Reorg { depth, blocks: depth + 1, again: Vec::new(), orphans: Orphans::Waiting });
    let height = world.chain.height();
    world.until("the other branch's end", |world| world.head().is_some_and(|head| head.finalized > height));
    assert!(world.inbox.lose(queues::CHAIN_EVENTS) > 1, "reorged, confirmed and final");
    world.held.clear();
    returns_and_is_paid(&mut world, &id);
}

/// It is taken back, its lane is opened by people, and it is paid again.
fn returns_and_is_paid(world: &mut World, id: &str) {
    world.until("its return", |world| world.parcel(id).reopened > 0);
    for _ in 0..3 {
        world.until("its end", |world| world.has_ended() || world.has_halted());
        world.release_lanes();
    }
    world.finish();
    assert_eq!(world.parcel(id).state, ParcelState::Confirmed);
}

/// A leader that was held up writes less of a block over what another one had told of it, and falls.
fn lose_rows_of(world: &mut World, height: u64, block: B256) {
    let key = InclusionChunk::key(&world.network.id, height, block, 0);
    assert!(world.row(&key).is_some());
    let less = InclusionChunk { inclusions: Vec::new() }.item().expect("a row");
    world.must_commit(&[Write::Put { key, item: less, expect: vec![] }]);
    world.replace_tracker();
}

/// A leader that was held up wrote less of the block over what another one had told of it, before the block left.
#[test]
fn a_reorganisation_of_a_block_whose_rows_lack_it_is_told_by_reconciliation() {
    let setup = Setup { reconcile_ms: 120_000, final_at: 8, ..Setup::default() };
    let mut world = World::new(setup);
    world.track();
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.until("its confirmation", |world| world.parcels()[0].state == ParcelState::Confirmed);
    let settled = world.parcel(&id).settled.expect("settled");
    lose_rows_of(&mut world, settled.height, settled.block_hash);
    let depth = world.chain.height() - settled.height + 1;
    world.chain.reorg(&Reorg { depth, blocks: depth + 1, again: Vec::new(), orphans: Orphans::Waiting });
    returns_and_is_paid(&mut world, &id);
}

/// A leader that was held up wrote less of the block over what another one had told its lane of.
#[test]
fn what_a_final_block_s_rows_lack_is_told_by_reconciliation() {
    let setup = Setup { reconcile_ms: 120_000, ..Setup::default() };
    let mut world = World::new(setup);
    world.track();
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.until("its lane is told", |world| world.lane_view("acme").is_some_and(|lane| lane.gate.consumed == 1));
    let hash = world.parcel(&id).hash.expect("signed");
    let row = world.row(&Watch::key(&world.network.id, hash)).expect("watched");
    let watch: Watch = row.parse().expect("a watch");
    let (height, block) = (watch.height.expect("included"), watch.block_hash.expect("included"));
    lose_rows_of(&mut world, height, block);
    world.until("its end", |world| world.head().is_some_and(|head| head.finalized > height));
    assert_eq!(world.parcel(&id).state, ParcelState::Assigned, "nobody was told");
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
}

#[test]
fn a_row_that_cannot_be_read_is_one_dead_letter_however_often_its_stage_is_told() {
    let mut world = World::new(Setup { reconcile_ms: 60_000, ..Setup::default() });
    world.track();
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.held.insert(queues::CHAIN_EVENTS);
    world.until("its end", |world| world.head().is_some_and(|head| head.finalized > 10));
    let key = Parcel::key(world.parcel(&id).id);
    let whole = world.row(&key).expect("there");
    let update = |state: &str| Update { set: vec![("state", Value::from(state))], ..Update::default() };
    world.must_commit(&[Write::Update { key: key.clone(), update: update("nonsense"), expect: vec![] }]);
    let before = world.inbox.count();
    world.held.clear();
    // Reconciliation tells it again, and again.
    world.pass(400_000);
    assert!(world.inbox.count() > before + 3, "it was told several times");
    let letters = world.dead_letters();
    assert_eq!(letters.len(), 1, "{letters:?}");
    let state = whole.text("state").expect("a state").to_owned();
    world.must_commit(&[Write::Update { key, update: update(&state), expect: vec![] }]);
    let replay = world.of_letter("replay", letters[0].id);
    assert!(world.act(&replay).status.is_success());
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
}
