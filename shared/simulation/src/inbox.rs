//! Messages under way, as SQS hands them out: at least once, in batches, hidden while they are worked on, given up
//! after twenty receives.

use causeway_domain::Clock;
use causeway_queue::Message;
use causeway_runtime::Received;
use causeway_state::message::queues;

use crate::{clock::SimClock, coverage::Coverage};

/// How long a message stays hidden that is being worked on, or was not worked off.
pub const HIDDEN_MS: u64 = 12_000;
/// Receives after which a queue gives a message up.
pub const RECEIVES_MAX: u32 = 20;
/// A queue hands a message out so much later than it was sent, at most.
const LATE_MAX_MS: u64 = 30_000;
/// Messages of one batch, and the most that a FIFO queue gives at once (SQS).
const BATCH: usize = 10;

/// Queues somebody reads, the dead letters' last.
pub const READ: [&str; 10] = [
    queues::TRANSFERS_HIGH,
    queues::TRANSFERS_NORMAL,
    queues::TRANSFERS_LOW,
    queues::TRANSACTIONS,
    queues::SIGN_REQUESTS,
    queues::CHAIN_EVENTS,
    queues::TRANSFERS_DEAD,
    queues::TRANSACTIONS_DEAD,
    queues::SIGN_REQUESTS_DEAD,
    queues::CHAIN_EVENTS_DEAD,
];

/// A message under way.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Its id.
    pub id: String,
    /// Its queue.
    pub queue: &'static str,
    /// What it says.
    pub message: Message,
    /// How often it was received.
    pub receives: u32,
    /// Hidden until then.
    pub visible_at: u64,
}

/// All of them, oldest first.
#[derive(Debug)]
pub struct Inbox {
    letters: Vec<Letter>,
    count: u64,
    /// Per mille of deliveries that come in another order than sent (standard queues).
    pub shuffled: u64,
    /// Per mille of messages that come again although they were worked off.
    pub repeated: u64,
    /// Per mille of messages that come late.
    pub late: u64,
    /// Receives after which a queue gives a message up.
    pub receives_max: u32,
    /// Messages of one batch of a standard queue.
    pub batch: usize,
    /// Where repeats and other orders are counted.
    pub coverage: Coverage,
}

impl Inbox {
    /// Counts what it repeats and reorders.
    pub fn counting(coverage: &Coverage) -> Self {
        Self {
            letters: Vec::new(),
            count: 0,
            shuffled: 0,
            repeated: 0,
            late: 0,
            receives_max: RECEIVES_MAX,
            batch: BATCH,
            coverage: coverage.clone(),
        }
    }

    /// Takes messages in.
    pub fn put(&mut self, queue: &'static str, messages: Vec<Message>, clock: &SimClock) {
        for message in messages {
            self.count += 1;
            let id = format!("m-{}", self.count);
            let is_late = clock.chance(self.late);
            if is_late {
                self.coverage.count("fault: message late");
            }
            let visible_at = if is_late { clock.now_ms() + clock.below(LATE_MAX_MS) } else { 0 };
            self.letters.push(Letter { id, queue, message, receives: 0, visible_at });
        }
    }

    /// All letters of a queue.
    pub fn of(&self, queue: &str) -> Vec<&Letter> {
        self.letters.iter().filter(|letter| letter.queue == queue).collect()
    }

    /// Takes letters away for good; answers how many.
    pub fn lose(&mut self, queue: &str) -> usize {
        self.letters.extract_if(.., |letter| letter.queue == queue).count()
    }

    /// Hands out a batch of a queue and hides it. Of a FIFO group nothing comes while an earlier one is hidden.
    pub fn receive(&mut self, queue: &'static str, clock: &SimClock, now: u64) -> Vec<Received> {
        let fifo = queue.ends_with(".fifo");
        let mut blocked: Vec<Option<String>> = Vec::new();
        let mut chosen: Vec<usize> = Vec::new();
        for (position, letter) in self.letters.iter().enumerate().filter(|(_, letter)| letter.queue == queue) {
            let group = &letter.message.group;
            if letter.visible_at > now {
                blocked.push(group.clone());
            } else if !(fifo && blocked.contains(group)) {
                chosen.push(position);
            }
        }
        if !fifo && clock.chance(self.shuffled) && chosen.len() > 1 {
            self.coverage.count("fault: messages reordered");
            for last in (1..chosen.len()).rev() {
                chosen.swap(last, usize::try_from(clock.below(last as u64 + 1)).unwrap_or(0));
            }
        }
        chosen.truncate(if fifo { BATCH } else { self.batch });
        if chosen.len() > BATCH {
            self.coverage.count("batch: beyond ten");
        }
        let take = |position: &usize| {
            let letter = &mut self.letters[*position];
            letter.receives += 1;
            letter.visible_at = now + HIDDEN_MS;
            received(letter)
        };
        chosen.iter().map(take).collect()
    }

    /// Books a batch's end: what was worked off goes, what failed comes again, what failed too often is given up.
    /// `None` where the handler was killed: all of it comes again.
    pub fn done(&mut self, batch: &[Received], failed: Option<&[String]>, clock: &SimClock, now: u64) {
        let of_batch = |letter: &Letter| batch.iter().any(|received| received.message_id == letter.id);
        if let Some(failed) = failed {
            let (repeated, coverage) = (self.repeated, &self.coverage);
            self.letters.retain_mut(|letter| {
                let again = failed.contains(&letter.id);
                if of_batch(letter) && !again && clock.chance(repeated) {
                    letter.visible_at = now + clock.below(HIDDEN_MS);
                    coverage.count("fault: message repeated");
                    return true;
                }
                !of_batch(letter) || again
            });
        }
        // What lies with the dead letters stays there until it is worked off.
        let given_up = |letter: &mut Letter| {
            of_batch(letter) && letter.receives >= self.receives_max && dead_letter_queue(letter.queue).is_some()
        };
        let dead: Vec<Letter> = self.letters.extract_if(.., given_up).collect();
        for letter in dead {
            if let Some(queue) = dead_letter_queue(letter.queue) {
                self.coverage.count("fault: message given up");
                self.letters.push(Letter { queue, visible_at: 0, receives: 0, ..letter });
            }
        }
    }

    /// How many there have been.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }
}

fn received(letter: &Letter) -> Received {
    Received {
        message_id: letter.id.clone(),
        queue: letter.queue.to_owned(),
        body: letter.message.body.clone(),
        receives: letter.receives,
        group: letter.message.group.clone(),
        attributes: letter.message.attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
    }
}

fn dead_letter_queue(queue: &str) -> Option<&'static str> {
    match queue {
        queues::TRANSFERS_HIGH | queues::TRANSFERS_NORMAL | queues::TRANSFERS_LOW => Some(queues::TRANSFERS_DEAD),
        queues::TRANSACTIONS => Some(queues::TRANSACTIONS_DEAD),
        queues::SIGN_REQUESTS => Some(queues::SIGN_REQUESTS_DEAD),
        queues::CHAIN_EVENTS => Some(queues::CHAIN_EVENTS_DEAD),
        _ => None,
    }
}
