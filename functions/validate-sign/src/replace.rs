//! Numbers that need another attempt: a higher price for what no block takes, a no-op for what is to be cancelled.
//!
//! Invariants: an attempt is stored with its hash before anybody may send it (rule 2), all attempts of a number stay on
//! record, and any of them may win. Whatever goes wrong here is asked for again: of what is stuck the lane's rows tell,
//! of what is to be cancelled the parcel's.

use std::collections::{BTreeMap, BTreeSet};

use causeway_chains::{
    Call, Estimate,
    transaction::{Payment, Sealed},
};
use causeway_domain::{
    Bytes, Network, U256,
    fees::FeeHistory,
    id::NetworkId,
    lane::{LaneGate, LaneId},
    limits::{COMMIT_WRITES_MAX, PLAIN_TRANSFER_GAS},
};
use causeway_queue::{Message, QueueName};
use causeway_runtime::{
    batch::{Failed, Received},
    telemetry::causes,
};
use causeway_state::{
    commit::{CommitError, Done, commit},
    lane::{Attempt, AttemptKind, Gate, NUMBERS_PER_PARTITION, Signed, Transaction},
    message::{SignReason, SignRequest, queues},
    parcel::{MoveError, Parcel},
    tables::WALLETS,
    tracker::Watch,
    wallet::{Scope, Treasury},
};
use causeway_store::{Conflict, Item, Key, RowError, StoreError, Write};
use futures::{StreamExt, TryStreamExt, future::join_all, stream};

use crate::{
    Signer,
    check::{most_estimated, with_margin},
    plan::{Case, Plan},
};

/// Numbers that are looked at from the lowest that was asked for: what is stuck holds up all behind it.
const NUMBERS_MAX: usize = 10;
/// Rows of one read: ten numbers with as many attempts as any cap allows.
const ROWS_PER_READ: usize = 500;
/// Rounds of looking anew after somebody else changed a row.
const ROUNDS_MAX: u32 = 4;
/// Rounds of writing the same signatures beside a gate that others move.
const GATE_ROUNDS_MAX: u32 = 10;
/// Writes of a commit that are left for attempts beside gate and switches; what has no room is asked for again.
const ATTEMPT_WRITES_MAX: usize = COMMIT_WRITES_MAX - 4;
/// Signatures asked for side by side.
const SIGNATURES_AT_ONCE: usize = 10;
/// Position of the gate in a commit of attempts.
const GATE_AT: usize = 0;

