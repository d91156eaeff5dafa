//! A lane's rows: the counter, the gate, its transactions and their attempts.

use causeway_domain::{
    Address, B256, Bytes, U256,
    clock::Millis,
    fees::{Fees, Priority},
    id::{ParcelId, TraceId},
    lane::{LaneGate, LaneId},
};
use causeway_store::{Expect, Item, Key, Query, Range, RowError, Update, Value, Write};
use serde::{Deserialize, Serialize};

use crate::{
    displace::is_foreign,
    halt::{AND, beside},
    tables::TRANSFERS,
    taken::{Paid, Said, TakenAt},
};

/// A doubt about a lane's next number that lasts so long is people's.
pub const DOUBT_MS: u64 = 600_000;

/// Numbers whose rows share a partition: a lane's line only grows, and one partition takes 1,000 write units a second.
pub const NUMBERS_PER_PARTITION: u64 = 128;

fn pk(lane: &LaneId) -> String {
    format!("LANE#{lane}")
}

/// The partition of a number's transaction and attempts.
fn number_pk(lane: &LaneId, number: u64) -> String {
    format!("LANE#{lane}#{}", number / NUMBERS_PER_PARTITION)
}

/// The counter: the first number never assigned. Alone on its row: signers take numbers in the commit that signs them
/// (rule 1); a lane that has none yet may be told where it begins, and what a restore lost is adopted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// The next number.
    pub next: u64,
}

impl Counter {
    /// Where it lies.
    pub fn key(lane: &LaneId) -> Key {
        Key::new(TRANSFERS, pk(lane), "NEXT")
    }

    /// Takes `count` numbers, if nobody took one since it was read.
    pub fn take(lane: &LaneId, next: u64, count: u64) -> Write {
        Write::Update {
            key: Self::key(lane),
            update: Update { set: vec![("next", Value::from(next + count))], ..Update::default() },
            expect: vec![Expect::Equals("next", Value::from(next))],
        }
    }

    /// Has a lane that assigned nothing yet, as its caller knows from the gate, begin at another number.
    pub fn begin_at(lane: &LaneId, first: u64, from: u64) -> Write {
        Write::Update {
            key: Self::key(lane),
            update: Update { set: vec![("next", Value::from(from))], ..Update::default() },
            expect: vec![Expect::Equals("next", Value::from(first))],
        }
    }

    /// The first write of a lane that begins at `next`.
    pub fn create(lane: &LaneId, next: u64) -> Write {
        Write::create(Self::key(lane), Item::new().with("next", next))
    }
}

/// The first writes of a lane whose key was never used, where the chain was at height `since`.
pub fn begin(lane: &LaneId, since: u64, now: Millis) -> Result<[Write; 2], RowError> {
    Ok([Counter::create(lane, 0), Gate { since, ..Gate::new(0, now) }.put(lane, 0)?])
}

/// The first writes of a lane whose key was used before, for all numbers below `next` at least. It halts until somebody
/// says that those were not Causeway's: tables that were set back to a time before the lane began do not remember them
/// either, and what they paid would be paid again.
pub fn begin_halted(lane: &LaneId, next: u64, since: u64, now: Millis) -> Result<[Write; 2], RowError> {
    let gate = Gate { since, ..Gate::new(next, now) }.beginning_at(next);
    Ok([Counter::create(lane, next), gate.put(lane, 0)?])
}

/// Why a lane halts before its first number.
pub const USED_BEFORE: &str =
    "its key was used before this lane began, by transactions that are not Causeway's as far as its rows tell";

/// Who signs for the lane just now; saves signatures, guarantees nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Which invocation.
    pub holder: String,
    /// Until when.
    pub until: Millis,
}

impl Lease {
    /// Where it lies.
    pub fn key(lane: &LaneId) -> Key {
        Key::new(TRANSFERS, pk(lane), "LEASE")
    }
}

