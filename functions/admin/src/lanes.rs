//! Lanes: how far each number line is, and opening one that halted.

use causeway_domain::{
    B256, Network,
    clock::Millis,
    id::{ParcelId, TraceId},
    lane::{LaneGate, LaneId},
};
use causeway_http::{ApiError, Code, Fields, Principal};
use causeway_queue::{Message, QueueName};
use causeway_state::{
    displace::{Case, DisplaceError, Told, Word, is_named, must_fit, pass_over, what_took},
    lane::{Counter, Gate, NUMBERS_PER_PARTITION, Outcome, Signed, Transaction},
    message::{LaneMessage, queues},
    parcel::Parcel,
    taken::Said,
    tracker::{Head, HeaderRow, Watch},
    wallet::Treasury,
};
use causeway_store::{Item, Write};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    Admin,
    change::{Act, Changed},
    list::{List, PageAsked, parse, readable},
};

/// Transactions told of one lane.
const TRANSACTIONS_MAX: u64 = 20;
/// The field that names what took a number.
const TAKEN_BY: &str = "takenBy";
/// Rounds against a sender that moves the gate at the same time.
const ROUNDS_MAX: usize = 4;

/// A lane and how far it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Lane {
    /// `{network}/{address}`.
    pub lane: String,
    /// Whose treasury it belongs to.
    pub tenant: String,
    /// The first number never assigned; absent as long as nothing was ever signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// The first number that no node has taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<u64>,
    /// The first number that no block has used, as last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumed: Option<u64>,
    /// `unused`, `open`, `waiting`, `halted` or `unreadable`.
    pub state: String,
    /// What it waits for, or why it halted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A lane with its newest transactions.
#[derive(Debug, Serialize, ToSchema)]
pub struct LaneDetail {
    /// The lane.
    #[serde(flatten)]
    pub lane: Lane,
    /// Its newest 20, newest first.
    pub transactions: Vec<LaneTransaction>,
}

/// One transaction of a lane.
#[derive(Debug, Serialize, ToSchema)]
pub struct LaneTransaction {
    /// Its number.
    pub number: u64,
    /// Hash of its latest attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Hashes of all its attempts, oldest first: any of them may be the one that a block takes.
    pub hashes: Vec<String>,
    /// Attempts signed so far.
    pub attempts: u32,
    /// `paid`, `reverted`, `cancelled` or `displaced`, once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Why it reverted, or who says that another's transaction took the number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The parcels it settles.
    pub parcels: Vec<String>,
}

/// A number that another's transaction took for good, and how the operator knows.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DisplaceRequest {
    /// The number at which the lane halted.
    pub number: u64,
    /// `0x` and 64 hexadecimal digits: the transaction that took it, where you found it out. Needed where the
    /// lane's reason names none: no node tells, or it was used without a transaction (EIP-7702), and this is the one with the
    /// authorization; and where no node tells what the named one paid: you have seen it yourself. The tracker asks nodes for
    /// what it has not named first: what is Causeway's is put on record, and only else the number is given up, when you ask
    /// again. Goes into the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_by: Option<String>,
    /// 1 to 500 characters; goes into the audit log.
    pub reason: String,
}

/// What an operator knows of a lane that halted.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReleaseRequest {
    /// Only for a lane that halted since its key was used before it began: the first of those numbers that is Causeway's,
    /// as after a restore (0 for a key that nobody else ever had). The tracker looks at each. Without it, `others`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// Only for such a lane: none of those numbers is Causeway's. What one of ours paid would be paid again.
    #[serde(default)]
    pub others: bool,
    /// 1 to 500 characters; goes into the audit log.
    pub reason: String,
}

/// Why an operator does something.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReasonRequest {
    /// 1 to 500 characters; goes into the audit log.
    pub reason: String,
}

