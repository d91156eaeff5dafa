//! What reconciliation found: a row for each treasury, so that a leader that ends in the middle of a report leaves what
//! it had done.

use causeway_domain::{
    clock::Millis,
    id::{NetworkId, TenantId},
    lane::LaneId,
};
use causeway_store::{Expect, Item, Key, Query, Range, RowError, Write};
use serde::{Deserialize, Serialize};

use crate::tables::TRACKER;

/// What does not agree with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The lane's counter or gate, and the numbers that the chain has used.
    Lane,
    /// A number that was assigned, and its transaction with its signed bytes.
    Transaction,
    /// A parcel, and the transaction that settles it.
    Parcel,
    /// A parcel, and its entries in the ledger.
    Entries,
    /// A tenant's accounts and its treasuries' do not sum to zero: some commit moved money from or to nowhere.
    Unbalanced,
    /// The chain has less than the books.
    Short,
    /// The chain has more than the books: money came in that nobody credited.
    Uncredited,
}

impl Kind {
    /// Its name in rows and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lane => "lane",
            Self::Transaction => "transaction",
            Self::Parcel => "parcel",
            Self::Entries => "entries",
            Self::Unbalanced => "unbalanced",
            Self::Short => "short",
            Self::Uncredited => "uncredited",
        }
    }

    /// Whether somebody must look. Anybody may pay into a treasury, so money that is not credited yet is only listed.
    pub const fn alarms(self) -> bool {
        match self {
            Self::Lane | Self::Transaction | Self::Parcel | Self::Entries | Self::Unbalanced | Self::Short => true,
            Self::Uncredited => false,
        }
    }
}

/// One thing that does not agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What kind of thing.
    pub kind: Kind,
    /// Which one: a lane, `{lane}#{number}`, a parcel or an account.
    pub subject: String,
    /// What each side says, in words.
    pub detail: String,
}

impl Difference {
    /// A difference.
    pub fn new(kind: Kind, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { kind, subject: subject.into(), detail: detail.into() }
    }

    /// Whether both are about the same thing; amounts may have moved between two looks.
    pub fn is_about(&self, other: &Self) -> bool {
        self.kind == other.kind && self.subject == other.subject
    }
}

/// Differences of one treasury that are kept in words; all are counted.
const DIFFERENCES_KEPT: usize = 50;

/// How far a look has come through the tenant's parcels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parcels {
    /// From the first one that was accepted then.
    From(Millis),
    /// Behind this place in the index, of those that were accepted since.
    After(Millis, String),
    /// All were seen.
    Seen,
}

/// A look that has not come to its end. It is kept with the report, so that one that takes longer than a leader leads, or
/// gives others their turn, goes on where it stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// The lane's first number when it began.
    pub first: u64,
    /// The number it stands at.
    pub at: u64,
    /// The first number that was not assigned when it began.
    pub next: u64,
    /// Every number below is settled, without a difference, and deeper than any branch that a leader walks back.
    pub settled_to: u64,
    /// The first number that was not settled.
    pub open_from: Option<u64>,
    /// How far it has come through the parcels.
    pub parcels: Parcels,
    /// When the oldest parcel that has not ended was accepted.
    pub oldest: Option<Millis>,
    /// Parcels accepted before were all seen at its end.
    pub parcels_until: Millis,
    /// Transactions read.
    pub transactions: u64,
    /// What it found.
    pub found: Vec<Difference>,
    /// Differences beyond those that are kept in words.
    pub more: u64,
}

impl Look {
    /// Adds what it found; words are kept of so many.
    pub fn find(&mut self, found: impl IntoIterator<Item = Difference>) {
        for difference in found {
            if self.found.len() < DIFFERENCES_KEPT {
                self.found.push(difference);
            } else {
                self.more += 1;
            }
        }
    }
}

/// What the latest look at a treasury found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The treasury's lane.
    pub lane: LaneId,
    /// Whose it is.
    pub tenant: TenantId,
    /// When the look ended; 0 before the first.
    pub at: Millis,
    /// Height of the block it was held against.
    pub height: u64,
    /// When it is looked at again.
    pub due_at: Millis,
    /// The lane's first number at that time: where people say that it begins elsewhere, all is looked at anew.
    #[serde(default)]
    pub first: u64,
    /// Every number of the lane below was settled, without a difference, and deeper than any branch that a leader walks back;
    /// looks begin here.
    pub settled_to: u64,
    /// Every parcel of the tenant accepted before had ended; looks begin here.
    pub parcels_from: Millis,
    /// Transactions that the look read.
    pub transactions: u64,
    /// Found by this look and by the one before: told and, by its kind, alarmed.
    pub differences: Vec<Difference>,
    /// Found by this look for the first time: it is looked at again before anybody is told.
    pub suspected: Vec<Difference>,
    /// Differences beyond those that are kept in words.
    #[serde(default)]
    pub more: u64,
    /// The look that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<Look>,
}

impl Report {
    /// Of a treasury that nobody has looked at; no parcel of its is older than `parcels_from`.
    pub const fn new(lane: LaneId, tenant: TenantId, parcels_from: Millis) -> Self {
        Self {
            lane,
            tenant,
            at: 0,
            height: 0,
            due_at: 0,
            first: 0,
            settled_to: 0,
            parcels_from,
            transactions: 0,
            differences: Vec::new(),
            suspected: Vec::new(),
            more: 0,
            look: None,
        }
    }

