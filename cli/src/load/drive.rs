//! Sending a run: at its pace, with a bound on what is under way, while another task follows.

use std::{
    sync::{
        PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt, stream};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::{
    follow::{self, Follow, Followed},
    plan::{Plan, Sample, Seen},
};
use crate::{
    api::{Api, ApiError},
    error::CliError,
};

/// When a run's parts began and ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Driven {
    /// Before the first request.
    pub(super) began: Instant,
    /// After the last answer.
    pub(super) answered: Instant,
    /// How following went.
    pub(super) followed: Followed,
}

/// Sends everything and follows it. Also returns how many requests started late, since
/// `--concurrency` others were still under way.
pub(super) async fn run(
    api: &Api,
    plan: &Plan,
    samples: &[Sample],
    following: Follow,
) -> Result<(Driven, u64), CliError> {
    // A login is no part of the first request's latency.
    follow::warm_up(api).await?;
    let began = Instant::now();
    let late = AtomicU64::new(0);
    let (sent, followed) = tokio::join!(
        async {
            send_all(api, plan, samples, began, &late).await;
            Instant::now()
        },
        follow::run(api, samples, following)
    );
    let driven = Driven { began, answered: sent, followed: followed? };
    Ok((driven, late.into_inner()))
}

async fn send_all(api: &Api, plan: &Plan, samples: &[Sample], began: Instant, late: &AtomicU64) {
    // A request is due before it takes a place, so that waiting for its time holds no place.
    let due = stream::iter((0..plan.count).zip(samples)).then(|(number, sample)| async move {
        let due = plan.rate.map(|rate| began + due_after(number, rate));
        if let Some(due) = due {
            sleep_until(due).await;
        }
        (number, sample, due)
    });
    due.map(|(number, sample, due)| async move {
        if due.is_some_and(|due| due.elapsed() > LATE) {
            late.fetch_add(1, Ordering::Relaxed);
        }
        send(api, plan, number, sample).await;
    })
    .buffer_unordered(plan.concurrency)
    .for_each(|()| async {})
    .await;
}

/// A request that starts later than this after its time is counted: the pace was not kept.
const LATE: Duration = Duration::from_millis(50);

fn due_after(number: u64, rate: u64) -> Duration {
    Duration::from_micros(number.saturating_mul(1_000_000) / rate)
}

/// One request. It is sent once: a repeat would hide the failure that is to be counted.
async fn send(api: &Api, plan: &Plan, number: u64, sample: &Sample) {
    let call = plan.call(number);
    sample.note(|seen| seen.sent = Some(Instant::now()));
    let answer: Result<Value, ApiError> = api.once(&call).await;
    sample.note(|seen| {
        seen.answered = Some(Instant::now());
        seen.refused = answer.err().map(|error| match error {
            ApiError::Refused(problem) => problem.code,
            ApiError::NoAnswer { .. } => "NO_ANSWER".to_owned(),
            ApiError::Garbled { .. } => "GARBLED".to_owned(),
            ApiError::Address { .. } => "ADDRESS".to_owned(),
            ApiError::Login { .. } => "LOGIN".to_owned(),
        });
    });
}

impl Sample {
    /// Notes something that was seen.
    pub(super) fn note(&self, note: impl FnOnce(&mut Seen)) {
        note(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What was seen so far.
    pub(super) fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_adds_up() {
        assert_eq!(due_after(0, 20), Duration::ZERO);
        assert_eq!(due_after(20, 20), Duration::from_secs(1));
        assert_eq!(due_after(7, 3), Duration::from_micros(2_333_333));
    }
}
