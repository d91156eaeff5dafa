//! Clocks that disagree, ticks that do not come or come twice, and batches of any size.

use causeway_domain::parcel::ParcelState;
use causeway_simulation::{
    Setup, SimClock, World,
    api::recipient,
    drive::STEP_MS,
    inbox::READ,
    skew::SKEW_MAX_MS,
    ticks::SILENT_STEP_MS,
    weather::{Class, Weather},
};
use causeway_state::message::queues;

const FUNCTIONS: [&str; 7] = ["intake", "validate-sign", "send", "status-check", "settle", "dead-letters", "admin"];

#[test]
fn any_function_may_be_seconds_ahead_or_behind() {
    for function in FUNCTIONS {
        for offset in [SKEW_MAX_MS.cast_signed(), -SKEW_MAX_MS.cast_signed()] {
            let mut world = World::new(Setup { in_flight_max: 2, ..Setup::default() });
            world.views.skews.set(function, offset);
            for number in 0..6 {
                world.withdraw("TUSD", "1", recipient(&format!("{number}")));
            }
            world.finish();
            let paid = world.parcels().iter().filter(|parcel| parcel.state == ParcelState::Confirmed).count();
            assert_eq!(paid, 6, "{function} {offset}");
        }
    }
}

#[test]
fn a_leader_behind_and_a_follower_ahead_never_lead_at_once() {
    let mut world = World::new(Setup::default());
    let (behind, ahead) = (world.another_tracker("behind"), world.another_tracker("ahead"));
    world.views.skews.set("behind", -SKEW_MAX_MS.cast_signed());
    world.views.skews.set("ahead", SKEW_MAX_MS.cast_signed());
    let chain = world.chain_port();
    let look = |world: &World, tracker: &causeway_status_check::Tracker, me: &str, lead| {
        world.clock.run(causeway_simulation::drive::track(tracker, &world.network, &*chain, me, lead))
    };
    let mut leads = [None, None];
    world.withdraw("TUSD", "1", recipient("rosa"));
    for _ in 0..600 {
        world.clock.advance(STEP_MS);
        world.make_blocks();
        leads[0] = look(&world, &behind, "behind", leads[0].take());
        leads[1] = look(&world, &ahead, "ahead", leads[1].take());
        for queue in READ {
            world.deliver_all(queue);
        }
        world.check();
        assert!(leads.iter().filter(|lead| lead.is_some()).count() <= 1, "{leads:?}");
    }
    assert_eq!(leads.iter().filter(|lead| lead.is_some()).count(), 1, "{leads:?}");
    assert_eq!(world.parcels()[0].state, ParcelState::Confirmed);
}

#[test]
fn two_minutes_without_a_tick_delay_everything_and_lose_nothing() {
    let mut world = World::new(Setup::default());
    world.track();
    let early = world.withdraw("TUSD", "1", recipient("rosa"));
    for _ in 0..120_000 / SILENT_STEP_MS {
        world.clock.advance(SILENT_STEP_MS);
        world.make_blocks();
        for queue in READ {
            world.deliver_all(queue);
        }
        world.check();
    }
    assert_eq!(world.parcel(&early).state, ParcelState::Assigned, "nobody looked");
    let late = world.withdraw("TUSD", "1", recipient("otto"));
    world.finish();
    for id in [early, late] {
        assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
    }
}

#[test]
fn one_batch_of_thousands_is_signed_and_settled_once_each() {
    const MANY: u64 = 2_000;
    let mut world = World::new(Setup { in_flight_max: MANY, ..Setup::default() });
    world.inbox.batch = usize::try_from(MANY).expect("small");
    for number in 0..MANY {
        world.withdraw("TBLK", "1", recipient(&format!("{number}")));
    }
    assert!(world.deliver(queues::TRANSFERS_NORMAL));
    let view = world.lane_view("acme").expect("begun");
    assert_eq!(view.next, MANY, "all of one batch");
    world.held.insert(queues::CHAIN_EVENTS);
    world.until("what every block says of them", |world| {
        world.inbox.of(queues::CHAIN_EVENTS).len() as u64 >= MANY / 100
    });
    assert!(world.inbox.of(queues::CHAIN_EVENTS).len() > 10, "more than a usual batch");
    world.held.clear();
    world.finish();
    assert!(world.parcels().iter().all(|parcel| parcel.state == ParcelState::Confirmed));
    assert_eq!(world.dead_letters().len(), 0);
}

#[test]
fn batches_of_thousands_among_faults_are_signed_and_settled_once_each() {
    const MANY: u64 = 1_000;
    const STRIKE: [Class; 16] = [
        Class::Kills,
        Class::Commits,
        Class::Reads,
        Class::Publishes,
        Class::Keys,
        Class::Signatures,
        Class::Calls,
        Class::Contended,
        Class::Broadcasts,
        Class::Limits,
        Class::Repeats,
        Class::Order,
        Class::Late,
        Class::Held,
        Class::Stalls,
        Class::Skew,
    ];
    let others = Class::ALL.into_iter().filter(|class| !STRIKE.contains(class)).map(Class::bit).sum();
    for seed in 1..=3 {
        let mut world = World::new(Setup { seed, in_flight_max: MANY, ..Setup::default() });
        world.inbox.batch = 10_000;
        for number in 0..MANY {
            world.withdraw("TBLK", "1", recipient(&format!("{number}")));
        }
        world.storm(Weather::drawn(&SimClock::new(seed)).without(others), 40, 10);
        for _ in 0..20 {
            world.until("every end", |world| world.asks_people() || world.has_ended());
            world.look_at_letters();
        }
        world.finish();
        assert!(world.parcels().iter().all(|parcel| parcel.state == ParcelState::Confirmed), "seed {seed}");
        assert_eq!(world.lane_view("acme").expect("begun").next, MANY, "no number is burned");
    }
}
