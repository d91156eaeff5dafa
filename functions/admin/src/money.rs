//! Credits and debits: money that came to a treasury or left it outside of Causeway, told to the ledger.

use alloy_primitives::keccak256;
use causeway_domain::{
    Address, Amount, Asset, B256,
    id::{OperationId, TenantId},
    limits::{ACCOUNT_SHARDS, ACCOUNT_UNITS_MAX},
    network::AssetId,
};
use causeway_http::{ApiError, Code, Fields, Principal};
use causeway_state::{
    ledger::{AccountId, Balances, Buckets, EntryKind, HoldError, Owner, Postings, plan_hold, spread},
    tables::LEDGER,
    wallet::Treasury,
};
use causeway_store::{Expect, Item, Key, Write};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    Admin,
    accounts::told,
    change::{Act, Changed},
    list::parse,
};

/// Rounds of finding money in other shards before the operator is asked to repeat.
const ROUNDS_MAX: usize = 8;

const FIELDS: [&str; 8] = ["tenant", "account", "network", "token", "amount", "treasury", "reason", "idempotencyKey"];

/// Which way money moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Into the account.
    Credit,
    /// Out of it.
    Debit,
}

impl Direction {
    const fn parts(self) -> (&'static str, &'static str, EntryKind) {
        match self {
            Self::Credit => ("credit", "accounts.credit", EntryKind::Credit),
            Self::Debit => ("debit", "accounts.debit", EntryKind::Debit),
        }
    }
}

/// What an operator sends to credit or debit an account.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MovementRequest {
    /// Whose account.
    #[schema(example = "acme")]
    pub tenant: String,
    /// `tenant` (what transfers are paid from, the default) or `gas` (what gas is paid from; only in the network's coin).
    pub account: Option<String>,
    /// The network's name.
    #[schema(example = "ethereum")]
    pub network: String,
    /// A symbol or a contract address.
    #[schema(example = "USDC")]
    pub token: String,
    /// Positive decimal string in the asset's own unit.
    #[schema(example = "12.5")]
    pub amount: String,
    /// Address of the tenant's treasury that the money came to or left; its first one on that network if left out.
    pub treasury: Option<String>,
    /// Why, 1 to 500 characters.
    pub reason: String,
    /// 1 to 128 visible characters: the same key moves money once.
    pub idempotency_key: String,
}

/// A credit or debit that is in the ledger.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Movement {
    /// Its name; the same for every repeat.
    pub operation_id: String,
    /// What is available in the account now.
    pub available: String,
}

/// A movement's row: the record that its idempotency key was used, and what its words meant then.
#[derive(Debug, Serialize, Deserialize)]
struct Operation {
    id: OperationId,
    body_hash: B256,
    asset: AssetId,
    symbol: String,
    decimals: u8,
}

impl Operation {
    fn key(id: OperationId) -> Key {
        Key::new(LEDGER, format!("OP#{}", id.bare()), "OP")
    }
}

/// What an operator asks for, in its own words. Their form is right.
#[derive(Debug)]
struct Words<'a> {
    direction: Direction,
    id: OperationId,
    tenant: TenantId,
    is_gas: bool,
    network: &'a str,
    token: &'a str,
    amount: &'a str,
    /// The treasury, where one is named.
    treasury: Option<Address>,
    reason: &'a str,
}

/// What the words mean, once it is known which asset they name.
#[derive(Debug)]
struct Order<'a> {
    words: &'a Words<'a>,
    account: AccountId,
    asset: &'a Asset,
    amount: Amount,
}

impl<'a> Words<'a> {
    fn read(direction: Direction, fields: &'a Fields) -> Result<Self, ApiError> {
        let tenant: TenantId = fields.text("tenant")?.parse().map_err(|error| ApiError::field("tenant", error))?;
        Ok(Self {
            direction,
            id: OperationId::derived(&[tenant.as_str(), &fields.key("idempotencyKey")?]),
            tenant,
            is_gas: match fields.optional_text("account")? {
                None | Some("tenant") => false,
                Some("gas") => true,
                Some(_) => return Err(ApiError::field("account", "must be tenant or gas")),
            },
            network: fields.text("network")?,
            token: fields.text("token")?,
            amount: fields.text("amount")?,
            treasury: fields.value("treasury").map(|_| fields.address("treasury")).transpose()?,
            reason: fields.reason()?,
        })
    }

    /// What they mean if it is this asset that they name.
    fn of(&'a self, asset: &'a Asset) -> Result<Order<'a>, ApiError> {
        let tenant = self.tenant.clone();
        let owner = match self.is_gas {
            false => Owner::Tenant(tenant),
            true if asset.is_native() => Owner::Gas(tenant),
            true => return Err(ApiError::field("token", "must be the network's own coin for the gas account")),
        };
        let amount = Amount::parse(self.amount, asset.decimals).map_err(|error| ApiError::field("amount", error))?;
        Ok(Order { words: self, account: AccountId { owner, asset: asset.id() }, asset, amount })
    }
}

