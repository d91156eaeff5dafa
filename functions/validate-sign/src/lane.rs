//! One lane's members: gate, room and lease before, checks for each, then numbers for those that passed.

use std::{collections::BTreeMap, sync::PoisonError};

use causeway_chains::{Chain, NumberAt};
use causeway_domain::{
    Network,
    id::{CommitId, NetworkId},
    lane::{LaneId, room},
    verdict::{Verdict, WaitReason},
};
use causeway_runtime::batch::Failed;
use causeway_state::{
    cancel::is_sure,
    commit::{Done, commit},
    lane::{Counter, Gate, Lease, USED_BEFORE, begin, begin_halted},
    tracker::Head,
    wallet::Treasury,
};
use causeway_store::{Expect, Item, RowError, Write};
use futures::{
    StreamExt,
    future::{join, join_all},
    stream,
};

use crate::{
    Signer,
    check::{Checked, Recent},
    handler::Member,
};

/// Parcels checked side by side: each check is one question to a node.
const CHECKS_AT_ONCE: usize = 16;
/// A lease that was not given back ends by itself.
const LEASE_MS: u64 = 5_000;
/// How long a signer waits for another's lease before it races (rule 1 stays the guarantee).
const LEASE_TRIES: u32 = 20;
/// Milliseconds between looks at a lease, plus as much again by chance.
const LEASE_LOOK_MS: u64 = 60;
/// Full and closed lanes are woken by events; this is the latest look.
pub const LANE_WAIT_MS: u64 = 30_000;
/// A key that is denied needs a person; one that is throttled does not.
pub const KEYS_WAIT_MS: u64 = 15_000;
/// A switch is opened by a person.
pub const BLOCKED_WAIT_MS: u64 = 60_000;
/// First look after a provider failed.
const CHAIN_WAIT_MS: u64 = 5_000;

/// Where a batch's lanes of one network are worked off.
#[derive(Debug, Clone, Copy)]
struct At<'a> {
    network: &'a Network,
    chain: &'a dyn Chain,
    fees: &'a Recent,
}

/// Why a parcel ends before it has a number.
#[derive(Debug)]
enum End {
    /// It can never be carried out.
    Refused(String),
    /// Somebody wants it cancelled.
    Wished,
}

/// A lane that is ready to hand out numbers.
#[derive(Debug)]
pub struct OpenLane {
    /// Whose key signs.
    pub treasury: Treasury,
    /// First number never assigned, as last read.
    pub next: u64,
    /// How many more it may hand out.
    pub room: u64,
}

impl OpenLane {
    /// How many numbers may still be handed out from `next` on, which others may have moved since the lane was read.
    pub fn room_from(&self, next: u64) -> usize {
        let end = self.next.saturating_add(self.room);
        usize::try_from(end.saturating_sub(next)).unwrap_or(usize::MAX)
    }
}

impl Signer {
    /// Works off a network's lanes side by side, with one word on its fees; answers the messages that must come again.
    pub async fn work_network(&self, id: NetworkId, lanes: BTreeMap<LaneId, Vec<Member>>) -> Failed {
        let (Some(network), Some(chain)) = (self.networks.get(id.as_str()), self.chains.get(&id).cloned()) else {
            tracing::error!(network = %id, "the network is not enabled here");
            let members = lanes.into_values().flatten().collect();
            return self.wait_all(members, WaitReason::ChainUnavailable, BLOCKED_WAIT_MS).await;
        };
        let Some(fees) = self.fees(network, &*chain).await else {
            let members = lanes.into_values().flatten().collect();
            return self.wait_all(members, WaitReason::ChainUnavailable, CHAIN_WAIT_MS).await;
        };
        let at = At { network, chain: &*chain, fees: &fees };
        let each = lanes.into_iter().map(|(lane, members)| async move { self.work_lane(&lane, members, at).await });
        join_all(each).await.into_iter().flatten().collect()
    }

