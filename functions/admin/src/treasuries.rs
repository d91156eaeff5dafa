//! Treasuries: the wallets that pay for a tenant's transfers, registered once.

use causeway_domain::{Address, Network, id::TenantId};
use causeway_http::{ApiError, Code, Fields, Principal};
use causeway_keys::{KeyError, KeyRef};
use causeway_state::{
    ledger::{AccountId, Owner},
    wallet::Treasury,
};
use causeway_store::Write;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::{
    Admin,
    change::Act,
    list::{List, PageAsked, readable},
};

const FIELDS: [&str; 4] = ["tenant", "network", "key", "reason"];
const KEY_FIELDS: [&str; 4] = ["kind", "keyId", "name", "address"];

/// Which treasuries.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TreasuriesAsked {
    /// Whose; everybody's if left out.
    pub tenant: Option<String>,
    /// 1 to 100; 20 if left out.
    pub limit: Option<usize>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// What an operator sends to register a treasury.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TreasuryRequest {
    /// Whose.
    #[schema(example = "acme")]
    pub tenant: String,
    /// The network's name.
    #[schema(example = "ethereum")]
    pub network: String,
    /// How its key is held.
    pub key: TreasuryKeyRequest,
    /// Why, 1 to 500 characters.
    pub reason: String,
}

/// How a treasury's key is held, as an operator says it.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum TreasuryKeyRequest {
    /// A KMS key of spec ECC_SECG_P256K1; the address follows from it.
    Kms {
        /// Key id or ARN.
        // By hand: the schema's generator does not know serde's rename_all_fields.
        #[serde(rename = "keyId")]
        key_id: String,
    },
    /// An imported key in the secret `imported-keys`. Its address is checked when it signs: this function cannot read
    /// the secret.
    Secret {
        /// Its name within the secret.
        name: String,
        /// Its address.
        address: String,
    },
}

/// A treasury that was registered.
#[derive(Debug, Serialize, ToSchema)]
pub struct TreasuryRegistered {
    /// The address that holds the funds and sends.
    pub address: String,
}

/// A treasury.
#[derive(Debug, Serialize, ToSchema)]
pub struct TreasuryShown {
    /// Whose; absent where its row cannot be read, which the log names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Where.
    pub network: String,
    /// The address that holds the funds and sends.
    pub address: String,
    /// How its key is held; absent where its row cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<TreasuryKey>,
}

/// How a treasury's key is held.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum TreasuryKey {
    /// A KMS key.
    Kms {
        /// Key id or ARN.
        // By hand: the schema's generator does not know serde's rename_all_fields.
        #[serde(rename = "keyId")]
        key_id: String,
    },
    /// An imported key in the secret `imported-keys`.
    Secret {
        /// Its name within the secret.
        name: String,
    },
}

impl From<KeyRef> for TreasuryKey {
    fn from(key: KeyRef) -> Self {
        match key {
            KeyRef::Kms { key_id } => Self::Kms { key_id },
            KeyRef::Secret { name } => Self::Secret { name },
        }
    }
}

impl Admin {
    /// `GET treasuries`
    pub async fn treasuries(&self, asked: TreasuriesAsked) -> Result<List<TreasuryShown>, ApiError> {
        let TreasuriesAsked { tenant, limit, cursor } = asked;
        let parts = match tenant {
            Some(tenant) => {
                let tenant: TenantId = tenant.parse().map_err(|error| ApiError::field("tenant", error))?;
                vec![Treasury::query_all(&tenant)]
            }
            None => self.networks.iter().map(|network| Treasury::query_network(&network.id)).collect(),
        };
        let page = self.page(&PageAsked { limit, cursor }, parts).await?;
        Ok(page.filter_map(|row| {
            let (lane, treasury) = (Treasury::lane_at(&row)?, readable::<Treasury>(&row));
            Some(TreasuryShown {
                tenant: treasury.as_ref().map(|treasury| treasury.tenant.to_string()),
                network: lane.network.to_string(),
                address: lane.address.to_string(),
                key: treasury.map(|treasury| treasury.key.into()),
            })
        }))
    }

