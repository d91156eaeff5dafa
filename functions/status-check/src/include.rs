//! What of ours a block includes: matched by hash, written under the block's hash, and told to the lanes.

use std::collections::{BTreeMap, BTreeSet};

use causeway_chains::{Block, Call, Chain, Log, Receipt, token};
use causeway_domain::{B256, Network, clock::Millis, id::NetworkId, lane::LaneId};
use causeway_state::{
    commit::{Done, commit},
    lane::{Gate, Transaction},
    tracker::{HeaderRow, Inclusion, InclusionChunk, Moved, Watch, parts},
};
use causeway_store::{Expect, RowError, Update, Value, Write};

use crate::{TrackError, Tracker};

/// Watches and the chunk of one commit, under DynamoDB's 100.
const MATCHES_PER_COMMIT: usize = 90;
/// Token movements of one transaction that are kept: a parcel has at most as many transfers.
const MOVED_MAX: usize = 100;

impl Tracker {
    /// Writes a block's inclusions; `None` while the provider does not have all receipts.
    pub async fn include(
        &self,
        network: &Network,
        chain: &dyn Chain,
        block: &Block,
    ) -> Result<Option<Vec<Inclusion>>, TrackError> {
        let Some(found) = self.included(network, chain, block).await? else { return Ok(None) };
        self.write_inclusions(network, block, &found).await?;
        Ok(Some(found.into_iter().map(|(inclusion, _)| inclusion).collect()))
    }

    /// What of ours a block includes, with its watches' versions; `None` while the provider does not have all receipts.
    pub(crate) async fn included(
        &self,
        network: &Network,
        chain: &dyn Chain,
        block: &Block,
    ) -> Result<Option<Vec<(Inclusion, u64)>>, TrackError> {
        let matches = self.matches(&network.id, &block.transactions).await?;
        if matches.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let hashes: Vec<B256> = matches.iter().map(|(watch, _)| watch.hash).collect();
        let Some(receipts) = chain.receipts(block.header.hash, &hashes).await?.value else { return Ok(None) };
        let mut found = Vec::new();
        for ((watch, version), receipt) in matches.into_iter().zip(receipts) {
            found.push((self.inclusion(network, chain, &watch, &receipt).await?, version));
        }
        Ok(Some(found))
    }

    /// Writes them, and that their watches are in this block.
    pub(crate) async fn write_inclusions(
        &self,
        network: &Network,
        block: &Block,
        found: &[(Inclusion, u64)],
    ) -> Result<(), TrackError> {
        for (chunk, found) in parts(found, MATCHES_PER_COMMIT, |(inclusion, _)| inclusion)?.into_iter().enumerate() {
            self.write_chunk(&network.id, block, chunk, found).await?;
        }
        Ok(())
    }

    /// The watches of a block's hashes: one read per hundred, however many are watched.
    async fn matches(&self, network: &NetworkId, hashes: &[B256]) -> Result<Vec<(Watch, u64)>, TrackError> {
        let mut matches = Vec::new();
        for chunk in hashes.chunks(100) {
            let keys: Vec<_> = chunk.iter().map(|hash| Watch::key(network, *hash)).collect();
            for row in self.store.get_many(&keys).await?.into_iter().flatten() {
                matches.push((row.parse()?, row.version()));
            }
        }
        Ok(matches)
    }

    async fn inclusion(
        &self,
        network: &Network,
        chain: &dyn Chain,
        watch: &Watch,
        receipt: &Receipt,
    ) -> Result<Inclusion, TrackError> {
        let revert_reason =
            if receipt.success || watch.cancel { None } else { self.why(chain, watch, receipt).await? };
        tracing::info!(
            lane = %watch.lane, number = watch.number, hash = %watch.hash, trace = %watch.trace,
            height = receipt.block_number, success = receipt.success, "included"
        );
        let included = Inclusion {
            hash: watch.hash,
            lane: watch.lane.clone(),
            number: watch.number,
            attempt: watch.attempt,
            cancel: watch.cancel,
            success: false,
            gas_used: 0,
            gas_price_wei: 0,
            moved: Vec::new(),
            unreadable: false,
            disputed: false,
            revert_reason,
        };
        Ok(evidence(network, &included, receipt))
    }