/// How far the lane's bytes have come, and whether more may go out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// First number that no node has taken yet; what is below was out.
    pub seen: u64,
    /// First number that no block of the chain has used, as last seen: a hint for flow control.
    pub consumed: u64,
    /// Whether more may go out.
    pub gate: LaneGate,
    /// Broadcasts without success at `seen`.
    pub tries: u32,
    /// How often the lane was published anew; makes each publication's dedup id new.
    pub publications: u64,
    /// When a node last took something, or the lane was last published anew.
    pub moved_at: Millis,
    /// Height of the chain when the lane began: nothing of its is in an earlier block, unless people said that numbers
    /// from before are its own.
    #[serde(default)]
    pub since: u64,
    /// The lane's first number; every one from here to the counter has its bytes.
    #[serde(default)]
    pub first: u64,
    /// When `consumed` last moved: since then its transaction is the next that a block may take.
    #[serde(default)]
    pub progress_at: Millis,
    /// When a signer last offered more for stuck numbers, or had the same bytes sent again.
    #[serde(default)]
    pub replaced_at: Millis,
    /// Since when its lowest number, or one that was never assigned, may be another's, or ours and not remembered: a look
    /// found it used by nothing of ours (a later one decides), it lies behind such a number, or nobody could look. Ends only
    /// with a look that finds nothing of the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign_since: Option<Millis>,
    /// What a final block has under the number at `consumed`, where that is not ours as far as rows tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_by: Option<B256>,
    /// What that paid, where it succeeded and is of the kind that Causeway makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_for: Option<Paid>,
    /// Whether no node told what that did.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unread: bool,
    /// The block at which a look that halted the lane found the number at `consumed` used by what is not ours: final as soon as
    /// that block is, and not before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<TakenAt>,
    /// What people say has the number at `consumed`, where no look could name it: the next ones ask nodes for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Said>,
    /// Its key was used before the lane began, and people have not said yet whose that was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub beginning: bool,
}

impl Gate {
    /// A lane whose numbers below `consumed` are used up.
    pub fn new(consumed: u64, now: Millis) -> Self {
        Self {
            seen: consumed,
            consumed,
            gate: LaneGate::Open,
            tries: 0,
            publications: 0,
            moved_at: now,
            since: 0,
            first: consumed,
            progress_at: now,
            replaced_at: 0,
            foreign_since: None,
            taken_by: None,
            taken_for: None,
            unread: false,
            taken_at: None,
            said: None,
            beginning: false,
        }
    }

    /// Where it lies.
    pub fn key(lane: &LaneId) -> Key {
        Key::new(TRANSFERS, pk(lane), "GATE")
    }

    /// Replaces the row, if nobody did since it was read at `version` (0: it did not exist).
    pub fn put(&self, lane: &LaneId, version: u64) -> Result<Write, RowError> {
        let expect = if version == 0 { Expect::Absent } else { Expect::Version(version) };
        Ok(Write::Put { key: Self::key(lane), item: Item::from_fields(self)?, expect: vec![expect] })
    }

    /// Whether a number may be handed to a node.
    pub fn lets_out(&self, number: u64, now: Millis) -> bool {
        match &self.gate {
            LaneGate::Open => true,
            LaneGate::Waiting { wake_at, .. } => *wake_at <= now,
            LaneGate::Halted { limit, .. } => number < *limit,
        }
    }

    /// Whether new numbers may be signed for the lane: not where one of its numbers may be another's.
    pub fn takes_more(&self) -> bool {
        !self.is_halted() && !self.is_doubted()
    }

    /// Whether it stopped until people, or the tracker, know more.
    pub fn is_halted(&self) -> bool {
        match &self.gate {
            LaneGate::Open | LaneGate::Waiting { .. } => false,
            LaneGate::Halted { .. } => true,
        }
    }

    /// Whether one of its numbers may be another's, or ours and not remembered.
    pub fn is_doubted(&self) -> bool {
        self.foreign_since.is_some() || self.is_beginning()
    }

    /// Whether people have to say whose the numbers were that its key used before it began.
    pub fn is_beginning(&self) -> bool {
        self.beginning && self.is_halted()
    }

    /// Halted before its first number, which is this.
    pub fn beginning_at(&self, first: u64) -> Self {
        let gate = LaneGate::Halted { reason: USED_BEFORE.to_owned(), limit: first };
        Self { first, seen: first, consumed: first, gate, beginning: true, ..self.clone() }
    }

