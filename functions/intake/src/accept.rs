//! The core: one commit takes a transfer and holds its money, one publish sets it going.

use causeway_domain::{
    Amount,
    id::{ParcelId, RequestId, TraceId},
    limits::ACCOUNT_SHARDS,
    parcel::ParcelState,
};
use causeway_http::{ApiError, Code};
use causeway_queue::{Message, QueueName};
use causeway_state::{
    commit::{CommitError, Done, commit},
    ledger::{AccountId, DailyLimit, HoldError, Owner, Postings, plan_hold},
    message::{ParcelMessage, request_queue},
    parcel::{Alias, HoldPart, Line, Parcel, REPUBLISH_AFTER_MS, Surface, keyed_parcel, unkeyed_parcel},
    wallet::Treasury,
};
use causeway_store::{Conflict, Item, Write};

use crate::{
    Intake,
    request::{Ask, Words},
};

/// Rounds of finding money in another shard before the client is asked to repeat.
const ROUNDS_MAX: usize = 8;

impl Intake {
    /// Takes a transfer. The same key and content answer the parcel that is there; nothing happens twice.
    pub async fn accept(&self, words: &Words<'_>) -> Result<Parcel, ApiError> {
        let refusal = match self.take(words).await {
            Ok(parcel) => return Ok(parcel),
            Err(refusal) => refusal,
        };
        // A repeat of a request that was taken gets its answer, even if it would be refused today: whoever reads a refusal
        // may pay another way.
        match &words.key {
            None => Err(refusal),
            Some(key) => {
                let id = keyed_parcel(&words.principal.tenant, words.surface, key);
                let row = self.store.get(&Parcel::key(id)).await.map_err(|error| ApiError::internal(&error))?;
                row.map_or(Err(refusal), |row| same_request(words, &row))
            }
        }
    }

    async fn take(&self, words: &Words<'_>) -> Result<Parcel, ApiError> {
        let ask = words.of(self.asset(words).await?)?;
        if let Some(most) = ask.asset.max_per_transfer.filter(|most| ask.amount > *most) {
            let most = most.format(ask.asset.decimals);
            let message = format!("amount is above the limit of {most} {} per transfer", ask.asset.symbol);
            return Err(ApiError::of_field(Code::LimitExceeded, "amount", message));
        }
        let treasury = self.treasury(&ask).await?;
        if words.to == treasury.address {
            // It would be posted as paid out, and the chain would still hold it.
            return Err(ApiError::field(words.to_field(), "is the treasury that pays; nothing would move"));
        }
        let network = self.networks.get(ask.asset.network.as_str());
        if network.is_some_and(|network| network.asset(words.to).is_some()) {
            return Err(ApiError::field(words.to_field(), "is a token's contract; the money would be lost"));
        }
        self.must_be_open(words, &treasury).await?;
        self.hold(&ask, self.parcel(&ask, &treasury)).await
    }

    async fn treasury(&self, ask: &Ask<'_>) -> Result<Treasury, ApiError> {
        let (tenant, network) = (&ask.words.principal.tenant, &ask.asset.network);
        let known = self.directory.treasuries(&*self.store, &*self.clock, tenant, network).await?;
        match ask.words.from {
            None => known
                .into_iter()
                .next()
                .ok_or_else(|| ApiError::new(Code::NoTreasury, format!("you have no treasury on {network}"))),
            Some(from) => known
                .into_iter()
                .find(|treasury| treasury.address == from)
                .ok_or_else(|| ApiError::field("from", format!("is not a treasury of yours on {network}"))),
        }
    }

    async fn must_be_open(&self, words: &Words<'_>, treasury: &Treasury) -> Result<(), ApiError> {
        let tenant = &words.principal.tenant;
        match self.directory.blocked(&*self.store, &*self.clock, tenant, &treasury.lane()).await? {
            None => Ok(()),
            Some(switch) => Err(ApiError::new(Code::Blocked, "payments are blocked by an operator")
                .with("scope", switch.scope)
                .with("reason", switch.reason)),
        }
    }

    fn parcel(&self, ask: &Ask<'_>, treasury: &Treasury) -> Parcel {
        let words = ask.words;
        let tenant = &words.principal.tenant;
        let request_id = match words.surface {
            Surface::Withdrawal => Some(RequestId::new(&*self.clock)),
            Surface::Transfer => None,
        };
        let id = match (&words.key, &request_id) {
            (Some(key), _) => keyed_parcel(tenant, words.surface, key),
            (None, Some(request)) => unkeyed_parcel(tenant, request),
            (None, None) => ParcelId::new(&*self.clock),
        };
        let now = self.clock.now_ms();
        Parcel {
            id,
            tenant: tenant.clone(),
            user: words.principal.user.clone(),
            surface: words.surface,
            request_id,
            body_hash: ask.body_hash(),
            wallet: treasury.lane(),
            asset: ask.asset.id(),
            decimals: ask.asset.decimals,
            symbol: ask.asset.symbol.clone(),
            transfers: vec![Line { to: words.to, amount: ask.amount }],
            priority: words.priority,
            state: ParcelState::Accepted,
            wait: None,
            tries: 0,
            number: None,
            hash: None,
            replaced: Vec::new(),
            cancel: None,
            displaced: 0,
            settled: None,
            failure: None,
            hold: Vec::new(),
            reopened: 0,
            created_at: now,
            updated_at: now,
            trace: TraceId::new(&*self.clock),
            due_at: Some(now + REPUBLISH_AFTER_MS),
        }
    }