    /// Takes what a look found, and how much more that is not kept in words. Only what two looks in a row found is told: a race
    /// is not there a second time.
    pub fn take(&mut self, found: Vec<Difference>, more: u64) {
        let before = [std::mem::take(&mut self.differences), std::mem::take(&mut self.suspected)].concat();
        self.more = more + found.len().saturating_sub(DIFFERENCES_KEPT) as u64;
        for difference in found.into_iter().take(DIFFERENCES_KEPT) {
            let again = before.iter().any(|known| known.is_about(&difference));
            if again { &mut self.differences } else { &mut self.suspected }.push(difference);
        }
    }

    /// How many differences somebody must look at.
    pub fn alarming(&self) -> u64 {
        let told = self.differences.iter().filter(|difference| difference.kind.alarms()).count() as u64;
        // What is not kept in words was not compared either: it counts as soon as anything is told.
        if told > 0 { told + self.more } else { 0 }
    }

    /// Where it lies.
    pub fn key(lane: &LaneId) -> Key {
        Key::new(TRACKER, Self::pk(&lane.network), format!("LANE#{:#x}", lane.address))
    }

    /// Reads a network's.
    pub fn query(network: &NetworkId) -> Query {
        Query::table(TRACKER, Self::pk(network), Range::All)
    }

    fn pk(network: &NetworkId) -> String {
        format!("REPORT#{network}")
    }

    /// Replaces the row, if nobody did since it was read at `version` (0: it did not exist).
    pub fn put(&self, version: u64) -> Result<Write, RowError> {
        let expect = if version == 0 { Expect::Absent } else { Expect::Version(version) };
        Ok(Write::Put { key: Self::key(&self.lane), item: Item::from_fields(self)?, expect: vec![expect] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let lane = format!("local/{:#x}", causeway_domain::Address::ZERO);
        Report::new(LaneId::try_from(lane).expect("a lane"), "acme".parse().expect("a tenant"), 0)
    }

    fn short(detail: &str) -> Difference {
        Difference::new(Kind::Short, "treasury:x#local:0x0", detail)
    }

    #[test]
    fn what_one_look_found_is_told_only_when_the_next_finds_it_too() {
        let mut report = report();
        report.take(vec![short("5 less"), Difference::new(Kind::Parcel, "pcl_1", "is assigned")], 0);
        assert_eq!((report.differences.len(), report.suspected.len(), report.alarming()), (0, 2, 0));
        report.take(vec![short("6 less")], 0);
        assert_eq!((report.differences.clone(), report.alarming()), (vec![short("6 less")], 1));
        assert_eq!(report.suspected, []);
        report.take(vec![short("6 less"), Difference::new(Kind::Lane, "local/0x0", "3 and 4")], 0);
        assert_eq!((report.differences.len(), report.suspected.len()), (1, 1));
        report.take(vec![], 0);
        assert_eq!((report.differences.len(), report.suspected.len(), report.alarming()), (0, 0, 0));
        report.take(vec![short("5 less")], 0);
        assert_eq!((report.differences.len(), report.suspected.len()), (0, 1), "two looks in a row");
    }

    #[test]
    fn another_subject_or_kind_is_another_difference() {
        let one = short("5 less");
        assert!(!one.is_about(&Difference { kind: Kind::Uncredited, ..one.clone() }));
        assert!(!one.is_about(&Difference { subject: "treasury:y#local:0x0".to_owned(), ..one.clone() }));
    }

    #[test]
    fn money_that_nobody_credited_is_listed_without_an_alarm() {
        let mut report = report();
        let uncredited = Difference::new(Kind::Uncredited, "treasury:x#local:0x0", "5 more");
        report.take(vec![uncredited.clone()], 0);
        report.take(vec![uncredited], 0);
        assert_eq!((report.differences.len(), report.alarming()), (1, 0));
    }

    #[test]
    fn what_is_not_kept_in_words_is_counted() {
        let mut report = report();
        let many = |_| (0..60).map(|n| Difference::new(Kind::Parcel, format!("pcl_{n}"), "")).collect::<Vec<_>>();
        report.take(many(()), 0);
        report.take(many(()), 0);
        assert_eq!((report.differences.len(), report.more, report.alarming()), (50, 10, 60));
    }

    #[test]
    fn a_row_reads_back_and_its_kinds_have_their_names() {
        let mut report = report();
        report.take(vec![short("5 less")], 0);
        let item = Item::from_fields(&report).expect("a row");
        assert_eq!(item.parse::<Report>().expect("reads back"), report);
        for kind in [Kind::Lane, Kind::Transaction, Kind::Parcel, Kind::Entries, Kind::Unbalanced, Kind::Short] {
            assert!(kind.alarms());
            assert_eq!(serde_json::to_value(kind).expect("JSON"), kind.as_str());
        }
        assert_eq!(serde_json::to_value(Kind::Uncredited).expect("JSON"), Kind::Uncredited.as_str());
    }
}
