//! Numbers for parcels: sign in memory, commit counter, transactions, attempts, watches and parcels at once, publish.

use causeway_chains::transaction::{Payment, Sealed, digest, seal};
use causeway_domain::{Network, lane::LaneId, limits::COMMIT_WRITES_MAX, verdict::WaitReason};
use causeway_keys::KeyError;
use causeway_queue::{Message, QueueName};
use causeway_runtime::batch::Failed;
use causeway_runtime::telemetry::causes;
use causeway_state::{
    commit::{Done, commit},
    lane::{Attempt, AttemptKind, Counter, Transaction},
    message::{LaneMessage, queues},
    parcel::Parcel,
    tracker::Watch,
    wallet::{Scope, Treasury},
};
use causeway_store::{Conflict, Expect, Item, Key, Write};
use futures::{StreamExt, TryStreamExt, stream};

use crate::{
    Signer,
    check::Checked,
    handler::Member,
    lane::{BLOCKED_WAIT_MS, KEYS_WAIT_MS, LANE_WAIT_MS, OpenLane},
};

/// Signatures asked for side by side.
const SIGNATURES_AT_ONCE: usize = 16;
/// Writes of one member: parcel, transaction, attempt, watch.
const WRITES_PER_MEMBER: usize = 4;
/// Writes of one commit beside its members': the counter and three switches.
const WRITES_BESIDE: usize = 4;
/// Members of one commit.
const MEMBERS_MAX: usize = (COMMIT_WRITES_MAX - WRITES_BESIDE) / WRITES_PER_MEMBER;
/// Rounds of signing a group anew before its messages come again.
const ROUNDS_MAX: u32 = 6;

/// What a commit of a group asks for next.
enum Next {
    /// All of it has numbers; the first one that is free now.
    Assigned { next: u64 },
    /// Another signer took numbers: sign these again from here.
    Renumber { next: u64 },
    /// These members changed under us; sign the others again.
    Drop { parcels: Vec<usize> },
    /// The number of this member is taken, which the counter never gave: a restore did not keep a commit whole.
    Taken { member: usize },
    /// A switch is thrown.
    Blocked,
    /// Not now; the messages come again.
    Later,
}

impl Signer {
    /// Gives numbers to members that passed their checks; the lane has room for all of them. Answers the messages that
    /// must come again, and where the line ends now if it grew.
    pub async fn assign(
        &self,
        lane: &LaneId,
        network: &Network,
        open: OpenLane,
        passed: Vec<(Member, Checked)>,
    ) -> (Failed, Option<u64>) {
        let mut failed = Failed::new();
        let mut next = open.next;
        let mut end = None;
        let mut rest = passed;
        while !rest.is_empty() {
            let later = rest.split_off(rest.len().min(MEMBERS_MAX));
            let group = std::mem::replace(&mut rest, later);
            let first = next;
            let (group_failed, now_next) = self.assign_group(lane, network, &open, next, group).await;
            next = now_next;
            end = if next > first { Some(next) } else { end };
            failed.extend(group_failed);
        }
        (failed, end)
    }

    /// Signs and commits one group; where it conflicts, without those that changed, and at last one by one.
    async fn assign_group(
        &self,
        lane: &LaneId,
        network: &Network,
        open: &OpenLane,
        mut next: u64,
        mut group: Vec<(Member, Checked)>,
    ) -> (Failed, u64) {
        let mut failed = Failed::new();
        let mut dropped_before = false;
        for _ in 0..ROUNDS_MAX {
            // Numbers that another signer took since the lane was read are out as well.
            let late = group.split_off(open.room_from(next).min(group.len()));
            let late = late.into_iter().map(|(member, _)| member).collect();
            failed.extend(self.wait_all(late, WaitReason::LaneFull, LANE_WAIT_MS).await);
            if group.is_empty() {
                return (failed, next);
            }
            match self.sign_and_commit(lane, network, &open.treasury, next, &group).await {
                Ok(Next::Assigned { next }) => return (failed, next),
                Ok(Next::Renumber { next: taken }) => next = taken,
                Ok(Next::Drop { parcels }) => {
                    failed.extend(take_out(&mut group, &parcels));
                    if dropped_before && group.len() > 1 {
                        let (more, next) = self.one_by_one(lane, network, open, next, group).await;
                        failed.extend(more);
                        return (failed, next);
                    }
                    dropped_before = true;
                }
                Ok(Next::Blocked) => {
                    let members = group.into_iter().map(|(member, _)| member).collect();
                    failed.extend(self.wait_all(members, WaitReason::Blocked, BLOCKED_WAIT_MS).await);
                    return (failed, next);
                }
                Ok(Next::Taken { member: 0 }) if self.step_over(lane, next).await => next += 1,
                Ok(Next::Later | Next::Taken { member: 0 }) => break,
                Ok(Next::Taken { member }) => {
                    let behind: Vec<usize> = (member..group.len()).collect();
                    failed.extend(take_out(&mut group, &behind));
                }
                Err(error) => {
                    // Nothing is burned: the bytes were only in memory.
                    tracing::error!(lane = %lane, error = %error, cause = causes(&error), "the lane's key does not sign");
                    let members = group.into_iter().map(|(member, _)| member).collect();
                    failed.extend(self.wait_all(members, WaitReason::KeysUnavailable, KEYS_WAIT_MS).await);
                    return (failed, next);
                }
            }
        }
        failed.extend(group.into_iter().flat_map(|(member, _)| member.messages));
        (failed, next)
    }

