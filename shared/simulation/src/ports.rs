//! The ports as handlers hold them: each call can be overtaken by others before and after its effect, and what must
//! hold at the very moment of a broadcast is checked there.

use std::{
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use async_trait::async_trait;
use causeway_chains::{
    Block, BlockAt, Broadcast, BroadcastOutcome, Call, Chain, ChainError, Estimate, Form, Header, Holdings, ModelChain,
    NumberAt, Receipt, Reply, Reread, Sent, Testimony,
};
use causeway_domain::{fees::FeeHistory, id::NetworkId, lane::LaneId};
use causeway_keys::{KeyError, KeyRef, Keys, MemoryKeys, Signature};
use causeway_queue::{Depth, MemoryQueue, Message, Peeked, Queue, QueueError, QueueName};
use causeway_state::{
    lane::{Attempt, Gate},
    tracker::Watch,
};
use causeway_store::{Commit, CommitToken, Item, Key, MemoryStore, Page, Query, Store, StoreError, Write};
use futures::FutureExt;

use crate::{
    clock::{SimClock, give_way},
    coverage::Coverage,
    faults::Dice,
    nodes::{Halts, REFUSAL, Refusals, answer_name},
    rules::Violation,
    sabotage::Sabotage,
    trace::{Trace, of_writes},
    views::SIGNER,
};

/// What was caught at the very moment at which it happened. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Caught(Arc<Mutex<Vec<Violation>>>);

impl Caught {
    /// The first of them.
    pub fn first(&self) -> Option<Violation> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).first().cloned()
    }

    fn add(&self, rule: &'static str, what: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Violation { rule, what });
    }
}

/// Where handlers give way to each other: around every call of a port, while it is switched on.
#[derive(Debug, Clone)]
pub struct Crossing {
    clock: SimClock,
    on: Arc<AtomicBool>,
}

impl Crossing {
    /// Nobody gives way yet.
    pub fn new(clock: SimClock) -> Self {
        Self { clock, on: Arc::default() }
    }

    /// Switches it.
    pub fn set(&self, on: bool) {
        self.on.store(on, Ordering::SeqCst);
    }

    async fn pass(&self) {
        if self.on.load(Ordering::SeqCst) {
            for _ in 0..=self.clock.below(3) {
                give_way().await;
            }
        }
    }

    async fn around<T>(&self, call: impl Future<Output = T>) -> T {
        self.pass().await;
        let answer = call.await;
        self.pass().await;
        answer
    }
}

type Act = Box<dyn FnOnce(&MemoryStore) + Send>;

/// Something that happens right before a commit: after its caller read, before it writes.
struct Interruption {
    which: fn(&[Write]) -> bool,
    act: Act,
}

/// Rows as handlers see them.
#[derive(Clone)]
pub struct Rows {
    /// The rows, with the scenario's faults.
    pub faulty: MemoryStore,
    /// The same rows without faults.
    pub plain: MemoryStore,
    /// Where handlers give way.
    pub crossing: Crossing,
    interruptions: Arc<Mutex<Vec<Interruption>>>,
    sabotage: Sabotage,
    chain: Arc<OnceLock<Arc<dyn Chain>>>,
    /// Lanes that stand halted.
    pub halts: Halts,
    who: String,
    trace: Trace,
}

impl Rows {
    /// Wraps rows.
    pub fn new(faulty: MemoryStore, plain: MemoryStore, crossing: Crossing, sabotage: Sabotage) -> Self {
        let (who, trace) = (String::new(), Trace::default());
        let (interruptions, chain, halts) = (Arc::default(), Arc::default(), Halts::default());
        Self { faulty, plain, crossing, interruptions, sabotage, chain, halts, who, trace }
    }

    /// The same rows in the hands of a process that has a name.
    pub fn held_by(&self, who: &str, trace: &Trace) -> Self {
        Self { who: who.to_owned(), trace: trace.clone(), ..self.clone() }
    }

    /// Where sabotaged bytes go.
    pub fn send_with(&self, chain: Arc<dyn Chain>) {
        let _ = self.chain.set(chain);
    }

