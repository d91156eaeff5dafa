//! What a run came to: rates and percentiles, as tables and as JSON.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    drive::Driven,
    follow::{Follow, Followed},
    plan::{Plan, Sample, Seen},
};
use crate::{
    api::Surface,
    error::CliError,
    output::{Column, number, table, text},
};

/// Longer than any run, in microseconds.
const LONGEST_US: u64 = 24 * 3600 * 1_000_000;

const STAGES: [Column; 8] = [
    text("", "/stage"),
    number("COUNT", "/count"),
    number("PER SECOND", "/shown/rate"),
    number("P50 MS", "/shown/p50"),
    number("P95 MS", "/shown/p95"),
    number("P99 MS", "/shown/p99"),
    number("MAX MS", "/shown/max"),
    text("", "/note"),
];

/// The result of a run.
#[derive(Debug)]
pub(super) struct Report {
    seed: String,
    requests: u64,
    accepted: u64,
    refused: BTreeMap<String, u64>,
    ended: BTreeMap<&'static str, u64>,
    late_starts: u64,
    followed: Followed,
    poll_ms: u64,
    surface: Surface,
    stages: Vec<Stage>,
}

/// One distance on the way of a transfer, measured from the moment its request was sent.
#[derive(Debug)]
struct Stage {
    name: &'static str,
    note: &'static str,
    times: Histogram<u64>,
    span_us: u64,
}

impl Report {
    /// Adds up what was seen.
    pub(super) fn new(plan: &Plan, samples: &[Sample], driven: Driven, follow: Follow, late_starts: u64) -> Self {
        let seen: Vec<Seen> = samples.iter().map(Sample::seen).collect();
        let mut refused = BTreeMap::new();
        for code in seen.iter().filter_map(|seen| seen.refused.clone()) {
            *refused.entry(code).or_default() += 1;
        }
        let mut ended = BTreeMap::new();
        for (_, state) in seen.iter().filter_map(|seen| seen.ended) {
            *ended.entry(state.as_str()).or_default() += 1;
        }
        let accepted = |seen: &Seen| seen.answered.filter(|_| seen.refused.is_none());
        let began = driven.began;
        let stages = vec![
            Stage::new("request -> answer", "", &seen, began, Some(driven.answered), |seen| seen.answered),
            Stage::new("request -> accepted", "", &seen, began, Some(driven.answered), accepted),
            Stage::new("request -> broadcast", "as seen", &seen, began, None, |seen| seen.broadcast),
            Stage::new("request -> included", "as seen", &seen, began, None, |seen| seen.included),
            Stage::new("request -> terminal", "as seen", &seen, began, None, |seen| seen.ended.map(|(at, _)| at)),
        ];
        Self {
            seed: plan.seed.clone(),
            requests: plan.count,
            accepted: stages[1].times.len(),
            refused,
            ended,
            late_starts,
            followed: driven.followed,
            poll_ms: follow.poll_ms,
            surface: plan.surface,
            stages: stages.into_iter().filter(|stage| !stage.times.is_empty()).collect(),
        }
    }

    /// For people.
    pub(super) fn tables(&self) -> String {
        let rows: Vec<Value> = self.stages.iter().map(Stage::row).collect();
        let list = |counts: Vec<String>| if counts.is_empty() { "none".to_owned() } else { counts.join(", ") };
        let refused = list(self.refused.iter().map(|(code, count)| format!("{count} {code}")).collect());
        let ended = list(self.ended.iter().map(|(state, count)| format!("{count} {state}")).collect());
        format!(
            "{}\n\nrequests {}, accepted {}, refused {refused}; started late {}\nended {ended}; unfinished {}\n\
             'as seen': {} looks, {} ms or more apart; every time is late by less than {} ms\nseed {}",
            table(&STAGES, &rows),
            self.requests,
            self.accepted,
            self.late_starts,
            self.followed.unfinished,
            self.followed.looks,
            self.poll_ms,
            self.seen_late_by_ms(),
            self.seed,
        )
    }