impl Admin {
    /// `GET lanes`
    pub async fn lanes(&self, asked: &PageAsked) -> Result<List<Lane>, ApiError> {
        let parts = self.networks.iter().map(|network| Treasury::query_network(&network.id)).collect();
        let page = self.page(asked, parts).await?;
        let page = page.filter_map(|row| Some((Treasury::lane_at(&row)?, readable::<Treasury>(&row))));
        let keys: Vec<_> = page.items.iter().flat_map(|(lane, _)| [Counter::key(lane), Gate::key(lane)]).collect();
        let rows = self.read(&keys).await?;
        let mut pairs = rows.chunks(2);
        Ok(page.filter_map(|(id, treasury)| {
            let (counter, gate) = match pairs.next() {
                Some([counter, gate]) => (counter.as_ref(), gate.as_ref()),
                Some(_) | None => (None, None),
            };
            let tenant = treasury.as_ref().map(|treasury| treasury.tenant.to_string());
            let shown = treasury.and_then(|treasury| lane(&treasury, counter, gate).ok());
            Some(shown.unwrap_or_else(|| unreadable(&id, tenant)))
        }))
    }

    /// `GET lanes/{network}/{address}`
    pub async fn lane(&self, network: &str, address: &str) -> Result<LaneDetail, ApiError> {
        let treasury = self.known_lane(network, address).await?;
        let id = treasury.lane();
        let mut rows = self.read(&[Counter::key(&id), Gate::key(&id)]).await?;
        let (gate, counter) = (rows.pop().flatten(), rows.pop().flatten());
        let lane = lane(&treasury, counter.as_ref(), gate.as_ref())?;
        let first = lane.next.unwrap_or_default().saturating_sub(TRANSACTIONS_MAX);
        let mut rows = self.all(Transaction::query_from(&id, first, 1000)).await?;
        let second = first.next_multiple_of(NUMBERS_PER_PARTITION);
        if second > first && lane.next.is_some_and(|next| second < next) {
            rows.extend(self.all(Transaction::query_from(&id, second, 1000)).await?);
        }
        let all = Signed::read(&rows).map_err(|error| ApiError::internal(&error))?;
        let newest = all.into_iter().rev().take(usize::try_from(TRANSACTIONS_MAX).unwrap_or(usize::MAX));
        Ok(LaneDetail { lane, transactions: newest.map(transaction).collect() })
    }

    /// `POST lanes/{network}/{address}/release`
    pub async fn release_lane(
        &self,
        by: &Principal,
        network: &str,
        address: &str,
        body: &[u8],
    ) -> Result<Lane, ApiError> {
        let fields = Fields::read(body, &["from", "others", "reason"])?;
        let reason = fields.reason()?;
        let from = fields.value("from").map(|_| fields.number("from")).transpose()?;
        let others = fields.optional_flag("others")?;
        let treasury = self.known_lane(network, address).await?;
        let id = treasury.lane();
        for _ in 0..ROUNDS_MAX {
            let row = self.store.get(&Gate::key(&id)).await.map_err(|error| ApiError::internal(&error))?;
            let row = row.ok_or_else(|| ApiError::new(Code::Conflict, "the lane was never used"))?;
            let gate: Gate = parse(&row)?;
            let (halt, limit) = halted(&gate)?;
            let (open, numbers) = released(&id, &gate, from, others, self.clock.now_ms())?;
            let mut writes = vec![open.put(&id, row.version()).map_err(|error| ApiError::internal(&error))?];
            writes.extend(numbers);
            let mut detail = json!({"halted": halt, "limit": limit, "seen": gate.seen});
            if let Some(from) = from {
                detail["from"] = json!(from);
            }
            if others {
                detail["others"] = json!(true);
            }
            let act = Act { by, action: "lanes.release", target: id.to_string(), reason, detail };
            if let Changed::Done = self.change(&act, &writes).await? {
                self.publish_lane(&id, &open).await;
                let counter = self.store.get(&Counter::key(&id)).await.map_err(|error| ApiError::internal(&error))?;
                let gate = Item::from_fields(&open).map_err(|error| ApiError::internal(&error))?;
                return lane(&treasury, counter.as_ref(), Some(&gate));
            }
        }
        Err(ApiError::busy())
    }

