//! The second opinion: where a network asks for it, a block counts only if two providers have it.

use std::collections::{BTreeMap, BTreeSet};

use causeway_chains::{Chain, Reply};
use causeway_domain::Network;

use crate::{TrackError, Tracker, lead::Lead};

/// Providers that must say the same.
pub(crate) const WITNESSES: usize = 2;

impl Tracker {
    /// How far up to `to` blocks are believed, given that they were told up to `from`. A hash stands for all blocks
    /// below it, so one question does where the second provider keeps up; where it lags by a few blocks the lowest one
    /// is asked for as well, which is enough to follow it, since there are several looks for each block.
    pub(crate) async fn believed(
        &self,
        network: &Network,
        chain: &dyn Chain,
        lead: &mut Lead,
        (from, to): (u64, u64),
        is_final: bool,
    ) -> Result<u64, TrackError> {
        if !network.second_opinion || from >= to {
            return Ok(to);
        }
        let mut to = to;
        let finalities = if is_final && network.final_tag { Some(by_provider(chain.finalities().await)) } else { None };
        if let Some(finalities) = &finalities {
            to = to.min(second_highest(finalities));
            if finalities.len() >= WITNESSES && to <= from {
                // Both answer, and their finality has not come further: nothing to doubt.
                return Ok(from);
            }
        }
        let lowest = from + 1;
        let asked = BTreeSet::from([lowest.max(to), lowest]);
        for height in asked.into_iter().rev() {
            if self.is_witnessed(network, chain, lead, height, finalities.as_ref()).await? {
                lead.doubted_since = None;
                return Ok(height);
            }
        }
        if lead.doubted_since.is_none() {
            tracing::warn!(network = %network.id, from = lowest, to, "no second provider has these blocks; nothing is told");
            lead.doubted_since = Some(self.clock.now_ms());
        }
        Ok(from)
    }

    async fn is_witnessed(
        &self,
        network: &Network,
        chain: &dyn Chain,
        lead: &Lead,
        height: u64,
        finalities: Option<&BTreeMap<String, u64>>,
    ) -> Result<bool, TrackError> {
        let ours = match lead.ring.get(&height) {
            Some(block) => block.hash,
            None => self.remembered(network, height).await?.hash,
        };
        let calls_final = |provider: &String| {
            finalities.is_none_or(|known| known.get(provider).is_some_and(|finalized| *finalized >= height))
        };
        let given = chain.testify(height, None, &[]).await;
        let witnesses: BTreeSet<&String> = given
            .iter()
            .filter(|reply| reply.value.header.hash == ours && calls_final(&reply.provider))
            .map(|reply| &reply.provider)
            .collect();
        Ok(witnesses.len() >= WITNESSES)
    }
}

fn by_provider(replies: Vec<Reply<u64>>) -> BTreeMap<String, u64> {
    replies.into_iter().map(|reply| (reply.provider, reply.value)).collect()
}

/// The height that two providers call final; 0 where fewer answer.
fn second_highest(finalities: &BTreeMap<String, u64>) -> u64 {
    let mut heights: Vec<u64> = finalities.values().copied().collect();
    heights.sort_unstable();
    heights.iter().rev().nth(WITNESSES - 1).copied().unwrap_or(0)
}
