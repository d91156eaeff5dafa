//! The transfer surface: `POST /api/v1/transfers`, `GET /api/v1/transfers[/{id}]`.

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use causeway_domain::{
    fees::Priority,
    id::TransferId,
    limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX},
};
use causeway_http::{ApiError, Code, Fields, Principal, Role, time::iso};
use causeway_state::{
    parcel::{Parcel, Surface},
    tables,
};
use causeway_store::{Cursor, Query, Range};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Intake, progress::Told, request::Words, withdrawal::recipient};

/// What a client sends to have money transferred.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TransferRequest {
    /// A treasury of the tenant.
    pub from: String,
    /// Who receives.
    pub to: String,
    /// Positive decimal string in the asset's own unit.
    pub amount: String,
    /// A symbol or a contract address.
    #[schema(example = "USDC")]
    pub token: String,
    /// The network's name; may be left out where `from` is registered on only one.
    pub network: Option<String>,
    /// low, normal or high.
    pub priority: Option<String>,
    /// 1 to 128 visible characters.
    pub idempotency_key: String,
}

/// The answer to a transfer that was taken.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferTaken {
    /// `accepted`.
    pub status: String,
    /// Its name from now on.
    pub transfer_id: String,
    /// When it should be confirmed; ISO 8601. Absent in a repeat whose network is not enabled any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_completion_time: Option<String>,
    /// Where to look.
    pub tracking_url: String,
}

/// Why a transfer failed.
#[derive(Debug, Serialize, ToSchema)]
pub struct TransferFailure {
    /// Stable code.
    pub code: String,
    /// In words.
    pub message: String,
}

/// A transfer and how far it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferStatus {
    /// Its name.
    pub transfer_id: String,
    /// pending, confirmed, failed or resubmitted.
    pub status: String,
    /// The internal word; `docs/api.md` has the table.
    pub state: String,
    /// What it waits for, while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// The treasury that pays.
    pub from: String,
    /// Who receives.
    pub to: String,
    /// In the asset's own unit.
    pub amount: String,
    /// The asset's symbol.
    pub token: String,
    /// The network.
    pub network: String,
    /// low, normal or high.
    #[schema(value_type = String)]
    pub priority: Priority,
    /// A withdrawal's own name, if it came through that surface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Blocks on top of and including its own; 0 before.
    pub confirmations: u64,
    /// The transaction, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_hash: Option<String>,
    /// The block's height, once it is in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_number: Option<u64>,
    /// When it should be confirmed, until it is; absent where its network is not enabled any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_completion_time: Option<String>,
    /// Whether somebody asked for it to be cancelled; what became of that, the state says.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cancel_requested: bool,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<TransferFailure>,
    /// ISO 8601.
    pub created_at: String,
    /// ISO 8601.
    pub updated_at: String,
}

/// A page of transfers.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferPage {
    /// Newest first.
    pub transfers: Vec<TransferStatus>,
    /// Where to go on, if there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageAsked {
    /// 1 to 100; 20 if left out.
    pub limit: Option<usize>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

const FIELDS: [&str; 7] = ["from", "to", "amount", "token", "network", "priority", "idempotencyKey"];

impl Intake {
    /// `POST /api/v1/transfers`
    pub async fn create_transfer(&self, principal: &Principal, bytes: &[u8]) -> Result<Response, ApiError> {
        principal.must_be(&[Role::Client, Role::Operator])?;
        let fields = Fields::read(bytes, &FIELDS)?;
        let words = Words {
            principal,
            surface: Surface::Transfer,
            key: Some(fields.key("idempotencyKey")?),
            from: Some(fields.address("from")?),
            network: fields.optional_text("network")?,
            token: fields.text("token")?,
            to: recipient(&fields, "to")?,
            amount: fields.text("amount")?,
            priority: match fields.optional_text("priority")? {
                None | Some("normal") => Priority::Normal,
                Some("low") => Priority::Low,
                Some("high") => Priority::High,
                Some(_) => return Err(ApiError::field("priority", "must be low, normal or high")),
            },
        };
        let parcel = self.accept(&words).await?;
        let id = parcel.transfer_id(0).to_string();
        let tracking_url = format!("/api/v1/transfers/{id}");
        let taken = TransferTaken {
            status: "accepted".to_owned(),
            transfer_id: id,
            estimated_completion_time: self.estimate(&parcel),
            tracking_url: tracking_url.clone(),
        };
        Ok((StatusCode::ACCEPTED, [(header::LOCATION, tracking_url)], Json(taken)).into_response())
    }

    /// `GET /api/v1/transfers/{id}`
    pub async fn transfer_status(&self, principal: &Principal, id: &str) -> Result<Response, ApiError> {
        principal.must_be(&[Role::Client, Role::Operator])?;
        let unknown = || ApiError::of_field(Code::NotFound, "id", "there is no such transfer");
        let id: TransferId = id.parse().map_err(|_| unknown())?;
        let row = self.store.get(&Parcel::key(id.parcel)).await.map_err(|error| ApiError::internal(&error))?;
        let told = match row {
            Some(row) => self.tell(principal, &row).await?.ok_or_else(unknown)?,
            None => return Err(unknown()),
        };
        self.status(&told, id.index).map(|status| Json(status).into_response()).ok_or_else(unknown)
    }