    /// Sends what is about to be stored.
    async fn broadcast_first(&self, writes: &[Write]) {
        let raw = |write: &Write| match write {
            Write::Put { item, .. } => item.parse::<Attempt>().ok().map(|attempt| attempt.raw),
            Write::Update { .. } | Write::Delete { .. } | Write::Check { .. } => None,
        };
        if let (Sabotage::BroadcastFirst, Some(chain)) = (self.sabotage, self.chain.get()) {
            for raw in writes.iter().filter_map(raw) {
                chain.broadcast(&raw).await;
            }
        }
    }

    /// Does something once, right before the next commit that matches.
    pub fn before(&self, which: fn(&[Write]) -> bool, act: impl FnOnce(&MemoryStore) + Send + 'static) {
        let mut list = self.interruptions.lock().unwrap_or_else(PoisonError::into_inner);
        list.push(Interruption { which, act: Box::new(act) });
    }

    /// Who opens a lane lets its numbers out.
    fn note_gates(&self, writes: &[Write]) {
        for write in writes.iter().filter(|write| write.key().sk == "GATE") {
            let lane = write.key().pk.strip_prefix("LANE#").map(|lane| LaneId::try_from(lane.to_owned()));
            if let (Some(Ok(lane)), Write::Put { item, .. }) = (lane, write)
                && let Ok(gate) = item.parse::<Gate>()
            {
                self.halts.gate(&lane, &gate.gate);
            }
        }
    }

    fn interrupt(&self, writes: &[Write]) {
        let mut list = self.interruptions.lock().unwrap_or_else(PoisonError::into_inner);
        let due = list.iter().position(|interruption| (interruption.which)(writes));
        let due = due.map(|position| list.remove(position));
        drop(list);
        if let Some(interruption) = due {
            (interruption.act)(&self.plain);
        }
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rows")
    }
}

#[async_trait]
impl Store for Rows {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        let row = self.crossing.around(self.faulty.get(key)).await?;
        Ok(row.and_then(|row| self.sabotage.read(&self.who, key, row)))
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        let rows = self.crossing.around(self.faulty.get_many(keys)).await?;
        let read = |(key, row): (&Key, Option<Item>)| row.and_then(|row| self.sabotage.read(&self.who, key, row));
        Ok(keys.iter().zip(rows).map(read).collect())
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        let page = self.crossing.around(self.faulty.query(query)).await?;
        Ok(self.sabotage.page(query, page))
    }

    async fn commit(&self, token: &CommitToken, writes: &[Write]) -> Result<Commit, StoreError> {
        self.crossing.pass().await;
        self.interrupt(writes);
        self.broadcast_first(writes).await;
        let writes = self.sabotage.commit(&self.who, &self.plain, writes);
        self.note_gates(&writes);
        let answer = self.faulty.commit(token, &writes).await;
        self.trace.tell(&self.who, || {
            let how = match &answer {
                Ok(Commit::Committed) => "commits",
                Ok(Commit::Conflict(_)) => "is too late for",
                Ok(Commit::Contended) => "is held up at",
                Ok(Commit::Unknown) => "hears nothing of",
                Err(_) => "is refused",
            };
            format!("{how} {}", of_writes(&writes))
        });
        self.crossing.pass().await;
        answer
    }
}

/// Queues as handlers see them.
#[derive(Debug, Clone)]
pub struct Queues {
    /// The queues.
    pub inner: MemoryQueue,
    /// Where handlers give way.
    pub crossing: Crossing,
    /// Whose hands they are in.
    pub who: String,
    /// Where what they do is told.
    pub trace: Trace,
}

#[async_trait]
impl Queue for Queues {
    async fn publish(&self, queue: QueueName, messages: &[Message]) -> Result<(), QueueError> {
        let answer = self.crossing.around(self.inner.publish(queue, messages)).await;
        self.trace.tell(&self.who, || {
            let how = if answer.is_ok() { "publishes" } else { "is not heard to publish" };
            let bodies: Vec<&str> = messages.iter().map(|message| message.body.as_str()).collect();
            format!("{how} to {}: {}", queue.0, bodies.join(" "))
        });
        answer
    }

    async fn depth(&self, queue: QueueName) -> Result<Depth, QueueError> {
        self.crossing.around(self.inner.depth(queue)).await
    }

    async fn peek(&self, queue: QueueName, most: u8) -> Result<Vec<Peeked>, QueueError> {
        self.crossing.around(self.inner.peek(queue, most)).await
    }
}