    /// Open, where people said at which number it begins: closed to new ones until a look has told that it is free.
    pub fn begun_at(&self, first: u64, now: Millis) -> Self {
        let (gate, foreign_since) = (LaneGate::Open, Some(now));
        Self {
            first,
            seen: first,
            consumed: first,
            gate,
            beginning: false,
            foreign_since,
            progress_at: now,
            ..self.clone()
        }
    }

    /// With another number as the first that no block has used. Whether that one is ours a look has to tell, where the one
    /// before was doubted.
    pub fn consumed(&self, consumed: u64, now: Millis) -> Self {
        if consumed == self.consumed {
            return self.clone();
        }
        let foreign_since = self.foreign_since.map(|_| now);
        let next = Self { consumed, progress_at: now, foreign_since, ..self.clone() };
        Self { taken_by: None, taken_for: None, unread: false, taken_at: None, said: None, ..next }
    }

    /// Set back, to hand the stored bytes from a number on to nodes once more.
    pub fn sent_again_from(&self, number: u64, now: Millis) -> Self {
        Self { seen: self.seen.min(number), publications: self.publications + 1, moved_at: now, ..self.clone() }
    }

    /// Whether a look is waited for that may open it; one that lasts is people's.
    pub fn awaits_look(&self, now: Millis) -> bool {
        !self.is_halted() && self.foreign_since.is_some_and(|since| since + DOUBT_MS > now)
    }

    /// Halted at a number. An earlier halt stands beside it: the lower number, and both reasons, each of which is people's.
    pub fn halted(&self, reason: &str, limit: u64) -> Self {
        let (reason, limit) = match &self.gate {
            LaneGate::Open | LaneGate::Waiting { .. } => (reason.to_owned(), limit),
            LaneGate::Halted { reason: known, limit: lower } => (beside(known, reason), limit.min(*lower)),
        };
        let gate = LaneGate::Halted { reason, limit };
        if gate == self.gate { self.clone() } else { Self { gate, tries: 0, ..self.clone() } }
    }

    /// Whether it halted at this number, and for no other number's sake: what becomes of it decides about the halt.
    pub fn is_halted_for(&self, number: u64) -> bool {
        let of_number = format!("number {number} ");
        match &self.gate {
            LaneGate::Open | LaneGate::Waiting { .. } => false,
            LaneGate::Halted { reason, limit } => {
                *limit == number && reason.split(AND).all(|part| part.starts_with(&of_number))
            }
        }
    }

    /// Whether it halted for this number's bytes alone, so that others in their place open it: not where the number itself is
    /// another's.
    pub fn is_refused_at(&self, number: u64) -> bool {
        self.is_halted_for(number) && !is_foreign(self, number)
    }
}

/// What a number's transaction does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Called address.
    pub to: Address,
    /// Wei sent along.
    pub value: U256,
    /// Input.
    pub data: Bytes,
    /// Gas limit.
    pub gas_limit: u64,
}

/// How a number ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Its payment took effect and is posted.
    Paid {
        /// The attempt's hash.
        hash: B256,
        /// The block.
        block_hash: B256,
        /// Its height.
        height: u64,
        /// Wei it cost.
        gas_cost_wei: U256,
    },
    /// It reverted, or moved nothing, and is final.
    Reverted {
        /// The attempt's hash.
        hash: B256,
        /// The block.
        block_hash: B256,
        /// Its height.
        height: u64,
        /// Wei it cost.
        gas_cost_wei: U256,
        /// Why, in words.
        reason: String,
    },
    /// A no-op took the number and is final (rule 6).
    Cancelled {
        /// The attempt's hash.
        hash: B256,
        /// The block.
        block_hash: B256,
        /// Its height.
        height: u64,
        /// Wei it cost.
        gas_cost_wei: U256,
    },
    /// Somebody else's transaction took the number, and no attempt of ours ever can (rule 4).
    Displaced {
        /// The final height at which that was proven, or an operator's word for it was taken.
        height: u64,
        /// Who proved it: providers, or an operator.
        by: Vec<String>,
    },
}