    /// Works off one lane's members; answers the messages that must come again.
    async fn work_lane(&self, lane: &LaneId, members: Vec<Member>, at: At<'_>) -> Failed {
        let At { network, chain, .. } = at;
        let (passed, mut failed) = self.check_all(lane, members, at).await;
        if passed.is_empty() {
            return failed;
        }
        let lease = self.lease(lane).await;
        let mut grown = None;
        let newest = passed.iter().map(|(_, checked)| checked.since).max().unwrap_or_default();
        match self.open_lane(lane, network, chain, newest).await {
            Ok(open) => {
                let (late, end) = self.fill(lane, network, open, passed).await;
                failed.extend(late);
                grown = end;
            }
            Err(Some((reason, after_ms))) => {
                let members = passed.into_iter().map(|(member, _)| member).collect();
                failed.extend(self.wait_all(members, reason, after_ms).await);
            }
            Err(None) => failed.extend(passed.into_iter().flat_map(|(member, _)| member.messages)),
        }
        // The next signer need not wait until the lane is announced.
        let give_back = async {
            if let Some(holder) = lease {
                self.give_back(lane, &holder).await;
            }
        };
        let announce = async {
            if let Some(end) = grown {
                // The end of what was assigned is this publication's alone: a swallowed repeat loses nothing.
                self.publish_lane(lane, &format!("{end}:0")).await;
            }
        };
        join(give_back, announce).await;
        failed
    }

    async fn check_all(
        &self,
        lane: &LaneId,
        members: Vec<Member>,
        At { network, chain, fees }: At<'_>,
    ) -> (Vec<(Member, Checked)>, Failed) {
        let newest = fees.height;
        let (wished, members): (Vec<_>, Vec<_>) =
            members.into_iter().partition(|member| member.parcel.cancel.is_some());
        // Collected first: a stream that keeps the closure is not provably Send.
        let each = |member: Member| async move {
            let checked = self.check(&member.parcel, network, chain, fees).await;
            (member, checked)
        };
        let checks: Vec<_> = members.into_iter().map(each).collect();
        let mut passed = Vec::new();
        let mut failed = Failed::new();
        let mut ending: Vec<_> = wished.into_iter().map(|member| (member, End::Wished)).collect();
        let mut checks = stream::iter(checks).buffered(CHECKS_AT_ONCE);
        while let Some((member, checked)) = checks.next().await {
            match checked {
                Ok(checked) => passed.push((member, checked)),
                Err(Verdict::Fatal { reason }) => ending.push((member, End::Refused(reason))),
                Err(Verdict::Wait { reason, wake_at }) => {
                    let after_ms = wake_at.saturating_sub(self.clock.now_ms());
                    failed.extend(self.wait(member, reason, after_ms).await);
                }
                Err(Verdict::Retry { after_ms }) => {
                    failed.extend(self.wait(member, WaitReason::ChainUnavailable, after_ms).await);
                }
                Err(Verdict::Unknown) => failed.extend(member.messages),
            }
        }
        failed.extend(self.end_all(lane, network, chain, newest, ending).await);
        (passed, failed)
    }

    /// Rejects what will never work, and cancels what somebody wants cancelled, unless the chain may have carried it out
    /// before: then it waits for what the tracker finds.
    async fn end_all(
        &self,
        lane: &LaneId,
        network: &Network,
        chain: &dyn Chain,
        newest: u64,
        ending: Vec<(Member, End)>,
    ) -> Failed {
        let mut failed = Failed::new();
        if ending.is_empty() {
            return failed;
        }
        let held = match self.holds_back(lane, network, chain, newest).await {
            Ok(()) => None,
            Err(Some(held)) => Some(held),
            Err(None) => return ending.into_iter().flat_map(|(member, _)| member.messages).collect(),
        };
        for (member, end) in ending {
            failed.extend(match (held, end) {
                (Some((reason, after_ms)), _) => self.wait(member, reason, after_ms).await,
                (None, End::Refused(reason)) => self.reject(member, "INVALID", &reason).await,
                (None, End::Wished) => self.cancel(member).await,
            });
        }
        failed
    }

