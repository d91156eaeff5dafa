//! Operators: what they ask of the real routes, at bad moments too, and what the rules must know of it.

use std::{cell::RefCell, sync::Arc};

use alloy_primitives::{Address, B256, U256};
use axum::{Router, http::Method};
use causeway_admin::{Admin, handler, queues::Looks};
use causeway_domain::{
    Networks,
    id::{DeadLetterId, OperationId, ParcelId},
    lane::{LaneGate, LaneId},
};
use causeway_http::Claims;
use causeway_keys::MemoryKeys;
use causeway_state::{
    dead_letter::{DeadLetter, Status},
    lane::{Attempt, Counter, Gate, Transaction},
    ledger::{AccountId, Owner},
    message::StageMessage,
    wallet::Scope,
};
use serde_json::{Value, json};

use crate::{
    api::{Answer, send},
    funds::units,
    nodes::REFUSAL,
    rules::Ordered,
    views::{OPERATORS, Views},
    world::{ASSETS, TENANTS, World},
};

/// Requests of operators that got no clear answer, before the oldest is given up.
const PENDING_MAX: usize = 8;

/// The operators' door over these ports.
pub(crate) fn operators(views: &Views, keys: &MemoryKeys, networks: &Networks) -> Router {
    let view = views.of(OPERATORS);
    handler::router(Arc::new(Admin {
        store: view.store,
        queue: view.queue,
        keys: Arc::new(keys.clone()),
        clock: view.clock,
        networks: networks.clone(),
        claims: Claims { tenant: "custom:tenant".into(), user: "sub".into(), roles: "cognito:groups".into() },
        looks: Looks::default(),
    }))
}

/// What an operator asks for.
#[derive(Debug, Clone)]
pub struct Act {
    /// For the coverage.
    pub what: &'static str,
    /// The route.
    pub path: String,
    /// Its body.
    pub body: Value,
    /// What must be so once the answer was good.
    pub promise: Promise,
}

/// What a good answer promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promise {
    /// Nothing that stays so.
    Nothing,
    /// The operation is in the ledger.
    Moved(String),
    /// The dead letter was refunded.
    Refunded(DeadLetterId),
    /// The dead letter was settled.
    Settled(DeadLetterId),
    /// A word on one of its transactions was taken.
    Said(DeadLetterId, String),
}

/// What operators are about.
#[derive(Debug, Default)]
pub struct People {
    count: u64,
    /// Asked, and without a clear answer: they ask again.
    pending: Vec<Act>,
    /// What good answers promised since the last check.
    pub promised: RefCell<Vec<Promise>>,
    /// Money that operators took out of the books and nobody took out of the treasury yet.
    owed_out: RefCell<Vec<(Address, Option<Address>, U256)>>,
}

/// From one look at a treasury to the next, once a letter was set aside.
const SET_ASIDE_MS: u64 = 120_000;
/// What a dead letter says that waits for people's word: no block decides it, or providers tell its block's receipts differently.
const UNDECIDED: [&str; 2] = ["moved something other than what was asked for", "providers tell different receipts"];

impl World {
    /// A request of an operator.
    pub fn operate(&self, path: &str, body: Value) -> impl Future<Output = Answer> + use<> {
        self.note_wish("", path);
        let claims = json!({"custom:tenant": "causeway", "sub": "olga", "cognito:groups": "[operator]"});
        send(self.operators.clone(), &claims, Method::POST, &format!("/admin/v1/{path}"), None, Some(body))
    }

    /// Asks until there is a clear answer, as operators do.
    pub fn act(&mut self, act: &Act) -> Answer {
        loop {
            let answer = self.clock.run(self.operate(&act.path, act.body.clone()));
            if !answer.status.is_server_error() {
                self.heard(act.clone(), Some(&answer));
                return answer;
            }
            self.clock.advance(1_000);
        }
    }

    /// A credit or debit of a tenant's account in whole units, whose key nobody used before.
    pub fn movement(&mut self, verb: &'static str, tenant: &str, symbol: &str, whole: u64) -> Act {
        self.people.count += 1;
        let key = format!("olga-{}", self.people.count);
        let account = AccountId { owner: Owner::Tenant(self.tenant(tenant)), asset: self.asset(symbol) };
        let amount = units(symbol, whole).signed();
        let operation = OperationId::derived(&[tenant, &key]).bare();
        let (what, amount) = match verb {
            "debit" => ("people: debit", -amount),
            _ => ("people: credit", amount),
        };
        let treasury = self.lane(tenant).address;
        self.rules.borrow_mut().order(operation.clone(), Ordered { account, units: amount, treasury });
        let body = json!({
            "tenant": tenant, "network": "local", "token": symbol, "amount": whole.to_string(), "reason": "simulated",
            "idempotencyKey": key,
        });
        Act { what, path: format!("accounts/{verb}"), body, promise: Promise::Moved(operation) }
    }

