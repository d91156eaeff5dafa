//! Numbers of ours that the chain has used and the rows do not remember: a restore set the tables back. What a final block
//! has of the lane's key, and what does exactly what one of our rows asks for, is put on record and settled like any other;
//! all else stays for people.

use causeway_chains::{Chain, ChainError, Form, Receipt, Sent, token, transaction};
use causeway_domain::{
    B256, Network,
    lane::{LaneGate, LaneId},
    parcel::ParcelState,
};
use causeway_state::{
    adopt::Found,
    commit::{Done, commit},
    displace::{foreign, is_foreign},
    halt::AND,
    lane::{Counter, Gate, Intent, Signed, Transaction},
    parcel::{MoveError, Parcel},
    taken::{Paid, Said},
    tracker::HeaderRow,
};
use causeway_store::{Key, Write};

use crate::{TrackError, Tracker, displaced::taker, lead::Lead};

impl Tracker {
    /// Puts what used the lane's number on record, where it is ours; answers whether it did.
    pub(crate) async fn adopt(
        &self,
        network: &Network,
        chain: &dyn Chain,
        lead: &mut Lead,
        lane: &LaneId,
        number: u64,
    ) -> Result<bool, TrackError> {
        // Each costs questions to a node, and after a restore there may be many.
        self.keep_lease(network, lead).await?;
        let mut rows = self.store.get_many(&[Counter::key(lane), Gate::key(lane)]).await?;
        let (Some(Some(gate)), Some(Some(counter))) = (rows.pop(), rows.pop()) else { return Ok(false) };
        let (gate, version) = (gate.parse::<Gate>()?, gate.version());
        let taker = match named(chain, lane, number, &gate, lead.head.finalized).await? {
            Named::Taker(taker) => *taker,
            Named::Not { has } => {
                let searched = taker(chain, lane, number, lead.head.finalized).await;
                if !matches!(searched, Ok(Some(_))) {
                    self.note_sought(lane, number, (&gate, has), lead.head.finalized).await?;
                }
                let Some(taker) = searched? else { return Ok(false) };
                taker
            }
        };
        let found = match read(chain, lane, number, &taker).await? {
            Read::Found(found) => found,
            other @ (Read::Another | Read::Unknown) => {
                let unread = matches!(other, Read::Unknown);
                self.name_taker(lane, number, &taker, (None, unread)).await?;
                return Ok(false);
            }
        };
        let (height, hash) = (taker.block_number, taker.block_hash);
        let paid = paid(&found, &taker);
        match self.header(network, height).await? {
            Some(followed) if followed == hash => {}
            // A node on a branch that others left.
            Some(_) => return Ok(false),
            None => {
                // What is in no block that was followed could never be told: it is people's.
                tracing::error!(lane = %lane, number, hash = %found.hash, height, "not adopted: the tracker began above its block");
                self.name_taker(lane, number, &taker, (paid, false)).await?;
                return Ok(false);
            }
        }
        let rows = self.store.query(&Transaction::query_from(lane, number, Signed::ROWS_MAX)).await?.items;
        let known = Signed::read(&rows)?.into_iter().find(|signed| signed.transaction.number == number);
        let writes = match known {
            Some(signed) => self.as_attempt(lane, &found, &signed).await?,
            None if counter.parse::<Counter>()?.next == number => {
                self.as_transaction(network, lane, &found, &taker).await?
            }
            None => None,
        };
        let Some(mut writes) = writes else {
            self.name_taker(lane, number, &taker, (paid, false)).await?;
            return Ok(false);
        };
        // What comes next may be lost as well: nothing new is signed before it was looked at.
        let doubted = Gate { foreign_since: Some(self.clock.now_ms()), ..gate };
        writes.push(opened_at(doubted, number).put(lane, version)?);
        writes.push(HeaderRow::holds(&network.id, height, hash));
        match commit(&*self.store, &*self.clock, &writes).await? {
            Done::Committed => {
                tracing::error!(lane = %lane, number, hash = %found.hash, "adopted: the chain has it, and the rows had not");
                Ok(true)
            }
            Done::Conflict(_) => Ok(false),
        }
    }