/// Why a lane's numbers got nothing now; it is asked for again.
#[derive(Debug, thiserror::Error)]
enum ReplaceError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Row(#[from] RowError),
    #[error(transparent)]
    Move(#[from] MoveError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error("the lane's key does not sign")]
    Keys(#[from] causeway_keys::KeyError),
    #[error("its rows never held still")]
    Busy,
    #[error("the lane has no treasury")]
    Unknown,
}

/// A number that gets another attempt, and what that says.
#[derive(Debug)]
struct Wanted {
    signed: Signed,
    parcels: Vec<(Parcel, u64)>,
    kind: AttemptKind,
    payment: Payment,
}

/// It, signed.
#[derive(Debug)]
struct Resigned {
    wanted: Wanted,
    sealed: Sealed,
}

/// How writing them ended.
enum Written {
    /// They are on record; the gate as it is now.
    Done(Box<Gate>),
    /// A switch is thrown: no payment is signed, and what is there waits as well.
    Blocked,
    /// Rows moved: look again.
    Changed,
}

/// What one look decided.
#[derive(Debug, Default)]
struct Look {
    /// Numbers whose bytes are to go out again as they are.
    again: Vec<u64>,
    sign: Vec<Wanted>,
}

impl Look {
    /// The lowest number whose bytes are to go out (again).
    fn lowest(&self) -> Option<u64> {
        let signed = self.sign.iter().map(|one| one.payment.number);
        self.again.iter().copied().chain(signed).min()
    }

    /// Without what is not to be signed, and as much of it as one commit holds.
    fn within(mut self, kinds: &[AttemptKind]) -> Self {
        let mut room = ATTEMPT_WRITES_MAX;
        self.sign.retain(|one| {
            let fits = kinds.contains(&one.kind) && one.writes() <= room;
            room -= if fits { one.writes() } else { 0 };
            fits
        });
        self
    }
}

impl Wanted {
    /// Rows of its commit: transaction, attempt, watch, and each parcel.
    fn writes(&self) -> usize {
        3 + self.parcels.len()
    }

    /// Gas of a no-op: what was told, or what its payment has, which does more than nothing.
    fn give_gas(&mut self, told: Option<u64>, network: &Network) {
        let payment = self.signed.transaction.intent.gas_limit;
        let most = network.transfer_gas_max.max(payment).max(PLAIN_TRANSFER_GAS);
        self.payment.gas_limit = told.unwrap_or(payment).clamp(PLAIN_TRANSFER_GAS, most);
    }
}

impl Signer {
    /// Works off sign requests; answers the messages that must come again.
    pub async fn replace(&self, messages: Vec<Received>) -> Failed {
        let mut failed = Failed::new();
        let mut networks: BTreeMap<NetworkId, BTreeMap<LaneId, BTreeMap<u64, SignReason>>> = BTreeMap::new();
        for message in messages {
            match serde_json::from_str::<SignRequest>(&message.body) {
                Ok(asked) => {
                    let lanes = networks.entry(asked.lane.network.clone()).or_default();
                    let numbers = lanes.entry(asked.lane).or_default();
                    let reason = numbers.entry(asked.number).or_insert(asked.reason);
                    *reason = asked.reason.min(*reason);
                }
                Err(error) => {
                    let reason = format!("the message is not a sign request: {error}");
                    if !self.bury_request(&message, &reason).await {
                        failed.push(message.message_id);
                    }
                }
            }
        }
        // Side by side, as in `handle`.
        join_all(networks.into_iter().map(|(network, lanes)| self.replace_on(network, lanes))).await;
        failed
    }

    /// A network's lanes side by side, with one word on its fees; without one, what cancels is signed all the same.
    async fn replace_on(&self, id: NetworkId, lanes: BTreeMap<LaneId, BTreeMap<u64, SignReason>>) {
        let (Some(network), Some(chain)) = (self.networks.get(id.as_str()), self.chains.get(&id).cloned()) else {
            tracing::error!(network = %id, "the network is not enabled here");
            return;
        };
        let recent = self.fees(network, &*chain).await;
        let history = recent.as_ref().map(|recent| &recent.history);
        let each = lanes.iter().map(|(lane, numbers)| async move {
            if let Err(error) = self.replace_numbers(lane, network, numbers, history).await {
                tracing::warn!(lane = %lane, error = %error, cause = causes(&error), "no other attempts now; they are asked for again");
            }
        });
        join_all(each).await;
    }

    async fn replace_numbers(
        &self,
        lane: &LaneId,
        network: &Network,
        asked: &BTreeMap<u64, SignReason>,
        history: Option<&FeeHistory>,
    ) -> Result<(), ReplaceError> {
        let treasury = self.treasury(lane).await.map_err(|_| ReplaceError::Unknown)?;
        let mut kinds: &[AttemptKind] = &[AttemptKind::Payment, AttemptKind::Cancel];
        let mut no_op_gas = None;
        for _ in 0..ROUNDS_MAX {
            let Some(row) = self.store.get(&Gate::key(lane)).await? else { return Ok(()) };
            let (gate, version) = (row.parse::<Gate>()?, row.version());
            let look = self.look(lane, network, asked, (&gate, history), &mut no_op_gas).await?.within(kinds);
            let Some(lowest) = look.lowest() else { return Ok(()) };
            let treasury = &treasury;
            let signs = look.sign.into_iter().map(|wanted| async move {
                let sealed = self.seal(treasury, &wanted.payment).await?;
                Ok::<_, ReplaceError>(Resigned { wanted, sealed })
            });
            let signs: Vec<_> = signs.collect();
            let all: Vec<Resigned> = stream::iter(signs).buffered(SIGNATURES_AT_ONCE).try_collect().await?;
            match self.write_attempts(lane, treasury, &all, (gate, version), lowest).await? {
                Written::Done(gate) => {
                    self.publish_lane(lane, &format!("{}:{}", gate.seen, gate.publications)).await;
                    return Ok(());
                }
                // What stops money is signed all the same.
                Written::Blocked => kinds = &[AttemptKind::Cancel],
                Written::Changed => {}
            }
        }
        Err(ReplaceError::Busy)
    }

    /// Reads the numbers and decides for each. A node is asked once what a no-op takes, if one is to be signed.
    async fn look(
        &self,
        lane: &LaneId,
        network: &Network,
        asked: &BTreeMap<u64, SignReason>,
        (gate, history): (&Gate, Option<&FeeHistory>),
        no_op_gas: &mut Option<Option<u64>>,
    ) -> Result<Look, ReplaceError> {
        let mut look = Look::default();
        for (signed, reason) in self.numbers(lane, asked, gate).await? {
            let parcels = self.parcels(&signed.transaction).await?;
            let (parcels_now, now) = (&parcels, self.clock.now_ms());
            let plan = Case { reason, gate, signed: &signed, parcels: parcels_now, history, network, now }.plan();
            let number = signed.transaction.number;
            match plan {
                Plan::Nothing => {}
                Plan::Again => look.again.push(number),
                Plan::Sign { kind, fees } => {
                    let payment = payment(lane, network, &signed.transaction, kind, fees);
                    look.sign.push(Wanted { signed, parcels, kind, payment });
                }
            }
        }
        if look.sign.iter().any(|one| one.kind == AttemptKind::Cancel) {
            let told = match *no_op_gas {
                Some(told) => told,
                None => *no_op_gas.insert(self.no_op_gas(lane, network).await),
            };
            let no_ops = look.sign.iter_mut().filter(|one| one.kind == AttemptKind::Cancel);
            no_ops.for_each(|one| one.give_gas(told, network));
        }
        Ok(look)
    }

    /// What a payment of nothing to oneself takes, as a node tells: some networks charge more than a plain payment's
    /// 21,000 (Arbitrum, Mantle), and refuse whatever has less.
    async fn no_op_gas(&self, lane: &LaneId, network: &Network) -> Option<u64> {
        let (from, data, gas_max) = (lane.address, Bytes::new(), Some(most_estimated(network)));
        let call = Call { from, to: from, value: U256::ZERO, data, gas: None, gas_max, gas_price_wei: None };
        match self.chains.get(&lane.network)?.estimate(&call).await.map(|reply| reply.value) {
            Ok(Estimate::Gas(gas)) => Some(with_margin(gas)),
            Ok(Estimate::Reverted { .. } | Estimate::InsufficientFunds) | Err(_) => None,
        }
    }

    /// The numbers that were asked for, and behind a stuck one those that nodes have too.
    async fn numbers(
        &self,
        lane: &LaneId,
        asked: &BTreeMap<u64, SignReason>,
        gate: &Gate,
    ) -> Result<Vec<(Signed, SignReason)>, ReplaceError> {
        let mut wanted: BTreeMap<u64, SignReason> = asked.clone();
        if let Some((first, _)) = asked.iter().find(|(_, reason)| **reason == SignReason::Stuck) {
            (first + 1..gate.seen).take(NUMBERS_MAX - 1).for_each(|number| {
                wanted.entry(number).or_insert(SignReason::Stuck);
            });
        }
        let partitions: BTreeSet<u64> = wanted.keys().map(|number| number / NUMBERS_PER_PARTITION).collect();
        let mut found = Vec::new();
        for partition in partitions {
            let end = (partition + 1) * NUMBERS_PER_PARTITION;
            let mut of_partition = wanted.range(partition * NUMBERS_PER_PARTITION..end);
            let Some((first, _)) = of_partition.next() else { continue };
            let rows = self.store.query(&Transaction::query_from(lane, *first, ROWS_PER_READ)).await?.items;
            for signed in Signed::read(&rows)? {
                let Some(reason) = wanted.get(&signed.transaction.number) else { continue };
                // The last one's attempts may lie behind the end of the read.
                if signed.attempts.len() == signed.transaction.attempts as usize {
                    found.push((signed, *reason));
                }
            }
        }
        Ok(found)
    }

    async fn parcels(&self, transaction: &Transaction) -> Result<Vec<(Parcel, u64)>, ReplaceError> {
        let keys: Vec<Key> = transaction.parcels.iter().map(|id| Parcel::key(*id)).collect();
        let rows = self.store.get_many(&keys).await?;
        rows.into_iter().flatten().map(|row| Ok((row.parse()?, row.version()))).collect()
    }

    /// Commits attempts and gate at once.
    async fn write_attempts(
        &self,
        lane: &LaneId,
        treasury: &Treasury,
        all: &[Resigned],
        (mut gate, mut version): (Gate, u64),
        lowest: u64,
    ) -> Result<Written, ReplaceError> {
        for _ in 0..GATE_ROUNDS_MAX {
            let now = self.clock.now_ms();
            let back = set_back(&gate, lowest, all, now);
            let mut writes = vec![back.put(lane, version)?];
            if all.iter().any(|one| one.wanted.kind == AttemptKind::Payment) {
                // Rule 12; what cancels may be signed under any block, since it stops money.
                let scopes = Scope::of_payment(&treasury.tenant, lane);
                writes.extend(scopes.iter().map(|scope| scope.open(self.clock.random())));
            }
            for one in all {
                writes.extend(one.writes(lane, now)?);
            }
            match commit(&*self.store, &*self.clock, &writes).await? {
                Done::Committed => {
                    all.iter().for_each(|one| one.tell(lane));
                    return Ok(Written::Done(Box::new(back)));
                }
                Done::Conflict(conflicts) => match only_gate(&conflicts)? {
                    // A sender or the tracker moved it on; the signatures are still the right ones.
                    Some((moved, at)) if moved.gate == gate.gate && moved.consumed <= lowest => {
                        (gate, version) = (moved, at);
                    }
                    Some(_) => return Ok(Written::Changed),
                    None if blocked(&writes, &conflicts) => return Ok(Written::Blocked),
                    None => return Ok(Written::Changed),
                },
            }
        }
        Err(ReplaceError::Busy)
    }

    async fn bury_request(&self, message: &Received, reason: &str) -> bool {
        let dead = Message {
            group: message.group.clone().or_else(|| Some("poison".to_owned())),
            dedup: Some(message.message_id.clone()),
            ..crate::settle_early::dead(&message.body, reason, &message.message_id)
        };
        match self.queue.publish(QueueName(queues::SIGN_REQUESTS_DEAD), &[dead]).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(error = %error, "a dead letter is not published");
                false
            }
        }
    }
}

