//! Stories by seed: whatever befalls a world, every rule holds; and whatever is broken on purpose is noticed.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use causeway_simulation::{coverage::Coverage, sabotage::Sabotage, story::Story};

/// Seeds of a usual run of the tests; `make simulate` tells more.
const SEEDS: u64 = 4_000;
/// Seeds within which anything broken on purpose must be noticed.
const NOTICED_WITHIN: u64 = 40;
/// In which people wait for another's transaction to be final before they may displace it: longest of a hundred thousand.
const PATIENT: [u64; 3] = [836_053, 852_866, 896_771];

#[test]
fn every_rule_holds_in_every_story_and_together_they_cover_what_they_should() {
    let (coverage, next) = (Coverage::default(), AtomicU64::new(0));
    let tell = || {
        while let Some(seed) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < SEEDS) {
            let told = Story::of(seed).tell();
            assert_eq!(told.violation, None, "seed {seed}");
            coverage.add(&told.coverage);
        }
    };
    // A thread that finds a violation ends, and with it the test.
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(tell))));
    assert_eq!(coverage.missing(), Vec::<&str>::new());
}

#[test]
fn people_look_after_what_waits_until_a_displaced_number_is_final() {
    for seed in PATIENT {
        assert_eq!(Story::of(seed).tell().violation, None, "seed {seed}");
    }
}

#[test]
fn whatever_is_broken_on_purpose_is_noticed() {
    for sabotage in Sabotage::ALL {
        let noticed = (0..NOTICED_WITHIN).find_map(|seed| {
            let told = Story::of(seed).broken_by(sabotage).tell();
            told.violation.map(|what| (seed, what))
        });
        assert!(noticed.is_some(), "{sabotage:?} goes unnoticed in {NOTICED_WITHIN} seeds");
        let (seed, what) = noticed.unwrap_or_default();
        let what = what.lines().nth(1).unwrap_or_default();
        println!("{sabotage:?} at seed {seed}: {what}");
        assert!(sabotage.told_as().iter().any(|begins| what.starts_with(begins)), "{sabotage:?} is told as {what}");
    }
}