    /// `POST treasuries`
    pub async fn register_treasury(&self, by: &Principal, body: &[u8]) -> Result<TreasuryRegistered, ApiError> {
        let fields = Fields::read(body, &FIELDS)?;
        let tenant: TenantId = fields.text("tenant")?.parse().map_err(|error| ApiError::field("tenant", error))?;
        let network = self.networks.get(fields.text("network")?).ok_or_else(|| {
            ApiError::of_field(Code::UnknownNetwork, "network", "network is not one of this deployment's")
        })?;
        let reason = fields.reason()?;
        let key = fields.object("key", &KEY_FIELDS)?;
        let (key, address) = self.key(&key).await.map_err(|error| error.within("key"))?;
        let treasury = Treasury { tenant, network: network.id.clone(), address, key, created_at: self.clock.now_ms() };
        let writes = registration(&treasury, network)?;
        let act = Act {
            by,
            action: "treasuries.register",
            target: treasury.lane().to_string(),
            reason,
            detail: json!({"tenant": treasury.tenant, "key": treasury.key}),
        };
        let taken = format!("{address} is registered on {} already", network.id);
        self.change(&act, &writes).await?.or_conflict(&taken)?;
        Ok(TreasuryRegistered { address: address.to_string() })
    }

    /// Reads how the key is held, and finds its address.
    async fn key(&self, fields: &Fields) -> Result<(KeyRef, Address), ApiError> {
        let only_of = |kind: &str, names: &[&str]| match names.iter().find(|name| fields.value(name).is_some()) {
            Some(name) => Err(ApiError::field(name, format!("does not belong to a key of kind {kind}"))),
            None => Ok(()),
        };
        match fields.text("kind")? {
            "kms" => {
                only_of("kms", &["name", "address"])?;
                let key_id = fields.text("keyId")?.to_owned();
                let address = self.keys.kms_address(&key_id).await.map_err(|error| refused(&error))?;
                Ok((KeyRef::Kms { key_id }, address))
            }
            "secret" => {
                only_of("secret", &["keyId"])?;
                let (name, address) = (fields.text("name")?.to_owned(), fields.address("address")?);
                if address == Address::ZERO {
                    return Err(ApiError::field("address", "is the zero address, which nobody can sign for"));
                }
                Ok((KeyRef::Secret { name }, address))
            }
            _ => Err(ApiError::field("kind", "must be kms or secret")),
        }
    }
}

/// The treasury, and the ledger accounts that postings about it will touch, so that checks see both sides of each.
fn registration(treasury: &Treasury, network: &Network) -> Result<Vec<Write>, ApiError> {
    let gas = AccountId { owner: Owner::Gas(treasury.tenant.clone()), asset: network.native().id() };
    let of_asset =
        |asset: &causeway_domain::Asset| AccountId { owner: Owner::Treasury(treasury.lane()), asset: asset.id() };
    let mut writes = treasury.register().map_err(|error| ApiError::internal(&error))?;
    for account in network.assets().map(of_asset).chain([gas]) {
        writes.push(account.register().map_err(|error| ApiError::internal(&error))?);
    }
    Ok(writes)
}

fn refused(error: &KeyError) -> ApiError {
    match error {
        KeyError::Missing => ApiError::field("keyId", "is no key of this deployment's"),
        KeyError::Denied(cause) => {
            tracing::warn!(error = %cause, "a key's public half is denied");
            ApiError::field("keyId", "is no secp256k1 signing key that may be used here")
        }
        KeyError::Unavailable(cause) => {
            tracing::warn!(error = %cause, "no answer from the key service");
            ApiError::busy()
        }
        KeyError::WrongKey { .. } => ApiError::internal(error),
    }
}
