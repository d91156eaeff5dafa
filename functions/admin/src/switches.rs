//! Switches: blocking whoever may pay, also what is already queued (rule 12).
//!
//! A switch has a row that says what it should be, changed together with the audit record, and 16 copies that signing
//! commits check one of. Under load some signing commit is at some copy at any moment, so the copies are written one by
//! one, each with patience, and only as long as the row stands as it was written: of two operators at one switch the
//! later one wins at every copy. The answer comes when all copies are what the row says, and the row says that they are:
//! until then the switch is listed, whichever way it is thrown.

use causeway_domain::{clock::Millis, id::TenantId, lane::LaneId};
use causeway_http::{ApiError, Code, Fields, Principal, time::iso};
use causeway_state::{
    commit::{CommitError, Done, commit},
    tables::WALLETS,
    wallet::{Scope, Switch, Treasury},
};
use causeway_store::{Expect, Item, Key, Query, Range, Write};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    Admin,
    change::{Act, Changed},
    list::{List, PageAsked, parse, readable},
};

/// Rounds against another operator at the same switch.
const ROUNDS_MAX: usize = 4;
/// Partition of the rows that say what each switch should be.
const REGISTER: &str = "SWITCHES";

/// What an operator sends to throw a switch, either way.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchRequest {
    /// `tenant:{tenant}`, `lane:{network}/{address}` or `network:{network}`.
    #[schema(example = "tenant:acme")]
    pub scope: String,
    /// Whether its payments are blocked from now on.
    pub blocked: bool,
    /// Why, 1 to 500 characters; a blocked client is told.
    pub reason: String,
}

/// A switch as it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct SwitchShown {
    /// What it blocks.
    pub scope: String,
    /// Whether it does.
    pub blocked: bool,
    /// Whether that holds everywhere. If not, somebody is at it, or it has to be thrown once more: some payments are blocked
    /// and some are not.
    pub everywhere: bool,
    /// Why.
    pub reason: String,
    /// Who threw it.
    pub by: String,
    /// When; ISO 8601.
    pub at: String,
}

/// What a switch should be.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Wanted {
    scope: String,
    blocked: bool,
    reason: String,
    by: String,
    at: Millis,
    /// Whether all copies are so; of rows from before there was the field nobody knows.
    #[serde(default)]
    everywhere: bool,
}

impl Wanted {
    fn key(scope: &Scope) -> Key {
        Key::new(WALLETS, REGISTER, scope.text())
    }

    fn shown(self) -> SwitchShown {
        let Self { scope, blocked, reason, by, at, everywhere } = self;
        SwitchShown { scope, blocked, everywhere, reason, by, at: iso(at) }
    }

    /// The write that makes one copy what it should be.
    fn copy(&self, key: Key) -> Result<Write, ApiError> {
        if !self.blocked {
            return Ok(Write::Delete { key, expect: Vec::new() });
        }
        let Self { scope, reason, by, at, .. } = self.clone();
        let item = Item::from_fields(&Switch { scope, reason, by, at }).map_err(|error| ApiError::internal(&error))?;
        Ok(Write::Put { key, item, expect: Vec::new() })
    }
}

impl Admin {
    /// `GET switches`: what is blocked, and what is not surely open everywhere.
    pub async fn switches(&self, asked: &PageAsked) -> Result<List<SwitchShown>, ApiError> {
        let page = self.page(asked, vec![Query::table(WALLETS, REGISTER, Range::All)]).await?;
        let List { items, next_cursor } = page.try_map(|row| Ok(parse::<Wanted>(&row)?.shown()))?;
        Ok(List {
            items: items.into_iter().filter(|switch| switch.blocked || !switch.everywhere).collect(),
            next_cursor,
        })
    }

