//! What a simulation breaks on purpose, to see that the rules notice: each is a fault that some transaction manager has had.

use std::borrow::Cow;

use causeway_domain::{
    fees::Fees,
    lane::{LaneGate, LaneId},
    parcel::ParcelState,
    verdict::WaitReason,
};
use causeway_state::{
    lane::{Attempt, Gate, Transaction},
    parcel::{CancelAsked, Parcel},
    tables::{AUDIT, LEDGER, TRACKER},
};
use causeway_store::{Expect, Item, Key, MemoryStore, Page, Query, Store, Update, Value, Write};
use futures::FutureExt;

use crate::{
    views::{OPERATORS, SENDER, SETTLER, SIGNER},
    weather::{Class, Weather},
};

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sabotage {
    /// Nothing.
    #[default]
    None,
    /// Bytes go out before they are stored (rule 2).
    BroadcastFirst,
    /// Parcels are written whatever they are by now.
    IgnoreExpectations,
    /// A number is taken without its transaction (rule 1).
    BurnNumbers,
    /// A broadcast without an answer counts as refused (rule 3).
    TimeoutFails,
    /// Success is told at the first block (rule 5).
    ConfirmEarly,
    /// Money is released as soon as success would be told (rule 5).
    ReleaseEarly,
    /// A payment is posted twice (rule 7).
    PostTwice,
    /// A rejected request's money stays held (rule 7).
    ForgetRelease,
    /// A wait is written without the time at which it ends (rule 9).
    WaitForever,
    /// Operators release the money of what is signed already (rule 5).
    RefundSigned,
    /// Operators' acts leave no record.
    ForgetAudit,
    /// A repeated credit is another credit (rule 7).
    CreditTwice,
    /// Blocked payments are signed (rule 12).
    IgnoreSwitches,
    /// A raised attempt is kept in the place of the one before (rule 2).
    DropHash,
    /// What is to be cancelled goes on as if it were a payment (rule 6).
    ForgetCancel,
    /// What was broadcast and not answered gets another number (rule 4).
    RecycleNumbers,
    /// Nobody looks for what should have been published (rule 8).
    ForgetSweep,
    /// A sender goes on behind what was refused for good (rule 10).
    IgnoreHalts,
    /// What no block takes is cancelled, though nobody asked for that (rule 6).
    CancelStuck,
    /// A trial without an answer counts as one that reverts (rule 3).
    RejectUnsure,
    /// A raise offers less than nodes ask for.
    RaiseTooLittle,
    /// What a block says counts also once it has left the chain (rule 5).
    IgnoreBranches,
}

impl Sabotage {
    /// All that break something.
    pub const ALL: [Self; 22] = [
        Self::BroadcastFirst,
        Self::IgnoreExpectations,
        Self::BurnNumbers,
        Self::TimeoutFails,
        Self::ConfirmEarly,
        Self::ReleaseEarly,
        Self::PostTwice,
        Self::ForgetRelease,
        Self::WaitForever,
        Self::RefundSigned,
        Self::ForgetAudit,
        Self::CreditTwice,
        Self::IgnoreSwitches,
        Self::DropHash,
        Self::ForgetCancel,
        Self::RecycleNumbers,
        Self::ForgetSweep,
        Self::IgnoreHalts,
        Self::CancelStuck,
        Self::RejectUnsure,
        Self::RaiseTooLittle,
        Self::IgnoreBranches,
    ];

