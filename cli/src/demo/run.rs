//! Asking for all 20, following them live, and holding each against what must come of it.

use std::time::Duration;

use alloy_primitives::Address;
use causeway_domain::parcel::Progress;
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{
    Stage, balances,
    scenario::{Act, Blacklist, Expected, Scenario, User},
};
use crate::{
    api::{AnyId, Api, ApiError, Call, Problem, Standing, Transfer},
    board::Board,
    error::CliError,
    output::{Column, number, table, text},
};

#[cfg(test)]
mod tests;

const PAUSE: Duration = Duration::from_millis(300);
/// Newest rows of a tenant's list that are looked at: all of a run are among them.
const ROWS_MAX: usize = 100;

/// A scenario under way.
#[derive(Debug)]
struct Play {
    scenario: Scenario,
    /// The answer, if it was a refusal.
    refused: Option<Problem>,
    /// The id, if something was taken.
    id: Option<AnyId>,
    state: Option<Progress>,
    /// What went wrong on the way.
    fault: Option<String>,
}

/// How a scenario ended.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Played {
    number: usize,
    user: &'static str,
    name: &'static str,
    expected: String,
    got: String,
    id: Option<String>,
    /// Whether it ended exactly as it must.
    pub(super) as_expected: bool,
    why: Option<String>,
}

const COLUMNS: [Column; 7] = [
    number("#", "/number"),
    text("USER", "/user"),
    text("WITHDRAWAL", "/name"),
    text("EXPECTED", "/expected"),
    text("GOT", "/got"),
    text("AS IT SHOULD", "/asExpected"),
    text("WHY NOT", "/why"),
];

/// The result for people.
pub(super) fn table_of(played: &[Played]) -> String {
    let rows: Vec<Value> = played.iter().map(|played| serde_json::to_value(played).unwrap_or_default()).collect();
    table(&COLUMNS, &rows)
}

/// Plays all scenarios to their end.
pub(super) async fn play(stage: &Stage, scenarios: Vec<Scenario>, timeout_s: u64) -> Result<Vec<Played>, CliError> {
    let deadline = Instant::now() + Duration::from_secs(timeout_s);
    for scenario in scenarios.iter().filter(|scenario| scenario.blacklist != Blacklist::Clean) {
        stage.contracts.blacklist(scenario.to).await?;
    }
    let names = scenarios
        .iter()
        .enumerate()
        .map(|(at, scenario)| format!("{:>2} {:<5} {}", at + 1, scenario.user.name(), scenario.name));
    let mut board = Board::new(names.collect::<Vec<_>>());
    let mut plays: Vec<Play> = scenarios.into_iter().map(Play::new).collect();

    // The switch of the blacklisting token is one for all, so those that must be caught go first.
    ask(stage, &mut plays, &mut board, |blacklist| blacklist == Blacklist::Seen).await?;
    follow(stage, &mut plays, &mut board, deadline).await?;
    stage.contracts.lenient(true).await?;
    let rest = async {
        ask(stage, &mut plays, &mut board, |blacklist| blacklist != Blacklist::Seen).await?;
        follow(stage, &mut plays, &mut board, deadline).await
    };
    let followed = rest.await;
    stage.contracts.lenient(false).await?;
    followed?;

    let mut played = Vec::new();
    for (at, play) in plays.into_iter().enumerate() {
        played.push(judge(stage, at + 1, play).await?);
    }
    Ok(played)
}

/// Asks for every scenario of a kind, one after the other.
async fn ask(
    stage: &Stage,
    plays: &mut [Play],
    board: &mut Board,
    kind: impl Fn(Blacklist) -> bool,
) -> Result<(), CliError> {
    for (at, play) in plays.iter_mut().enumerate().filter(|(_, play)| kind(play.scenario.blacklist)) {
        let key = format!("{}-{at}", stage.run);
        play.ask(stage, &key).await?;
        match (&play.id, &play.refused) {
            (Some(_), _) => board.tell(at, "taken"),
            (None, Some(problem)) => board.end(at, &problem.to_string()),
            (None, None) => board.end(at, "no answer"),
        }
    }
    Ok(())
}

/// Follows what was taken until nothing is open, or the deadline: what is open then is judged as it stands.
async fn follow(stage: &Stage, plays: &mut [Play], board: &mut Board, deadline: Instant) -> Result<(), CliError> {
    loop {
        for user in User::ALL {
            if !plays.iter().any(|play| play.is_open() && play.payer() == user) {
                continue;
            }
            let rows: Vec<Transfer> =
                stage.api(user).pages(Call::get(&["api", "v1", "transfers"]), "transfers", ROWS_MAX).await?;
            for (at, play) in plays.iter_mut().enumerate().filter(|(_, play)| play.is_open() && play.payer() == user) {
                let mine = |row: &&Transfer| row.to.parse().is_ok_and(|to: Address| to == play.scenario.to);
                let Some(row) = rows.iter().find(mine) else { continue };
                play.state = Some(row.state);
                match Standing::from(row.state) {
                    Standing::Open => board.tell(at, row.state.as_str()),
                    Standing::Done | Standing::Lost => board.end(at, row.state.as_str()),
                }
            }
        }
        if !plays.iter().any(Play::is_open) || Instant::now() >= deadline {
            return Ok(());
        }
        sleep(PAUSE).await;
    }
}