impl Order<'_> {
    fn body_hash(&self) -> B256 {
        let (verb, ..) = self.words.direction.parts();
        // Ahead of what is free text, and absent where none is named, as in rows from before there was the field.
        let named = self.words.treasury.map(|address| format!("@{address}")).unwrap_or_default();
        keccak256(format!("{verb}{named}|{}|{}|{}", self.account, self.amount.units(), self.words.reason))
    }

    /// The account's shards and by how much each changes.
    fn plan(&self, shards: &[Option<Item>], preferred: u8) -> Result<Vec<(u8, i128)>, ApiError> {
        match self.words.direction {
            Direction::Credit => {
                let there = Balances::sum(shards);
                let held = u128::try_from(there.available.saturating_add(there.held)).unwrap_or_default();
                if held.saturating_add(self.amount.units()) > ACCOUNT_UNITS_MAX {
                    let most = Amount::new(ACCOUNT_UNITS_MAX).unwrap_or(Amount::MAX).format(self.asset.decimals);
                    let message = format!("takes the account beyond the {most} {} that it may hold", self.asset.symbol);
                    return Err(ApiError::field("amount", message));
                }
                Ok(spread(self.amount).into_iter().map(|(shard, part)| (shard, part.signed())).collect())
            }
            Direction::Debit => {
                // Gas is burnt from any shard, below zero too: what the others have is then not all there is.
                let sum = u128::try_from(Balances::sum(shards).available).unwrap_or_default();
                let sum = Amount::new(sum).unwrap_or(Amount::MAX);
                if sum < self.amount {
                    return Err(self.too_little(&HoldError::Insufficient { available: sum, required: self.amount }));
                }
                let parts = plan_hold(shards, self.amount, preferred).map_err(|error| self.too_little(&error))?;
                Ok(parts.into_iter().map(|part| (part.shard, -part.amount.signed())).collect())
            }
        }
    }

    fn too_little(&self, error: &HoldError) -> ApiError {
        let HoldError::Insufficient { available, required } = error;
        let (available, required) = (available.format(self.asset.decimals), required.format(self.asset.decimals));
        let message = format!("{available} {} are available, {required} are required", self.asset.symbol);
        ApiError::of_field(Code::InsufficientFunds, "amount", message)
            .with("available", available)
            .with("required", required)
    }

    /// The account's postings against the treasury's, which is seen from the other side; both accounts become known.
    fn writes(
        &self,
        treasury: AccountId,
        plan: &[(u8, i128)],
        preferred: u8,
        now: u64,
    ) -> Result<Vec<Write>, ApiError> {
        let (verb, _, kind) = self.words.direction.parts();
        let id = self.words.id;
        let entry = format!("{}#{verb}", id.bare());
        let about = id.to_string();
        let mut postings = Postings::new();
        let available = |units| Buckets { available: units, ..Buckets::default() };
        for (shard, units) in plan {
            let added = postings.add(&self.account, *shard, entry.clone(), kind, available(*units), &about);
            added.map_err(|error| ApiError::internal(&error))?;
        }
        let back = -plan.iter().map(|(_, units)| units).sum::<i128>();
        let added = postings.add(&treasury, preferred, entry, kind, available(back), &about);
        added.map_err(|error| ApiError::internal(&error))?;
        let operation = Operation {
            id,
            body_hash: self.body_hash(),
            asset: self.asset.id(),
            symbol: self.asset.symbol.clone(),
            decimals: self.asset.decimals,
        };
        let row = Item::from_fields(&operation).map_err(|error| ApiError::internal(&error))?;
        let mut writes = vec![Write::create(Operation::key(id), row)];
        for account in [&self.account, &treasury] {
            writes.push(account.register().map_err(|error| ApiError::internal(&error))?);
        }
        let moved = postings.writes(now).map_err(|error| ApiError::internal(&error))?;
        writes.extend(moved.into_iter().map(|write| self.must_be_there(write, plan)));
        Ok(writes)
    }

    /// What a debit takes must be there. The ledger itself lets gas accounts go below zero, since burnt gas is burnt;
    /// an operator may not take them there.
    fn must_be_there(&self, write: Write, plan: &[(u8, i128)]) -> Write {
        match write {
            Write::Update { key, update, mut expect } => {
                let taken = plan.iter().find(|(shard, units)| *units < 0 && self.account.shard(*shard) == key);
                if let Some((_, units)) = taken {
                    expect = vec![Expect::AtLeast("available", -units)];
                }
                Write::Update { key, update, expect }
            }
            other @ (Write::Put { .. } | Write::Delete { .. } | Write::Check { .. }) => other,
        }
    }
}

