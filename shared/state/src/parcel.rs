//! A parcel: what a client asked for, the money held for it, and how far it is.

use causeway_domain::{
    Address, Amount, B256,
    clock::Millis,
    fees::Priority,
    id::{NetworkId, ParcelId, RequestId, TenantId, TraceId, TransferId, UserId},
    lane::LaneId,
    network::AssetId,
    parcel::ParcelState,
    verdict::WaitReason,
};
use causeway_store::{Expect, Item, Key, Query, Range, RowError, Value, Write};
use serde::{Deserialize, Serialize};

use crate::tables::{DUE, TRANSFERS};

/// Partitions the due parcels of a network are spread over, so that one index key is never hot.
pub const DUE_SHARDS: u8 = 4;

/// Milliseconds after which an accepted parcel that nobody worked on is published again; doubles each time.
pub const REPUBLISH_AFTER_MS: u64 = 60_000;

/// Milliseconds after which a cancellation that was asked for, and for which no no-op is signed, is asked for again.
pub const CANCEL_AGAIN_MS: u64 = 30_000;

/// The code of a transfer whose money an operator released.
pub const REFUNDED: &str = "REFUNDED";

/// Through which surface a transfer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Surface {
    /// `POST /withdrawal/request`
    Withdrawal,
    /// `POST /api/v1/transfers`
    Transfer,
}

impl Surface {
    /// Its name in derived identifiers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Withdrawal => "withdrawal",
            Self::Transfer => "transfer",
        }
    }
}

/// One transfer's intent; it never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Who receives.
    pub to: Address,
    /// How much.
    pub amount: Amount,
}

/// A part of the held money: which shard of the account it was taken from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldPart {
    /// The shard.
    pub shard: u8,
    /// How much of it.
    pub amount: Amount,
}

/// Why a parcel waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// What for.
    pub reason: WaitReason,
    /// When it is looked at again at the latest.
    pub wake_at: Millis,
    /// Its place among those that wait for the same thing: lower first.
    pub score: u64,
}

/// Where it was included when it was settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// The transaction that settled it.
    pub hash: B256,
    /// The block's height.
    pub height: u64,
    /// The block.
    pub block_hash: B256,
}

/// Why it ended without paying.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Stable code, such as `REVERTED`.
    pub code: String,
    /// In words for the client.
    pub reason: String,
}

/// Somebody's wish that a parcel be not paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelAsked {
    /// Who.
    pub by: String,
    /// When.
    pub at: Millis,
    /// Why, where an operator asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// 1..100 transfers of one tenant, wallet, network and asset that are claimed, signed and settled together.
/// A keyed parcel's row is its own idempotency record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// Its identifier.
    pub id: ParcelId,
    /// Whose.
    pub tenant: TenantId,
    /// Who asked.
    pub user: UserId,
    /// Through which surface.
    pub surface: Surface,
    /// A withdrawal's public name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// Hash of the request's content: the same key with another content is refused.
    pub body_hash: B256,
    /// The treasury that pays.
    pub wallet: LaneId,
    /// The asset.
    pub asset: AssetId,
    /// Its decimals, for telling amounts.
    pub decimals: u8,
    /// Its symbol, for telling amounts.
    pub symbol: String,
    /// The transfers.
    pub transfers: Vec<Line>,
    /// How urgent.
    pub priority: Priority,
    /// How far.
    pub state: ParcelState,
    /// Why it waits, while it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
    /// Tries without success since it was accepted or last waited.
    #[serde(default)]
    pub tries: u32,
    /// Its number on the wallet's lane, once assigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Hash of the newest attempt, once assigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<B256>,
    /// Hashes of the attempts before it, oldest first: any of them may be the one that a block takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<B256>,
    /// Who wants it cancelled, if somebody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<CancelAsked>,
    /// How often somebody else's transaction took its number (rule 4).
    #[serde(default)]
    pub displaced: u32,
    /// What settled it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Settled>,
    /// Why it ended without paying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Where the held money was taken from.
    pub hold: Vec<HoldPart>,
    /// How often it left the chain after it was confirmed.
    #[serde(default)]
    pub reopened: u32,
    /// When it was accepted.
    pub created_at: Millis,
    /// When it changed last.
    pub updated_at: Millis,
    /// Its trace.
    pub trace: TraceId,
    /// When the sweep looks at it; absent where nothing is left to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Millis>,
}

/// A move between states that does not exist; a fault of ours, caught before it is written.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// No such move.
    #[error("a parcel that is {} cannot become {}", .from.as_str(), .to.as_str())]
    NoSuchMove {
        /// From here.
        from: ParcelState,
        /// To there.
        to: ParcelState,
    },
    /// The row cannot be stored.
    #[error(transparent)]
    Row(#[from] RowError),
}