    /// How the violation begins that tells of it: noticed in another way it would be noticed by chance.
    pub fn told_as(self) -> &'static [&'static str] {
        match self {
            Self::None => &[],
            Self::BurnNumbers => &["rule 1:"],
            Self::BroadcastFirst | Self::DropHash => &["rule 2:"],
            Self::TimeoutFails | Self::RejectUnsure => &["rule 3:"],
            Self::RecycleNumbers => &["rule 4:"],
            // What is signed must keep its number whatever people ask for, and what they settle its outcome.
            Self::RefundSigned => &["rule 4:", "rule 7:"],
            Self::ConfirmEarly | Self::ReleaseEarly | Self::IgnoreBranches => &["rule 5:"],
            // What is posted for it has not left either.
            Self::ForgetCancel => &["paid:", "rule 7:"],
            Self::PostTwice | Self::ForgetRelease | Self::CreditTwice => &["rule 7:"],
            Self::ForgetSweep => &["every transfer's end never comes"],
            Self::CancelStuck => &["rule 6:"],
            Self::RaiseTooLittle => &["replacement:"],
            Self::WaitForever => &["rule 9:"],
            Self::IgnoreHalts => &["rule 10:"],
            Self::IgnoreSwitches => &["rule 12:"],
            // What another one signed meanwhile has its number.
            Self::IgnoreExpectations => &["states:", "rule 4:"],
            Self::ForgetAudit => &["audit:"],
        }
    }

    /// A weather in which what must strike for it to matter does so often, where that is rare.
    pub(crate) fn shows_in(self, weather: Weather) -> Weather {
        match self {
            Self::IgnoreHalts => weather.with(Class::Refusals, 60),
            Self::RejectUnsure => weather.with(Class::Calls, 100),
            // Who reads what is signed as unsigned can give no stranger's number up either, and so ends nothing.
            Self::RefundSigned => weather.with(Class::Strangers, 0),
            // Settle is held up between what it read and what it writes, and meanwhile its block leaves.
            Self::IgnoreBranches => weather.with(Class::Stalls, 500).with(Class::Branches, 300).as_deep_as(8),
            Self::None
            | Self::BroadcastFirst
            | Self::IgnoreExpectations
            | Self::BurnNumbers
            | Self::TimeoutFails
            | Self::ConfirmEarly
            | Self::ReleaseEarly
            | Self::PostTwice
            | Self::ForgetRelease
            | Self::WaitForever
            | Self::ForgetAudit
            | Self::CreditTwice
            | Self::IgnoreSwitches
            | Self::DropHash
            | Self::ForgetCancel
            | Self::RecycleNumbers
            | Self::ForgetSweep
            | Self::CancelStuck
            | Self::RaiseTooLittle => weather,
        }
    }

    /// What a process reads instead of a row.
    pub(crate) fn read(self, who: &str, key: &Key, row: Item) -> Option<Item> {
        if self == Self::IgnoreSwitches && of_switch(key) {
            return None;
        }
        if self == Self::RefundSigned && who == OPERATORS && of_parcel(key) {
            return Some(as_if_unsigned(row));
        }
        if self == Self::CancelStuck && who == SIGNER && of_parcel(key) {
            return Some(as_if_unwanted(row));
        }
        if self == Self::IgnoreHalts && who == SENDER && key.sk == "GATE" {
            return Some(as_if_open(row));
        }
        Some(row)
    }

    /// What a process finds in an index.
    pub(crate) fn page(self, query: &Query, page: Page) -> Page {
        let swept = self == Self::ForgetSweep && query.index.is_some();
        if swept { Page { items: Vec::new(), next: None } } else { page }
    }

    /// What a process's commit becomes.
    pub(crate) fn commit<'a>(self, who: &str, rows: &MemoryStore, writes: &'a [Write]) -> Cow<'a, [Write]> {
        if self == Self::None {
            return Cow::Borrowed(writes);
        }
        let mut writes = writes.to_vec();
        match self {
            Self::None
            | Self::BroadcastFirst
            | Self::TimeoutFails
            | Self::ConfirmEarly
            | Self::ReleaseEarly
            | Self::ForgetSweep
            | Self::IgnoreHalts
            | Self::CancelStuck
            | Self::RejectUnsure => {}
            Self::RaiseTooLittle => writes.iter_mut().for_each(raise_too_little),
            Self::IgnoreBranches if who == SETTLER => writes.retain(|write| !write.key().pk.starts_with("HDR#")),
            Self::IgnoreBranches => {}
            Self::RecycleNumbers if who == SENDER => recycle(rows, &mut writes),
            Self::RecycleNumbers => {}
            Self::RefundSigned => writes.iter_mut().for_each(refund_anyway),
            Self::ForgetAudit => writes.retain(|write| write.key().table != AUDIT),
            Self::CreditTwice => credit_twice(&mut writes),
            Self::IgnoreSwitches => {
                writes.retain(|write| !(matches!(write, Write::Check { .. }) && of_switch(write.key())));
            }
            Self::IgnoreExpectations => writes.iter_mut().for_each(ignore_expectations),
            Self::DropHash => writes.iter_mut().for_each(overwrite_first),
            Self::ForgetCancel => writes.iter_mut().for_each(forget_cancel),
            Self::BurnNumbers => {
                if writes.iter().any(|write| write.key().sk == "NEXT") {
                    writes.retain(|write| !write.key().sk.starts_with("TX#"));
                }
            }
            Self::PostTwice => writes.iter_mut().for_each(post_twice),
            Self::ForgetRelease => {
                if writes.iter().any(|write| write.key().sk.ends_with("#release")) {
                    writes.retain(|write| write.key().sk != "BAL" && !write.key().sk.ends_with("#release"));
                }
            }
            Self::WaitForever => writes.iter_mut().for_each(wait_forever),
        }
        Cow::Owned(writes)
    }
}

fn of_parcel(key: &Key) -> bool {
    key.sk == "PCL"
}

fn of_switch(key: &Key) -> bool {
    key.sk == "SWITCH"
}

/// A parcel that has its number, told as one that waits for it.
fn as_if_unsigned(row: Item) -> Item {
    match row.parse::<Parcel>() {
        Ok(parcel) if parcel.state == ParcelState::Assigned => {
            let unsigned = Parcel { state: ParcelState::Accepted, number: None, ..parcel };
            unsigned.item().map(|item| item.with("version", i128::from(row.version()))).unwrap_or(row)
        }
        Ok(_) | Err(_) => row,
    }
}