    /// The block of a height that the tracker followed.
    async fn header(&self, network: &Network, height: u64) -> Result<Option<B256>, TrackError> {
        let row = self.store.get(&HeaderRow::key(&network.id, height)).await?;
        Ok(row.map(|row| row.parse::<HeaderRow>()).transpose()?.map(|header| header.hash))
    }

    /// Tells people of a lane that halted what took its number: it is theirs to find out whose that was.
    async fn name_taker(
        &self,
        lane: &LaneId,
        number: u64,
        taker: &Receipt,
        (paid, unread): (Option<Paid>, bool),
    ) -> Result<(), TrackError> {
        let to = taker.to.map_or_else(|| "nobody".to_owned(), |to| to.to_string());
        let whose = format!("{}: {} to {to}", foreign(number), taker.hash);
        self.update_gate(lane, |gate, _| {
            let halt = match &gate.gate {
                LaneGate::Halted { reason, limit } if *limit == number => {
                    let named = |part| if whose.starts_with(part) { &*whose } else { part };
                    let reason = reason.split(AND).map(named).collect::<Vec<_>>().join(AND);
                    LaneGate::Halted { reason, limit: number }
                }
                LaneGate::Open | LaneGate::Waiting { .. } | LaneGate::Halted { .. } => gate.gate.clone(),
            };
            // What a node told once it may not tell now.
            let taken_for = paid.or(gate.taken_for.filter(|_| gate.taken_by == Some(taker.hash)));
            let unread = unread && taken_for.is_none();
            let named = Gate { gate: halt, taken_by: Some(taker.hash), taken_for, unread, said: None, ..gate.clone() };
            (gate.consumed == number && named != *gate).then_some(named)
        })
        .await?;
        Ok(())
    }

    /// Tells people that nobody knows what they say took the number as one of the lane's address, or that it has another
    /// number, and that nobody knows anything else, whether nodes do not tell of so old a state, or there is nothing.
    async fn note_sought(
        &self,
        lane: &LaneId,
        number: u64,
        (asked, has): (&Gate, Option<u64>),
        finalized: u64,
    ) -> Result<(), TrackError> {
        // A node that tells its number may answer later than those that know nothing of it.
        let news = |said: &Said| !said.sought || (said.number.is_none() && has.is_some());
        let Some(said) = asked.said.filter(news) else { return Ok(()) };
        self.update_gate(lane, |gate, _| {
            let is_final = gate.taken_at.is_some_and(|at| at.height <= finalized);
            let still = gate.said == Some(said) && gate.consumed == number && is_final;
            still.then(|| Gate { said: Some(Said { sought: true, number: has, ..said }), ..gate.clone() })
        })
        .await?;
        Ok(())
    }

    async fn as_attempt(
        &self,
        lane: &LaneId,
        found: &Found,
        signed: &Signed,
    ) -> Result<Option<Vec<Write>>, TrackError> {
        let ours = &signed.transaction;
        let whole = signed.attempts.len() == ours.attempts as usize;
        if !whole || ours.outcome.is_some() || signed.attempts.iter().any(|attempt| attempt.hash == found.hash) {
            return Ok(None);
        }
        let keys: Vec<Key> = ours.parcels.iter().map(|id| Parcel::key(*id)).collect();
        let parcels = self.parcels(&keys).await?;
        let open = |state| matches!(state, ParcelState::Assigned | ParcelState::Reopened);
        if !parcels.iter().all(|(parcel, _)| open(parcel.state) && parcel.number == Some(found.number)) {
            return Ok(None);
        }
        let Some(kind) = found.kind(lane, ours, &parcels) else { return Ok(None) };
        found.as_attempt(lane, signed, &parcels, kind, self.clock.now_ms()).map(Some).map_err(ours_fault)
    }

    async fn as_transaction(
        &self,
        network: &Network,
        lane: &LaneId,
        found: &Found,
        taker: &Receipt,
    ) -> Result<Option<Vec<Write>>, TrackError> {
        let Some((parcel, version)) = self.unsigned_asking(network, lane, found).await? else { return Ok(None) };
        if !did_pay(lane, &parcel, taker) {
            return Ok(None);
        }
        found.as_transaction(lane, &parcel, version, self.clock.now_ms()).map(Some).map_err(ours_fault)
    }
}