    /// Commits parcel and hold together; first on a random shard without reading, then by what a conflict tells.
    async fn hold(&self, ask: &Ask<'_>, mut parcel: Parcel) -> Result<Parcel, ApiError> {
        let account = AccountId { owner: Owner::Tenant(parcel.tenant.clone()), asset: parcel.asset.clone() };
        let now = self.clock.now_ms();
        let daily = ask.asset.max_per_day.map(|most| DailyLimit::new(&parcel.tenant, &parcel.asset, most, now));
        let mut day: Option<Item> = None;
        let preferred = u8::try_from(self.clock.random() % u128::from(ACCOUNT_SHARDS)).unwrap_or_default();
        parcel.hold = vec![HoldPart { shard: preferred, amount: ask.amount }];
        for _ in 0..ROUNDS_MAX {
            if let Some(daily) = &daily
                && daily.left(day.as_ref()) < ask.amount
            {
                return Err(above_daily_limit(ask, daily.left(day.as_ref())));
            }
            let writes = hold_writes(ask, &parcel, &account, daily.as_ref().map(|daily| (daily, day.as_ref())), now)?;
            let conflicts = match commit(&*self.store, &*self.clock, &writes).await {
                Ok(Done::Committed) => {
                    self.publish(&parcel).await;
                    return Ok(parcel);
                }
                Ok(Done::Conflict(conflicts)) => conflicts,
                Err(CommitError::Busy) => return Err(ApiError::busy()),
                // It may have happened: the client repeats with its key, or finds it in its list.
                Err(error @ (CommitError::Unknown | CommitError::Store(_))) => return Err(ApiError::internal(&error)),
            };
            if let Some(Some(row)) = conflict_at(&writes, &conflicts, &Parcel::key(parcel.id)) {
                return same_request(ask.words, &row);
            }
            if let Some(daily) = &daily
                && let Some(row) = conflict_at(&writes, &conflicts, daily.key())
            {
                day = row;
            }
            let shards = self.store.get_many(&account.shards()).await.map_err(|error| ApiError::internal(&error))?;
            parcel.hold = plan_hold(&shards, ask.amount, preferred).map_err(|error| too_little(ask, &error))?;
        }
        Err(ApiError::busy())
    }

    /// Sets the parcel going; the sweep does it again if this is lost.
    async fn publish(&self, parcel: &Parcel) {
        let body = ParcelMessage { parcel: parcel.id, trace: parcel.trace };
        let Ok(body) = serde_json::to_string(&body) else { return };
        // The tenant as group keeps a standard queue fair between tenants.
        let message = Message { body, group: Some(parcel.tenant.to_string()), ..Message::default() };
        if let Err(error) = self.queue.publish(QueueName(request_queue(parcel.priority)), &[message]).await {
            tracing::warn!(parcel = %parcel.id, trace = %parcel.trace, error = %error, "not published; the sweep will");
        }
    }
}

fn hold_writes(
    ask: &Ask<'_>,
    parcel: &Parcel,
    account: &AccountId,
    daily: Option<(&DailyLimit, Option<&Item>)>,
    now: u64,
) -> Result<Vec<Write>, ApiError> {
    let mut postings = Postings::new();
    let id = parcel.id.bare();
    postings.hold(account, &parcel.hold, &id).map_err(|error| ApiError::internal(&error))?;
    let mut writes = vec![parcel.create().map_err(|error| ApiError::internal(&error))?];
    if let (Some(_), Some(request)) = (&ask.words.key, &parcel.request_id) {
        let alias = Item::from_fields(&Alias { parcel: parcel.id }).map_err(|error| ApiError::internal(&error))?;
        writes.push(Write::create(Alias::key(&parcel.tenant, request), alias));
    }
    writes.extend(postings.writes(now).map_err(|error| ApiError::internal(&error))?);
    if let Some((daily, row)) = daily {
        writes.push(daily.take(row, ask.amount));
    }
    Ok(writes)
}

/// The row that stands where a write of ours wanted to be, if that write is among the conflicts.
fn conflict_at(writes: &[Write], conflicts: &[Conflict], key: &causeway_store::Key) -> Option<Option<Item>> {
    conflicts
        .iter()
        .find(|conflict| writes.get(conflict.index).is_some_and(|write| write.key() == key))
        .map(|conflict| conflict.current.clone())
}

/// The parcel that is there, if this request is the one that made it.
fn same_request(words: &Words<'_>, row: &Item) -> Result<Parcel, ApiError> {
    let there: Parcel = row.parse().map_err(|error| ApiError::internal(&error))?;
    if words.made(&there) {
        Ok(there)
    } else {
        let message = "this idempotency key was used for another request";
        Err(ApiError::of_field(Code::IdempotencyKeyReused, "idempotencyKey", message))
    }
}

fn too_little(ask: &Ask<'_>, error: &HoldError) -> ApiError {
    let HoldError::Insufficient { available, required } = error;
    let (available, required) = (available.format(ask.asset.decimals), required.format(ask.asset.decimals));
    let message = format!("{available} {} are available, {required} are required", ask.asset.symbol);
    ApiError::of_field(Code::InsufficientFunds, "amount", message)
        .with("available", available)
        .with("required", required)
}

fn above_daily_limit(ask: &Ask<'_>, left: Amount) -> ApiError {
    let most = ask.asset.max_per_day.unwrap_or_default().format(ask.asset.decimals);
    let left = left.format(ask.asset.decimals);
    let message = format!("amount is above what is left of today's limit of {most} {}: {left}", ask.asset.symbol);
    ApiError::of_field(Code::LimitExceeded, "amount", message).with("left", left)
}