    /// Replays a reverted call as it was sent. Not knowing why is no reason to wait.
    async fn why(&self, chain: &dyn Chain, watch: &Watch, receipt: &Receipt) -> Result<Option<String>, TrackError> {
        let Some(row) = self.store.get(&Transaction::key(&watch.lane, watch.number)).await? else { return Ok(None) };
        let intent = match row.parse::<Transaction>() {
            Ok(ours) => ours.intent,
            Err(error) => {
                tracing::error!(lane = %watch.lane, number = watch.number, error = %error, "a transaction cannot be read");
                return Ok(None);
            }
        };
        let call = Call {
            from: watch.lane.address,
            to: intent.to,
            value: intent.value,
            data: intent.data,
            gas: Some(intent.gas_limit),
            gas_max: None,
            gas_price_wei: Some(receipt.effective_gas_price_wei),
        };
        match chain.revert_reason(&call, receipt.block_number).await {
            Ok(reply) => Ok(reply.value),
            Err(error) => {
                tracing::info!(hash = %watch.hash, error = %error, "the reason of a revert is not to be had");
                Ok(None)
            }
        }
    }

    async fn write_chunk(
        &self,
        network: &NetworkId,
        block: &Block,
        chunk: usize,
        found: &[(Inclusion, u64)],
    ) -> Result<(), TrackError> {
        let (height, hash) = (block.header.number, block.header.hash);
        let row = InclusionChunk { inclusions: found.iter().map(|(inclusion, _)| inclusion.clone()).collect() };
        // The same block gives the same bytes, so writing it again is harmless.
        let key = InclusionChunk::key(network, height, hash, chunk);
        let mut writes = vec![Write::Put { key, item: row.item()?, expect: vec![] }];
        for (inclusion, version) in found {
            let set = vec![("height", Value::from(height)), ("block_hash", Value::from(hash.to_string()))];
            writes.push(Write::Update {
                key: Watch::key(network, inclusion.hash),
                update: Update { set, ..Update::default() },
                expect: vec![Expect::Version(*version)],
            });
        }
        match commit(&*self.store, &*self.clock, &writes).await? {
            Done::Committed => Ok(()),
            // A leader before or after this one wrote a watch: begin the block again from a new read.
            Done::Conflict(_) => Err(TrackError::Lost),
        }
    }

    /// Writes what all providers tell of some of a block's inclusions by now, beside what was read when it was new: nothing of
    /// the block's own rows is written over, whoever else writes them.
    pub(crate) async fn write_later(
        &self,
        network: &NetworkId,
        (height, hash): (u64, B256),
        now: &[Inclusion],
    ) -> Result<(), TrackError> {
        for part in parts(now, MATCHES_PER_COMMIT, |one| one)? {
            let write = |inclusion: &Inclusion| {
                let item = InclusionChunk { inclusions: vec![inclusion.clone()] }.item()?;
                let key = InclusionChunk::later_key(network, height, hash, inclusion.hash);
                Ok(Write::Put { key, item, expect: vec![] })
            };
            let writes = part.iter().map(write).collect::<Result<Vec<Write>, RowError>>()?;
            match commit(&*self.store, &*self.clock, &writes).await? {
                Done::Committed => {}
                // They expect nothing.
                Done::Conflict(_) => return Err(TrackError::Lost),
            }
        }
        Ok(())
    }

    /// A lane whose numbers were included has room again, and surely was seen that far. Told once the head has moved: of a
    /// block that leaves before, nobody else would take it back, and of one that left since, it is not told.
    pub(crate) async fn tell_lanes(
        &self,
        (height, hash): (u64, B256),
        inclusions: &[Inclusion],
    ) -> Result<(), TrackError> {
        let mut lanes: BTreeMap<&LaneId, BTreeSet<u64>> = BTreeMap::new();
        for inclusion in inclusions {
            lanes.entry(&inclusion.lane).or_default().insert(inclusion.number);
        }
        for (lane, numbers) in lanes {
            self.update_gate_at((height, hash), lane, |gate, now| consume(gate, &numbers, now)).await?;
            self.feed(lane).await?;
        }
        Ok(())
    }

