//! Rule 4: a number that somebody else's transaction took, proven at a final block. Its parcels are accepted once more.

use causeway_domain::{
    B256, Bytes, U256,
    clock::Millis,
    fees::Priority,
    id::TraceId,
    lane::{LaneGate, LaneId},
    parcel::ParcelState,
};
use causeway_store::{Item, RowError, Write};

use crate::{
    lane::{Counter, Gate, Intent, Outcome, Transaction},
    parcel::{MoveError, Parcel},
    taken::Said,
};

/// Whose word it is that no attempt of a number was or will be carried out.
#[derive(Debug, Clone)]
pub enum Word {
    /// Providers that proved it at this final height. What was told as paid once is not theirs to give up (rule 5).
    Providers {
        /// The height.
        height: u64,
        /// Their names.
        names: Vec<String>,
    },
    /// An operator, who has looked; taken once the block at which the lane halted is final (rule 4).
    Operator(String),
}

impl Word {
    fn outcome(self) -> Outcome {
        match self {
            Self::Providers { height, names } => Outcome::Displaced { height, by: names },
            Self::Operator(name) => Outcome::Displaced { height: 0, by: vec![name] },
        }
    }

    const fn may_reopen(&self) -> bool {
        match self {
            Self::Providers { .. } => false,
            Self::Operator(_) => true,
        }
    }
}