impl Play {
    const fn new(scenario: Scenario) -> Self {
        Self { scenario, refused: None, id: None, state: None, fault: None }
    }

    /// Whether it was taken and has not ended.
    fn is_open(&self) -> bool {
        self.id.is_some() && self.state.is_none_or(|state| Standing::from(state) == Standing::Open)
    }

    /// Whose money moves.
    const fn payer(&self) -> User {
        match &self.scenario.act {
            Act::LookAtOthers { owner, .. } => *owner,
            Act::Withdraw(_) | Act::WithdrawTwice(_) | Act::Transfer(_) => self.scenario.user,
        }
    }

    async fn ask(&mut self, stage: &Stage, key: &str) -> Result<(), CliError> {
        let api = stage.api(self.payer());
        match self.scenario.act.clone() {
            Act::Withdraw(body) => self.take(api, &withdraw(body, key), "requestId").await,
            Act::Transfer(mut body) => {
                body["idempotencyKey"] = key.into();
                self.take(api, &Call::post_repeatable(&["api", "v1", "transfers"], body), "transferId").await
            }
            Act::WithdrawTwice(body) => {
                self.take(api, &withdraw(body.clone(), key), "requestId").await?;
                let first = self.id.clone();
                self.take(api, &withdraw(body, key), "requestId").await?;
                if self.id != first {
                    self.fault = Some("the repeat gave another id".to_owned());
                }
                Ok(())
            }
            Act::LookAtOthers { body, .. } => {
                self.take(api, &withdraw(body, key), "requestId").await?;
                let Some(id) = &self.id else { return Ok(()) };
                match stage.api(self.scenario.user).call::<Value>(&id.call()).await {
                    Ok(_) => self.fault = Some("it was shown to another tenant".to_owned()),
                    Err(ApiError::Refused(problem)) => self.refused = Some(*problem),
                    Err(error) => return Err(error.into()),
                }
                Ok(())
            }
        }
    }

    async fn take(&mut self, api: &Api, call: &Call, field: &str) -> Result<(), CliError> {
        match api.call::<Value>(call).await {
            Ok(answer) => {
                self.id = answer[field].as_str().and_then(|id| id.parse().ok());
                if self.id.is_none() {
                    self.fault = Some(format!("the answer has no {field}"));
                }
                Ok(())
            }
            Err(ApiError::Refused(problem)) => {
                self.refused = Some(*problem);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn got(&self) -> String {
        match (&self.refused, self.state) {
            (Some(problem), _) => answer(problem.status, &problem.code, problem.field.as_deref()),
            (None, Some(state)) => state.as_str().to_owned(),
            (None, None) => "nothing".to_owned(),
        }
    }
}

fn withdraw(body: Value, key: &str) -> Call {
    Call::post(&["withdrawal", "request"], body).keyed(key)
}

fn answer(status: u16, code: &str, field: Option<&str>) -> String {
    field.map_or_else(|| format!("{status} {code}"), |field| format!("{status} {code} ({field})"))
}

/// Holds an end against what it must be: the answer, the state in both surfaces' words, the recipient's balance.
async fn judge(stage: &Stage, number: usize, play: Play) -> Result<Played, CliError> {
    let got = play.got();
    let expected = match play.scenario.expected {
        Expected::Refused { status, code, field } => answer(status, code, field),
        Expected::Ends(state) => state.as_str().to_owned(),
    };
    let mut why = play.fault.clone();
    if got != expected {
        why = why
            .or_else(|| play.refused.as_ref().map(ToString::to_string))
            .or_else(|| Some("it ended otherwise".to_owned()));
    }
    if why.is_none() {
        why = match misreported(stage, &play).await? {
            None => unpaid(stage, &play).await?,
            told => told,
        };
    }
    Ok(Played {
        number,
        user: play.scenario.user.name(),
        name: play.scenario.name,
        expected,
        got,
        id: play.id.as_ref().map(AnyId::to_string),
        as_expected: why.is_none(),
        why,
    })
}

/// What its own surface says wrongly about an ended transfer.
async fn misreported(stage: &Stage, play: &Play) -> Result<Option<String>, CliError> {
    let (Some(id), Some(state)) = (&play.id, play.state) else { return Ok(None) };
    let told: Value = stage.api(play.payer()).call(&id.call()).await?;
    let word = match id {
        AnyId::Withdrawal(_) => state.withdrawal_word(),
        AnyId::Transfer(_) => state.transfer_word(),
    };
    if told["status"] != word {
        return Ok(Some(format!("by its id it is {}, not {word}", told["status"])));
    }
    let unexplained = Standing::from(state) == Standing::Lost && told["error"].is_null();
    Ok(unexplained.then(|| "it does not say why it failed".to_owned()))
}

/// What the recipient lacks or has too much.
async fn unpaid(stage: &Stage, play: &Play) -> Result<Option<String>, CliError> {
    let Some((asset, amount)) = &play.scenario.pays else { return Ok(None) };
    let held = balances::on_chain(stage, asset, play.scenario.to).await?;
    let paid = held == amount.signed();
    Ok((!paid).then(|| format!("the recipient holds {} {}", balances::shown(held, asset), asset.symbol)))
}