impl Admin {
    /// `POST accounts/credit` and `POST accounts/debit`
    pub async fn move_money(&self, by: &Principal, direction: Direction, body: &[u8]) -> Result<Movement, ApiError> {
        let fields = Fields::read(body, &FIELDS)?;
        let words = Words::read(direction, &fields)?;
        let refusal = match self.move_once(by, &words).await {
            Ok(movement) => return Ok(movement),
            Err(refusal) => refusal,
        };
        // A repeat of what was carried out gets its answer, even if it would be refused today: whoever reads a refusal may
        // ask for it in another way.
        match self.read(&[Operation::key(words.id)]).await?.remove(0) {
            Some(row) => self.repeated(&words, &row).await,
            None => Err(refusal),
        }
    }

    async fn move_once(&self, by: &Principal, words: &Words<'_>) -> Result<Movement, ApiError> {
        let order = words.of(self.asset(words)?)?;
        let treasury = self.treasury(&order).await?;
        let preferred = u8::try_from(self.clock.random() % u128::from(ACCOUNT_SHARDS)).unwrap_or_default();
        let (verb, action, _) = words.direction.parts();
        let act = Act {
            by,
            action,
            target: order.account.to_string(),
            reason: words.reason,
            detail: json!({
                "operation": words.id, "verb": verb, "symbol": order.asset.symbol,
                "amount": order.amount.format(order.asset.decimals), "treasury": treasury.owner.to_string(),
            }),
        };
        for _ in 0..ROUNDS_MAX {
            let (operation, shards) = self.read_money(&order).await?;
            if let Some(row) = operation {
                return self.repeated(words, &row).await;
            }
            let plan = order.plan(&shards, preferred)?;
            let writes = order.writes(treasury.clone(), &plan, preferred, self.clock.now_ms())?;
            match self.change(&act, &writes).await? {
                Changed::Done => return Ok(movement(&order, &self.read_money(&order).await?.1)),
                // The key was used meanwhile, or the money went: look again.
                Changed::Conflict(_) => {}
            }
        }
        Err(ApiError::busy())
    }

    /// The answer to a movement that is in the ledger, if the words asked for it; a key that was used for something else is
    /// refused. They are read by its row, as they were then: its token may have left the networks' file since, or mean
    /// something else there.
    async fn repeated(&self, words: &Words<'_>, row: &Item) -> Result<Movement, ApiError> {
        let there: Operation = parse(row)?;
        let asset = Asset::written(&there.asset, &there.symbol, there.decimals);
        let named = words.network == asset.network.as_str() && asset.is_named(words.token);
        let order = words.of(&asset).ok().filter(|order| named && order.body_hash() == there.body_hash);
        match order {
            Some(order) => Ok(movement(&order, &self.read(&order.account.shards()).await?)),
            None => {
                let message = "this idempotency key was used for another credit or debit";
                Err(ApiError::of_field(Code::IdempotencyKeyReused, "idempotencyKey", message))
            }
        }
    }

    /// The asset that the words name by the networks' file.
    fn asset(&self, words: &Words<'_>) -> Result<&Asset, ApiError> {
        let network = self.networks.get(words.network).ok_or_else(|| {
            ApiError::of_field(Code::UnknownNetwork, "network", "network is not one of this deployment's")
        })?;
        network.asset_named(words.token).ok_or_else(|| {
            ApiError::of_field(Code::UnknownToken, "token", format!("token is not listed on {}", network.id))
        })
    }

    /// The account of the treasury that the money is at: the one that is named, else the tenant's first on that network, as
    /// intake chooses it.
    async fn treasury(&self, order: &Order<'_>) -> Result<AccountId, ApiError> {
        let (tenant, asset) = (&order.words.tenant, order.asset);
        let rows = self.all(Treasury::query(tenant, &asset.network)).await?;
        let mut known = rows.iter().map(parse::<Treasury>).collect::<Result<Vec<_>, _>>()?;
        known.sort_by_key(|treasury| (treasury.created_at, treasury.address));
        let missing = ApiError::new(Code::NoTreasury, format!("{tenant} has no treasury on {}", asset.network));
        let first = known.first().ok_or(missing)?;
        let named = |address: Address| {
            let found = known.iter().find(|treasury| treasury.address == address);
            found.ok_or_else(|| {
                ApiError::field("treasury", format!("is none of {tenant}'s treasuries on {}", asset.network))
            })
        };
        let treasury = order.words.treasury.map_or(Ok(first), named)?;
        Ok(AccountId { owner: Owner::Treasury(treasury.lane()), asset: asset.id() })
    }

    /// The operation's row and the account's shards, strongly.
    async fn read_money(&self, order: &Order<'_>) -> Result<(Option<Item>, Vec<Option<Item>>), ApiError> {
        let mut keys = vec![Operation::key(order.words.id)];
        keys.extend(order.account.shards());
        let mut rows = self.read(&keys).await?;
        let operation = rows.remove(0);
        Ok((operation, rows))
    }
}

fn movement(order: &Order<'_>, shards: &[Option<Item>]) -> Movement {
    let available = Balances::sum(shards).available;
    Movement { operation_id: order.words.id.to_string(), available: told(available, order.asset.decimals) }
}