/// A parcel that is signed, told as one that nobody wants any more.
fn as_if_unwanted(row: Item) -> Item {
    match row.parse::<Parcel>() {
        Ok(parcel) if parcel.state == ParcelState::Assigned && parcel.cancel.is_none() => {
            let cancel = Some(CancelAsked { by: "nobody".to_owned(), at: parcel.updated_at, reason: None });
            let unwanted = Parcel { cancel, ..parcel };
            unwanted.item().map(|item| item.with("version", i128::from(row.version()))).unwrap_or(row)
        }
        Ok(_) | Err(_) => row,
    }
}

/// A halted lane, told as an open one.
fn as_if_open(row: Item) -> Item {
    match row.parse::<Gate>() {
        Ok(gate) if gate.is_halted() => {
            let open = Item::from_fields(&Gate { gate: LaneGate::Open, ..gate });
            open.map(|item| item.with("version", i128::from(row.version()))).unwrap_or(row)
        }
        Ok(_) | Err(_) => row,
    }
}

/// Where a sender writes that nobody answered, the parcel is accepted once more.
fn recycle(rows: &MemoryStore, writes: &mut Vec<Write>) {
    let row = |key: &Key| rows.get(key).now_or_never().and_then(Result::ok).flatten();
    let unanswered = |write: &Write| {
        let Write::Put { key, item, .. } = write else { return None };
        let lane = LaneId::try_from(key.pk.strip_prefix("LANE#")?.to_owned()).ok()?;
        let gate = item.parse::<Gate>().ok()?;
        let waits = matches!(gate.gate, LaneGate::Waiting { reason: WaitReason::ChainUnavailable, .. });
        waits.then(|| row(&Transaction::key(&lane, gate.seen)))?
    };
    let transaction = writes.iter().find_map(unanswered).and_then(|row| row.parse::<Transaction>().ok());
    let parcels = transaction.into_iter().flat_map(|transaction| transaction.parcels);
    for key in parcels.map(Parcel::key) {
        let Some(parcel) = row(&key).and_then(|row| row.parse::<Parcel>().ok()) else { continue };
        let again = Parcel { state: ParcelState::Accepted, number: None, due_at: Some(0), ..parcel };
        writes.extend(again.item().ok().map(|item| Write::Put { key, item, expect: Vec::new() }));
    }
}

/// A refund asks nothing of the state that its parcel is in.
fn refund_anyway(write: &mut Write) {
    if let Write::Put { key, item, expect } = write
        && of_parcel(key)
        && item.parse::<Parcel>().is_ok_and(|parcel| parcel.failure.is_some_and(|failure| failure.code == "REFUNDED"))
    {
        expect.retain(|expect| matches!(expect, Expect::Version(_)));
    }
}

/// Nothing remembers that an operation was carried out.
fn credit_twice(writes: &mut Vec<Write>) {
    writes.retain(|write| write.key().sk != "OP");
    for write in writes {
        if let Write::Put { key, expect, .. } = write
            && key.table == LEDGER
            && key.sk.ends_with("#credit")
        {
            expect.clear();
        }
    }
}

/// A raised attempt takes the place of the first one.
fn overwrite_first(write: &mut Write) {
    if let Write::Put { key, expect, .. } = write
        && let Some((number, index)) = key.sk.split_once("#A")
        && index != "000000"
    {
        key.sk = format!("{number}#A000000");
        expect.clear();
    }
}

/// Every attempt after the first offers as little as there is.
fn raise_too_little(write: &mut Write) {
    if let Write::Put { key, item, .. } = write
        && key.sk.contains("#A")
        && let Ok(attempt) = item.parse::<Attempt>()
        && attempt.index > 0
    {
        let fees = Fees { max_fee_wei: 1, max_priority_wei: 1 };
        if let Ok(cheap) = Item::from_fields(&Attempt { fees, ..attempt }) {
            *item = cheap;
        }
    }
}

/// What a block holds of a no-op is taken for the payment.
fn forget_cancel(write: &mut Write) {
    if let Write::Put { key, item, .. } = write
        && key.table == TRACKER
        && key.sk == "TX"
    {
        item.remove("cancel");
    }
}

fn ignore_expectations(write: &mut Write) {
    match write {
        Write::Put { key, expect, .. } if of_parcel(key) => {
            expect.retain(|expect| matches!(expect, Expect::Absent));
        }
        Write::Put { .. } | Write::Update { .. } | Write::Delete { .. } | Write::Check { .. } => {}
    }
}

fn post_twice(write: &mut Write) {
    if let Write::Update { update: Update { add, .. }, .. } = write {
        for (_, units) in add.iter_mut().filter(|(field, units)| *field == "posted" && *units > 0) {
            *units *= 2;
        }
    }
}

fn wait_forever(write: &mut Write) {
    if let Write::Put { key, item, .. } = write
        && of_parcel(key)
        && item.get("wait").is_some_and(|wait| *wait != Value::Null)
    {
        item.remove("due_at");
    }
}
