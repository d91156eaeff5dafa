//! Networks that are switched off for so long that the rows of blocks expire meanwhile.

use causeway_chains::{
    Chain,
    model::{Orphans, Provider, Reorg},
};
use causeway_domain::{Clock, lane::LaneGate, parcel::ParcelState};
use causeway_simulation::{Setup, World, api::recipient};
use causeway_state::{
    tables::TRACKER,
    tracker::{Head, HeaderRow},
};
use causeway_store::{Key, Write};
use futures::executor::block_on;

/// Longer than rows of blocks are kept.
const MONTHS_MS: u64 = 40 * 86_400_000;

/// The network is switched off for so long that rows expire; those that begin so are gone when it comes back.
fn months_pass(world: &mut World, gone: &[&str]) {
    world.replace_tracker();
    world.clock.advance(MONTHS_MS);
    for row in world.rows.dump(TRACKER) {
        let (pk, sk) = (row.text("pk").expect("a key"), row.text("sk").expect("a key"));
        if gone.iter().any(|prefix| pk.starts_with(prefix)) {
            world.must_commit(&[Write::Delete { key: Key::new(TRACKER, pk, sk), expect: vec![] }]);
        }
    }
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

fn pays_as_ever(mut world: World, id: &str) {
    let after = world.withdraw("ETH", "1", recipient("karl"));
    world.finish();
    for id in [id, &after] {
        assert_eq!(world.parcel(id).state, ParcelState::Confirmed);
    }
    assert!(matches!(world.lane_view("acme").expect("begun").gate.gate, LaneGate::Open));
}

/// Every header that is on record is the chain's.
fn rows_are_the_chains(world: &World, heights: std::ops::RangeInclusive<u64>) {
    for height in heights {
        let Some(row) = world.row(&HeaderRow::key(&world.network.id, height)) else { continue };
        let known: HeaderRow = row.parse().expect("a header");
        assert_eq!(Some(known.hash), world.chain.header(height).map(|header| header.hash), "{height}");
    }
}

#[test]
fn after_more_than_a_month_without_a_leader_what_came_before_is_told_all_the_same() {
    for (confirmed, gone) in [(false, &["HDR#", "INC#"][..]), (true, &["HDR#", "INC#"]), (false, &["INC#"])] {
        let mut world = World::new(Setup { final_at: 30, ..Setup::default() });
        let id = seen(&mut world, confirmed);
        // A row goes some time after it may: which of them are left says nothing.
        months_pass(&mut world, gone);
        pays_as_ever(world, &id);
    }
}

#[test]
fn after_more_than_a_month_no_node_on_an_old_branch_says_what_is_told_as_final() {
    // Nodes answer by turns: which one is asked for what is tried in each way.
    for turns in 0..3 {
        let mut world = World::new(Setup { providers: 3, rotate: true, final_at: 30, ..Setup::default() });
        world.pass(2_000);
        world.next_block_at = None;
        let at = |world: &World, node, stuck_at| {
            world.chain.set_provider(node, Provider { stuck_at, ..Provider::default() });
        };
        let fork = world.chain.height();
        let last = world.chain.header(fork).map(|header| header.hash);
        // A branch that we never see, and on which the payment is not.
        (0..3).for_each(|node| at(&world, node, last));
        for _ in 0..12 {
            world.chain.mine();
        }
        let other = world.chain.header(fork + 12).map(|header| header.hash);
        let again = Vec::new();
        assert!(world.chain.reorg(&Reorg { depth: 12, blocks: 1, again, orphans: Orphans::Waiting }).is_empty());
        (0..3).for_each(|node| at(&world, node, None));
        world.next_block_at = Some(world.clock.now_ms());
        let id = seen(&mut world, true);
        world.until("blocks", |world| world.head().is_some_and(|head| head.height > fork + 12));
        let head: Head = world.head().expect("followed");
        assert!(head.finalized <= fork, "nothing of it is final yet");
        months_pass(&mut world, &["HDR#", "INC#"]);
        at(&world, 2, other);
        for _ in 0..turns {
            block_on(world.chain.head()).expect("an answer");
        }
        world.pass(60_000);
        rows_are_the_chains(&world, head.finalized + 1..=head.height);
        at(&world, 2, None);
        pays_as_ever(world, &id);
    }
}

#[test]
fn a_head_that_leaves_while_nobody_leads_for_months_is_followed_from_what_is_final() {
    let payments = [(false, 1), (false, 2), (true, 1), (true, 12), (true, 20)];
    for ((confirmed, depth), orphans) in
        payments.into_iter().flat_map(|of| [Orphans::Waiting, Orphans::Forgotten].map(|orphans| (of, orphans)))
    {
        for again in [true, false] {
            let mut world = World::new(Setup { final_at: 30, ..Setup::default() });
            let id = seen(&mut world, confirmed);
            let again = if again { world.chain.newest(depth) } else { Vec::new() };
            let reorg = Reorg { depth, blocks: depth + 1, again, orphans };
            assert!(world.chain.reorg(&reorg).is_empty());
            world.chain.set_provider(0, Provider { prunes: true, ..Provider::default() });
            months_pass(&mut world, &["HDR#", "INC#"]);
            pays_as_ever(world, &id);
        }
    }
}
