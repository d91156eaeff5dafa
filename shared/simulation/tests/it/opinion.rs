//! Networks that believe a block only when two providers have it.

use causeway_chains::model::{Finality, Orphans, Provider, Reorg};
use causeway_domain::parcel::ParcelState;
use causeway_runtime::metrics::HEARTBEAT;
use causeway_simulation::{Setup, World, api::recipient};

fn world() -> World {
    World::new(Setup { providers: 2, second_opinion: true, ..Setup::default() })
}

fn down() -> Provider {
    Provider { down: true, ..Provider::default() }
}

#[test]
fn one_provider_alone_confirms_nothing() {
    let mut world = world();
    world.track();
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.chain.set_provider(1, down());
    world.pass(60_000);
    assert_eq!(world.status(&id).text("status"), "BROADCASTING");
    assert_eq!(world.parcel(&id).state, ParcelState::Assigned);
    assert_eq!(world.lane_view("acme").expect("begun").gate.consumed, 1, "it is included all the same");
    world.chain.set_provider(1, Provider::default());
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
}

#[test]
fn without_a_second_provider_the_heartbeat_stops_and_comes_back() {
    let mut world = world();
    world.pass(10_000);
    world.chain.set_provider(1, down());
    world.pass(75_000);
    let beats = world.measured.values(HEARTBEAT).len();
    world.pass(30_000);
    assert_eq!(world.measured.values(HEARTBEAT).len(), beats, "nothing has been told for more than a minute");
    world.chain.set_provider(1, Provider::default());
    world.pass(10_000);
    assert!(world.measured.values(HEARTBEAT).len() > beats);
}

#[test]
fn a_block_that_the_second_provider_has_otherwise_is_not_believed() {
    let mut world = world();
    world.track();
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.until("the inclusion", |world| world.lane_view("acme").is_some_and(|view| view.gate.consumed == 1));
    // The first provider turns to another branch with the same transaction in it; the second stays on the old one,
    // which goes on growing for it no more.
    let again = world.chain.newest(1);
    world.chain.mine_empty(8);
    let old = world.chain.header(world.chain.height()).expect("the newest").hash;
    world.chain.set_provider(1, Provider { stuck_at: Some(old), ..Provider::default() });
    world.chain.reorg(&Reorg { depth: 9, blocks: 10, again, orphans: Orphans::Forgotten });
    world.pass(30_000);
    assert_eq!(world.parcel(&id).state, ParcelState::Assigned, "two providers have two blocks of that height");
    world.chain.set_provider(1, Provider::default());
    world.finish();
    assert_eq!((world.parcel(&id).state, world.parcel(&id).reopened), (ParcelState::Confirmed, 0));
}

#[test]
fn a_second_provider_that_lags_delays_by_its_lag_and_no_more() {
    let mut world = world();
    world.chain.set_provider(1, Provider { lag: 4, ..Provider::default() });
    world.track();
    for number in 0..5_u64 {
        world.withdraw("TUSD", "1", recipient(&format!("{number}")));
        world.pass(1_000);
    }
    world.finish();
    world.pass(20_000);
    let head = world.head().expect("followed");
    assert!(head.height - head.confirmed <= 5, "{head:?}");
    assert!(head.height - head.finalized <= 6, "{head:?}");
}

#[test]
fn release_waits_for_the_finality_of_two_nodes() {
    let mut world = World::new(Setup { providers: 2, second_opinion: true, final_tag: true, ..Setup::default() });
    let token = world.asset("TBLK").address;
    world.chain.set_blacklisted(token, recipient("blacklisted"), true);
    world.chain.set_lenient(token, true);
    world.track();
    // Both call everything ten blocks behind their own head final; the second one's head is thirty blocks behind.
    world.chain.set_finality(Finality::Behind(10));
    world.chain.mine_empty(40);
    world.chain.set_provider(1, Provider { lag: 30, ..Provider::default() });
    let id = world.withdraw("TBLK", "1", recipient("blacklisted"));
    world.pass(35_000);
    assert_eq!(world.parcel(&id).state, ParcelState::Assigned, "one node calls it final");
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Failed);
}