    /// `POST lanes/{network}/{address}/displace`: an operator's word that another's transaction took a number for good
    /// (rule 4 with fewer than two providers): its parcels are accepted once more, and the lane goes on.
    pub async fn displace(&self, by: &Principal, network: &str, address: &str, body: &[u8]) -> Result<Lane, ApiError> {
        let fields = Fields::read(body, &["number", TAKEN_BY, "reason"])?;
        let (number, reason) = (fields.number("number")?, fields.reason()?);
        let taker = fields.optional_hash(TAKEN_BY)?;
        let treasury = self.known_lane(network, address).await?;
        let id = treasury.lane();
        let rows = self.read(&[Gate::key(&id), Counter::key(&id), Transaction::key(&id, number)]).await?;
        let [Some(gate_row), Some(counter), transaction] = rows.as_slice() else {
            return Err(ApiError::new(Code::Conflict, "the lane was never used"));
        };
        let (gate, next): (Gate, u64) = (parse(gate_row)?, parse::<Counter>(counter)?.next);
        if number > next || (number < next && transaction.is_none()) {
            return Err(ApiError::of_field(Code::NotFound, "number", "the lane has no such number"));
        }
        if halted(&gate)?.1 != number {
            return Err(ApiError::of_field(Code::Conflict, "number", "is not the one at which the lane halted"));
        }
        self.must_be_anothers(&id, (number, &gate), taker).await?;
        let unasked = self.must_be_unasked(&treasury, (number, &gate), next).await?;
        let word = Word::Operator(by.user.to_string());
        let versioned = (&gate, gate_row.version());
        if transaction.is_some() || !is_named(&gate, number) {
            self.must_be_final(&id, &gate).await?;
        }
        let (mut writes, parcels, again) =
            match (what_took(&id, number, versioned, taker).map_err(refused)?, transaction) {
                (Told::Noted(writes), _) => (writes, Vec::new(), Vec::new()),
                (Told::Known, Some(transaction)) => self.give_up(&id, transaction, versioned, word).await?,
                // Nobody was given it: there is nothing to be paid under another one.
                (Told::Known, None) => {
                    let word = (word, TraceId::new(&*self.clock));
                    let writes = pass_over(&id, number, versioned, word, self.clock.now_ms()).map_err(refused)?;
                    (writes, Vec::new(), Vec::new())
                }
            };
        writes.extend(unasked);
        let mut detail = json!({"number": number, "parcels": parcels, "again": again});
        if let Some(taker) = taker {
            detail[TAKEN_BY] = json!(taker);
        }
        let act = Act { by, action: "lanes.displace", target: id.to_string(), reason, detail };
        self.change(&act, &writes).await?.or_conflict("it changed meanwhile: look again")?;
        // The sweep publishes the parcels when they are due; no message of theirs is lost.
        let rows = self.read(&[Counter::key(&id), Gate::key(&id)]).await?;
        lane(&treasury, rows[0].as_ref(), rows[1].as_ref())
    }

    /// Refuses what is said to have taken a number and is Causeway's own, or is not what a look found.
    async fn must_be_anothers(
        &self,
        id: &LaneId,
        (number, gate): (u64, &Gate),
        taker: Option<B256>,
    ) -> Result<(), ApiError> {
        let Some(hash) = taker else { return Ok(()) };
        must_fit(gate, number, taker).map_err(refused)?;
        let watch = self.read(&[Watch::key(&id.network, hash)]).await?.pop().flatten();
        match watch {
            Some(_) => Err(ApiError::of_field(Code::Conflict, TAKEN_BY, "is a transaction of Causeway's")),
            None => Ok(()),
        }
    }

    /// The writes that give a number up, its parcels, and those of them that are accepted again.
    async fn give_up(
        &self,
        id: &LaneId,
        row: &Item,
        gate: (&Gate, u64),
        word: Word,
    ) -> Result<(Vec<Write>, Vec<ParcelId>, Vec<ParcelId>), ApiError> {
        let transaction: Transaction = parse(row)?;
        let keys: Vec<_> = transaction.parcels.iter().map(|parcel| Parcel::key(*parcel)).collect();
        let mut parcels = Vec::new();
        for row in self.read(&keys).await?.into_iter().flatten() {
            parcels.push((parse(&row)?, row.version()));
        }
        let case = Case { lane: id, transaction: (&transaction, row.version()), parcels: &parcels, gate };
        let (writes, again) = case.writes(word, self.clock.now_ms()).map_err(refused)?;
        let again = again.iter().map(|parcel| parcel.id).collect();
        Ok((writes, transaction.parcels, again))
    }