    /// Why nothing of the lane may end unpaid now, if so: a wait, or nothing where the rows cannot be read. A lane without
    /// a number begins, since that tells whether its key was used.
    async fn holds_back(
        &self,
        lane: &LaneId,
        network: &Network,
        chain: &dyn Chain,
        newest: u64,
    ) -> Result<(), Option<(WaitReason, u64)>> {
        let rows = self.store.get_many(&[Gate::key(lane), Head::key(&lane.network)]).await.map_err(|error| {
            tracing::warn!(lane = %lane, error = %error, "the lane cannot be read");
            None
        })?;
        let gate =
            rows[0].as_ref().map(|row| row.parse::<Gate>()).transpose().map_err(|error| unreadable(lane, &error))?;
        let head =
            rows[1].as_ref().map(|row| row.parse::<Head>()).transpose().map_err(|error| unreadable(lane, &error))?;
        if head.as_ref().is_none_or(|head| self.is_far_behind(head, network, newest)) {
            return Err(Some((WaitReason::ChainUnavailable, LANE_WAIT_MS)));
        }
        if gate.is_none() {
            self.begin(lane, chain).await?;
        }
        if !is_sure(gate.as_ref(), head.as_ref(), self.clock.now_ms()) {
            return Err(Some((WaitReason::LaneClosed, LANE_WAIT_MS)));
        }
        Ok(())
    }

    fn is_far_behind(&self, head: &Head, network: &Network, newest: u64) -> bool {
        !head.vouches(self.clock.now_ms()) || newest.saturating_sub(head.height) > network.behind_max()
    }

    /// Reads counter and gate. An error is a wait for all members, or none when the rows cannot be read.
    async fn open_lane(
        &self,
        lane: &LaneId,
        network: &Network,
        chain: &dyn Chain,
        newest: u64,
    ) -> Result<OpenLane, Option<(WaitReason, u64)>> {
        let treasury = self.treasury(lane).await?;
        let keys = [Counter::key(lane), Gate::key(lane), Head::key(&lane.network)];
        let rows = self.store.get_many(&keys).await.map_err(|error| {
            tracing::warn!(lane = %lane, error = %error, "the lane cannot be read");
            None
        })?;
        let head =
            rows[2].as_ref().map(|row| row.parse::<Head>()).transpose().map_err(|error| unreadable(lane, &error))?;
        // Without a head nothing was ever followed: there only a lane that asks the chain itself may begin.
        let unfollowed = head.is_none() && rows[1].is_some();
        if unfollowed || head.as_ref().is_some_and(|head| self.is_far_behind(head, network, newest)) {
            tracing::warn!(lane = %lane, ?head, newest, "nothing is signed that the tracker does not vouch for");
            return Err(Some((WaitReason::ChainUnavailable, LANE_WAIT_MS)));
        }
        let (Some(counter), Some(gate)) = (&rows[0], &rows[1]) else {
            self.begin(lane, chain).await?;
            return Ok(OpenLane { treasury, next: 0, room: network.in_flight_max });
        };
        let counter: Counter = counter.parse().map_err(|error| unreadable(lane, &error))?;
        let gate: Gate = gate.parse().map_err(|error| unreadable(lane, &error))?;
        if !gate.takes_more() {
            return Err(Some((WaitReason::LaneClosed, LANE_WAIT_MS)));
        }
        let room = room(network.in_flight_max, counter.next, gate.consumed);
        Ok(OpenLane { treasury, next: counter.next, room })
    }

    pub(crate) async fn treasury(&self, lane: &LaneId) -> Result<Treasury, Option<(WaitReason, u64)>> {
        let known = self.memory.treasuries.lock().unwrap_or_else(PoisonError::into_inner).get(lane).cloned();
        if let Some(treasury) = known {
            return Ok(treasury);
        }
        let row = self.store.get(&Treasury::lane_key(lane)).await.map_err(|_| None)?;
        let treasury: Treasury = row
            .ok_or(Some((WaitReason::LaneClosed, BLOCKED_WAIT_MS)))?
            .parse()
            .map_err(|_| Some((WaitReason::LaneClosed, BLOCKED_WAIT_MS)))?;
        let mut treasuries = self.memory.treasuries.lock().unwrap_or_else(PoisonError::into_inner);
        treasuries.insert(lane.clone(), treasury.clone());
        Ok(treasury)
    }