    async fn one_by_one(
        &self,
        lane: &LaneId,
        network: &Network,
        open: &OpenLane,
        mut next: u64,
        group: Vec<(Member, Checked)>,
    ) -> (Failed, u64) {
        let mut failed = Failed::new();
        for member in group {
            let alone = Box::pin(self.assign_group(lane, network, open, next, vec![member]));
            let (more, now_next) = alone.await;
            failed.extend(more);
            next = now_next;
        }
        (failed, next)
    }

    async fn sign_and_commit(
        &self,
        lane: &LaneId,
        network: &Network,
        treasury: &Treasury,
        next: u64,
        group: &[(Member, Checked)],
    ) -> Result<Next, KeyError> {
        let numbered = group.iter().zip(next..);
        let signs: Vec<_> =
            numbered.map(|((_, checked), number)| self.sign(network, treasury, checked, number)).collect();
        let sealed: Vec<Sealed> = stream::iter(signs).buffered(SIGNATURES_AT_ONCE).try_collect().await?;
        let writes = match self.writes(lane, treasury, next, group, &sealed) {
            Ok(writes) => writes,
            Err(error) => {
                tracing::error!(lane = %lane, error, "these numbers cannot be written");
                return Ok(Next::Later);
            }
        };
        match commit(&*self.store, &*self.clock, &writes).await {
            Ok(Done::Committed) => {
                for ((member, _), (sealed, number)) in group.iter().zip(sealed.iter().zip(next..)) {
                    let (parcel, trace) = (&member.parcel.id, &member.parcel.trace);
                    tracing::info!(lane = %lane, number, %parcel, %trace, hash = %sealed.hash, "assigned");
                }
                Ok(Next::Assigned { next: next + group.len() as u64 })
            }
            Ok(Done::Conflict(conflicts)) => Ok(what_conflicts((lane, next), group, &writes, &conflicts)),
            Err(error) => {
                tracing::warn!(lane = %lane, error = %error, "numbers are not surely committed");
                Ok(Next::Later)
            }
        }
    }

    async fn sign(
        &self,
        network: &Network,
        treasury: &Treasury,
        checked: &Checked,
        number: u64,
    ) -> Result<Sealed, KeyError> {
        let payment = Payment {
            chain_id: network.chain_id,
            number,
            to: checked.intent.to,
            value: checked.intent.value,
            data: checked.intent.data.clone(),
            gas_limit: checked.intent.gas_limit,
            fees: checked.fees,
        };
        self.seal(treasury, &payment).await
    }

    /// Has the counter go on behind a number that has its transaction; answers whether it does.
    async fn step_over(&self, lane: &LaneId, number: u64) -> bool {
        let taken = Write::Check { key: Transaction::key(lane, number), expect: vec![Expect::Exists] };
        let done = commit(&*self.store, &*self.clock, &[Counter::take(lane, number, 1), taken]).await;
        matches!(done, Ok(Done::Committed))
    }

    /// Signs one transaction with the lane's key.
    pub async fn seal(&self, treasury: &Treasury, payment: &Payment) -> Result<Sealed, KeyError> {
        let signature = self.keys.sign(&treasury.key, treasury.address, digest(payment)).await?;
        Ok(seal(payment, signature.r, signature.s, signature.y_odd))
    }