    /// Refuses before the block at which the lane halted is final; the commit asks for it once more.
    async fn must_be_final(&self, id: &LaneId, gate: &Gate) -> Result<(), ApiError> {
        let Some(at) = gate.taken_at else { return Ok(()) };
        let rows = self.read(&[Head::key(&id.network), HeaderRow::key(&id.network, at.height)]).await?;
        let head = rows[0].as_ref().map(parse::<Head>).transpose()?;
        let header = rows[1].as_ref().map(parse::<HeaderRow>).transpose()?;
        let holds = header.is_some_and(|header| header.hash == at.hash);
        if holds && head.is_some_and(|head| head.finalized >= at.height) {
            return Ok(());
        }
        let height = at.height;
        Err(ApiError::of_field(
            Code::Conflict,
            "number",
            format!(
                "is another's since block {height} at the latest, which is not final yet: a branch may have ours instead"
            ),
        ))
    }

    async fn known_lane(&self, network: &str, address: &str) -> Result<Treasury, ApiError> {
        let unknown = || ApiError::of_field(Code::NotFound, "address", "there is no such lane");
        let network: &Network = self
            .networks
            .get(network)
            .ok_or_else(|| ApiError::of_field(Code::NotFound, "network", "there is no such network"))?;
        let address = causeway_http::body::address("address", address).map_err(|_| unknown())?;
        let id = LaneId { network: network.id.clone(), address };
        let row = self.store.get(&Treasury::lane_key(&id)).await.map_err(|error| ApiError::internal(&error))?;
        parse(&row.ok_or_else(unknown)?)
    }

    /// "This lane has unsent bytes"; lost, the sweep says it again.
    async fn publish_lane(&self, id: &LaneId, gate: &Gate) {
        let Ok(body) = serde_json::to_string(&LaneMessage { lane: id.clone(), trace: TraceId::new(&*self.clock) })
        else {
            return;
        };
        let message = Message {
            body,
            group: Some(id.to_string()),
            dedup: Some(format!("{id}:{}:r{}", gate.seen, gate.publications)),
            ..Message::default()
        };
        if let Err(error) = self.queue.publish(QueueName(queues::TRANSACTIONS), &[message]).await {
            tracing::warn!(lane = %id, error = %error, "a released lane is not published; the sweep will");
        }
    }
}

/// The gate of a lane that goes on. Where its key was used before it began, an operator must say which of those numbers are
/// Causeway's: those from `from` on, which the tracker then looks at (the counter goes there), or none.
fn released(
    id: &LaneId,
    gate: &Gate,
    from: Option<u64>,
    others: bool,
    now: Millis,
) -> Result<(Gate, Option<Write>), ApiError> {
    let publications = gate.publications + 1;
    let open = Gate { gate: LaneGate::Open, tries: 0, publications, moved_at: now, ..gate.clone() };
    let refused = |field, why: String| Err(ApiError::of_field(Code::Conflict, field, why));
    match (gate.is_beginning(), from, others) {
        (false, None, false) => Ok((open, None)),
        (false, Some(_), _) => refused("from", "is only for a lane that halted before its first number".to_owned()),
        (false, None, true) => refused("others", "is only for a lane that halted before its first number".to_owned()),
        (true, Some(from), false) if from > gate.first => {
            let first = gate.first;
            refused("from", format!("is above {first}, where the lane begins as far as the tracker has looked: ask again in some minutes"))
        }
        (true, Some(from), false) => Ok((open.begun_at(from, now), Some(Counter::begin_at(id, gate.first, from)))),
        (true, None, true) if gate.first == 0 => refused(
            "others",
            "what used its key is not final yet as far as the tracker has looked: ask again in some minutes. Say `from` 0 only \
             where a branch took those transactions away for good, or the key's first number is Causeway's"
                .to_owned(),
        ),
        (true, None, true) => Ok((open.begun_at(gate.first, now), None)),
        (true, None, false) | (true, Some(_), true) => {
            let why = "its key was used before: say either `from`, the first of those numbers that is Causeway's, or `others`";
            refused("from", why.to_owned())
        }
    }
}

