//! Who pays for a tenant, and what is blocked: read from rows, kept in memory for a short time.
//!
//! The door may be some seconds behind; the signing commit checks again (rule 12).

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use causeway_domain::{
    Clock,
    clock::Millis,
    id::{NetworkId, TenantId},
    lane::LaneId,
};
use causeway_http::ApiError;
use causeway_state::wallet::{Scope, Switch, Treasury};
use causeway_store::Store;

/// How long treasuries are believed: they are registered once.
const TREASURIES_FOR_MS: u64 = 60_000;
/// How long an open switch is believed.
const SWITCHES_FOR_MS: u64 = 5_000;

/// Answers, and until when they are believed.
type Believed<K, V> = Mutex<HashMap<K, (Millis, V)>>;

/// The memory.
#[derive(Debug, Default)]
pub struct Directory {
    treasuries: Believed<(TenantId, NetworkId), Vec<Treasury>>,
    switches: Believed<LaneId, Option<Switch>>,
}

impl Directory {
    /// A tenant's treasuries on a network. An empty answer is never kept: registering one takes effect at once.
    pub async fn treasuries(
        &self,
        store: &dyn Store,
        clock: &dyn Clock,
        tenant: &TenantId,
        network: &NetworkId,
    ) -> Result<Vec<Treasury>, ApiError> {
        let place = (tenant.clone(), network.clone());
        let now = clock.now_ms();
        let known = self.treasuries.lock().unwrap_or_else(PoisonError::into_inner).get(&place).cloned();
        if let Some((until, treasuries)) = known
            && until > now
        {
            return Ok(treasuries);
        }
        let page = store.query(&Treasury::query(tenant, network)).await.map_err(|error| ApiError::internal(&error))?;
        let read = page.items.iter().map(|row| row.parse::<Treasury>());
        let mut treasuries = read.collect::<Result<Vec<_>, _>>().map_err(|error| ApiError::internal(&error))?;
        treasuries.sort_by_key(|treasury| (treasury.created_at, treasury.address));
        if !treasuries.is_empty() {
            let entry = (now + TREASURIES_FOR_MS, treasuries.clone());
            self.treasuries.lock().unwrap_or_else(PoisonError::into_inner).insert(place, entry);
        }
        Ok(treasuries)
    }

    /// The switch that blocks payments of a tenant from a lane, if one is thrown.
    pub async fn blocked(
        &self,
        store: &dyn Store,
        clock: &dyn Clock,
        tenant: &TenantId,
        lane: &LaneId,
    ) -> Result<Option<Switch>, ApiError> {
        let now = clock.now_ms();
        let known = self.switches.lock().unwrap_or_else(PoisonError::into_inner).get(lane).cloned();
        if let Some((until, switch)) = known
            && until > now
        {
            return Ok(switch);
        }
        let keys = Scope::of_payment(tenant, lane).map(|scope| scope.copy(0));
        let rows = store.get_many(&keys).await.map_err(|error| ApiError::internal(&error))?;
        let thrown = rows.into_iter().flatten().next();
        let switch = thrown.map(|row| row.parse::<Switch>()).transpose().map_err(|error| ApiError::internal(&error))?;
        let entry = (now + SWITCHES_FOR_MS, switch.clone());
        self.switches.lock().unwrap_or_else(PoisonError::into_inner).insert(lane.clone(), entry);
        Ok(switch)
    }
}
