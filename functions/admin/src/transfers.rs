//! Transfers of any tenant, as operators see and act on them: what waits, and cancelling.

use causeway_domain::id::{NetworkId, TransferId};
use causeway_http::{ApiError, Code, Fields, Principal, time::iso};
use causeway_state::{
    cancel::{Cancel, CancelError, ask_signer, cancel},
    parcel::{CancelAsked, DUE_SHARDS, Parcel},
    tables::{DUE, TRANSFERS},
    wallet::Treasury,
};
use causeway_store::{Item, Key, Query, Range};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::{
    Admin,
    change::{Act, Changed},
    list::{List, PageAsked, parse, readable},
    queues::wait_word,
};

/// Rounds against others that move the parcel at the same time.
const ROUNDS_MAX: usize = 4;

/// Which page of the transfers that wait.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WaitingAsked {
    /// A network's name, also of one that is switched off; all that are enabled if left out.
    pub network: Option<String>,
    /// 1 to 100; 20 if left out.
    pub limit: Option<usize>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// A transfer that is looked at again by itself at a time that is known.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitingTransfer {
    /// Its name.
    pub transfer_id: String,
    /// Whose.
    pub tenant: String,
    /// The treasury that pays, `{network}/{address}`.
    pub lane: String,
    /// How much, in the asset's own unit.
    #[schema(example = "12.5")]
    pub amount: String,
    /// The asset's symbol.
    pub symbol: String,
    /// The internal word of what is stored; `docs/api.md` has the table.
    #[schema(example = "waiting")]
    pub state: String,
    /// What it waits for; absent where it only is to be published again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "fee_above_cap")]
    pub waiting_for: Option<String>,
    /// Whether somebody wants it cancelled.
    pub cancel_requested: bool,
    /// When it was accepted; ISO 8601.
    pub created_at: String,
    /// When it is looked at again at the latest; ISO 8601.
    pub due_at: String,
}

/// A transfer whose cancellation an operator asked for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferCancel {
    /// Its name.
    pub transfer_id: String,
    /// Whose.
    pub tenant: String,
    /// The internal word of what is stored; `cancelled` means that its money is free.
    pub state: String,
    /// Whether it was asked for: while the state is not final, the chain has not decided yet.
    pub cancel_requested: bool,
}

impl Admin {
    /// `GET transfers/waiting`: by when they are looked at again, those that wait for room on a lane behind the others.
    pub async fn waiting_transfers(&self, asked: WaitingAsked) -> Result<List<WaitingTransfer>, ApiError> {
        let WaitingAsked { network, limit, cursor } = asked;
        let unknown = || ApiError::field("network", "is not one that is enabled here, nor has treasuries");
        let networks: Vec<NetworkId> = match &network {
            Some(name) => vec![name.parse().map_err(|_| unknown())?],
            None => self.networks.iter().map(|network| network.id.clone()).collect(),
        };
        let mut parts = Vec::new();
        for id in networks {
            let treasuries = self.all(Treasury::query_network(&id)).await?;
            // One that is switched off keeps what waits there, and somebody must see it.
            if treasuries.is_empty() && self.networks.get(id.as_str()).is_none() {
                return Err(unknown());
            }
            let partitions = due_partitions(&id, &treasuries);
            parts.extend(partitions.into_iter().map(|pk| Query::index(TRANSFERS, DUE, pk, Range::All)));
        }
        let page = self.page(&PageAsked { limit, cursor }, parts).await?;
        let keys: Vec<Key> =
            page.items.iter().filter_map(|row| Some(Key::new(TRANSFERS, row.text("pk")?, "PCL"))).collect();
        let rows = self.read(&keys).await?.into_iter().flatten();
        // The index is a hint: what is due no more has gone on meanwhile.
        let items = rows.filter_map(|row| waiting(&readable(&row)?)).collect();
        Ok(List { items, next_cursor: page.next_cursor })
    }