    /// `POST switches`
    pub async fn throw_switch(&self, by: &Principal, body: &[u8]) -> Result<SwitchShown, ApiError> {
        let fields = Fields::read(body, &["scope", "blocked", "reason"])?;
        let scope = Scope::parse(fields.text("scope")?)
            .ok_or_else(|| ApiError::field("scope", "must be tenant:NAME, lane:NETWORK/ADDRESS or network:NAME"))?;
        let (blocked, reason) = (fields.flag("blocked")?, fields.reason()?);
        self.must_exist(&scope).await?;
        let wanted = Wanted {
            scope: scope.text(),
            blocked,
            reason: reason.to_owned(),
            by: by.user.to_string(),
            at: self.clock.now_ms(),
            everywhere: false,
        };
        let action = if blocked { "switches.block" } else { "switches.unblock" };
        let act = Act { by, action, target: scope.text(), reason, detail: json!({}) };
        let version = self.want(&act, &scope, &wanted).await?;
        for copy in scope.copies() {
            let stands = Write::Check { key: Wanted::key(&scope), expect: vec![Expect::Version(version)] };
            self.apply(&[wanted.copy(copy)?, stands]).await?;
        }
        let done = Wanted { everywhere: true, ..wanted };
        let item = Item::from_fields(&done).map_err(|error| ApiError::internal(&error))?;
        let expect = vec![Expect::Version(version)];
        self.apply(&[Write::Put { key: Wanted::key(&scope), item, expect }]).await?;
        Ok(done.shown())
    }

    /// The condition that one of these scopes stays blocked; `None` where none is, everywhere.
    pub(crate) async fn held_back(&self, scopes: &[Scope]) -> Result<Option<Write>, ApiError> {
        let keys: Vec<Key> = scopes.iter().map(Wanted::key).collect();
        for (key, row) in keys.iter().zip(self.read(&keys).await?) {
            let Some(row) = row else { continue };
            if readable::<Wanted>(&row).is_some_and(|wanted| wanted.blocked && wanted.everywhere) {
                return Ok(Some(Write::Check { key: key.clone(), expect: vec![Expect::Version(row.version())] }));
            }
        }
        Ok(None)
    }

    /// A scope that blocks nothing is a mistyped one, and who mistypes it believes that payments are blocked.
    async fn must_exist(&self, scope: &Scope) -> Result<(), ApiError> {
        let exists = match scope {
            Scope::Network(network) => self.networks.get(network.as_str()).is_some(),
            Scope::Lane(lane) => self.has_lane(lane).await?,
            Scope::Tenant(tenant) => self.has_treasury(tenant).await?,
        };
        let missing = || ApiError::field("scope", "names nobody who could pay: check the spelling");
        if exists { Ok(()) } else { Err(missing()) }
    }

    async fn has_lane(&self, lane: &LaneId) -> Result<bool, ApiError> {
        let row = self.store.get(&Treasury::lane_key(lane)).await.map_err(|error| ApiError::internal(&error))?;
        Ok(row.is_some())
    }

    async fn has_treasury(&self, tenant: &TenantId) -> Result<bool, ApiError> {
        let query = Query { limit: 1, ..Treasury::query_all(tenant) };
        let page = self.store.query(&query).await.map_err(|error| ApiError::internal(&error))?;
        Ok(!page.items.is_empty())
    }

    /// Writes what the switch should be, with the audit record, and answers the row's version.
    async fn want(&self, act: &Act<'_>, scope: &Scope, wanted: &Wanted) -> Result<u64, ApiError> {
        let key = Wanted::key(scope);
        let item = Item::from_fields(wanted).map_err(|error| ApiError::internal(&error))?;
        for _ in 0..ROUNDS_MAX {
            let row = self.store.get(&key).await.map_err(|error| ApiError::internal(&error))?;
            let version = row.as_ref().map_or(0, Item::version);
            let expect = row.map_or(Expect::Absent, |_| Expect::Version(version));
            let write = Write::Put { key: key.clone(), item: item.clone(), expect: vec![expect] };
            if let Changed::Done = self.change(act, &[write]).await? {
                return Ok(version + 1);
            }
        }
        Err(ApiError::busy())
    }

    /// Writes what rests on the switch's row as it was written.
    async fn apply(&self, writes: &[Write]) -> Result<(), ApiError> {
        let half = || ApiError::new(Code::Busy, "not every copy is written yet: repeat the request until it is");
        match commit(&*self.store, &*self.clock, writes).await {
            Ok(Done::Committed) => Ok(()),
            Ok(Done::Conflict(_)) => Err(ApiError::new(Code::Conflict, "somebody else threw it at the same time")),
            Err(CommitError::Busy | CommitError::Unknown) => Err(half()),
            Err(error @ CommitError::Store(_)) => {
                tracing::warn!(error = %error, "a copy of a switch is not written");
                Err(half())
            }
        }
    }
}
