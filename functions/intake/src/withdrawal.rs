//! The withdrawal surface: `POST /withdrawal/request` and `GET /withdrawal/status/{id}`.

use axum::{
    Json,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use causeway_domain::{Address, fees::Priority, id::RequestId};
use causeway_http::{ApiError, Code, Fields, Principal, Role, body, time::iso};
use causeway_state::parcel::{Alias, Parcel, Surface, unkeyed_parcel};
use causeway_store::Item;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Intake, progress::Told, request::Words};

/// What a client sends to have money withdrawn.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WithdrawalRequest {
    /// Positive decimal string in the asset's own unit.
    #[schema(example = "12.5")]
    pub amount: String,
    /// Who receives; in mixed case its EIP-55 checksum must hold.
    pub to_address: String,
    /// The token's contract; the zero address is the network's own coin.
    pub token_address: String,
    /// The network's name.
    #[schema(example = "ethereum")]
    pub network: String,
}

/// The answer to a withdrawal that was taken.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WithdrawalTaken {
    /// Its name from now on: `tx-{unix ms}-{9 base-36 characters}`.
    pub request_id: String,
    /// How far it is.
    pub status: String,
}

/// How far a withdrawal is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WithdrawalStatus {
    /// Its name.
    pub id: String,
    /// PENDING, VALIDATING, SIGNING, BROADCASTING, COMPLETED or FAILED.
    pub status: String,
    /// The transaction, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_hash: Option<String>,
    /// Whether somebody asked for it to be cancelled; what became of that, the status says.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cancel_requested: bool,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// ISO 8601.
    pub created_at: String,
    /// ISO 8601.
    pub updated_at: String,
}

const FIELDS: [&str; 4] = ["amount", "toAddress", "tokenAddress", "network"];

impl Intake {
    /// `POST /withdrawal/request`
    pub async fn request_withdrawal(
        &self,
        principal: &Principal,
        headers: &HeaderMap,
        bytes: &[u8],
    ) -> Result<Response, ApiError> {
        principal.must_be(&[Role::Client, Role::Operator])?;
        let fields = Fields::read(bytes, &FIELDS)?;
        fields.address("tokenAddress")?;
        let words = Words {
            principal,
            surface: Surface::Withdrawal,
            key: idempotency_key(headers)?,
            from: None,
            network: Some(fields.text("network")?),
            token: fields.text("tokenAddress")?,
            to: recipient(&fields, "toAddress")?,
            amount: fields.text("amount")?,
            priority: Priority::Normal,
        };
        let parcel = self.accept(&words).await?;
        // Always PENDING: a repeat gets the same answer as the first time.
        let id = parcel.request_id.as_ref().map(RequestId::to_string).unwrap_or_default();
        let location = format!("/withdrawal/status/{id}");
        let taken = WithdrawalTaken { request_id: id, status: "PENDING".to_owned() };
        Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(taken)).into_response())
    }

    /// `GET /withdrawal/status/{id}`
    pub async fn withdrawal_status(&self, principal: &Principal, id: &str) -> Result<Response, ApiError> {
        principal.must_be(&[Role::Client, Role::Operator])?;
        let unknown = || ApiError::of_field(Code::NotFound, "id", "there is no such withdrawal");
        let request: RequestId = id.parse().map_err(|_| unknown())?;
        let row = self.find_withdrawal(principal, &request).await?.ok_or_else(unknown)?;
        let told = self.tell(principal, &row).await?.ok_or_else(unknown)?;
        Ok(Json(withdrawal_told(&request, &told)).into_response())
    }

    /// `POST /withdrawal/cancel/{id}`
    pub async fn cancel_withdrawal(&self, principal: &Principal, id: &str) -> Result<Response, ApiError> {
        principal.must_be(&[Role::Client, Role::Operator])?;
        let unknown = || ApiError::of_field(Code::NotFound, "id", "there is no such withdrawal");
        let request: RequestId = id.parse().map_err(|_| unknown())?;
        let row = self.find_withdrawal(principal, &request).await?.ok_or_else(unknown)?;
        let (told, cancelled) = self.cancel(principal, &row).await?.ok_or_else(unknown)?;
        Ok((cancelled.status_code(), Json(withdrawal_told(&request, &told))).into_response())
    }

    /// A withdrawal's name determines its parcel, or an alias does where it came with a key: one read asks for both.
    async fn find_withdrawal(&self, principal: &Principal, request: &RequestId) -> Result<Option<Item>, ApiError> {
        let own = unkeyed_parcel(&principal.tenant, request);
        let keys = [Parcel::key(own), Alias::key(&principal.tenant, request)];
        let mut rows = self.store.get_many(&keys).await.map_err(|error| ApiError::internal(&error))?.into_iter();
        let (parcel, alias) = (rows.next().flatten(), rows.next().flatten());
        match (parcel, alias) {
            (Some(row), _) => Ok(Some(row)),
            (None, Some(alias)) => {
                let alias: Alias = alias.parse().map_err(|error| ApiError::internal(&error))?;
                self.store.get(&Parcel::key(alias.parcel)).await.map_err(|error| ApiError::internal(&error))
            }
            (None, None) => Ok(None),
        }
    }
}

fn withdrawal_told(request: &RequestId, told: &Told) -> WithdrawalStatus {
    let parcel = &told.parcel;
    WithdrawalStatus {
        id: request.to_string(),
        status: told.progress.withdrawal_word().to_owned(),
        transaction_hash: told.hash().map(|hash| hash.to_string()),
        cancel_requested: parcel.cancel.is_some(),
        error: parcel.failure.as_ref().map(|failure| failure.reason.clone()),
        created_at: iso(parcel.created_at),
        updated_at: iso(told.updated_at),
    }
}

/// A recipient: never the zero address, which burns.
pub fn recipient(fields: &Fields, name: &str) -> Result<Address, ApiError> {
    let to = fields.address(name)?;
    if to == Address::ZERO {
        return Err(ApiError::field(name, "is the zero address; the money would be lost"));
    }
    Ok(to)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().map_err(|_| ApiError::field("Idempotency-Key", "must be visible ASCII"))?;
    body::idempotency_key("Idempotency-Key", text).map(Some)
}
