//! Clients: what they ask for through both surfaces, at bad moments too, until they have a clear answer; and what they
//! may believe of what they hear.

use std::collections::BTreeSet;

use axum::http::Method;
use causeway_domain::id::{ParcelId, TransferId};
use serde_json::{Value, json};

use crate::{
    api::{Answer, recipient},
    rules::Violation,
    weather::{Class, Weather},
    world::{ASSETS, TENANTS, World},
};

/// Of a storm's steps, in thousandths, how many have a request, until all are asked for.
const ASKING: u64 = 750;
/// The same of those that were not answered.
const ASKING_AGAIN: u64 = 400;
/// So long after a refusal clients ask for something else.
const ASKING_AGAIN_MS: u64 = 1_000;
/// Recipients whom nobody may pay everything that he is asked to: see `TBLK`.
pub const REVERTING: &str = "reverting";

/// Who is paid by the request of a number.
pub fn someone(number: u64) -> String {
    format!("someone-{number}")
}

/// A request of a client.
#[derive(Debug, Clone)]
pub struct Call {
    /// Whose client.
    tenant: &'static str,
    method: Method,
    path: String,
    key: Option<String>,
    body: Option<Value>,
    hope: Hope,
}

/// What it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Hope {
    /// Money is to move.
    Taken,
    /// A key that was used, with another body: never taken.
    Refused,
    /// A transfer is not wanted any more.
    Cancelled,
    /// How far it is.
    Told(ParcelId),
}

/// A transfer that a client was told of.
#[derive(Debug, Clone)]
struct Known {
    tenant: &'static str,
    /// Where its status is, on the surface that it came through.
    status: String,
    cancel: String,
    parcel: ParcelId,
    /// What it was asked for with.
    asked: Call,
}

/// What clients are about.
#[derive(Debug, Default)]
pub struct Clients {
    /// Transfers that are still to be asked for.
    left: u64,
    asked: u64,
    taken: u64,
    /// Asked, and without a clear answer: they ask again.
    pending: Vec<Call>,
    known: Vec<Known>,
    /// Of whom a client was told that nobody is paid: that is never taken back.
    unpaid: BTreeSet<ParcelId>,
}

impl Clients {
    /// Clients that want so many transfers.
    pub fn wanting(left: u64) -> Self {
        Self { left, ..Self::default() }
    }

    /// Whether all that they want was asked for.
    pub const fn all_asked(&self) -> bool {
        self.left == 0
    }

    /// Transfers that were taken so far.
    pub const fn taken(&self) -> u64 {
        self.taken
    }
}

impl World {
    /// What clients ask for next, by chance; everything that happens to them is in the weather.
    pub(crate) fn next_calls(&mut self, weather: Weather) -> Vec<Call> {
        let mut calls = Vec::new();
        if self.clock.chance(ASKING) && self.clients.left > 0 {
            calls.push(self.next_transfer());
        }
        if self.clock.chance(ASKING_AGAIN) && !self.clients.pending.is_empty() {
            let chosen = self.some(self.clients.pending.len());
            self.coverage.count("clients: ask again");
            calls.push(self.clients.pending.remove(chosen));
        }
        let (acts, what) = (self.clock.chance(weather.rate(Class::Clients)), self.clock.below(4));
        let chosen = self.some(self.clients.known.len());
        if let (true, Some(known)) = (acts, self.clients.known.get(chosen)) {
            calls.push(known.next(what));
        }
        calls
    }

    /// A transfer of one of two tenants, some of which revert in their block or are rejected before.
    fn next_transfer(&mut self) -> Call {
        self.clients.left -= 1;
        self.clients.asked += 1;
        let number = self.clients.asked;
        let tenant = TENANTS[usize::from(!self.clock.chance(700))];
        let to = if self.clock.chance(200) { REVERTING.to_owned() } else { someone(number) };
        let (token, symbol, _) = ASSETS[self.some(ASSETS.len())];
        let key = format!("k-{number}");
        let (to, priority) = (recipient(&to).to_string(), ["low", "normal", "high"][self.some(3)]);
        if self.clock.chance(500) {
            let body = json!({"amount": "1", "toAddress": to, "tokenAddress": token.to_string(), "network": "local"});
            let path = "/withdrawal/request".to_owned();
            return Call { tenant, method: Method::POST, path, key: Some(key), body: Some(body), hope: Hope::Taken };
        }
        let from = self.lane(tenant).address.to_string();
        let body = json!({
            "from": from, "to": to, "amount": "1", "token": symbol, "priority": priority, "idempotencyKey": key,
        });
        let path = "/api/v1/transfers".to_owned();
        Call { tenant, method: Method::POST, path, key: None, body: Some(body), hope: Hope::Taken }
    }

    /// It, on its way to the door.
    pub(crate) fn ask(&self, call: &Call) -> impl Future<Output = Answer> + use<> {
        self.call(call.tenant, call.method.clone(), &call.path, call.key.as_deref(), call.body.clone())
    }

