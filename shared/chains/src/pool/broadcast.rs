//! Handing signed bytes to the network.
//!
//! Invariant: what is not surely an answer of a node is `Unknown`, and the same bytes go to the next provider at once.

use alloy_primitives::{B256, Bytes, keccak256};
use futures::future::join_all;
use serde_json::json;

use super::{
    RpcChain,
    provider::Provider,
    transport::{Failure, Op},
    wire::read,
};
use crate::{
    classify,
    port::{Broadcast, BroadcastOutcome},
    revert::printable,
};

/// Characters of a failure that are kept.
const DETAIL_CHARS_MAX: usize = 300;

impl RpcChain {
    /// Tries the providers in turn until one says something definite. `Unknown` outweighs `Busy`, since the bytes may
    /// have been taken; what one refuses another may take.
    pub(super) async fn send(&self, raw: &Bytes) -> Broadcast {
        let hash = keccak256(raw);
        let mut best: Option<Broadcast> = None;
        for provider in self.ranked() {
            let said = self.said_by(provider, raw, hash).await;
            if said.outcome.is_definite() {
                return said;
            }
            best = Some(match best {
                Some(before) => before.or(said),
                None => said,
            });
        }
        best.unwrap_or_else(|| Broadcast::nobody("no provider"))
    }

    /// Asks all of them side by side.
    pub(super) async fn send_to_all(&self, raw: &Bytes) -> Broadcast {
        let hash = keccak256(raw);
        let asked: Vec<_> = self.ranked().into_iter().map(|provider| self.said_by(provider, raw, hash)).collect();
        let said = join_all(asked).await;
        said.into_iter().reduce(Broadcast::or).unwrap_or_else(|| Broadcast::nobody("no provider"))
    }

    async fn said_by(&self, provider: &Provider, raw: &Bytes, hash: B256) -> Broadcast {
        let outcome = self.send_to(provider, raw, hash).await;
        tracing::debug!(provider = %provider.name, ?hash, ?outcome, "broadcast");
        Broadcast { outcome, provider: provider.name.clone() }
    }

    async fn send_to(&self, provider: &Provider, raw: &Bytes, hash: B256) -> BroadcastOutcome {
        match Self::ask_one(provider, Op::BROADCAST, &json!([raw]), read::<B256>).await {
            Ok(told) if told == hash => BroadcastOutcome::Accepted,
            Ok(told) => unknown(&provider.nonsense(format!("answers with the hash {told}, not {hash}"))),
            Err(Failure::Node(error)) => classify::broadcast(Some(error.code), &error.message),
            Err(Failure::Limited { after_ms }) => BroadcastOutcome::Busy { after_ms },
            Err(failure @ (Failure::Lost(_) | Failure::Nonsense(_))) => unknown(&failure),
        }
    }
}

fn unknown(failure: &Failure) -> BroadcastOutcome {
    BroadcastOutcome::Unknown { detail: printable(&failure.to_string(), DETAIL_CHARS_MAX) }
}