    /// A lane's first use. One whose key was used before halts, for people to tell whose that was. The tracker, which knows
    /// which blocks are the chain's, moves its beginning behind what cannot leave any more; behind what may leave, or what only
    /// a pool holds, it would wait for ever for a number that nobody sends again.
    async fn begin(&self, lane: &LaneId, chain: &dyn Chain) -> Result<(), Option<(WaitReason, u64)>> {
        let unavailable = |_| Some((WaitReason::ChainUnavailable, CHAIN_WAIT_MS));
        let closed = Some((WaitReason::LaneClosed, LANE_WAIT_MS));
        let latest = chain.next_number(lane.address, NumberAt::Latest).await.map_err(unavailable)?.value;
        let pending = chain.next_number(lane.address, NumberAt::Pending).await.map_err(unavailable)?.value;
        // The tracker's first leader may come later than the lane's first block: it begins no later than here.
        let since = chain.head().await.map_err(unavailable)?.value.number;
        let now = self.clock.now_ms();
        let writes = match (latest, pending) {
            (0, 0) => begin(lane, since, now),
            (0, _) => {
                tracing::info!(lane = %lane, pending, "the lane begins when what others sent is in a block");
                return Err(closed);
            }
            _ => {
                tracing::error!(lane = %lane, latest, "{USED_BEFORE}");
                begin_halted(lane, 0, since, now)
            }
        };
        match commit(&*self.store, &*self.clock, &writes.map_err(|_| None)?).await {
            Ok(Done::Committed) if latest == 0 => Ok(()),
            Ok(Done::Committed) => Err(closed),
            // Another signer began it: read it next time.
            Ok(Done::Conflict(_)) | Err(_) => Err(None),
        }
    }

    /// Hands out numbers to as many as there is room for, the most urgent first; the others wait for room.
    async fn fill(
        &self,
        lane: &LaneId,
        network: &Network,
        open: OpenLane,
        mut passed: Vec<(Member, Checked)>,
    ) -> (Failed, Option<u64>) {
        passed.sort_by_key(|(member, _)| (std::cmp::Reverse(member.parcel.priority), member.parcel.created_at));
        let room = usize::try_from(open.room).unwrap_or(usize::MAX).min(passed.len());
        let late = passed.split_off(room);
        let late = late.into_iter().map(|(member, _)| member).collect();
        let mut failed = self.wait_all(late, WaitReason::LaneFull, LANE_WAIT_MS).await;
        if passed.is_empty() {
            return (failed, None);
        }
        let (late, end) = self.assign(lane, network, open, passed).await;
        failed.extend(late);
        (failed, end)
    }

    /// Turns members into rows that wait, side by side.
    pub async fn wait_all(&self, members: Vec<Member>, reason: WaitReason, after_ms: u64) -> Failed {
        let waits: Vec<_> = members.into_iter().map(|member| self.wait(member, reason, after_ms)).collect();
        stream::iter(waits).buffer_unordered(CHECKS_AT_ONCE).concat().await
    }

    /// Takes the lane's lease, or goes on without it when another signer keeps it long.
    async fn lease(&self, lane: &LaneId) -> Option<String> {
        let key = Lease::key(lane);
        let holder = CommitId::new(&*self.clock).to_string();
        for _ in 0..LEASE_TRIES {
            let now = self.clock.now_ms();
            let row = self.store.get(&key).await.ok()?;
            let held = row.as_ref().and_then(|row| row.parse::<Lease>().ok()).is_some_and(|lease| lease.until > now);
            if !held {
                let lease = Lease { holder: holder.clone(), until: now + LEASE_MS };
                let expect = row.map_or(Expect::Absent, |row| Expect::Version(row.version()));
                let item = Item::from_fields(&lease).ok()?;
                let write = Write::Put { key: key.clone(), item, expect: vec![expect] };
                match commit(&*self.store, &*self.clock, &[write]).await {
                    Ok(Done::Committed) => return Some(holder),
                    Ok(Done::Conflict(_)) => {}
                    Err(_) => return None,
                }
            }
            let jitter = u64::try_from(self.clock.random() % u128::from(LEASE_LOOK_MS)).unwrap_or_default();
            self.clock.sleep_ms(LEASE_LOOK_MS + jitter).await;
        }
        None
    }

    async fn give_back(&self, lane: &LaneId, holder: &str) {
        let expect = vec![Expect::Equals("holder", holder.into())];
        let write = Write::Delete { key: Lease::key(lane), expect };
        // Lost or late, the lease ends by itself.
        if let Err(error) = commit(&*self.store, &*self.clock, &[write]).await {
            tracing::debug!(lane = %lane, error = %error, "a lease is not given back");
        }
    }
}

fn unreadable<T>(lane: &LaneId, error: &RowError) -> Option<T> {
    tracing::error!(lane = %lane, error = %error, "the lane's rows do not parse");
    None
}
