//! Rule 7 against the chain, for each commit: what it posts to treasuries is what transactions in blocks took from them.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use causeway_domain::lane::LaneId;
use causeway_state::{
    lane::{Outcome, Transaction},
    ledger::{AccountId, EntryKind, Owner},
};
use causeway_store::Item;

use super::{Commit, Held, Rules, Truth, hold};

/// Smallest units of each asset that left an address.
pub type Left = BTreeMap<Address, i128>;

/// What a commit says of money that left treasuries, and of the transactions that took it.
#[derive(Debug, Default)]
pub(super) struct Books {
    posted: BTreeMap<(LaneId, Address), i128>,
    /// Numbers that ended, and their ends.
    ended: Vec<(LaneId, u64, Outcome)>,
    /// Numbers that were told as paid, and are not any more.
    back: Vec<(LaneId, u64, Outcome)>,
}

impl Books {
    /// Takes an entry in; what operators move is theirs to square with the chain.
    pub(super) fn entry(&mut self, account: &AccountId, entry: &Item, units: i128) {
        let moved = [EntryKind::Credit, EntryKind::Debit].iter().any(|kind| entry.text("kind") == Some(kind.as_str()));
        if let (Owner::Treasury(lane), false) = (&account.owner, moved) {
            *self.posted.entry((lane.clone(), account.asset.address)).or_default() += units;
        }
    }

    /// Takes a number's end in, or that it was taken back.
    pub(super) fn turned(&mut self, lane: &LaneId, before: Option<&Outcome>, now: &Transaction) {
        match (before, &now.outcome) {
            (None, Some(outcome)) => self.ended.push((lane.clone(), now.number, outcome.clone())),
            (Some(outcome), None) => self.back.push((lane.clone(), now.number, outcome.clone())),
            (None, None) | (Some(_), Some(_)) => {}
        }
    }
}

impl Rules {
    /// Holds a commit's postings against its transactions' blocks.
    pub(super) fn postings_are_the_chains(&self, commit: &Commit, truth: &dyn Truth) -> Held {
        if commit.turn.settles_by_word() {
            // What people said of what blocks do not decide is theirs to square with the chain.
            return Ok(());
        }
        let Books { posted, ended, back } = &commit.books;
        let mut taken: BTreeMap<(LaneId, Address), i128> = BTreeMap::new();
        let turned = ended.iter().map(|one| (one, 1)).chain(back.iter().map(|one| (one, -1)));
        for ((lane, number, outcome), sign) in turned {
            let (Some(hash), Some(block)) = (outcome.hash(), outcome.block_hash()) else { continue };
            let left = truth.left(lane, block, hash);
            hold(left.is_some(), "rule 7", || {
                format!("number {number} of {lane} ended by {hash}, which is not in {block}")
            })?;
            for (asset, units) in left.unwrap_or_default() {
                *taken.entry((lane.clone(), asset)).or_default() += sign * units;
            }
        }
        let some = |all: &BTreeMap<(LaneId, Address), i128>| -> BTreeMap<(LaneId, Address), i128> {
            all.iter().filter(|(_, units)| **units != 0).map(|(key, units)| (key.clone(), *units)).collect()
        };
        let (posted, taken) = (some(posted), some(&taken));
        hold(posted == taken, "rule 7", || format!("treasuries' entries say {posted:?} left, blocks say {taken:?}"))
    }
}