impl Outcome {
    /// The attempt that settled it; none of ours where a stranger took the number.
    pub const fn hash(&self) -> Option<B256> {
        match self {
            Self::Paid { hash, .. } | Self::Reverted { hash, .. } | Self::Cancelled { hash, .. } => Some(*hash),
            Self::Displaced { .. } => None,
        }
    }

    /// The block that decided it; none of ours where a stranger took the number.
    pub const fn block_hash(&self) -> Option<B256> {
        match self {
            Self::Paid { block_hash, .. } | Self::Reverted { block_hash, .. } | Self::Cancelled { block_hash, .. } => {
                Some(*block_hash)
            }
            Self::Displaced { .. } => None,
        }
    }
}

/// One on-chain transaction: one number of the lane, settling 1..n parcels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Its number.
    pub number: u64,
    /// The parcels it settles.
    pub parcels: Vec<ParcelId>,
    /// What it does.
    pub intent: Intent,
    /// Attempts signed so far; the last is the one to send, unless `send` says otherwise.
    pub attempts: u32,
    /// The attempt to send instead: it was settled once and its block left the chain (rule 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<u32>,
    /// How urgent its parcels are.
    #[serde(default)]
    pub priority: Priority,
    /// Height of the chain when it was priced, as a provider said; 0 where none did.
    #[serde(default)]
    pub since: u64,
    /// When it was signed first.
    pub created_at: Millis,
    /// Trace of its first parcel.
    pub trace: TraceId,
    /// How it ended, once settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// How often a settled outcome was taken back.
    #[serde(default)]
    pub reopened: u32,
}

impl Transaction {
    /// Where it lies.
    pub fn key(lane: &LaneId, number: u64) -> Key {
        Key::new(TRANSFERS, number_pk(lane, number), Self::sk(number))
    }

    fn sk(number: u64) -> String {
        format!("TX#{number:020}")
    }

    /// Reads transactions and their attempts from a number to the end of its partition, in order: each transaction row
    /// is followed by its attempts.
    pub fn query_from(lane: &LaneId, number: u64, limit: usize) -> Query {
        let range = Range::Between(Value::from(Self::sk(number)), Value::from("TX$"));
        Query { limit, ..Query::table(TRANSFERS, number_pk(lane, number), range) }
    }

    /// Replaces the row, if nobody did since it was read.
    pub fn put(&self, lane: &LaneId, version: u64) -> Result<Write, RowError> {
        Ok(Write::Put {
            key: Self::key(lane, self.number),
            item: Item::from_fields(self)?,
            expect: vec![Expect::Version(version)],
        })
    }
}

/// What an attempt is to do with its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptKind {
    /// Carry out the transaction's intent.
    #[default]
    Payment,
    /// Use the number up without moving anything but gas.
    Cancel,
}

/// One signed envelope of a transaction; written once, before it is ever sent, and kept for ever (rule 2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The transaction's number.
    pub number: u64,
    /// Position among its attempts.
    pub index: u32,
    /// What it is to do.
    #[serde(default)]
    pub kind: AttemptKind,
    /// Hash.
    pub hash: B256,
    /// EIP-2718 bytes.
    pub raw: Bytes,
    /// Its price.
    pub fees: Fees,
    /// When it was signed.
    pub signed_at: Millis,
}

impl Attempt {
    /// Where it lies.
    pub fn key(lane: &LaneId, number: u64, index: u32) -> Key {
        Key::new(TRANSFERS, number_pk(lane, number), format!("{}#A{index:06}", Transaction::sk(number)))
    }

    /// Reads all attempts of a number.
    pub fn query(lane: &LaneId, number: u64) -> Query {
        Query::table(TRANSFERS, number_pk(lane, number), Range::Prefix(format!("{}#A", Transaction::sk(number))))
    }
}

/// A transaction with its attempts, oldest first.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The transaction.
    pub transaction: Transaction,
    /// Its row's version.
    pub version: u64,
    /// Its attempts.
    pub attempts: Vec<Attempt>,
}