/// Keys as the signer sees them.
#[derive(Debug, Clone)]
pub struct Signatures {
    /// The keys.
    pub inner: MemoryKeys,
    /// Who reads what they signed.
    pub chain: ModelChain,
    /// Signatures that are lost after they were made.
    pub lost: Dice,
    /// Where it is told who signs without the right to (rule 11).
    pub caught: Caught,
    /// Where handlers give way.
    pub crossing: Crossing,
    /// Whose hands they are in.
    pub who: String,
    /// Where what they do is told.
    pub trace: Trace,
}

#[async_trait]
impl Keys for Signatures {
    async fn address(&self, key: &KeyRef) -> Result<Address, KeyError> {
        self.crossing.around(self.inner.address(key)).await
    }

    async fn sign(&self, key: &KeyRef, signer: Address, digest: B256) -> Result<Signature, KeyError> {
        if self.who != SIGNER {
            self.caught.add("rule 11", format!("{} signs", self.who));
        }
        let mut answer = self.crossing.around(self.inner.sign(key, signer, digest)).await;
        if answer.is_ok() && self.lost.strike("fault: signature lost") {
            answer = Err(KeyError::Unavailable("lost by the test".into()));
        }
        self.trace.tell(&self.who, || match &answer {
            Ok(_) => format!("signs {digest}"),
            Err(error) => format!("cannot sign: {error}"),
        });
        if let Ok(Signature { r, s, y_odd }) = answer {
            self.chain.saw_signed(digest, alloy_primitives::Signature::new(r, s, y_odd), signer);
        }
        answer
    }
}

/// The chain as handlers see it.
#[derive(Debug, Clone)]
pub struct Network {
    /// The chain.
    pub inner: ModelChain,
    /// Its name.
    pub id: NetworkId,
    /// Rows without faults, to look whether what is broadcast was stored.
    pub rows: MemoryStore,
    /// Where handlers give way.
    pub crossing: Crossing,
    /// Broadcasts of bytes that were not stored (rule 2), or that a halt holds back (rule 10).
    pub caught: Caught,
    /// Lanes that stand halted.
    pub halts: Halts,
    /// What nodes refuse for good.
    pub refused: Refusals,
    /// Where nodes' answers are counted.
    pub coverage: Coverage,
    /// What is broken on purpose.
    pub sabotage: Sabotage,
    /// Whose hands it is in.
    pub who: String,
    /// Where what they do is told.
    pub trace: Trace,
}

impl Network {
    /// Rules 2 and 10, at the moment they are about: the bytes are a stored attempt's, and no halt holds it back that stood
    /// before its sender began. Answers its number.
    fn must_be_let_out(&self, raw: &Bytes, hash: B256) -> u64 {
        let row = |key: &Key| self.rows.get(key).now_or_never().and_then(Result::ok).flatten();
        let watch: Option<Watch> = row(&Watch::key(&self.id, hash)).and_then(|row| row.parse().ok());
        let attempt = watch.as_ref().and_then(|watch| row(&Attempt::key(&watch.lane, watch.number, watch.attempt)));
        let stored = attempt.and_then(|row| row.parse::<Attempt>().ok());
        if stored.is_none_or(|attempt| attempt.raw != *raw) {
            self.caught.add("rule 2", format!("broadcast without being stored: {hash}"));
        }
        let Some(Watch { lane, number, .. }) = watch else { return 0 };
        let halted = || row(&Gate::key(&lane)).and_then(|row| row.parse::<Gate>().ok());
        if self.halts.hold_back(&lane, number) && halted().is_some_and(|gate| !gate.lets_out(number, u64::MAX)) {
            self.caught.add("rule 10", format!("number {number} of {lane} goes out although it is halted"));
        }
        number
    }
}

