//! Networks that are switched off for months: whatever the next leader needs is still there.

use causeway_chains::model::{Orphans, Provider, Reorg};
use causeway_domain::parcel::ParcelState;
use causeway_simulation::{Setup, World, api::recipient};
use causeway_state::tables::TRACKER;

/// The network is switched off for this long. The store deletes what has expired meanwhile.
fn months_pass(world: &mut World) {
    world.replace_tracker();
    world.clock.advance(100 * 86_400_000);
    let expires = world.rows.dump(TRACKER).into_iter().find(|row| row.get("expires_at").is_some());
    assert_eq!(expires, None, "a row that the next leader may need");
    for _ in 0..50 {
        world.chain.mine();
    }
}

/// A payment whose block the tracker has seen, and told as `confirmed` or not even that.
fn seen(world: &mut World, confirmed: bool) -> String {
    let id = world.withdraw("ETH", "1", recipient("rosa"));
    world.until("its block", |world| !world.chain.inclusions(world.lane("acme").address).is_empty());
    let height = world.chain.height();
    world.until("the head", |world| world.head().is_some_and(|head| head.height >= height));
    assert_ne!(world.parcel(&id).state, ParcelState::Confirmed);
    if confirmed {
        world.until("its confirmation", |world| world.parcel(&id).state == ParcelState::Confirmed);
    }
    id
}

fn both_are_paid(mut world: World, first: &str) {
    let after = world.withdraw("ETH", "1", recipient("karl"));
    for _ in 0..3 {
        world.until("the end", |world| world.has_ended() || world.has_halted());
        world.release_lanes();
    }
    world.finish();
    for id in [first, &after] {
        assert_eq!(world.parcel(id).state, ParcelState::Confirmed);
    }
}

#[test]
fn after_months_without_a_leader_what_came_before_is_told_all_the_same() {
    for confirmed in [false, true] {
        let mut world = World::new(Setup { final_at: 30, ..Setup::default() });
        let id = seen(&mut world, confirmed);
        months_pass(&mut world);
        both_are_paid(world, &id);
    }
}

#[test]
fn a_head_that_leaves_while_nobody_leads_for_months_is_walked_back_from_and_what_was_told_is_taken_back() {
    for (confirmed, depth) in [(false, 1), (false, 2), (true, 1), (true, 4), (true, 6)] {
        for orphans in [Orphans::Waiting, Orphans::Forgotten] {
            for stays in [true, false] {
                let mut world = World::new(Setup { final_at: 30, ..Setup::default() });
                for _ in 0..10 {
                    world.chain.mine();
                }
                let id = seen(&mut world, confirmed);
                let again = if stays { world.chain.newest(depth) } else { Vec::new() };
                assert!(world.chain.reorg(&Reorg { depth, blocks: depth + 1, again, orphans }).is_empty());
                let block = world.chain.inclusions(world.lane("acme").address)[&0].clone();
                let left = block.iter().any(|inclusion| !inclusion.canonical);
                // No node remembers the branch that left.
                world.chain.set_provider(0, Provider { prunes: true, ..Provider::default() });
                months_pass(&mut world);
                world.until("its news", |world| world.head().is_some_and(|head| head.height > 50));
                world.pass(10_000);
                assert_eq!(world.parcel(&id).reopened > 0, confirmed && left, "{depth} {stays}");
                both_are_paid(world, &id);
            }
        }
    }
}