/// What is to be displaced, as it was read.
#[derive(Debug)]
pub struct Case<'a> {
    /// The lane.
    pub lane: &'a LaneId,
    /// The number's transaction, and its row's version.
    pub transaction: (&'a Transaction, u64),
    /// Its parcels, and their rows' versions.
    pub parcels: &'a [(Parcel, u64)],
    /// The lane's gate, and its row's version.
    pub gate: (&'a Gate, u64),
}

/// Why a number cannot be given up.
#[derive(Debug, thiserror::Error)]
pub enum DisplaceError {
    /// Not what this is for.
    #[error("{0}")]
    NotThis(String),
    /// What is said to have taken the number is missing, or cannot have.
    #[error("{0}")]
    Taker(String),
    /// A move that does not exist; a fault of ours.
    #[error(transparent)]
    Move(#[from] MoveError),
    /// A row that cannot be stored.
    #[error(transparent)]
    Row(#[from] RowError),
}

impl Case<'_> {
    /// The one commit that gives the number up: its outcome, its parcels accepted again, and the lane open again if it had
    /// halted there. Answers the parcels to be published. What somebody wants cancelled is accepted as well: rows may have
    /// forgotten that a later number paid it, so that it ends as any other wish without a number does.
    pub fn writes(&self, word: Word, now: Millis) -> Result<(Vec<Write>, Vec<Parcel>), DisplaceError> {
        let (transaction, version) = self.transaction;
        self.must_be_displaced(transaction, &word)?;
        let mut checks = match (&word, self.gate.0.taken_at) {
            (Word::Operator(_), Some(at)) => at.is_final(&self.lane.network).to_vec(),
            (Word::Operator(_), None) | (Word::Providers { .. }, _) => Vec::new(),
        };
        let outcome = Some(word.outcome());
        let mut writes = vec![Transaction { outcome, ..transaction.clone() }.put(self.lane, version)?];
        let mut again = Vec::new();
        for (parcel, version) in self.parcels {
            let next = parcel.displaced(now);
            writes.push(parcel.moved(*version, next.clone())?);
            again.push(next);
        }
        writes.push(gate_behind(self.gate.0, transaction.number, now).put(self.lane, self.gate.1)?);
        writes.append(&mut checks);
        Ok((writes, again))
    }

    fn must_be_displaced(&self, transaction: &Transaction, word: &Word) -> Result<(), DisplaceError> {
        let number = transaction.number;
        let not_this = |what: String| Err(DisplaceError::NotThis(what));
        if let (Word::Operator(_), false) = (word, is_foreign(self.gate.0, number)) {
            return not_this(format!(
                "the lane did not halt since another's transaction has number {number}: no node says so"
            ));
        }
        if let (Word::Operator(_), None) = (word, self.gate.0.taken_at) {
            return not_this(format!("no look has told yet at which block number {number} is another's: look again"));
        }
        if self.gate.0.consumed != number {
            return not_this(format!("number {number} is not the lane's lowest that no block is known to have used"));
        }
        if transaction.outcome.is_some() {
            return not_this(format!("number {number} has ended"));
        }
        if transaction.reopened > 0 && !word.may_reopen() {
            return not_this(format!("number {number} was settled once: its parcels were told as paid"));
        }
        let signed = |state| match state {
            ParcelState::Assigned | ParcelState::Reopened => true,
            ParcelState::Accepted
            | ParcelState::Waiting
            | ParcelState::Confirmed
            | ParcelState::Rejected
            | ParcelState::Failed
            | ParcelState::Cancelled => false,
        };
        let open = |(parcel, _): &(Parcel, u64)| signed(parcel.state) && parcel.number == Some(number);
        if !self.parcels.iter().all(open) {
            return not_this(format!("number {number} no longer has its parcels"));
        }
        Ok(())
    }
}

/// What is known of what took a number.
#[derive(Debug)]
pub enum Told {
    /// What a look found, or what people say and no look finds to be of the lane's address.
    Known,
    /// What people say now: the writes that have the next look ask nodes for it.
    Noted(Vec<Write>),
}

/// Whether it is told what took a number, so that people may give it up. The lane must have halted there; the tracker names it
/// at a final height only, and where it cannot, or nobody tells it what that paid, people do (`taker`), once the block at
/// which the lane halted is final: then the next look asks nodes for that, and only what it does not find to be of the lane's
/// address is taken on their word.
pub fn what_took(
    lane: &LaneId,
    number: u64,
    (gate, version): (&Gate, u64),
    taker: Option<B256>,
) -> Result<Told, DisplaceError> {
    let not_this = |what: String| Err(DisplaceError::NotThis(what));
    if gate.consumed != number {
        return not_this(format!("number {number} is not the lane's lowest that no block is known to have used"));
    }
    if !is_foreign(gate, number) {
        return not_this(format!(
            "the lane did not halt since another's transaction has number {number}: no node says so"
        ));
    }
    if is_named(gate, number) {
        return match taker {
            None if gate.unread => Err(DisplaceError::Taker(format!(
                "is missing: nodes tell what has number {number}, as the lane's reason does, and not what it paid; find out, and \
                 name it"
            ))),
            None | Some(_) => Ok(Told::Known),
        };
    }
    let Some(hash) = taker else {
        return Err(DisplaceError::Taker(format!(
            "is missing: what took number {number} is not known, unless the lane's reason names it once it is final; where no \
             node tells, find out and name it"
        )));
    };
    let Some(at) = gate.taken_at else {
        return not_this(format!("no look has told yet at which block number {number} is another's: look again"));
    };
    match gate.said.filter(|said| said.hash == hash) {
        None => {
            let said = Some(Said { hash, sought: false, number: None });
            let mut writes = vec![Gate { said, ..gate.clone() }.put(lane, version)?];
            writes.extend(at.is_final(&lane.network));
            Ok(Told::Noted(writes))
        }
        Some(Said { number: Some(has), .. }) => Err(DisplaceError::Taker(format!(
            "is not what has number {number}: nodes tell that it has number {has}; find out what has {number}"
        ))),
        Some(Said { sought: false, number: None, .. }) => {
            Err(DisplaceError::Taker("is being looked at: ask again in a minute or two".to_owned()))
        }
        Some(Said { sought: true, number: None, .. }) => Ok(Told::Known),
    }
}

/// The one commit that passes over a number that nobody was given, which pays nothing of ours; what took it is
/// [told](`what_took`).
pub fn pass_over(
    lane: &LaneId,
    number: u64,
    (gate, version): (&Gate, u64),
    (word, trace): (Word, TraceId),
    now: Millis,
) -> Result<Vec<Write>, DisplaceError> {
    let nothing = Intent { to: lane.address, value: U256::ZERO, data: Bytes::new(), gas_limit: 0 };
    let transaction = Transaction {
        number,
        parcels: Vec::new(),
        intent: nothing,
        attempts: 0,
        send: None,
        priority: Priority::Normal,
        since: 0,
        created_at: now,
        trace,
        outcome: Some(word.outcome()),
        reopened: 0,
    };
    let mut writes = vec![
        Counter::take(lane, number, 1),
        Write::create(Transaction::key(lane, number), Item::from_fields(&transaction)?),
        gate_behind(gate, number, now).put(lane, version)?,
    ];
    let at = gate.taken_at.filter(|_| !is_named(gate, number));
    writes.extend(at.into_iter().flat_map(|at| at.is_final(&lane.network)));
    Ok(writes)
}

/// Refuses what is said to have taken a number where a look found another transaction under it.
pub fn must_fit(gate: &Gate, number: u64, taker: Option<B256>) -> Result<(), DisplaceError> {
    let found = gate.taken_by.filter(|_| gate.consumed == number);
    match (found, taker) {
        (Some(found), Some(said)) if found != said => {
            Err(DisplaceError::Taker(format!("is not what has number {number}: a look found {found}")))
        }
        (Some(_), Some(_)) | (None, _) | (_, None) => Ok(()),
    }
}

/// Why a lane halts at a number that is not ours.
pub fn foreign(number: u64) -> String {
    format!("number {number} was used on chain by a transaction that is not Causeway's")
}

/// Whether a lane halted at a number since looks found it used by what is not ours.
pub fn is_foreign(gate: &Gate, number: u64) -> bool {
    let foreign = foreign(number);
    matches!(&gate.gate, LaneGate::Halted { reason, limit } if *limit == number && reason.contains(&foreign))
}

/// Whether the reason of that halt names what a final block has under the number.
pub fn is_named(gate: &Gate, number: u64) -> bool {
    let named = format!("{}: 0x", foreign(number));
    matches!(&gate.gate, LaneGate::Halted { reason, limit } if *limit == number && reason.contains(&named))
}

/// Closed to new numbers until a look has told whether the next one is ours.
fn gate_behind(gate: &Gate, number: u64, now: Millis) -> Gate {
    let open = if gate.is_halted_for(number) { LaneGate::Open } else { gate.gate.clone() };
    let seen = gate.seen.max(number + 1);
    let publications = gate.publications + 1;
    let foreign_since = Some(now);
    Gate { gate: open, seen, publications, tries: 0, moved_at: now, foreign_since, ..gate.consumed(number + 1, now) }
}
