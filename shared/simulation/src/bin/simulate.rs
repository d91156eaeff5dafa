//! `make simulate SEEDS=n`: tells the stories of so many seeds on all cores, and what they covered.
//!
//! `SEED=s` tells one, line by line; `WITHOUT=pool,fees` leaves classes of faults out and `REQUESTS=n` asks for fewer
//! transfers, as a failing run says; `LOG=1` adds what its handlers log. `FROM=s` begins elsewhere.

use std::{
    env,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use causeway_simulation::{coverage::Coverage, story::Story, trace::Trace, weather::Class};
use indicatif::{ProgressBar, ProgressStyle};

/// Stories that end badly are told in full up to so many.
const TOLD_MAX: usize = 5;

/// What all threads found.
#[derive(Default)]
struct Found {
    micros: Vec<u64>,
    violations: Vec<(u64, String)>,
}

fn main() -> ExitCode {
    let asked = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match asked("SEED") {
        Some(seed) => one(seed),
        None => many(asked("FROM").unwrap_or(0), asked("SEEDS").unwrap_or(1_000)),
    }
}

/// One story, line by line.
fn one(seed: u64) -> ExitCode {
    let without = env::var("WITHOUT").unwrap_or_default();
    let Some(without) = Class::parse_all(&without) else {
        eprintln!("WITHOUT knows {}", Class::names(u64::MAX));
        return ExitCode::FAILURE;
    };
    let story = Story::of(seed).without(without);
    let requests = env::var("REQUESTS").ok().and_then(|text| text.parse().ok()).unwrap_or(story.requests);
    let story = Story { requests, ..story };
    if env::var("LOG").is_ok() {
        tracing_subscriber::fmt()
            .without_time()
            .with_writer(std::io::stdout)
            .with_max_level(tracing_subscriber::filter::LevelFilter::INFO)
            .init();
    }
    println!("{}: {:?}", story.command(), story.weather);
    let told = story.tell_to(Trace::to(|line| println!("{line}")));
    println!();
    for (what, times) in told.coverage.all() {
        println!("{times:>8}  {what}");
    }
    match told.violation {
        None => {
            println!("seed {seed}: every rule held");
            ExitCode::SUCCESS
        }
        Some(violation) => {
            println!("seed {seed}: {violation}");
            ExitCode::FAILURE
        }
    }
}

fn many(from: u64, count: u64) -> ExitCode {
    let (next, coverage, found) = (AtomicU64::new(from), Coverage::default(), Mutex::new(Found::default()));
    let bar = ProgressBar::new(count);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} seeds, {per_sec}, {eta} left {msg}") {
        bar.set_style(style);
    }
    let begun = Instant::now();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + count {
                        return;
                    }
                    let clock = Instant::now();
                    let told = Story::of(seed).tell();
                    coverage.add(&told.coverage);
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    found.micros.push(u64::try_from(clock.elapsed().as_micros()).unwrap_or(u64::MAX));
                    if let Some(violation) = told.violation {
                        found.violations.push((seed, violation));
                        bar.set_message(format!("{} violations", found.violations.len()));
                    }
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    tell(count, cores, begun, &coverage, found)
}

fn tell(count: u64, cores: usize, begun: Instant, coverage: &Coverage, mut found: Found) -> ExitCode {
    for (what, times) in coverage.all() {
        println!("{times:>12}  {what}");
    }
    found.micros.sort_unstable();
    let median = found.micros.get(found.micros.len() / 2).copied().unwrap_or_default();
    println!(
        "{count} seeds on {cores} cores in {:.1} s; median {}.{:03} ms for a seed and core; {} violations",
        begun.elapsed().as_secs_f32(),
        median / 1000,
        median % 1000,
        found.violations.len()
    );
    for (seed, violation) in found.violations.iter().take(TOLD_MAX) {
        let small = Story::of(*seed).smallest(violation);
        println!("\nSEED={seed}: {violation}\n  smallest story: {}", small.command());
    }
    let more: Vec<String> = found.violations.iter().skip(TOLD_MAX).map(|(seed, _)| seed.to_string()).collect();
    if !more.is_empty() {
        println!("\nand of these seeds: {}", more.join(", "));
    }
    let missing = coverage.missing();
    if !missing.is_empty() {
        println!("never seen: {}", missing.join("; "));
    }
    if found.violations.is_empty() && missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