fn refused(error: DisplaceError) -> ApiError {
    match error {
        DisplaceError::NotThis(why) => ApiError::of_field(Code::Conflict, "number", why),
        DisplaceError::Taker(why) => ApiError::of_field(Code::Conflict, TAKEN_BY, why),
        DisplaceError::Move(_) | DisplaceError::Row(_) => ApiError::internal(&error),
    }
}

fn halted(gate: &Gate) -> Result<(&str, u64), ApiError> {
    match &gate.gate {
        LaneGate::Halted { reason, limit } => Ok((reason, *limit)),
        LaneGate::Open | LaneGate::Waiting { .. } => Err(ApiError::new(Code::Conflict, "the lane is not halted")),
    }
}

fn lane(treasury: &Treasury, counter: Option<&Item>, gate: Option<&Item>) -> Result<Lane, ApiError> {
    let counter: Option<Counter> = counter.map(parse).transpose()?;
    let gate: Option<Gate> = gate.map(parse).transpose()?;
    let (state, reason) = match gate.as_ref().map(|gate| &gate.gate) {
        None => ("unused", None),
        Some(LaneGate::Open | LaneGate::Waiting { .. }) if gate.as_ref().is_some_and(Gate::is_doubted) => {
            ("waiting", Some("whether its next number is Causeway's is being looked at".to_owned()))
        }
        Some(LaneGate::Open) => ("open", None),
        Some(LaneGate::Waiting { reason, .. }) => ("waiting", Some(crate::queues::wait_word(*reason))),
        Some(LaneGate::Halted { reason, .. }) => {
            let said = gate.as_ref().and_then(|gate| gate.said);
            ("halted", Some(said.map_or_else(|| reason.clone(), |said| format!("{reason}; {}", told(said)))))
        }
    };
    Ok(Lane {
        lane: treasury.lane().to_string(),
        tenant: treasury.tenant.to_string(),
        next: counter.map(|counter| counter.next),
        seen: gate.as_ref().map(|gate| gate.seen),
        consumed: gate.as_ref().map(|gate| gate.consumed),
        state: state.to_owned(),
        reason,
    })
}

/// What became of the word for what took a number.
fn told(said: Said) -> String {
    let hash = said.hash;
    if let Some(number) = said.number {
        format!("nodes tell that {hash} has number {number}: find out what has this one")
    } else if said.sought {
        format!(
            "no node tells that {hash} is this address's: displace it once more if you are sure that it paid nobody of ours"
        )
    } else {
        format!("whether {hash} is Causeway's is being looked at: displace it once more in a minute or two")
    }
}

/// What is left to tell of a lane one of whose rows is none: the log names the row.
fn unreadable(id: &LaneId, tenant: Option<String>) -> Lane {
    Lane {
        lane: id.to_string(),
        tenant: tenant.unwrap_or_default(),
        next: None,
        seen: None,
        consumed: None,
        state: "unreadable".to_owned(),
        reason: Some("its treasury's row, counter or gate cannot be read: restore it from a backup".to_owned()),
    }
}

fn transaction(signed: Signed) -> LaneTransaction {
    let Signed { transaction, attempts, .. } = signed;
    let (outcome, reason) = match transaction.outcome {
        None => (None, None),
        Some(Outcome::Paid { .. }) => (Some("paid"), None),
        Some(Outcome::Reverted { reason, .. }) => (Some("reverted"), Some(reason)),
        Some(Outcome::Cancelled { .. }) => (Some("cancelled"), None),
        Some(Outcome::Displaced { by, .. }) => (Some("displaced"), Some(format!("shown by {}", by.join(", ")))),
    };
    LaneTransaction {
        number: transaction.number,
        hash: attempts.last().map(|attempt| attempt.hash.to_string()),
        hashes: attempts.iter().map(|attempt| attempt.hash.to_string()).collect(),
        attempts: transaction.attempts,
        outcome: outcome.map(ToOwned::to_owned),
        reason,
        parcels: transaction.parcels.iter().map(ToString::to_string).collect(),
    }
}