    /// Something done with a dead letter.
    pub fn of_letter(&self, verb: &'static str, letter: DeadLetterId) -> Act {
        let (what, promise) = match verb {
            "refund" => ("people: refund", Promise::Refunded(letter)),
            "replay" => ("people: replay", Promise::Nothing),
            _ => ("people: discard", Promise::Nothing),
        };
        Act { what, path: format!("dead-letters/{letter}/{verb}"), body: json!({"reason": "simulated"}), promise }
    }

    /// A word on a dead letter's only transaction that its block does not decide.
    pub fn settle_letter(&self, letter: DeadLetterId, paid: bool) -> Act {
        let (path, body) = (format!("dead-letters/{letter}/settle"), json!({"paid": paid, "reason": "simulated"}));
        Act { what: "people: settle", path, body, promise: Promise::Settled(letter) }
    }

    /// What each transaction of a dead letter did of which nobody has said it yet, as an explorer shows its block.
    fn settle_named(&self, letter: &DeadLetter) -> Vec<Act> {
        let Ok(stage) = serde_json::from_str::<StageMessage>(&letter.body) else { return Vec::new() };
        let hashes = stage.inclusions.iter().map(|inclusion| inclusion.hash);
        let unsaid = hashes.filter(|hash| letter.settled.iter().all(|word| word.hash != *hash));
        let act = |hash: B256| Act {
            what: "people: settle",
            path: format!("dead-letters/{}/settle", letter.id),
            body: json!({"paid": self.has_paid(stage.block_hash, hash), "hash": hash, "reason": "simulated"}),
            promise: Promise::Said(letter.id, hash.to_string()),
        };
        unsaid.map(act).collect()
    }

    /// Whether a transaction succeeded, and moved something where it called a token.
    fn has_paid(&self, block: B256, hash: B256) -> bool {
        let included = self.chain.included(block, hash);
        included.is_some_and(|it| it.receipt.success && (!it.value.is_zero() || !it.receipt.logs.is_empty()))
    }

    /// A switch thrown either way.
    pub fn switch(&self, scope: &Scope, blocked: bool) -> Act {
        let what = if blocked { "people: block" } else { "people: unblock" };
        let body = json!({"scope": scope.text(), "blocked": blocked, "reason": "simulated"});
        Act { what, path: "switches".to_owned(), body, promise: Promise::Nothing }
    }

    /// A lane opened again.
    pub fn release(&self, lane: &LaneId) -> Act {
        let gate = self.row(&Gate::key(lane)).and_then(|row| row.parse::<Gate>().ok());
        // No table is set back in a story: who used the key before was a stranger, unless a branch took that away.
        let all = self.chain.inclusions(lane.address).into_values().flatten();
        let unused = !all.into_iter().any(|inclusion| inclusion.canonical);
        let body = match gate.filter(Gate::is_beginning) {
            Some(gate) if gate.first == 0 && unused => json!({"reason": "simulated", "from": 0}),
            Some(_) => json!({"reason": "simulated", "others": true}),
            None => json!({"reason": "simulated"}),
        };
        Act { what: "people: release", path: format!("lanes/{lane}/release"), body, promise: Promise::Nothing }
    }

    /// A transfer cancelled.
    pub fn cancel(&self, parcel: ParcelId) -> Act {
        let path = format!("transfers/tr_{}-0/cancel", parcel.bare());
        Act { what: "people: cancel", path, body: json!({"reason": "simulated"}), promise: Promise::Nothing }
    }

