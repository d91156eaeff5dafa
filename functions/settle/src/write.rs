//! Many decisions in one commit, on the condition that the block is still there: again and again until it holds.

use std::collections::BTreeMap;

use causeway_domain::{B256, lane::LaneId, limits::COMMIT_WRITES_MAX};
use causeway_runtime::metrics;
use causeway_state::{
    commit::{Done, commit},
    lane::Gate,
    message::StageMessage,
    settle::{
        SettleError,
        batch::{Batch, Merge},
        decide::{Decision, Told, decide},
        load::{Anchor, Loaded, Look, load, look},
    },
    tracker::Inclusion,
};
use causeway_store::{Item, Write};

use crate::Settler;

/// Rounds of reading anew after a conflict.
const ROUNDS_MAX: u32 = 6;

impl Settler {
    /// Settles a stage: again and again until its commit holds, or it has nothing to do.
    pub async fn settle(&self, stage: &StageMessage) -> Result<(), SettleError> {
        let Look { anchor, rows, .. } = look(&*self.store, stage).await?;
        let Some(anchor) = anchor else {
            tracing::info!(network = %stage.network, height = stage.height, "the chain has turned since this was told");
            return Ok(());
        };
        let mut left = Left::default();
        let mut rest = vec![stage.inclusions.clone()];
        let mut known = Some(rows);
        while let Some(inclusions) = rest.pop() {
            match self.settle_some(stage, &anchor, &inclusions, known.take(), &mut left).await? {
                Ended::Settled => {}
                // One of them must not keep the others unsettled.
                Ended::Unread(_) | Ended::Stuck(_) if inclusions.len() > 1 => rest.extend(halves(&inclusions)),
                Ended::Unread(reason) => left.unread(&inclusions, reason),
                Ended::Stuck(reason) => left.later = Some(reason),
            }
        }
        if !self.ask_people(stage, left.undecided).await {
            return Err(SettleError::Later("what people must say is not surely in front of them".to_owned()));
        }
        left.later.map_or(Ok(()), |reason| Err(SettleError::Later(reason)))
    }