    /// Rule 1's one commit, under rule 12's conditions.
    fn writes(
        &self,
        lane: &LaneId,
        treasury: &Treasury,
        next: u64,
        group: &[(Member, Checked)],
        sealed: &[Sealed],
    ) -> Result<Vec<Write>, String> {
        let now = self.clock.now_ms();
        let mut writes = vec![Counter::take(lane, next, group.len() as u64)];
        writes.extend(Scope::of_payment(&treasury.tenant, lane).iter().map(|scope| scope.open(self.clock.random())));
        for (((member, checked), sealed), number) in group.iter().zip(sealed).zip(next..) {
            let parcel = &member.parcel;
            let transaction = Transaction {
                number,
                parcels: vec![parcel.id],
                intent: checked.intent.clone(),
                attempts: 1,
                send: None,
                priority: parcel.priority,
                since: checked.since,
                created_at: now,
                trace: parcel.trace,
                outcome: None,
                reopened: 0,
            };
            let attempt = Attempt {
                number,
                index: 0,
                kind: AttemptKind::Payment,
                hash: sealed.hash,
                raw: sealed.raw.clone(),
                fees: checked.fees,
                signed_at: now,
            };
            let watch = Watch {
                hash: sealed.hash,
                lane: lane.clone(),
                number,
                attempt: 0,
                cancel: false,
                trace: parcel.trace,
                height: None,
                block_hash: None,
            };
            let text = |error: causeway_store::RowError| error.to_string();
            let assigned = parcel.assigned(number, sealed.hash, now);
            writes.push(parcel.moved(member.version, assigned).map_err(|error| error.to_string())?);
            let item = Item::from_fields(&transaction).map_err(text)?;
            writes.push(Write::create(Transaction::key(lane, number), item));
            let item = Item::from_fields(&attempt).map_err(text)?;
            writes.push(Write::create(Attempt::key(lane, number, 0), item));
            let item = Item::from_fields(&watch).map_err(text)?;
            writes.push(Write::create(Watch::key(&lane.network, sealed.hash), item));
        }
        Ok(writes)
    }

    /// "This lane has unsent bytes", with what only this publication has; lost, the sweep says it again.
    pub async fn publish_lane(&self, lane: &LaneId, publication: &str) {
        let trace = causeway_domain::id::TraceId::new(&*self.clock);
        let Ok(body) = serde_json::to_string(&LaneMessage { lane: lane.clone(), trace }) else { return };
        let message = Message {
            body,
            group: Some(lane.to_string()),
            dedup: Some(format!("{lane}:{publication}")),
            ..Message::default()
        };
        if let Err(error) = self.queue.publish(QueueName(queues::TRANSACTIONS), &[message]).await {
            tracing::warn!(lane = %lane, error = %error, "not published; the sweep will");
        }
    }
}

/// Takes the members at these positions out of a group; their messages come again and find out what happened.
fn take_out(group: &mut Vec<(Member, Checked)>, positions: &[usize]) -> Failed {
    let mut failed = Failed::new();
    let mut kept = Vec::with_capacity(group.len());
    for (position, member) in group.drain(..).enumerate() {
        if positions.contains(&position) {
            failed.extend(member.0.messages);
        } else {
            kept.push(member);
        }
    }
    *group = kept;
    failed
}

fn what_conflicts(
    (lane, next): (&LaneId, u64),
    group: &[(Member, Checked)],
    writes: &[Write],
    conflicts: &[Conflict],
) -> Next {
    let at = |conflict: &Conflict| writes.get(conflict.index).map(Write::key);
    let parcels: Vec<usize> = group
        .iter()
        .enumerate()
        .filter(|(_, (member, _))| {
            let key = Parcel::key(member.parcel.id);
            conflicts.iter().any(|conflict| at(conflict) == Some(&key))
        })
        .map(|(position, _)| position)
        .collect();
    if !parcels.is_empty() {
        return Next::Drop { parcels };
    }
    let counter = Counter::key(lane);
    if let Some(conflict) = conflicts.iter().find(|conflict| at(conflict) == Some(&counter)) {
        let taken = conflict.current.as_ref().and_then(|row| row.parse::<Counter>().ok());
        return taken.map_or(Next::Later, |counter| Next::Renumber { next: counter.next });
    }
    let switch = |conflict: &&Conflict| at(conflict).is_some_and(|key| key.table == causeway_state::tables::WALLETS);
    if conflicts.iter().any(|conflict| switch(&conflict)) {
        return Next::Blocked;
    }
    tracing::error!(lane = %lane, "a number is taken that the counter never gave");
    let of_number = |key: &Key| (0..group.len()).find(|member| *key == Transaction::key(lane, next + *member as u64));
    let members = conflicts.iter().filter_map(|conflict| of_number(at(conflict)?));
    members.min().map_or(Next::Later, |member| Next::Taken { member })
}
