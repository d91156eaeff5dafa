//! A batch of dead letters: each becomes a row of its own, or comes again.

use causeway_domain::id::ParcelId;
use causeway_runtime::{Received, batch::Failed, metrics};
use causeway_state::{
    commit::{Done, commit},
    dead_letter::{DeadLetter, Status},
    lane::Transaction,
    message::StageMessage,
    parcel::Parcel,
};
use causeway_store::{Conflict, Item, Write};

use crate::{
    Recorder,
    record::{Told, read},
};

/// Why a dead letter is not surely recorded.
type Trouble = Box<dyn std::error::Error + Send + Sync>;

impl Recorder {
    /// Records a batch and says which messages must come again.
    pub async fn handle(&self, messages: Vec<Received>) -> Failed {
        let mut failed = Failed::new();
        for message in messages {
            let id = message.message_id.clone();
            let told = read(message, self.clock.now_ms());
            if let Err(error) = self.record(&told).await {
                tracing::warn!(dead_letter = %told.letter.id, message.id = %id, error = %error, "not recorded; it comes again");
                failed.push(id);
            }
        }
        failed
    }

    async fn record(&self, told: &Told) -> Result<(), Trouble> {
        match commit(&*self.store, &*self.clock, &[told.letter.create()?]).await? {
            Done::Committed => self.announce(told, "recorded"),
            Done::Conflict(conflicts) => self.record_again(told, current(conflicts)).await?,
        }
        Ok(())
    }

    /// The record is there. A repeat of the message that made it adds nothing; another message of the same dead letter
    /// says that a replay did not help.
    async fn record_again(&self, told: &Told, there: Option<Item>) -> Result<(), Trouble> {
        let Some(row) = there else { return Err("the record was there and is not".into()) };
        let known: DeadLetter = row.parse()?;
        if known.status == Status::Open && known.message == told.letter.message {
            // Who recorded it may never have heard of that, and then nobody was told: once too often is better.
            self.announce(told, "recorded, as it was before");
            return Ok(());
        }
        match known.status {
            Status::Open | Status::Refunded | Status::Discarded => return Ok(()),
            // A restore may have left the word and not what it did.
            Status::Settled if self.is_undone(&told.letter).await? => {}
            Status::Settled => return Ok(()),
            Status::Replayed => {}
        }
        if known.message == told.letter.message || self.is_settled(known.parcel).await? {
            return Ok(());
        }
        let again: Write = known.died_again(row.version(), &told.letter)?;
        match commit(&*self.store, &*self.clock, &[again]).await? {
            Done::Committed => self.announce(told, "open again"),
            // Somebody acts on it right now: look again with the next receive.
            Done::Conflict(_) => return Err("the record changed meanwhile".into()),
        }
        Ok(())
    }

    /// Whether no money is held for the parcel any more, so that nothing waits for an operator.
    async fn is_settled(&self, parcel: Option<ParcelId>) -> Result<bool, Trouble> {
        let Some(id) = parcel else { return Ok(false) };
        match self.store.get(&Parcel::key(id)).await? {
            // One that cannot be read is for people as well.
            Some(row) => Ok(row.parse::<Parcel>().is_ok_and(|parcel| !parcel.state.holds_money())),
            None => Ok(false),
        }
    }

    /// Whether one of the transactions that a letter is about has not ended, although somebody's word ended all of them.
    async fn is_undone(&self, letter: &DeadLetter) -> Result<bool, Trouble> {
        let Ok(stage) = serde_json::from_str::<StageMessage>(&letter.body) else { return Ok(false) };
        for inclusion in &stage.inclusions {
            let row = self.store.get(&Transaction::key(&inclusion.lane, inclusion.number)).await?;
            let transaction = row.and_then(|row| row.parse::<Transaction>().ok());
            if transaction.is_some_and(|transaction| transaction.outcome.is_none()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn announce(&self, told: &Told, what: &str) {
        let letter = &told.letter;
        self.metrics.emit(&*self.clock, metrics::DEAD_LETTERS, 1, None);
        tracing::warn!(
            dead_letter = %letter.id,
            queue = letter.queue,
            reason = letter.reason,
            receives = letter.receives,
            parcel = letter.parcel.map(tracing::field::display),
            trace = told.trace.map(tracing::field::display),
            "a dead letter is {what}"
        );
    }
}

fn current(conflicts: Vec<Conflict>) -> Option<Item> {
    conflicts.into_iter().next().and_then(|conflict| conflict.current)
}
