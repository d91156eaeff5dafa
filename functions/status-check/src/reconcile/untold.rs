//! Stages that reached nobody: a queue was purged, or gave its messages up while settle was off. They are told again: no row
//! announces them otherwise, and to whom they were told already they say nothing new.

use std::collections::{BTreeMap, BTreeSet};

use causeway_chains::Chain;
use causeway_domain::{B256, Network, lane::LaneId};
use causeway_state::{
    lane::{Attempt, AttemptKind, Outcome},
    message::Stage,
    tracker::{Head, HeaderRow, Inclusion, Watch},
};
use causeway_store::Key;

use super::line::Numbered;
use crate::{TrackError, Tracker};

/// What was told so long ago has been heard, if it ever will be.
const HEARD_WITHIN_MS: u64 = 60_000;

/// A block, and which attempts of it are meant.
type Blocks = BTreeMap<(u64, B256), BTreeSet<B256>>;

impl Tracker {
    /// Tells again which numbers without an outcome are in final blocks, and which ones with one are in a block that left.
    /// Answers the latter, also those that may still be heard of: none of them is settled for good.
    pub(super) async fn tell_again(
        &self,
        network: &Network,
        chain: &dyn Chain,
        (head, lane): (&Head, &LaneId),
        numbers: &BTreeMap<u64, Numbered>,
    ) -> Result<BTreeSet<u64>, TrackError> {
        let heard = HEARD_WITHIN_MS / network.block_time_ms + 1;
        let ended = self.included_to(network, head.finalized.saturating_sub(heard), numbers).await?;
        let paid = paid(numbers);
        let heights = ended.keys().map(|(height, _)| *height).chain(paid.values().map(|((height, _), _)| *height));
        let heights: Vec<u64> = heights.collect::<BTreeSet<_>>().into_iter().collect();
        let keys: Vec<Key> = heights.iter().map(|height| HeaderRow::key(&network.id, *height)).collect();
        let mut blocks = BTreeMap::new();
        for row in self.rows(&keys).await?.into_iter().flatten() {
            // What cannot be read says nothing.
            let Ok(header) = row.parse::<HeaderRow>() else { continue };
            blocks.insert(header.height, header.hash);
        }
        for ((height, hash), attempts) in ended {
            if blocks.get(&height) == Some(&hash) {
                let all = self.inclusions(network, height, hash).await?;
                let meant: Vec<_> = all.into_iter().filter(|inclusion| attempts.contains(&inclusion.hash)).collect();
                told_again(network, (height, hash), Stage::Final, &meant);
                // Where nobody tells its receipts it is told at the next look.
                self.tell_final(network, chain, (height, hash), &meant).await?;
                // A leader that was held up may have written less of it over what another one had told.
                let lacks = |attempt: &&B256| !meant.iter().any(|inclusion| inclusion.hash == **attempt);
                if let Some(attempt) = attempts.iter().find(lacks) {
                    self.tell_final_late(network, chain, (height, hash), *attempt).await?;
                }
            }
        }
        let mut left = BTreeSet::new();
        for (number, ((height, hash), attempt)) in paid {
            if blocks.get(&height).is_some_and(|known| *known != hash) {
                left.insert(number);
                if height + heard <= head.height {
                    let known = numbers.get(&number).into_iter().flat_map(|known| &known.attempts);
                    let of_hash = known.filter(|known| known.hash == attempt);
                    let meant: Vec<_> = of_hash.map(|attempt| was_included(lane, attempt)).collect();
                    told_again(network, (height, hash), Stage::Reorged, &meant);
                    self.publish_stage(network, height, hash, Stage::Reorged, &meant).await?;
                }
            }
        }
        Ok(left)
    }

    /// The blocks up to a height in which attempts of numbers without an outcome are, as their watches say.
    async fn included_to(
        &self,
        network: &Network,
        to: u64,
        numbers: &BTreeMap<u64, Numbered>,
    ) -> Result<Blocks, TrackError> {
        let open = |known: &&Numbered| known.transaction.as_ref().is_some_and(|it| it.outcome.is_none());
        let hashes = numbers.values().filter(open).flat_map(|known| &known.attempts).map(|attempt| attempt.hash);
        let keys: Vec<Key> = hashes.map(|hash| Watch::key(&network.id, hash)).collect();
        let mut blocks = Blocks::new();
        for row in self.rows(&keys).await?.into_iter().flatten() {
            let Ok(watch) = row.parse::<Watch>() else { continue };
            if let (Some(height), Some(hash)) = (watch.height, watch.block_hash)
                && height <= to
            {
                blocks.entry((height, hash)).or_default().insert(watch.hash);
            }
        }
        Ok(blocks)
    }
}

fn told_again(network: &Network, (height, hash): (u64, B256), stage: Stage, meant: &[Inclusion]) {
    tracing::warn!(network = %network.id, height, %hash, ?stage, transactions = meant.len(), "nobody heard; told again");
}

/// An attempt as it was in a block that left: what it paid is taken back as its outcome says. The block's own rows are not
/// asked: a leader that was held up may have written less of it over what another one had told.
fn was_included(lane: &LaneId, attempt: &Attempt) -> Inclusion {
    Inclusion {
        hash: attempt.hash,
        lane: lane.clone(),
        number: attempt.number,
        attempt: attempt.index,
        cancel: attempt.kind == AttemptKind::Cancel,
        success: true,
        gas_used: 0,
        gas_price_wei: 0,
        moved: Vec::new(),
        unreadable: false,
        disputed: false,
        revert_reason: None,
    }
}

/// Of numbers that were paid: the block, and the attempt.
fn paid(numbers: &BTreeMap<u64, Numbered>) -> BTreeMap<u64, ((u64, B256), B256)> {
    let outcome = |known: &Numbered| match known.transaction.as_ref()?.outcome {
        Some(Outcome::Paid { hash, block_hash, height, .. }) => Some(((height, block_hash), hash)),
        Some(Outcome::Reverted { .. } | Outcome::Cancelled { .. } | Outcome::Displaced { .. }) | None => None,
    };
    numbers.iter().filter_map(|(number, known)| Some((*number, outcome(known)?))).collect()
}