impl Parcel {
    /// Where a parcel lies.
    pub fn key(id: ParcelId) -> Key {
        Key::new(TRANSFERS, format!("PCL#{}", id.bare()), "PCL")
    }

    /// The network.
    pub fn network(&self) -> &NetworkId {
        &self.wallet.network
    }

    /// Sum of its transfers.
    pub fn total(&self) -> Amount {
        // Checked when it was accepted.
        self.transfers.iter().try_fold(Amount::ZERO, |sum, line| sum.plus(line.amount)).unwrap_or_default()
    }

    /// A member's identifier.
    pub fn transfer_id(&self, index: u8) -> TransferId {
        TransferId { parcel: self.id, index }
    }

    /// Index partition of a network's due parcels.
    pub fn due_pk(network: &NetworkId, shard: u8) -> String {
        format!("DUE#{network}#{shard}")
    }

    /// Index partition of a lane's parcels that wait for room on it.
    pub fn lane_wait_pk(lane: &LaneId) -> String {
        format!("ROOM#{lane}")
    }

    /// Read every parcel of a lane that has no number, among others of its network.
    pub fn queries_unsigned(lane: &LaneId) -> Vec<Query> {
        let due = (0..DUE_SHARDS).map(|shard| Self::due_pk(&lane.network, shard));
        due.chain([Self::lane_wait_pk(lane)]).map(|pk| Query::index(TRANSFERS, DUE, pk, Range::All)).collect()
    }

    /// Whether it has no number, and is to get one.
    pub const fn is_unsigned(&self) -> bool {
        matches!(self.state, ParcelState::Accepted | ParcelState::Waiting)
    }

    /// Index partition of a tenant's parcels.
    pub fn tenant_pk(tenant: &TenantId) -> String {
        format!("TENANT#{tenant}")
    }

    /// The parcel as a row, with its places in the indexes.
    pub fn item(&self) -> Result<Item, RowError> {
        let mut item = Item::from_fields(self)?
            .with("tenant_pk", Self::tenant_pk(&self.tenant))
            .with("created", format!("{:015}#{}", self.created_at, self.id.bare()));
        if let Some((pk, at)) = self.due() {
            item = item.with("due_pk", pk).with("due_at", at);
        }
        Ok(item)
    }

    /// Its place in the due index: by time among the network's, or by score among those that wait for room on its lane.
    fn due(&self) -> Option<(String, Millis)> {
        match &self.wait {
            Some(wait) if wait.reason == WaitReason::LaneFull => Some((Self::lane_wait_pk(&self.wallet), wait.score)),
            Some(_) | None => {
                let shard = self.hash_shard();
                self.due_at.map(|at| (Self::due_pk(self.network(), shard), at))
            }
        }
    }

    fn hash_shard(&self) -> u8 {
        let sum = self.id.bare().bytes().fold(0_u8, u8::wrapping_add);
        sum % DUE_SHARDS
    }

    /// The write of a new parcel; refused where one of its identifier exists.
    pub fn create(&self) -> Result<Write, RowError> {
        Ok(Write::create(Self::key(self.id), self.item()?))
    }

    /// Turns the row into the next state, if that move exists. `version` is the row's when it was read.
    pub fn moved(&self, version: u64, next: Self) -> Result<Write, MoveError> {
        if !self.state.may_become(next.state) {
            return Err(MoveError::NoSuchMove { from: self.state, to: next.state });
        }
        Ok(Write::Put {
            key: Self::key(self.id),
            item: next.item()?,
            expect: vec![Expect::Version(version), Expect::Equals("state", Value::from(self.state.as_str()))],
        })
    }

    /// Writes what does not change how far it is. `version` is the row's when it was read.
    pub fn noted(&self, version: u64, next: &Self) -> Result<Write, MoveError> {
        if self.state != next.state {
            return Err(MoveError::NoSuchMove { from: self.state, to: next.state });
        }
        Ok(Write::Put { key: Self::key(self.id), item: next.item()?, expect: vec![Expect::Version(version)] })
    }

    /// As [`Self::moved`], or as [`Self::noted`] where it stays how far it is.
    pub fn moved_or_noted(&self, version: u64, next: Self) -> Result<Write, MoveError> {
        if self.state == next.state { self.noted(version, &next) } else { self.moved(version, next) }
    }

    /// Accepted again after a wait, to be published.
    pub fn woken(&self, now: Millis) -> Self {
        let backoff = REPUBLISH_AFTER_MS << self.tries.min(6);
        Self {
            state: ParcelState::Accepted,
            wait: None,
            tries: self.tries.saturating_add(1),
            due_at: Some(now + backoff),
            updated_at: now,
            ..self.clone()
        }
    }

