//! What a message from a dead-letter queue tells, as a row.

use causeway_domain::{
    clock::Millis,
    id::{DeadLetterId, ParcelId, TraceId},
};
use causeway_runtime::Received;
use causeway_state::{
    dead_letter::{BODY_BYTES_MAX, DEDUP, DeadLetter, REASON, Status},
    message::{Stage, StageMessage},
};
use serde_json::Value;

/// A dead letter and the trace it belongs to, where its body names one.
#[derive(Debug)]
pub struct Told {
    /// The row.
    pub letter: DeadLetter,
    /// For the log.
    pub trace: Option<TraceId>,
}

/// Reads a message. Nothing in it is relied on: poison is recorded like anything else.
pub fn read(message: Received, now: Millis) -> Told {
    let attribute = |name: &str| {
        let found = message.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
    };
    // A stage is told again until it is settled: given up as often, it is one letter, which nobody can discard before. That a
    // block left may be told of the same block twice.
    let stage = serde_json::from_str::<StageMessage>(&message.body).map(|told| told.stage);
    let is_stage = matches!(stage, Ok(Stage::Confirmed | Stage::Final));
    let own = || if is_stage { message.body.clone() } else { message.message_id.clone() };
    let dedup = attribute(DEDUP).unwrap_or_else(own);
    // Without a reason nobody dead-lettered it: the source queue gave it up.
    let reason = attribute(REASON).unwrap_or_else(|| format!("gave up after {} receives", message.receives));
    let body: Option<Value> = serde_json::from_str(&message.body).ok();
    let text = |name: &str| body.as_ref().and_then(|body| body.get(name)).and_then(Value::as_str);
    let parcel: Option<ParcelId> = text("parcel").and_then(|id| id.parse().ok());
    let trace = text("trace").and_then(|id| id.parse().ok());
    let cut = message.body.len() > BODY_BYTES_MAX;
    let letter = DeadLetter {
        id: DeadLetterId::derived(&[&message.queue, &dedup]),
        queue: message.queue,
        message: message.message_id,
        body: bounded(message.body),
        cut,
        reason,
        receives: message.receives,
        parcel,
        status: Status::Open,
        created_at: now,
        updated_at: now,
        by: None,
        note: None,
        settled: Vec::new(),
    };
    Told { letter, trace }
}

fn bounded(mut body: String) -> String {
    body.truncate(body.floor_char_boundary(BODY_BYTES_MAX));
    body
}