    /// `POST transfers/{id}/cancel`: at once while surely nothing is signed, by a no-op on its number afterwards (rule 6).
    pub async fn cancel_transfer(&self, by: &Principal, id: &str, body: &[u8]) -> Result<TransferCancel, ApiError> {
        let fields = Fields::read(body, &["reason", "unpaid"])?;
        let (reason, seen) = (fields.reason()?, fields.optional_flag("unpaid")?);
        let unknown = || ApiError::of_field(Code::NotFound, "id", "there is no such transfer");
        let id: TransferId = id.parse().map_err(|_| unknown())?;
        for _ in 0..ROUNDS_MAX {
            let row = self.store.get(&Parcel::key(id.parcel)).await.map_err(|error| ApiError::internal(&error))?;
            let row: Item = row.ok_or_else(unknown)?;
            let parcel: Parcel = parse(&row)?;
            let line = parcel.transfers.get(usize::from(id.index)).ok_or_else(unknown)?;
            if parcel.transfers.len() > 1 {
                return Err(conflict("it is paid together with others"));
            }
            let now = self.clock.now_ms();
            let asked = CancelAsked { by: by.user.to_string(), at: now, reason: Some(reason.to_owned()) };
            let (writes, request) = match cancel(&*self.store, (&parcel, row.version()), asked, seen, now).await {
                Ok(Cancel::Now(writes)) => (writes, None),
                Ok(Cancel::Asked { writes, request }) => (writes, request),
                Ok(Cancel::Already { request: None }) => return Ok(told(id, &parcel)),
                // It may have another no-op signed, so it is on record like the first one.
                Ok(Cancel::Already { request: Some(request) }) => (Vec::new(), Some(request)),
                Err(refused @ (CancelError::Ended(_) | CancelError::Reopened)) => {
                    return Err(conflict(&refused.to_string()));
                }
                Err(error @ (CancelError::Move(_) | CancelError::Postings(_) | CancelError::Unread(_))) => {
                    return Err(ApiError::internal(&error));
                }
            };
            let detail = json!({
                "parcel": parcel.id, "tenant": parcel.tenant, "amount": line.amount.format(parcel.decimals),
                "symbol": parcel.symbol, "state": parcel.state.as_str(), "unpaid": seen,
            });
            let act = Act { by, action: "transfers.cancel", target: id.to_string(), reason, detail };
            if let Changed::Done = self.change(&act, &writes).await? {
                if let Some(request) = request
                    && let Err(error) = ask_signer(&*self.queue, &request, now).await
                {
                    // No row says of a repeat that it is still to be published.
                    if writes.is_empty() {
                        return Err(ApiError::internal(&error));
                    }
                    tracing::warn!(trace = %request.trace, error = %error, "not published; the sweep will");
                }
                let row = self.store.get(&Parcel::key(id.parcel)).await.map_err(|error| ApiError::internal(&error))?;
                return Ok(told(id, &parse(&row.ok_or_else(unknown)?)?));
            }
        }
        Err(ApiError::busy())
    }
}

/// Where a network's due parcels lie: by time, and by lane those that wait for room on one.
fn due_partitions(network: &NetworkId, treasuries: &[Item]) -> Vec<String> {
    let lanes = treasuries.iter().filter_map(Treasury::lane_at).map(|lane| Parcel::lane_wait_pk(&lane));
    (0..DUE_SHARDS).map(|shard| Parcel::due_pk(network, shard)).chain(lanes).collect()
}

fn waiting(parcel: &Parcel) -> Option<WaitingTransfer> {
    // The place in the index of one that waits for room is its turn, not a time.
    let due_at = parcel.wait.as_ref().map(|wait| wait.wake_at).or(parcel.due_at)?;
    Some(WaitingTransfer {
        transfer_id: parcel.transfer_id(0).to_string(),
        tenant: parcel.tenant.to_string(),
        lane: parcel.wallet.to_string(),
        amount: parcel.total().format(parcel.decimals),
        symbol: parcel.symbol.clone(),
        state: parcel.state.as_str().to_owned(),
        waiting_for: parcel.wait.as_ref().map(|wait| wait_word(wait.reason)),
        cancel_requested: parcel.cancel.is_some(),
        created_at: iso(parcel.created_at),
        due_at: iso(due_at),
    })
}

fn told(id: TransferId, parcel: &Parcel) -> TransferCancel {
    TransferCancel {
        transfer_id: id.to_string(),
        tenant: parcel.tenant.to_string(),
        state: parcel.state.as_str().to_owned(),
        cancel_requested: parcel.cancel.is_some(),
    }
}

fn conflict(why: &str) -> ApiError {
    ApiError::of_field(Code::Conflict, "id", format!("it cannot be cancelled: {why}"))
}