/// Open again, where it halted for this number's sake.
fn opened_at(gate: Gate, number: u64) -> Gate {
    if is_foreign(&gate, number) && gate.is_halted_for(number) {
        return Gate { gate: LaneGate::Open, tries: 0, ..gate };
    }
    gate
}

/// What nodes tell of what an earlier look found, or people say, to have taken a number.
enum Named {
    /// A final block has it, under that number.
    Taker(Box<Receipt>),
    /// Nothing: nobody knows it as one of the lane's address; or what people say has another number there.
    Not { has: Option<u64> },
}

/// Asks nodes for what an earlier look found to have taken a lane's number, and for what people say has.
async fn named(
    chain: &dyn Chain,
    lane: &LaneId,
    number: u64,
    gate: &Gate,
    finalized: u64,
) -> Result<Named, ChainError> {
    let mut has = None;
    let hints = [gate.taken_by, gate.said.map(|said| said.hash)];
    for hash in hints.into_iter().flatten().filter(|_| gate.consumed == number) {
        let known = chain.receipt(hash).await?.value;
        let Some(receipt) = known.filter(|receipt| receipt.from == lane.address) else { continue };
        // People may have named another one of the address's.
        let sent = chain.sent_in(receipt.block_number, lane.address).await?.value;
        let same = sent.filter(|sent| sent.block == receipt.block_hash && receipt.block_number <= finalized);
        let of_hash = |sent: &Sent| sent.by_number.iter().find(|(_, sent)| **sent == hash).map(|(number, _)| *number);
        match same.as_ref().and_then(of_hash) {
            Some(of) if of == number => return Ok(Named::Taker(Box::new(receipt))),
            Some(of) => has = gate.said.filter(|said| said.hash == hash).map(|_| of),
            // On a branch that others left, or not final: whether it has the number another look tells.
            None => {
                let detail = format!("{hash} is in no final block yet");
                return Err(ChainError::Unavailable { network: lane.network.to_string(), detail });
            }
        }
    }
    Ok(Named::Not { has })
}

/// What signed bytes tell of what took a number.
pub(crate) enum Read {
    /// What it did, of the kind that ours are.
    Found(Box<Found>),
    /// It is of another kind than ours.
    Another,
    /// No node has its bytes.
    Unknown,
}

/// Reads what took a lane's number from its signed bytes.
pub(crate) async fn read(chain: &dyn Chain, lane: &LaneId, number: u64, taker: &Receipt) -> Result<Read, TrackError> {
    let raw = match chain.signed(taker.hash).await?.value {
        Some(Form::Ours(raw)) => raw,
        Some(Form::Another) => return Ok(Read::Another),
        None => return Ok(Read::Unknown),
    };
    let Ok(opened) = transaction::open(&raw) else { return Ok(Read::Unknown) };
    if (opened.from, opened.payment.number, opened.hash) != (lane.address, number, taker.hash) {
        return Ok(Read::Unknown);
    }
    let payment = opened.payment;
    let intent = Intent { to: payment.to, value: payment.value, data: payment.data, gas_limit: payment.gas_limit };
    Ok(Read::Found(Box::new(Found { number, hash: opened.hash, raw, intent, fees: payment.fees })))
}

/// Whether it paid what the parcel asks for: what reverted, or moved nothing, is nobody's payment.
fn did_pay(lane: &LaneId, parcel: &Parcel, taker: &Receipt) -> bool {
    let [line] = parcel.transfers.as_slice() else { return false };
    let asset = parcel.asset.address;
    let units = || token::transferred(&taker.logs, asset, lane.address, line.to);
    taker.success && (asset.is_zero() || units() == line.amount.to_u256())
}

/// What it paid, where it succeeded and is of the kind that Causeway makes.
fn paid(found: &Found, taker: &Receipt) -> Option<Paid> {
    let (asset, to, amount) = token::paid_by(found.intent.to, found.intent.value, &found.intent.data)?;
    taker.success.then_some(Paid { asset, to, amount })
}

fn ours_fault(error: MoveError) -> TrackError {
    TrackError::Stuck(error.to_string())
}
