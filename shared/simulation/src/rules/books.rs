//! Rule 7 against the chain, for each commit: what it posts to treasuries is what transactions in blocks took from them; and
//! what was released by blocks that left although they were final.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256};
use causeway_domain::lane::LaneId;
use causeway_state::{
    lane::{Outcome, Transaction},
    ledger::{AccountId, EntryKind, Owner},
    tracker::HeaderRow,
};
use causeway_store::{Item, Key};

use super::{Commit, Held, Rules, Truth, hold};
use crate::deep::{Released, leaves};

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

    /// A block that the tracker follows the chain through.
    pub(super) fn header(&mut self, key: &Key, item: Option<&Item>) {
        match item.and_then(|item| item.parse::<HeaderRow>().ok()) {
            Some(header) => self.headers.insert(key.sk.clone(), header.hash),
            None => self.headers.remove(&key.sk),
        };
    }

    /// Rule 5: what ends by a block ends while the tracker's rows have that block, and not once it was walked back from.
    pub(super) fn ends_are_on_the_chain(&self, commit: &Commit) -> Held {
        for (lane, number, outcome) in &commit.books.ended {
            let Some(block) = outcome.block_hash() else { continue };
            let known = self.headers.values().any(|known| *known == block);
            hold(known, "rule 5", || format!("number {number} of {lane} ends by {block}, which was walked back from"))?;
        }
        Ok(())
    }

    /// These blocks leave the chain, some of them although they were final.
    pub fn leave(&mut self, left: &BTreeSet<B256>) {
        let mut all = Vec::new();
        for (lane, line) in &self.lines {
            for (number, transaction) in &line.transactions {
                let (released, settled) = leaves(transaction, left);
                if settled {
                    self.coverage.count("deep: what was settled leaves");
                }
                all.extend(released.map(|released| (lane.clone(), *number, released)));
            }
        }
        all.into_iter().for_each(|(lane, number, released)| self.was_released(lane, number, released));
    }

    /// What a commit releases by a block that has left by the time that it lands, which the tracker's rows still have: nobody
    /// could know.
    pub(super) fn release_late(&mut self, commit: &Commit, truth: &dyn Truth) {
        for (lane, number, outcome) in &commit.books.ended {
            let Some(block) = outcome.block_hash().filter(|block| truth.has_left(*block)) else { continue };
            let transaction = self.lines.get(lane).and_then(|line| line.transactions.get(number));
            let released = transaction.and_then(|transaction| leaves(transaction, &BTreeSet::from([block])).0);
            if let Some(released) = released {
                self.was_released(lane.clone(), *number, released);
            }
        }
    }

    fn was_released(&mut self, lane: LaneId, number: u64, released: Released) {
        self.coverage.count("deep: what was released leaves");
        for parcel in released.parcels.iter().filter_map(|id| self.parcels.get(id)) {
            for line in &parcel.transfers {
                *self.excess.entry((line.to, parcel.asset.address)).or_default() += line.amount.to_u256();
            }
        }
        self.deep.insert((lane, number), released);
    }
}