impl Signed {
    /// Rows that hold a number whole: its own, and as many attempts as any cap allows. Each offers an eighth more than the
    /// one before, so that from one wei to the largest cap (2^64 wei per gas) there are fewer.
    pub const ROWS_MAX: usize = 400;

    /// A lane's transactions as one read gives them: each row followed by its attempts.
    pub fn read(rows: &[Item]) -> Result<Vec<Self>, RowError> {
        let mut all: Vec<Self> = Vec::new();
        for row in rows {
            if row.get("raw").is_some() {
                let attempt: Attempt = row.parse()?;
                if let Some(last) = all.last_mut()
                    && last.transaction.number == attempt.number
                {
                    last.attempts.push(attempt);
                }
            } else {
                all.push(Self { transaction: row.parse()?, version: row.version(), attempts: Vec::new() });
            }
        }
        Ok(all)
    }

    /// The attempt to hand to nodes; none where the read ended before it. What has settled the number is the only one
    /// that may go out again: the tracker sets a lane back before settle knows that a block has left (rule 5).
    pub fn to_send(&self) -> Option<&Attempt> {
        if let Some(hash) = self.transaction.outcome.as_ref().and_then(Outcome::hash) {
            return self.attempts.iter().find(|attempt| attempt.hash == hash);
        }
        let index = self.transaction.send.or_else(|| self.transaction.attempts.checked_sub(1))?;
        self.attempts.iter().find(|attempt| attempt.index == index)
    }

    /// The newest attempt.
    pub fn latest(&self) -> Option<&Attempt> {
        self.attempts.last()
    }
}

#[cfg(test)]
mod tests {
    use causeway_domain::{Networks, fees::Replacement};

    use super::*;
    use crate::displace::foreign;

    fn halt(gate: &Gate) -> (&str, u64) {
        match &gate.gate {
            LaneGate::Halted { reason, limit } => (reason, *limit),
            LaneGate::Open | LaneGate::Waiting { .. } => panic!("{gate:?}"),
        }
    }

    #[test]
    fn a_halt_keeps_every_reason_and_the_lowest_number() {
        let refused = Gate::new(4, 0).halted("number 4 is refused: no", 4);
        assert!(refused.is_halted_for(4) && refused.is_refused_at(4));
        let anothers = Gate::new(4, 0).halted(&foreign(4), 4);
        assert!(anothers.is_halted_for(4) && !anothers.is_refused_at(4));
        assert_eq!(refused.halted("number 4 is refused: no", 4), refused, "said again, it is the same");
        let both = refused.halted("number 2 had failed finally", 9);
        assert_eq!(halt(&both), ("number 4 is refused: no; number 2 had failed finally", 4));
        assert!(!both.is_halted_for(4), "what becomes of 4 does not end what is wrong with 2");
        let lower = both.halted("number 3 was settled", 3);
        assert_eq!(halt(&lower).1, 3);
        let long = lower.halted(&"x".repeat(2_000), 3);
        let (told, limit) = halt(&long);
        assert!(told.starts_with(halt(&lower).0) && told.contains("log") && limit == 3, "what has no room: {told}");
        assert!(!Gate::new(4, 0).is_halted_for(4));
    }

    #[test]
    fn a_read_holds_as_many_attempts_as_any_cap_allows() {
        let file = include_str!("../../../infra/networks.toml");
        let mut network = Networks::parse(file, &["local"]).expect("valid").get("local").expect("there").clone();
        (network.max_fee_per_gas_wei, network.max_priority_fee_per_gas_wei) = (u64::MAX.into(), u64::MAX.into());
        let mut fees = Fees { max_fee_wei: 1, max_priority_wei: 1 };
        let mut attempts = 1;
        while let Some(next) = Replacement::Payment.price(fees, Some(fees), &network) {
            (fees, attempts) = (next, attempts + 1);
        }
        // The number's own row, a no-op above the cap, and what was told as paid above that.
        assert!(attempts > 300 && attempts + 3 <= Signed::ROWS_MAX, "{attempts}");
    }
}