    /// Waiting for something.
    pub fn waiting(&self, reason: WaitReason, wake_at: Millis, now: Millis) -> Self {
        let urgency = match self.priority {
            Priority::High => 0,
            Priority::Normal => 60_000,
            Priority::Low => 600_000,
        };
        let score = self.created_at.saturating_add(urgency);
        Self {
            state: ParcelState::Waiting,
            wait: Some(Wait { reason, wake_at, score }),
            due_at: Some(wake_at),
            updated_at: now,
            ..self.clone()
        }
    }

    /// With a number and signed bytes.
    pub fn assigned(&self, number: u64, hash: B256, now: Millis) -> Self {
        Self {
            state: ParcelState::Assigned,
            wait: None,
            tries: 0,
            number: Some(number),
            hash: Some(hash),
            due_at: None,
            updated_at: now,
            ..self.clone()
        }
    }

    /// With another attempt on its number.
    pub fn resigned(&self, hash: B256, now: Millis) -> Self {
        let replaced = self.replaced.iter().copied().chain(self.hash).collect();
        Self { hash: Some(hash), replaced, updated_at: now, ..self.clone() }
    }

    /// Signed, and somebody wants it cancelled: the sweep sees to it that a no-op is signed.
    pub fn cancel_asked(&self, asked: CancelAsked, now: Millis) -> Self {
        Self { cancel: Some(asked), due_at: Some(now + CANCEL_AGAIN_MS), updated_at: now, ..self.clone() }
    }

    /// Without a number, and somebody wants it cancelled: the sweep has the signer see to it.
    pub fn cancel_wished(&self, asked: CancelAsked, now: Millis) -> Self {
        Self { cancel: Some(asked), due_at: Some(now), tries: self.tries, ..self.woken(now) }
    }

    /// Cancelled: before anything was signed, or by a no-op that settled it.
    pub fn cancelled(&self, settled: Option<Settled>, failure: Failure, now: Millis) -> Self {
        Self {
            state: ParcelState::Cancelled,
            wait: None,
            settled,
            failure: Some(failure),
            due_at: None,
            updated_at: now,
            ..self.clone()
        }
    }

    /// Accepted again, since its number was proven to be another's: no bytes of its ever were or will be carried out. What was
    /// told as paid once is to be paid again: that ended an earlier wish to cancel it (rule 5).
    pub fn displaced(&self, now: Millis) -> Self {
        Self {
            number: None,
            hash: None,
            replaced: Vec::new(),
            displaced: self.displaced.saturating_add(1),
            cancel: self.cancel.clone().filter(|_| self.state != ParcelState::Reopened),
            ..Self { tries: 0, ..self.clone() }.woken(now)
        }
    }

    /// Refused before anything was signed.
    pub fn rejected(&self, failure: Failure, now: Millis) -> Self {
        Self {
            state: ParcelState::Rejected,
            wait: None,
            failure: Some(failure),
            due_at: None,
            updated_at: now,
            ..self.clone()
        }
    }

    /// Settled by a transaction that paid.
    pub fn confirmed(&self, settled: Settled, now: Millis) -> Self {
        Self { state: ParcelState::Confirmed, settled: Some(settled), due_at: None, updated_at: now, ..self.clone() }
    }

    /// Settled by a transaction that did not pay.
    pub fn failed(&self, settled: Settled, failure: Failure, now: Millis) -> Self {
        Self {
            state: ParcelState::Failed,
            settled: Some(settled),
            failure: Some(failure),
            due_at: None,
            updated_at: now,
            ..self.clone()
        }
    }

    /// Confirmed once, and no longer on the chain.
    pub fn reopened(&self, now: Millis) -> Self {
        Self {
            state: ParcelState::Reopened,
            settled: None,
            reopened: self.reopened.saturating_add(1),
            updated_at: now,
            ..self.clone()
        }
    }
}

/// A withdrawal's public name, where it does not itself determine the parcel (keyed requests).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The parcel it names.
    pub parcel: ParcelId,
}

impl Alias {
    /// Where a tenant's alias lies.
    pub fn key(tenant: &TenantId, request: &RequestId) -> Key {
        Key::new(TRANSFERS, format!("REQ#{tenant}#{request}"), "REQ")
    }
}

/// The parcel of an idempotency key.
pub fn keyed_parcel(tenant: &TenantId, surface: Surface, idempotency_key: &str) -> ParcelId {
    ParcelId::derived(&[tenant.as_str(), surface.as_str(), "key", idempotency_key])
}

/// The parcel of a withdrawal that came without a key: its public name determines it, so no alias is needed.
pub fn unkeyed_parcel(tenant: &TenantId, request: &RequestId) -> ParcelId {
    ParcelId::derived(&[tenant.as_str(), Surface::Withdrawal.as_str(), "request", request.as_str()])
}
