//! Everything at once, by seed: whatever happens, the rules hold at every step and every transfer ends.
//!
//! `CAUSEWAY_STORMS=500 CAUSEWAY_STORM_FROM=7000 cargo test -p causeway-simulation storms` tries other seeds.

use std::ops::Range;

use causeway_domain::parcel::ParcelState;
use causeway_simulation::{Setup, World, api::recipient, storm::Weather};

/// Storms of each kind in a usual run: some seconds of work.
const USUAL: u64 = 12;

/// The seeds to try: the usual ones, or what the environment asks for.
fn seeds() -> Range<u64> {
    let asked = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let from = asked("CAUSEWAY_STORM_FROM").unwrap_or(0);
    from..from + asked("CAUSEWAY_STORMS").unwrap_or(USUAL)
}

/// Names the seed of a storm that ends badly.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was seed {}", self.0);
        }
    }
}

/// Requests of two tenants, some of which revert in their block or are rejected before; repeated until they are answered.
fn ask(world: &mut World, step: u64) {
    let tenant = if world.clock.chance(700) { "acme" } else { "globex" };
    let to = if world.clock.chance(200) { "reverting".to_owned() } else { format!("someone-{step}") };
    let (symbol, key) = (["ETH", "TUSD", "TUSDT", "TBLK"][usize::try_from(step % 4).unwrap_or(0)], format!("k-{step}"));
    loop {
        let answer = world.clock.run(world.request(tenant, Some(&key), symbol, "1", recipient(&to)));
        if !answer.status.is_server_error() {
            world.take_note(tenant, &answer);
            return;
        }
    }
}

fn storm(seed: u64, weather: Weather) -> World {
    let mut world = World::new(Setup {
        seed,
        final_at: 6 + weather.depth_max,
        in_flight_max: 12,
        providers: 1 + usize::from(seed % 2 == 1),
        ..Setup::default()
    });
    let token = world.asset("TBLK").address;
    world.chain.set_lenient(token, true);
    world.chain.set_blacklisted(token, recipient("reverting"), true);
    world.storm(weather, 120, |world, step| {
        if step < 60 && world.clock.chance(600) {
            ask(world, step);
        }
    });
    world
}

#[test]
fn storms_without_branches_end_well() {
    for seed in seeds() {
        let _named = Named(seed);
        let mut world = storm(seed, Weather { kills: 60, faults: 40, reorgs: 0, depth_max: 1, without: 0 });
        assert_eq!(world.release_lanes(), Vec::<String>::new(), "no reason to halt");
        world.finish();
        assert!(world.parcels().iter().all(|parcel| parcel.reopened == 0));
        assert_eq!(world.dead_letters().len(), 0, "{:?}", world.dead_letters());
    }
}

#[test]
fn storms_with_shallow_branches_end_well() {
    for seed in seeds() {
        let _named = Named(seed);
        let mut world = storm(seed, Weather { kills: 60, faults: 40, reorgs: 60, depth_max: 2, without: 0 });
        assert_eq!(world.release_lanes(), Vec::<String>::new(), "no reason to halt");
        world.finish();
        assert!(world.parcels().iter().all(|parcel| parcel.reopened == 0));
    }
}

#[test]
fn storms_with_deep_branches_end_well_once_people_released_the_lanes() {
    let mut reopened = 0;
    for seed in seeds() {
        let _named = Named(seed);
        let mut world = storm(seed, Weather { kills: 60, faults: 40, reorgs: 40, depth_max: 6, without: 0 });
        world.pass(60_000);
        for reason in world.release_lanes() {
            assert!(reason.contains("its block left the chain"), "{reason}");
        }
        world.finish();
        reopened += world.parcels().iter().filter(|parcel| parcel.reopened > 0).count();
        assert!(world.parcels().iter().all(|parcel| parcel.state != ParcelState::Rejected));
    }
    assert!(reopened > 0, "no storm was deep enough to reopen anything");
}