impl Network {
    async fn hand_out(&self, raw: &Bytes, call: impl Future<Output = Broadcast>) -> Broadcast {
        let hash = keccak256(raw);
        let number = self.must_be_let_out(raw, hash);
        let answer = if self.refused.refuse(hash, number) {
            let outcome = BroadcastOutcome::Refused { reason: format!("{REFUSAL}; nor does anybody") };
            Broadcast { outcome, provider: "0".to_owned() }
        } else {
            self.crossing.around(call).await
        };
        self.coverage.count(answer_name(&answer.outcome));
        self.trace.tell(&self.who, || format!("sends {hash}: {:?}", answer.outcome));
        match (&answer.outcome, self.sabotage) {
            (BroadcastOutcome::Unknown { detail }, Sabotage::TimeoutFails) => {
                Broadcast { outcome: BroadcastOutcome::Refused { reason: detail.clone() }, ..answer }
            }
            _ => answer,
        }
    }
}

#[async_trait]
impl Chain for Network {
    async fn head(&self) -> Result<Reply<Header>, ChainError> {
        self.crossing.around(self.inner.head()).await
    }

    async fn finalized(&self) -> Result<Reply<Option<u64>>, ChainError> {
        self.crossing.around(self.inner.finalized()).await
    }

    async fn finalities(&self) -> Vec<Reply<u64>> {
        self.crossing.around(self.inner.finalities()).await
    }

    async fn block(&self, at: BlockAt) -> Result<Reply<Option<Block>>, ChainError> {
        self.crossing.around(self.inner.block(at)).await
    }

    async fn sent_in(&self, height: u64, from: Address) -> Result<Reply<Option<Sent>>, ChainError> {
        self.crossing.around(self.inner.sent_in(height, from)).await
    }

    async fn receipts(&self, block: B256, of: &[B256]) -> Result<Reply<Option<Vec<Receipt>>>, ChainError> {
        self.crossing.around(self.inner.receipts(block, of)).await
    }

    async fn receipts_by_each(&self, block: B256, of: &[B256], height: u64) -> Vec<Reply<Reread>> {
        self.crossing.around(self.inner.receipts_by_each(block, of, height)).await
    }

    async fn receipt(&self, hash: B256) -> Result<Reply<Option<Receipt>>, ChainError> {
        self.crossing.around(self.inner.receipt(hash)).await
    }

    async fn signed(&self, hash: B256) -> Result<Reply<Option<Form>>, ChainError> {
        self.crossing.around(self.inner.signed(hash)).await
    }

    async fn knows(&self, hash: B256) -> Result<Reply<bool>, ChainError> {
        self.crossing.around(self.inner.knows(hash)).await
    }

    async fn testify(&self, height: u64, address: Option<Address>, hashes: &[B256]) -> Vec<Reply<Testimony>> {
        self.crossing.around(self.inner.testify(height, address, hashes)).await
    }

    async fn broadcast(&self, raw: &Bytes) -> Broadcast {
        self.hand_out(raw, self.inner.broadcast(raw)).await
    }

    async fn broadcast_to_all(&self, raw: &Bytes) -> Broadcast {
        self.hand_out(raw, self.inner.broadcast_to_all(raw)).await
    }

    async fn fee_history(&self) -> Result<Reply<FeeHistory>, ChainError> {
        self.crossing.around(self.inner.fee_history()).await
    }

    async fn next_number(&self, address: Address, at: NumberAt) -> Result<Reply<u64>, ChainError> {
        self.crossing.around(self.inner.next_number(address, at)).await
    }

    async fn balance(&self, holder: Address, token: Option<Address>) -> Result<Reply<U256>, ChainError> {
        self.crossing.around(self.inner.balance(holder, token)).await
    }

    async fn holdings(
        &self,
        height: u64,
        address: Address,
        tokens: &[Address],
    ) -> Result<Reply<Option<Holdings>>, ChainError> {
        self.crossing.around(self.inner.holdings(height, address, tokens)).await
    }

    async fn estimate(&self, call: &Call) -> Result<Reply<Estimate>, ChainError> {
        let answer = self.crossing.around(self.inner.estimate(call)).await;
        match (answer, self.sabotage) {
            (Err(error), Sabotage::RejectUnsure) => {
                let value = Estimate::Reverted { reason: error.to_string() };
                Ok(Reply { value, provider: "0".to_owned(), height: Some(u64::MAX) })
            }
            (answer, _) => answer,
        }
    }

    async fn revert_reason(&self, call: &Call, block: u64) -> Result<Reply<Option<String>>, ChainError> {
        self.crossing.around(self.inner.revert_reason(call, block)).await
    }
}