    /// Some of a stage's transactions in one commit: again and again until it holds.
    async fn settle_some(
        &self,
        stage: &StageMessage,
        anchor: &Anchor,
        inclusions: &[Inclusion],
        mut known: Option<Vec<Option<Item>>>,
        left: &mut Left,
    ) -> Result<Ended, SettleError> {
        for _ in 0..ROUNDS_MAX {
            let loaded = match load(&*self.store, stage.stage, inclusions, known.take()).await {
                Ok(loaded) => loaded,
                Err(error @ (SettleError::Row(_) | SettleError::Hopeless(_))) => {
                    return Ok(Ended::Unread(error.to_string()));
                }
                Err(error) => return Err(error),
            };
            match self.settle_group(stage, anchor, &loaded, left).await {
                Ok(Progress::Done) => return Ok(Ended::Settled),
                Ok(Progress::TooLarge) => {
                    return Ok(Ended::Unread("one transaction does not fit a commit".to_owned()));
                }
                Ok(Progress::Conflict) => {}
                // The message comes again and finds out what the chain has instead.
                Ok(Progress::Turned) => return Err(SettleError::Later("the chain turned meanwhile".to_owned())),
                Err(error @ (SettleError::Move(_) | SettleError::Postings(_))) => {
                    return Ok(Ended::Stuck(error.to_string()));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Ended::Stuck("its rows never held still".to_owned()))
    }

    async fn settle_group(
        &self,
        stage: &StageMessage,
        anchor: &Anchor,
        loaded: &[Loaded],
        left: &mut Left,
    ) -> Result<Progress, SettleError> {
        let mut batch = Batch::new(Merge::new(&*self.clock));
        let mut touched = Vec::new();
        for one in loaded {
            let told = Told {
                stage: stage.stage,
                height: stage.height,
                block_hash: stage.block_hash,
                inclusion: &one.inclusion,
            };
            let parcels: Vec<_> = one.parcels.iter().map(|(parcel, _)| parcel.clone()).collect();
            let decision = decide(told, &one.transaction, &parcels);
            let written = batch.add(told, one, &decision)?;
            if written {
                touched.push(one.clone());
            }
            // An earlier round may have read what was settled since.
            left.undecided.remove(&one.inclusion.hash);
            match decision {
                Decision::Later { reason } => left.later = Some(reason),
                Decision::AskPeople { reason } => {
                    let round = one.transaction.reopened.to_string();
                    let undecided = Undecided { reason, round, inclusion: one.inclusion.clone() };
                    left.undecided.insert(one.inclusion.hash, undecided);
                }
                Decision::Nothing
                | Decision::Pay { .. }
                | Decision::Fail { .. }
                | Decision::Cancel { .. }
                | Decision::Reopen { .. }
                | Decision::HaltOnly { .. } => {}
            }
        }
        if touched.is_empty() && batch.halts.is_empty() {
            return Ok(Progress::Done);
        }
        let mut writes = anchor.checks(&touched);
        let halts = std::mem::take(&mut batch.halts);
        writes.extend(batch.writes()?);
        writes.extend(self.halts(&halts).await?);
        if writes.len() > COMMIT_WRITES_MAX {
            return Ok(Progress::TooLarge);
        }
        match commit(&*self.store, &*self.clock, &writes).await? {
            Done::Committed => {
                for one in &touched {
                    let (lane, number, hash) = (&one.inclusion.lane, one.inclusion.number, one.inclusion.hash);
                    tracing::info!(%lane, number, %hash, trace = %one.transaction.trace, stage = ?stage.stage, "settled");
                }
                for lane in halts.keys() {
                    self.metrics.emit(&*self.clock, metrics::LANES_HALTED, 1, Some(&lane.network));
                }
                Ok(Progress::Done)
            }
            Done::Conflict(conflicts) => Ok(match anchor {
                // It stands before all else.
                Anchor::Header(..) | Anchor::Left(..) if conflicts.iter().any(|one| one.index == 0) => Progress::Turned,
                Anchor::Header(..) | Anchor::Left(..) | Anchor::Watches(_) => Progress::Conflict,
            }),
        }
    }

    /// A settled transaction that leaves halts its lane in the same commit; what was out may go again, nothing new.
    async fn halts(&self, halts: &BTreeMap<LaneId, String>) -> Result<Vec<Write>, SettleError> {
        let mut writes = Vec::new();
        for (lane, reason) in halts {
            let Some(row) = self.store.get(&Gate::key(lane)).await? else { continue };
            let gate: Gate = row.parse()?;
            tracing::error!(lane = %lane, reason, "the lane halts");
            // The tracker has set `seen` back already; the halt is above everything that was ever signed.
            let next = self.store.get(&causeway_state::lane::Counter::key(lane)).await?;
            let limit = next.and_then(|row| row.number("next")).and_then(|next| u64::try_from(next).ok());
            writes.push(gate.halted(reason, limit.unwrap_or(gate.seen)).put(lane, row.version())?);
        }
        Ok(writes)
    }
}

/// A transaction of which only people can say what became of it, or whose rows cannot be read.
#[derive(Debug)]
pub(crate) struct Undecided {
    pub(crate) reason: String,
    /// What tells this case from another one of the same transaction and block: how often it was reopened, or `row`.
    pub(crate) round: String,
    pub(crate) inclusion: Inclusion,
}

/// What a stage leaves undone, and why: for another message's sake, or for people.
#[derive(Debug, Default)]
struct Left {
    later: Option<String>,
    undecided: BTreeMap<B256, Undecided>,
}

impl Left {
    /// Leaves what no message can settle before somebody has looked at its rows.
    fn unread(&mut self, inclusions: &[Inclusion], reason: String) {
        for inclusion in inclusions {
            let undecided = Undecided { reason: reason.clone(), round: "row".to_owned(), inclusion: inclusion.clone() };
            self.undecided.insert(inclusion.hash, undecided);
        }
    }
}

fn halves(inclusions: &[Inclusion]) -> [Vec<Inclusion>; 2] {
    let (left, right) = inclusions.split_at(inclusions.len() / 2);
    [left.to_vec(), right.to_vec()]
}

/// How settling some transactions ended.
enum Ended {
    Settled,
    /// Not even a message that comes again can settle them all.
    Unread(String),
    /// Not now, or not together.
    Stuck(String),
}

/// How far a group's commit came.
enum Progress {
    Done,
    /// Rows moved: look anew.
    Conflict,
    /// The block is not where the message says.
    Turned,
    TooLarge,
}