impl Resigned {
    /// Rule 2's writes of one number: counted, stored, watched, and told to its parcels.
    fn writes(&self, lane: &LaneId, now: u64) -> Result<Vec<Write>, ReplaceError> {
        let Wanted { signed, parcels, kind, payment } = &self.wanted;
        let (transaction, kind) = (&signed.transaction, *kind);
        let (number, index, hash) = (transaction.number, transaction.attempts, self.sealed.hash);
        // Where an older one was to go out again, this one takes its place.
        let next = Transaction { attempts: index + 1, send: None, ..transaction.clone() };
        let (raw, fees) = (self.sealed.raw.clone(), payment.fees);
        let attempt = Attempt { number, index, kind, hash, raw, fees, signed_at: now };
        let watch = Watch {
            hash,
            lane: lane.clone(),
            number,
            attempt: index,
            cancel: kind == AttemptKind::Cancel,
            trace: transaction.trace,
            height: None,
            block_hash: None,
        };
        let mut writes = vec![
            next.put(lane, signed.version)?,
            Write::create(Attempt::key(lane, number, index), Item::from_fields(&attempt)?),
            Write::create(Watch::key(&lane.network, hash), Item::from_fields(&watch)?),
        ];
        for (parcel, version) in parcels {
            let told = parcel.resigned(hash, now);
            // The wish is carried out: the sweep need not look after it any more.
            let due_at = if kind == AttemptKind::Cancel { None } else { told.due_at };
            writes.push(parcel.noted(*version, &Parcel { due_at, ..told })?);
        }
        Ok(writes)
    }