    /// The number given up at which a lane halted, if an operator can see that a stranger's transaction has it for good.
    pub fn displace(&self, lane: &LaneId) -> Option<Act> {
        let gate = self.row(&Gate::key(lane)).and_then(|row| row.parse::<Gate>().ok())?;
        let LaneGate::Halted { limit: number, reason } = gate.gate else { return None };
        // What has ended meanwhile is out of the way: the lane is opened.
        if !reason.contains("not Causeway's") || gate.consumed != number {
            return None;
        }
        let inclusions = self.chain.inclusions(lane.address);
        let taken = inclusions.get(&number)?.iter().find(|inclusion| inclusion.canonical)?;
        let is_final = taken.receipt.block_number + self.depths.1 <= self.chain.height();
        let next = self.row(&Counter::key(lane)).and_then(|row| row.parse::<Counter>().ok())?.next;
        let what = if number == next { "people: pass over" } else { "people: displace" };
        let mut body = json!({"number": number, "reason": "simulated"});
        // They say what took it, unless the tracker has.
        if !reason.contains(": 0x") {
            body["takenBy"] = json!(taken.receipt.hash);
        }
        let path = format!("lanes/{lane}/displace");
        (taken.raw.is_none() && is_final).then_some(Act { what, path, body, promise: Promise::Nothing })
    }

    /// A number given up by somebody who only saw the lane halted there, and did not look why, nor since which block.
    fn give_up_at_a_guess(&self, lane: &LaneId) -> Option<Act> {
        let gate = self.row(&Gate::key(lane)).and_then(|row| row.parse::<Gate>().ok())?;
        let LaneGate::Halted { limit: number, .. } = gate.gate else { return None };
        Some(Act {
            what: "people: displace at a guess",
            path: format!("lanes/{lane}/displace"),
            body: json!({"number": number, "reason": "simulated"}),
            promise: Promise::Nothing,
        })
    }

    /// What an operator does about a lane that halted, once they have looked: a number that a stranger has for good is given
    /// up; of one that nodes refuse, either its transfer is cancelled, or the nodes were talked round and the lane is opened.
    pub fn out_of_the_way(&self, lane: &LaneId) -> Act {
        if let Some(act) = self.displace(lane) {
            return act;
        }
        let gate = self.row(&Gate::key(lane)).and_then(|row| row.parse::<Gate>().ok());
        if let Some(LaneGate::Halted { limit: number, reason }) = gate.map(|gate| gate.gate)
            && reason.contains(REFUSAL)
        {
            let row = self.row(&Transaction::key(lane, number)).expect("what is refused was sent");
            let refused: Transaction = row.parse().expect("a transaction");
            let wished = |id: &ParcelId| self.rules.borrow().parcels().get(id).is_some_and(|it| it.cancel.is_some());
            let unwished = refused.parcels.iter().find(|id| !wished(id));
            if let (Some(parcel), true) = (unwished, self.clock.chance(500)) {
                return self.cancel(*parcel);
            }
            let attempts = (0..refused.attempts).filter_map(|index| self.row(&Attempt::key(lane, number, index)));
            attempts.filter_map(|row| row.parse().ok()).for_each(|attempt: Attempt| self.refused.forgive(attempt.hash));
        }
        self.release(lane)
    }

    /// All that may be blocked in a story.
    pub fn scopes(&self) -> [Scope; 3] {
        let lane = self.lane("acme");
        [Scope::Tenant(self.tenant("globex")), Scope::Network(lane.network.clone()), Scope::Lane(lane)]
    }

    /// What an operator asks for next: by chance something new, or once more what was asked before.
    pub fn next_act(&mut self) -> Option<Act> {
        if self.clock.chance(300) && !self.people.pending.is_empty() {
            let chosen = self.some(self.people.pending.len());
            self.coverage.count("people: ask again");
            return Some(self.people.pending.remove(chosen));
        }
        let tenant = TENANTS[self.some(2)];
        let symbol = ASSETS[self.some(5)].1;
        match self.clock.below(10) {
            0 => Some(self.movement("credit", tenant, symbol, 1)),
            1 => Some(self.movement("debit", tenant, symbol, 1)),
            2 => {
                let halted = TENANTS.map(|tenant| self.lane(tenant)).into_iter().find(|lane| self.is_halted(lane));
                halted.map(|lane| {
                    let wrong = self.clock.chance(200).then(|| self.give_up_at_a_guess(&lane)).flatten();
                    wrong.unwrap_or_else(|| self.out_of_the_way(&lane))
                })
            }
            8 | 9 => {
                let rules = self.rules.borrow();
                let open = rules.parcels().values().filter(|parcel| parcel.state.holds_money());
                let open: Vec<ParcelId> = open.map(|parcel| parcel.id).collect();
                open.get(self.some(open.len())).map(|parcel| self.cancel(*parcel))
            }
            one => {
                let verb = ["refund", "replay", "discard", "refund", "replay"][usize::try_from(one - 3).unwrap_or(0)];
                let letters = self.dead_letters();
                let letter = letters.get(self.some(letters.len()))?;
                let settles = if one == 7 { self.settle_named(letter).pop() } else { None };
                Some(settles.unwrap_or_else(|| self.of_letter(verb, letter.id)))
            }
        }
    }

