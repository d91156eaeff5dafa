//! Handing signed bytes to the network.
//!
//! Invariant: what is not surely an answer of a node is `Unknown`, and the same bytes go to the next provider at once.

use alloy_primitives::{B256, Bytes, keccak256};
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
    /// have been taken; what a later provider says definitely stays as it said it, under its name.
    pub(super) async fn send(&self, raw: &Bytes) -> Broadcast {
        let hash = keccak256(raw);
        let mut best: Option<Broadcast> = None;
        for provider in self.ranked() {
            let outcome = self.send_to(provider, raw, hash).await;
            tracing::debug!(provider = %provider.name, ?hash, ?outcome, "broadcast");
            let said = Broadcast { outcome, provider: provider.name.clone() };
            match &said.outcome {
                BroadcastOutcome::Accepted
                | BroadcastOutcome::AlreadyKnown
                | BroadcastOutcome::NumberTooLow
                | BroadcastOutcome::NumberTooHigh
                | BroadcastOutcome::ReplacementUnderpriced
                | BroadcastOutcome::Underpriced
                | BroadcastOutcome::InsufficientFunds
                | BroadcastOutcome::Refused { .. } => return said,
                BroadcastOutcome::Busy { .. } | BroadcastOutcome::Unknown { .. } => {
                    best = Some(match best {
                        Some(before) => weightier(before, said),
                        None => said,
                    });
                }
            }
        }
        best.unwrap_or_else(|| Broadcast {
            outcome: BroadcastOutcome::Unknown { detail: "no provider".to_owned() },
            provider: String::new(),
        })
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

/// Of two answers that settle nothing, the one to act on.
fn weightier(before: Broadcast, after: Broadcast) -> Broadcast {
    match (&before.outcome, &after.outcome) {
        (BroadcastOutcome::Busy { after_ms: first }, BroadcastOutcome::Busy { after_ms: second }) => {
            let after_ms = [*first, *second].into_iter().flatten().min();
            Broadcast { outcome: BroadcastOutcome::Busy { after_ms }, provider: before.provider }
        }
        (BroadcastOutcome::Busy { .. }, _) => after,
        _ => before,
    }
}