    /// For programs. Times are in microseconds, rates in thousandths of one a second.
    pub(super) fn json(&self) -> Value {
        let stages: Vec<Value> = self.stages.iter().map(Stage::json).collect();
        let surface = match self.surface {
            Surface::Withdrawal => "withdrawal",
            Surface::Transfer => "transfer",
        };
        json!({
            "seed": self.seed, "surface": surface, "requests": self.requests, "accepted": self.accepted,
            "refused": self.refused, "ended": self.ended, "lateStarts": self.late_starts,
            "unfinished": self.followed.unfinished, "pollMs": self.poll_ms, "looks": self.followed.looks,
            "seenLateByMsMax": self.seen_late_by_ms(), "stages": stages,
        })
    }

    fn seen_late_by_ms(&self) -> u64 {
        u64::try_from(self.followed.late_by.as_millis()).unwrap_or(u64::MAX)
    }

    /// Fails if anything was refused, or did not get where it was followed to.
    pub(super) fn verdict(&self) -> Result<(), CliError> {
        if self.accepted != self.requests {
            return Err(CliError::Unhoped(format!(
                "{} of {} requests were not accepted",
                self.requests - self.accepted,
                self.requests
            )));
        }
        if self.followed.unfinished > 0 {
            return Err(CliError::TimedOut(format!(
                "{} of {} did not get there in time",
                self.followed.unfinished, self.accepted
            )));
        }
        let lost: u64 = self.ended.iter().filter(|(state, _)| **state != "confirmed").map(|(_, count)| count).sum();
        if lost == 0 {
            Ok(())
        } else {
            Err(CliError::Unhoped(format!("{lost} of {} did not go through", self.accepted)))
        }
    }
}

impl Stage {
    /// `until` is the end of the span that rates are of; without it, the last time seen is.
    fn new(
        name: &'static str,
        note: &'static str,
        seen: &[Seen],
        began: Instant,
        until: Option<Instant>,
        end: impl Fn(&Seen) -> Option<Instant>,
    ) -> Self {
        let mut times = Histogram::new_with_bounds(1, LONGEST_US, 3).expect("constant bounds, 1 < LONGEST_US / 2");
        let mut last = began;
        for (sent, end) in seen.iter().filter_map(|seen| seen.sent.zip(end(seen))) {
            times.saturating_record(micros(sent, end));
            last = last.max(end);
        }
        Self { name, note, times, span_us: micros(began, until.unwrap_or(last)) }
    }

    /// How many a second, in thousandths.
    fn rate_milli(&self) -> u64 {
        let per_second = u128::from(self.times.len()) * 1_000_000_000 / u128::from(self.span_us.max(1));
        u64::try_from(per_second).unwrap_or(u64::MAX)
    }

    fn quantiles(&self) -> [(&'static str, u64); 4] {
        let at = |quantile| self.times.value_at_quantile(quantile);
        [("p50", at(0.50)), ("p95", at(0.95)), ("p99", at(0.99)), ("max", self.times.max())]
    }

    fn row(&self) -> Value {
        let mut shown: BTreeMap<&str, String> =
            self.quantiles().into_iter().map(|(name, micros)| (name, tenths(micros / 100))).collect();
        shown.insert("rate", tenths(self.rate_milli() / 100));
        json!({"stage": self.name, "count": self.times.len(), "shown": shown, "note": self.note})
    }

    fn json(&self) -> Value {
        let times: BTreeMap<&str, u64> = self.quantiles().into_iter().collect();
        json!({"stage": self.name, "count": self.times.len(), "perSecondMilli": self.rate_milli(), "us": times})
    }
}

fn micros(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_micros()).unwrap_or(u64::MAX)
}

/// A number of tenths as a decimal.
fn tenths(tenths: u64) -> String {
    format!("{}.{}", tenths / 10, tenths % 10)
}
