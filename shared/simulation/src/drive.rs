//! What the platform does: deliver batches, tick the tracker, make blocks, let time pass.

use std::{future::Future, pin::Pin, sync::Arc};

use causeway_chains::Chain;
use causeway_domain::{Clock, Network};
use causeway_queue::QueueName;
use causeway_runtime::{Received, batch::Failed};
use causeway_state::{message::queues, reconciliation::Report, tables::TRACKER, tracker::Head};
use causeway_status_check::{TrackError, Tracker, lead::Lead, reconcile::Reconciling};
use causeway_store::{Item, Key, Update, Value, Write};

use crate::{clock::killed_after, inbox::READ, world::World};

/// Time between two looks of the platform.
pub const STEP_MS: u64 = 200;
/// Simulated time after which a scenario that should have ended never will.
const PATIENCE_MS: u64 = 30 * 60 * 1000;

/// Time without blocks that is made up for; what is longer was skipped by the scenario.
const SKIPPED_MS: u64 = 10_000;

/// A handler at work on a batch.
pub type Work = Pin<Box<dyn Future<Output = Failed> + Send>>;

impl World {
    /// The handler that reads a queue, at work on a batch.
    pub fn work(&self, queue: &'static str, batch: Vec<Received>) -> Work {
        match queue {
            queues::TRANSFERS_HIGH | queues::TRANSFERS_NORMAL | queues::TRANSFERS_LOW | queues::SIGN_REQUESTS => {
                let signer = Arc::clone(&self.signer);
                Box::pin(async move { signer.handle(batch).await })
            }
            queues::TRANSACTIONS => {
                let sender = Arc::clone(&self.sender);
                Box::pin(async move { sender.handle(batch).await })
            }
            queues::CHAIN_EVENTS => {
                let settler = Arc::clone(&self.settler);
                Box::pin(async move { settler.handle(batch).await })
            }
            _ => {
                let recorder = Arc::clone(&self.recorder);
                Box::pin(async move { recorder.handle(batch).await })
            }
        }
    }

    /// Hands messages to a queue's handler in an order of the scenario's own; answers how many must come again.
    pub fn hand(&self, queue: &'static str, bodies: &[String]) -> usize {
        let received = |(number, body): (usize, &String)| Received {
            message_id: format!("hand-{number}"),
            queue: queue.to_owned(),
            body: body.clone(),
            receives: 1,
            ..Received::default()
        };
        let batch = bodies.iter().enumerate().map(received).collect();
        self.clock.run(self.work(queue, batch)).len()
    }

    /// Takes what was published off the queues.
    pub fn collect(&mut self) {
        self.queue.set_now_ms(self.clock.now_ms());
        if self.queue.is_empty() {
            return;
        }
        for queue in READ {
            self.inbox.put(queue, self.queue.drain(QueueName(queue)), &self.clock);
        }
    }

    /// A batch of a queue, if one is to be had.
    pub fn receive(&mut self, queue: &'static str) -> Option<Vec<Received>> {
        self.collect();
        let batch = self.inbox.receive(queue, &self.clock, self.clock.now_ms());
        (!batch.is_empty()).then_some(batch)
    }

    /// Books a batch's end.
    pub fn worked_off(&mut self, batch: &[Received], failed: Option<&[String]>) {
        self.inbox.done(batch, failed, &self.clock, self.clock.now_ms());
    }

    /// Delivers one batch of a queue; answers whether there was one.
    pub fn deliver(&mut self, queue: &'static str) -> bool {
        let Some(batch) = self.receive(queue) else { return false };
        let failed = self.clock.run(self.work(queue, batch.clone()));
        self.worked_off(&batch, Some(&failed));
        true
    }

    /// Delivers one batch to a handler that is killed after so many polls; answers whether it was, `None` without a batch.
    pub fn deliver_and_kill(&mut self, queue: &'static str, polls: u64) -> Option<bool> {
        let batch = self.receive(queue)?;
        let failed = self.clock.run(killed_after(polls, self.work(queue, batch.clone())));
        self.worked_off(&batch, failed.as_deref());
        Some(failed.is_none())
    }

    /// Delivers all there is of a queue now; answers whether there was anything.
    pub fn deliver_all(&mut self, queue: &'static str) -> bool {
        let mut any = false;
        while self.deliver(queue) {
            any = true;
        }
        any
    }

    /// One look of the tracker's process.
    pub fn track(&mut self) {
        let (tracker, chain) = (Arc::clone(&self.tracker), self.chain_port());
        let lead = self.lead.take();
        self.lead = self.clock.run(track(&tracker, &self.network, &*chain, &self.leader, lead));
    }