    fn tell(&self, lane: &LaneId) {
        let Wanted { signed, kind, payment, .. } = &self.wanted;
        let (number, attempt, hash) = (payment.number, signed.transaction.attempts, self.sealed.hash);
        let (fees, trace) = (payment.fees, signed.transaction.trace);
        tracing::info!(lane = %lane, number, attempt, %hash, ?kind, ?fees, %trace, "another attempt");
    }
}

/// What another attempt of a number signs.
fn payment(
    lane: &LaneId,
    network: &Network,
    transaction: &Transaction,
    kind: AttemptKind,
    fees: causeway_domain::fees::Fees,
) -> Payment {
    let (chain_id, number, intent) = (network.chain_id, transaction.number, &transaction.intent);
    match kind {
        AttemptKind::Payment => Payment {
            chain_id,
            number,
            to: intent.to,
            value: intent.value,
            data: intent.data.clone(),
            gas_limit: intent.gas_limit,
            fees,
        },
        AttemptKind::Cancel => Payment {
            chain_id,
            number,
            to: lane.address,
            value: U256::ZERO,
            data: Bytes::new(),
            gas_limit: PLAIN_TRANSFER_GAS,
            fees,
        },
    }
}

/// The gate with the numbers from `lowest` on to be sent (again). What the lane waited for was about other bytes, and so
/// was a halt at a number that now has a no-op.
fn set_back(gate: &Gate, lowest: u64, signed: &[Resigned], now: u64) -> Gate {
    let taken_back = || signed.iter().any(|one| gate.is_refused_at(one.wanted.payment.number));
    let open = match &gate.gate {
        LaneGate::Open | LaneGate::Waiting { .. } => LaneGate::Open,
        LaneGate::Halted { .. } if taken_back() => LaneGate::Open,
        LaneGate::Halted { .. } => gate.gate.clone(),
    };
    Gate { gate: open, replaced_at: now, tries: 0, ..gate.sent_again_from(lowest, now) }
}

/// Where nothing but the gate moved: what it is now.
fn only_gate(conflicts: &[Conflict]) -> Result<Option<(Gate, u64)>, ReplaceError> {
    let [Conflict { index, current: Some(current) }] = conflicts else { return Ok(None) };
    if *index == GATE_AT { Ok(Some((current.parse()?, current.version()))) } else { Ok(None) }
}

fn blocked(writes: &[Write], conflicts: &[Conflict]) -> bool {
    let of_switch = |conflict: &Conflict| writes.get(conflict.index).is_some_and(|write| write.key().table == WALLETS);
    conflicts.iter().any(of_switch)
}