    /// `POST /api/v1/transfers/{id}/cancel`
    pub async fn cancel_transfer(&self, principal: &Principal, id: &str) -> Result<Response, ApiError> {
        principal.must_be(&[Role::Client, Role::Operator])?;
        let unknown = || ApiError::of_field(Code::NotFound, "id", "there is no such transfer");
        let id: TransferId = id.parse().map_err(|_| unknown())?;
        let row = self.store.get(&Parcel::key(id.parcel)).await.map_err(|error| ApiError::internal(&error))?;
        let (told, cancelled) = self.cancel(principal, &row.ok_or_else(unknown)?).await?.ok_or_else(unknown)?;
        let status = self.status(&told, id.index).ok_or_else(unknown)?;
        Ok((cancelled.status_code(), Json(status)).into_response())
    }

    /// `GET /api/v1/transfers`
    pub async fn list_transfers(&self, principal: &Principal, asked: &PageAsked) -> Result<Response, ApiError> {
        principal.must_be(&[Role::Client, Role::Operator])?;
        let limit = asked.limit.unwrap_or(PAGE_ROWS_DEFAULT);
        if !(1..=PAGE_ROWS_MAX).contains(&limit) {
            return Err(ApiError::field("limit", format!("must be 1 to {PAGE_ROWS_MAX}")));
        }
        let pk = Parcel::tenant_pk(&principal.tenant);
        let query = Query {
            descending: true,
            limit,
            after: asked.cursor.clone().map(Cursor),
            ..Query::index(tables::TRANSFERS, tables::BY_TENANT, pk, Range::All)
        };
        let page = self.store.query(&query).await.map_err(|error| cursor_error(asked, &error))?;
        let keys: Vec<_> = page.items.iter().filter_map(|row| row.text("pk")).map(parcel_key).collect();
        let rows = self.store.get_many(&keys).await.map_err(|error| ApiError::internal(&error))?;
        let told = self.tell_all(principal, &rows.into_iter().flatten().collect::<Vec<_>>()).await?;
        let of_parcel = |told: &Told| {
            let indexes = 0..u8::try_from(told.parcel.transfers.len()).unwrap_or(u8::MAX);
            indexes.filter_map(|index| self.status(told, index)).collect::<Vec<_>>()
        };
        let transfers = told.iter().flat_map(of_parcel).collect();
        Ok(Json(TransferPage { transfers, next_cursor: page.next.map(|cursor| cursor.0) }).into_response())
    }

    fn status(&self, told: &Told, index: u8) -> Option<TransferStatus> {
        let parcel = &told.parcel;
        let line = parcel.transfers.get(usize::from(index))?;
        let failure = parcel.failure.as_ref();
        let open = !told.progress.is_terminal();
        Some(TransferStatus {
            transfer_id: parcel.transfer_id(index).to_string(),
            status: told.progress.transfer_word().to_owned(),
            state: told.progress.as_str().to_owned(),
            waiting_for: parcel.wait.as_ref().map(|wait| wait_word(wait.reason)),
            from: parcel.wallet.address.to_string(),
            to: line.to.to_string(),
            amount: line.amount.format(parcel.decimals),
            token: parcel.symbol.clone(),
            network: parcel.network().to_string(),
            priority: parcel.priority,
            request_id: parcel.request_id.as_ref().map(ToString::to_string),
            confirmations: told.confirmations,
            transaction_hash: told.hash().map(|hash| hash.to_string()),
            block_number: told.height,
            estimated_completion_time: open.then(|| self.estimate(parcel)).flatten(),
            cancel_requested: parcel.cancel.is_some(),
            error: failure
                .map(|failure| TransferFailure { code: failure.code.clone(), message: failure.reason.clone() }),
            created_at: iso(parcel.created_at),
            updated_at: iso(told.updated_at),
        })
    }

    /// When a transfer that meets no obstacle is confirmed; nobody knows where its network is not enabled any more.
    fn estimate(&self, parcel: &Parcel) -> Option<String> {
        let network = self.networks.get(parcel.network().as_str())?;
        Some(iso(parcel.created_at + network.block_time_ms * (network.confirmed_at + 1)))
    }
}

fn parcel_key(pk: &str) -> causeway_store::Key {
    causeway_store::Key::new(tables::TRANSFERS, pk, "PCL")
}

fn wait_word(reason: causeway_domain::verdict::WaitReason) -> String {
    serde_json::to_value(reason).ok().and_then(|word| word.as_str().map(ToOwned::to_owned)).unwrap_or_default()
}

/// A cursor that is not one of ours is the client's fault, everything else is not.
fn cursor_error(asked: &PageAsked, error: &causeway_store::StoreError) -> ApiError {
    match error {
        causeway_store::StoreError::Refused(_) if asked.cursor.is_some() => {
            ApiError::field("cursor", "is not one that this list gave")
        }
        causeway_store::StoreError::Refused(_)
        | causeway_store::StoreError::Unavailable(_)
        | causeway_store::StoreError::Denied(_) => ApiError::internal(error),
    }
}