    /// The tracker's process dies; another one takes its place, without its memory and without its lease.
    pub fn replace_tracker(&mut self) {
        self.lead = None;
        self.leader = format!("leader-{}", self.clock.random());
    }

    /// As [`World::track`], killed after so many polls; answers whether it was.
    pub fn track_and_kill(&mut self, polls: u64) -> bool {
        let (tracker, chain, lead) = (Arc::clone(&self.tracker), self.chain_port(), self.lead.take());
        self.crossing.set(true);
        let work = track(&tracker, &self.network, &*chain, &self.leader, lead);
        let ended = self.clock.run(killed_after(polls, work));
        self.crossing.set(false);
        let killed = ended.is_none();
        self.lead = ended.flatten();
        killed
    }

    /// The tracker's process ends in order, and another one takes its place.
    pub fn hand_over(&mut self) {
        if let Some(lead) = self.lead.take() {
            self.clock.run(self.tracker.step_down(&self.network, lead));
        }
        self.replace_tracker();
    }

    /// What a restore leaves of the tracker's word: nobody has looked since.
    pub fn forget_look(&mut self) {
        let key = Head::key(&self.network.id);
        let head = Head { looked_at: 0, ..self.head().expect("a head") };
        let item = Item::from_fields(&head).expect("a row");
        self.must_commit(&[Write::Put { key, item, expect: vec![] }]);
        self.replace_tracker();
    }

    /// Makes every treasury due for reconciliation, for who leads next. What was found once is looked at again in its time.
    pub fn forget_reports(&mut self) {
        if let Some(lead) = &mut self.lead {
            lead.reconciling = Reconciling::default();
        }
        for row in
            self.rows.dump(TRACKER).iter().filter(|row| row.text("pk").is_some_and(|pk| pk.starts_with("REPORT#")))
        {
            if !row.parse::<Report>().expect("a report").suspected.is_empty() {
                continue;
            }
            let key = Key::new(TRACKER, row.text("pk").unwrap_or_default(), row.text("sk").unwrap_or_default());
            let update = Update { set: vec![("due_at", Value::from(0_u64))], ..Update::default() };
            self.must_commit(&[Write::Update { key, update, expect: vec![] }]);
        }
    }

    /// A moment without holding the rules: for scenarios that break one on purpose.
    pub fn quiet_step(&mut self) {
        self.clock.advance(STEP_MS);
        self.make_blocks();
        self.track();
    }

    /// Makes the blocks that are due.
    pub fn make_blocks(&mut self) {
        // Hours that were skipped have no blocks.
        let now = self.clock.now_ms();
        self.next_block_at = self.next_block_at.map(|at| at.max(now.saturating_sub(SKIPPED_MS)));
        while let Some(at) = self.next_block_at
            && at <= self.clock.now_ms()
        {
            self.chain.mine();
            self.next_block_at = Some(at + self.block_ms);
        }
    }

    /// Lets a moment pass: blocks, the tracker, every queue; and holds the rules.
    pub fn step(&mut self) {
        self.clock.advance(self.step_ms * if self.idle { self.patience } else { 1 });
        self.make_blocks();
        self.note_halts(false);
        self.track();
        self.idle = true;
        for queue in READ {
            let delivered = !self.held.contains(queue) && self.deliver_all(queue);
            self.idle &= !delivered;
        }
        self.check();
    }

    /// Lets time pass.
    pub fn pass(&mut self, ms: u64) {
        let end = self.clock.now_ms() + ms;
        while self.clock.now_ms() < end {
            self.step();
        }
    }

    /// Lets time pass until something holds.
    pub fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let end = self.clock.now_ms() + PATIENCE_MS;
        while !holds(self) {
            assert!(self.clock.now_ms() < end, "{what} never comes:\n{}", self.picture());
            self.step();
        }
    }

    /// Lets time pass until every transfer has ended, and holds all money accounted for.
    pub fn finish(&mut self) {
        self.until("the end of every transfer", Self::has_ended);
        self.check_end();
    }
}

/// One turn of the tracker's loop: lead or try to, as its process does.
pub async fn track(
    tracker: &Tracker,
    network: &Network,
    chain: &dyn Chain,
    me: &str,
    lead: Option<Lead>,
) -> Option<Lead> {
    match lead {
        None => tracker.try_lead(network, chain, me).await.unwrap_or(None),
        Some(mut leading) => match tracker.tick(network, chain, &mut leading).await {
            Ok(()) | Err(TrackError::Chain(_)) => Some(leading),
            Err(
                TrackError::Lost
                | TrackError::Store(_)
                | TrackError::Row(_)
                | TrackError::Commit(_)
                | TrackError::Queue(_)
                | TrackError::Stuck(_),
            ) => None,
        },
    }
}