    /// What a client heard; nothing where the function died.
    pub(crate) fn client_heard(&mut self, call: Call, answer: Option<&Answer>) -> Result<(), Violation> {
        self.coverage.trace().tell(call.tenant, || {
            let heard =
                answer.map_or_else(|| "nothing".to_owned(), |answer| format!("{} {}", answer.status, answer.body));
            format!("asks {} {} and hears {heard}", call.method, call.path)
        });
        let Some(answer) = answer.filter(|answer| !answer.status.is_server_error()) else {
            self.coverage.count("clients: no answer");
            self.clients.pending.push(call);
            return Ok(());
        };
        let taken = answer.status.is_success();
        let broken = |rule, what: &str| Err(Violation { rule, what: format!("{what}: {call:?} and {answer:?}") });
        match (&call.hope, taken) {
            (Hope::Taken, true) => self.remember(&call, answer),
            // Whoever is blocked, or has too little, asks for something else.
            (Hope::Taken, false) if ["BLOCKED", "INSUFFICIENT_FUNDS"].contains(&answer.code()) => {
                self.coverage.count(format!("clients: {}", answer.code()));
                self.clients.left += 1;
            }
            (Hope::Taken, false) => return broken("door", "what is as it should be is refused"),
            (Hope::Refused, true) => return broken("door", "a key was taken for two requests"),
            (Hope::Refused, false) => self.coverage.count(format!("clients: {}", answer.code())),
            (Hope::Cancelled, true) => self.coverage.count("clients: cancel"),
            (Hope::Cancelled, false) => self.coverage.count("clients: cancel, refused"),
            (Hope::Told(_), false) => return broken("rule 8", "a client was told of what is not there"),
            (Hope::Told(parcel), true) => {
                self.coverage.count("clients: look");
                let unpaid = answer.text("status").eq_ignore_ascii_case("failed");
                if !unpaid && self.clients.unpaid.contains(parcel) {
                    return broken("rule 3", "what was told as unpaid goes on");
                }
                if unpaid {
                    self.clients.unpaid.insert(*parcel);
                }
            }
        }
        Ok(())
    }

    fn remember(&mut self, call: &Call, answer: &Answer) {
        let (parcel, status, cancel) = match answer.body.get("requestId").and_then(Value::as_str) {
            Some(id) => {
                let (status, cancel) = (format!("/withdrawal/status/{id}"), format!("/withdrawal/cancel/{id}"));
                (self.parcel_id(call.tenant, id), status, cancel)
            }
            None => {
                let id = answer.text("transferId");
                let parcel = id.parse::<TransferId>().expect("a transfer's id").parcel;
                (parcel, format!("/api/v1/transfers/{id}"), format!("/api/v1/transfers/{id}/cancel"))
            }
        };
        // Who did not hear the first answer hears it again.
        if self.told.insert(parcel) {
            self.clients.taken += 1;
        }
        self.clients.known.push(Known { tenant: call.tenant, status, cancel, parcel, asked: call.clone() });
    }

    /// Once nothing goes wrong any more, clients ask for what they still want, until every request has its answer.
    pub(crate) fn settle_clients(&mut self) -> Result<(), Violation> {
        while self.clients.left > 0 || !self.clients.pending.is_empty() {
            let call = match self.clients.pending.pop() {
                Some(call) => call,
                None => self.next_transfer(),
            };
            let answer = self.clock.run(self.ask(&call));
            // Doors remember for a while who is blocked.
            self.clock.advance(if answer.status.is_success() { 1 } else { ASKING_AGAIN_MS });
            self.client_heard(call, Some(&answer))?;
        }
        Ok(())
    }

    /// Every client looks once more at what it was told of: what was told as unpaid is.
    pub(crate) fn last_looks(&mut self) -> Result<(), Violation> {
        for at in 0..self.clients.known.len() {
            let call = self.clients.known[at].next(0);
            let answer = self.clock.run(self.ask(&call));
            self.client_heard(call, Some(&answer))?;
        }
        Ok(())
    }

    /// A place in a list of so many.
    pub(crate) fn some(&self, of: usize) -> usize {
        usize::try_from(self.clock.below(of as u64)).unwrap_or(0)
    }
}

impl Known {
    /// What its client asks next.
    fn next(&self, what: u64) -> Call {
        let plain = |method, path: &str, hope| {
            let path = path.to_owned();
            Call { tenant: self.tenant, method, path, key: None, body: None, hope }
        };
        match what {
            1 => plain(Method::POST, &self.cancel, Hope::Cancelled),
            2 => {
                let mut again = self.asked.clone();
                if let Some(body) = &mut again.body {
                    body["amount"] = json!("2");
                }
                Call { hope: Hope::Refused, ..again }
            }
            _ => plain(Method::GET, &self.status, Hope::Told(self.parcel)),
        }
    }
}
