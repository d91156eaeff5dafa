//! Following transfers to their end: looks at each that is still open, tells what changed, waits.

use std::time::Duration;

use clap::Args;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    api::{AnyId, Api, ApiError, Followed, Standing},
    board::Board,
    context::Context,
    error::CliError,
    output::{Column, text},
};

/// Calls at the same time; more would only queue up behind the API's throttle.
const CONCURRENCY: usize = 8;

const COLUMNS: [Column; 5] = [
    text("ID", "/id"),
    text("ENDED", "/word"),
    text("TRANSACTION", "/answer/transactionHash"),
    text("ERROR", "/error"),
    text("UPDATED", "/answer/updatedAt"),
];

/// How often to look, and for how long.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Pace {
    /// Milliseconds between two looks
    #[arg(long, default_value_t = 500, value_name = "MS", value_parser = clap::value_parser!(u64).range(50..))]
    interval_ms: u64,
    /// Seconds after which to give up following (the transfers go on)
    #[arg(long, default_value_t = 900, value_name = "S")]
    timeout_s: u64,
}

/// Follows, prints how each ended, and fails if one ended otherwise than confirmed.
pub(super) async fn run(context: &Context, api: &Api, ids: &[AnyId], pace: Pace) -> Result<(), CliError> {
    let ended = follow(api, ids, pace).await?;
    let rows: Vec<Value> = ids.iter().zip(&ended).map(|(id, followed)| row(id, followed)).collect();
    context.output.rows(&COLUMNS, &rows)?;
    let lost = ended.iter().filter(|followed| followed.standing == Standing::Lost).count();
    if lost == 0 { Ok(()) } else { Err(CliError::Unhoped(format!("{lost} of {} did not go through", ids.len()))) }
}

async fn follow(api: &Api, ids: &[AnyId], pace: Pace) -> Result<Vec<Followed>, CliError> {
    let deadline = Instant::now() + Duration::from_secs(pace.timeout_s);
    let mut board = Board::new(ids.iter().map(AnyId::to_string));
    let mut ended: Vec<Option<Followed>> = vec![None; ids.len()];
    loop {
        let open: Vec<usize> = (0..ids.len()).filter(|&index| ended[index].is_none()).collect();
        let looks = stream::iter(&open).map(|&index| look(api, &ids[index])).buffered(CONCURRENCY);
        let seen: Vec<Followed> = looks.try_collect().await?;
        for (index, followed) in open.into_iter().zip(seen) {
            match followed.standing {
                Standing::Open => board.tell(index, &followed.word),
                Standing::Done | Standing::Lost => {
                    board.end(index, &followed.word);
                    ended[index] = Some(followed);
                }
            }
        }
        if ended.iter().all(Option::is_some) {
            return Ok(ended.into_iter().flatten().collect());
        }
        if Instant::now() >= deadline {
            let open = ended.iter().filter(|followed| followed.is_none()).count();
            return Err(CliError::TimedOut(format!("{open} of {} are still under way", ids.len())));
        }
        sleep(Duration::from_millis(pace.interval_ms)).await;
    }
}

async fn look(api: &Api, id: &AnyId) -> Result<Followed, ApiError> {
    let answer: Value = api.call(&id.call()).await?;
    id.read(answer).map_err(|source| ApiError::Garbled { url: id.to_string(), source })
}

fn row(id: &AnyId, followed: &Followed) -> Value {
    // One surface's error is a text, the other's has a code and a message.
    let error = followed.answer.get("error");
    let error = error.and_then(|error| error.pointer("/message")).or(error);
    serde_json::json!({"id": id.to_string(), "word": followed.word, "error": error, "answer": followed.answer})
}
