//! Following a run through the tenant's list, newest first, until all that was accepted got
//! as far as it should.

use std::{collections::HashMap, time::Duration};

use alloy_primitives::Address;
use causeway_domain::{limits::PAGE_ROWS_MAX, parcel::Progress};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{
    Goal,
    plan::{Sample, Seen},
};
use crate::{
    api::{Api, ApiError, Call, Transfer},
    error::CliError,
};

/// How far and how often.
#[derive(Debug, Clone, Copy)]
pub(super) struct Follow {
    pub(super) goal: Goal,
    pub(super) poll_ms: u64,
    pub(super) timeout_s: u64,
}

/// Makes one small call, so that login and connection are there before anything is measured.
pub(super) async fn warm_up(api: &Api) -> Result<(), ApiError> {
    let _: Value = api.call(&list().with("limit", "1")).await?;
    Ok(())
}

/// How following went.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Followed {
    /// How many did not get to the goal in time.
    pub(super) unfinished: usize,
    /// Looks taken.
    pub(super) looks: u64,
    /// From the start of a look to the end of the next, at most: what was seen is late by less.
    pub(super) late_by: Duration,
}

/// Looks until every request is answered and every accepted one has reached the goal, or
/// `timeout_s` have passed since the last answer.
pub(super) async fn run(api: &Api, samples: &[Sample], follow: Follow) -> Result<Followed, CliError> {
    let by_recipient: HashMap<Address, &Sample> = samples.iter().map(|sample| (sample.to, sample)).collect();
    let mut followed = Followed::default();
    if follow.goal == Goal::Accepted {
        return Ok(followed);
    }
    let mut last_start = Instant::now();
    loop {
        let open = open(samples, follow.goal);
        if open.waiting == 0 && open.unanswered == 0 {
            return Ok(followed);
        }
        if open.unanswered == 0
            && open.last_answer.is_some_and(|last| last.elapsed() > Duration::from_secs(follow.timeout_s))
        {
            return Ok(Followed { unfinished: open.waiting, ..followed });
        }
        let mut pause = Duration::from_millis(follow.poll_ms);
        if open.waiting > 0 {
            let start = Instant::now();
            look(api, &by_recipient, follow.goal, open.waiting).await?;
            followed.looks += 1;
            followed.late_by = followed.late_by.max(last_start.elapsed());
            last_start = start;
            // Looking must not become the load that is measured: it takes at most half of the time.
            pause = pause.max(start.elapsed());
        }
        sleep(pause).await;
    }
}

struct Open {
    /// Not sent, or sent without an answer so far.
    unanswered: usize,
    /// Accepted and not yet as far as they should be.
    waiting: usize,
    last_answer: Option<Instant>,
}

fn open(samples: &[Sample], goal: Goal) -> Open {
    let mut open = Open { unanswered: 0, waiting: 0, last_answer: None };
    for seen in samples.iter().map(Sample::seen) {
        match seen.answered {
            None => open.unanswered += 1,
            Some(answered) => {
                open.last_answer = open.last_answer.max(Some(answered));
                open.waiting += usize::from(seen.refused.is_none() && !seen.reached(goal));
            }
        }
    }
    open
}

/// One look: pages from the newest on, until every waiting one was met.
async fn look(api: &Api, by_recipient: &HashMap<Address, &Sample>, goal: Goal, waiting: usize) -> Result<(), CliError> {
    let mut cursor: Option<String> = None;
    let mut met = 0;
    loop {
        let mut call = list().with("limit", PAGE_ROWS_MAX.to_string());
        if let Some(cursor) = cursor.take() {
            call = call.with("cursor", cursor);
        }
        let page: Page = api.call(&call).await?;
        let now = Instant::now();
        for transfer in &page.transfers {
            let Some(sample) = transfer.to.parse().ok().and_then(|to: Address| by_recipient.get(&to)) else { continue };
            met += usize::from(!sample.seen().reached(goal));
            sample.note(|seen| seen.at(transfer.state, now));
        }
        cursor = page.next_cursor;
        if cursor.is_none() || met >= waiting {
            return Ok(());
        }
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    transfers: Vec<Transfer>,
    next_cursor: Option<String>,
}

fn list() -> Call {
    Call::get(&["api", "v1", "transfers"])
}

impl Seen {
    /// Whether it is as far as it should be, or can get no further.
    pub(super) fn reached(&self, goal: Goal) -> bool {
        let at_goal = match goal {
            Goal::Accepted => self.answered.is_some(),
            Goal::Broadcast => self.broadcast.is_some(),
            Goal::Included => self.included.is_some(),
            Goal::Terminal => false,
        };
        at_goal || self.ended.is_some()
    }

    /// Notes a state. A look may miss the states before it, so it stands for them too.
    fn at(&mut self, state: Progress, now: Instant) {
        let (broadcast, included, ended) = match state {
            Progress::Accepted | Progress::Waiting | Progress::Assigned => (false, false, false),
            Progress::Broadcast | Progress::Reopened => (true, false, false),
            Progress::Included => (true, true, false),
            Progress::Confirmed | Progress::Failed | Progress::Cancelled => (true, true, true),
            Progress::Rejected => (false, false, true),
        };
        if broadcast {
            self.broadcast.get_or_insert(now);
        }
        if included {
            self.included.get_or_insert(now);
        }
        if ended {
            self.ended.get_or_insert((now, state));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_stands_for_those_before_it() {
        let now = Instant::now();
        let mut seen = Seen { answered: Some(now), ..Seen::default() };
        seen.at(Progress::Assigned, now);
        assert!(!seen.reached(Goal::Broadcast));
        seen.at(Progress::Included, now);
        assert!(seen.reached(Goal::Broadcast) && seen.reached(Goal::Included) && !seen.reached(Goal::Terminal));
        seen.at(Progress::Confirmed, now);
        assert!(seen.reached(Goal::Terminal));
    }

    #[test]
    fn a_rejected_one_was_never_broadcast_and_is_not_waited_for() {
        let now = Instant::now();
        let mut seen = Seen::default();
        seen.at(Progress::Rejected, now);
        assert!(seen.broadcast.is_none() && seen.included.is_none());
        assert!(seen.reached(Goal::Broadcast) && seen.reached(Goal::Terminal));
    }
}