    /// Changes a gate under its version; another's write in between is read and changed in turn.
    pub(crate) async fn update_gate(
        &self,
        lane: &LaneId,
        change: impl Fn(&Gate, Millis) -> Option<Gate>,
    ) -> Result<Option<Gate>, TrackError> {
        self.change_gate(lane, None, change).await
    }

    /// As [`Tracker::update_gate`], while this block is on the chain: a leader that was held up does not know that it was
    /// replaced, and that the block has left.
    pub(crate) async fn update_gate_at(
        &self,
        (height, hash): (u64, B256),
        lane: &LaneId,
        change: impl Fn(&Gate, Millis) -> Option<Gate>,
    ) -> Result<Option<Gate>, TrackError> {
        self.change_gate(lane, Some(HeaderRow::holds(&lane.network, height, hash)), change).await
    }

    async fn change_gate(
        &self,
        lane: &LaneId,
        holds: Option<Write>,
        change: impl Fn(&Gate, Millis) -> Option<Gate>,
    ) -> Result<Option<Gate>, TrackError> {
        const TRIES_MAX: u32 = 20;
        for _ in 0..TRIES_MAX {
            let Some(row) = self.store.get(&Gate::key(lane)).await? else { return Ok(None) };
            let gate: Gate = row.parse()?;
            let Some(next) = change(&gate, self.clock.now_ms()) else { return Ok(None) };
            let mut writes = vec![next.put(lane, row.version())?];
            writes.extend(holds.clone());
            match commit(&*self.store, &*self.clock, &writes).await? {
                Done::Committed => return Ok(Some(next)),
                Done::Conflict(conflicts) if conflicts.iter().any(|conflict| conflict.index > 0) => {
                    return Err(TrackError::Lost);
                }
                Done::Conflict(_) => {}
            }
        }
        Err(TrackError::Stuck(format!("the gate of {lane} never held still")))
    }
}

/// An inclusion with what a receipt says of it.
pub(crate) fn evidence(network: &Network, included: &Inclusion, receipt: &Receipt) -> Inclusion {
    let lane = included.lane.address;
    // A recipient's contract may log what it likes: the tokens that count are those on the list, and the one called.
    let counts = |log: &&Log| receipt.to == Some(log.address) || network.asset(log.address).is_some();
    let logs: Vec<Log> = receipt.logs.iter().filter(counts).cloned().collect();
    let moved = token::movements_from(&logs, lane, MOVED_MAX);
    // Whether anything moved at all, any contract may say: some tokens have another one tell of their transfers.
    let any = |log: &Log| token::moved_at_all(std::slice::from_ref(log), log.address, lane);
    let unreadable = moved.is_empty() && receipt.logs.iter().any(any);
    let moved = moved.into_iter().map(|(token, to, amount)| Moved { token, to, amount }).collect();
    Inclusion {
        success: receipt.success,
        gas_used: receipt.gas_used,
        // Caps are below 2^64, so what was paid is.
        gas_price_wei: u64::try_from(receipt.effective_gas_price_wei).unwrap_or(u64::MAX),
        moved,
        unreadable,
        revert_reason: included.revert_reason.clone().filter(|_| !receipt.success),
        ..included.clone()
    }
}

/// Numbers are used up in order: `consumed` moves only over numbers that are ours, and stops at one that is not.
fn consume(gate: &Gate, included: &BTreeSet<u64>, now: Millis) -> Option<Gate> {
    let mut consumed = gate.consumed;
    while included.contains(&consumed) {
        consumed += 1;
    }
    let highest = included.last().map_or(0, |number| number + 1);
    let seen = gate.seen.max(highest);
    (consumed != gate.consumed || seen != gate.seen).then(|| Gate { seen, ..gate.consumed(consumed, now) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consumed_stops_at_a_number_that_is_not_ours() {
        let gate = Gate::new(5, 0);
        let next = consume(&gate, &BTreeSet::from([5, 6, 8]), 7).expect("moves");
        assert_eq!((next.consumed, next.seen, next.progress_at), (7, 9, 7));
        assert_eq!(consume(&next, &BTreeSet::from([8]), 8), None);
    }
}