    /// What an operator heard; nothing where the function died.
    pub fn heard(&mut self, act: Act, answer: Option<&Answer>) {
        self.coverage.trace().tell("olga", || {
            let heard = answer.map_or_else(
                || "nothing".to_owned(),
                |answer| match answer.body.get("message") {
                    Some(message) => format!("{} {message}", answer.status),
                    None => answer.status.to_string(),
                },
            );
            format!("asks {} {} and hears {heard}", act.path, act.body)
        });
        match answer {
            Some(answer) if answer.status.is_success() => {
                self.coverage.count(act.what);
                if act.what == "people: discard" {
                    // It may have been a stage, which nobody hears of then but by reconciliation.
                    self.reconcile_every(SET_ASIDE_MS);
                }
                self.people.promised.borrow_mut().push(act.promise.clone());
                // Somebody else may have clicked too.
                if self.clock.chance(100) {
                    self.pend(act);
                }
            }
            Some(answer) if answer.status.is_client_error() => self.coverage.count(format!("{}, refused", act.what)),
            Some(_) | None => {
                self.coverage.count("people: no answer");
                self.pend(act);
            }
        }
    }

    fn pend(&mut self, act: Act) {
        self.people.pending.push(act);
        if self.people.pending.len() > PENDING_MAX {
            self.people.pending.remove(0);
        }
    }

    /// Books on the outside what operators told the books: credits are paid in later, debits taken out later.
    pub fn move_outside(&self, moved: Vec<Ordered>) {
        for Ordered { account, units, treasury } in moved {
            let token = (account.asset.address != Address::ZERO).then_some(account.asset.address);
            let amount = U256::from(units.unsigned_abs());
            if units > 0 {
                self.owed_in.borrow_mut().push((treasury, token, amount));
            } else {
                self.people.owed_out.borrow_mut().push((treasury, token, amount));
            }
        }
    }

    /// Pays in what is owed, and takes out what operators debited.
    pub fn square_up(&self) {
        self.pay_in();
        for (holder, token, amount) in self.people.owed_out.take() {
            self.chain.debit(holder, token, amount);
        }
    }

    /// Operators ask once more for the replays that were not surely carried out, as they are told to.
    pub(crate) fn replay_what_was_not_heard(&mut self) {
        let replays: Vec<Act> = self.people.pending.extract_if(.., |act| act.what == "people: replay").collect();
        for act in &replays {
            self.act(act);
        }
    }

    /// Whether a dead letter waits for people.
    pub fn asks_people(&self) -> bool {
        self.check();
        self.rules.borrow().letters().values().any(|letter| letter.status == Status::Open)
    }

    /// People look at every open dead letter: its message is worked off once more, and where that did not help and nobody's
    /// money is held, it is set aside.
    pub fn look_at_letters(&mut self) {
        let letters: Vec<DeadLetter> =
            self.dead_letters().into_iter().filter(|letter| letter.status == Status::Open).collect();
        for letter in letters {
            // As the runbook says: where no block decides, people look at what the recipient has, and say so.
            let mut said = false;
            let waits = UNDECIDED.iter().any(|reason| letter.reason.contains(reason));
            let asked = waits.then(|| self.settle_named(&letter));
            for act in asked.into_iter().flatten() {
                said |= self.act(&act).status.is_success();
            }
            let set_aside = said
                || letter.by.is_some() && {
                    let discard = self.of_letter("discard", letter.id);
                    self.act(&discard).status.is_success()
                };
            if !set_aside {
                let replay = self.of_letter("replay", letter.id);
                self.act(&replay);
            }
        }
    }

    /// Whether a lane is halted.
    pub fn is_halted(&self, lane: &LaneId) -> bool {
        let gate = self.row(&Gate::key(lane)).and_then(|row| row.parse::<Gate>().ok());
        gate.is_some_and(|gate| matches!(gate.gate, LaneGate::Halted { .. }))
    }
}
