//! What a stage is about: its transactions, their parcels, and whether its block is on the chain.

use causeway_domain::{B256, id::ParcelId};
use causeway_store::{Expect, Item, Key, Store, Value, Write};

use super::SettleError;
use crate::{
    lane::Transaction,
    message::{Stage, StageMessage},
    parcel::Parcel,
    tracker::{Head, HeaderRow, Inclusion, Watch},
};

/// A transaction with everything that settling it needs.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What the block says of it.
    pub inclusion: Inclusion,
    /// The transaction.
    pub transaction: Transaction,
    /// Its row's version.
    pub version: u64,
    /// Its parcels and their rows' versions.
    pub parcels: Vec<(Parcel, u64)>,
}

/// How a commit makes sure that the block is on the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anchor {
    /// By the header of its height.
    Header(Key, B256),
    /// By each transaction's own watch: the header's row is long gone.
    Watches(B256),
    /// The other way round: that it is not on the chain, by what its height holds now.
    Left(Key, Option<B256>),
}

impl Anchor {
    /// The conditions for these transactions.
    pub fn checks(&self, group: &[Loaded]) -> Vec<Write> {
        match self {
            Self::Left(key, other) => {
                let expect = other.map_or(Expect::Absent, |hash| equals("hash", hash));
                vec![Write::Check { key: key.clone(), expect: vec![expect] }]
            }
            Self::Header(key, hash) => {
                vec![Write::Check { key: key.clone(), expect: vec![equals("hash", *hash)] }]
            }
            Self::Watches(hash) => {
                let check = |loaded: &Loaded| Write::Check {
                    key: Watch::key(&loaded.inclusion.lane.network, loaded.inclusion.hash),
                    expect: vec![equals("block_hash", *hash)],
                };
                group.iter().map(check).collect()
            }
        }
    }
}

fn equals(field: &'static str, hash: B256) -> Expect {
    Expect::Equals(field, Value::from(hash.to_string()))
}

/// Whether the tracker has come as far as this stage's block.
fn is_past(head: Option<&Head>, stage: &StageMessage) -> bool {
    head.is_some_and(|head| head.height >= stage.height)
}

fn transactions(inclusions: &[Inclusion]) -> impl Iterator<Item = Key> + '_ {
    inclusions.iter().map(|inclusion| Transaction::key(&inclusion.lane, inclusion.number))
}

/// How commits of a stage are anchored, given its height's header and the head; `None` where its block is not on the
/// chain (any more): whatever the chain holds instead is told by stages of its own.
fn anchor(stage: &StageMessage, header: Option<&Item>, head: Option<&Head>) -> Result<Option<Anchor>, SettleError> {
    let key = HeaderRow::key(&stage.network, stage.height);
    let known = header.map(Item::parse::<HeaderRow>).transpose()?.map(|known| known.hash);
    match (stage.stage, known) {
        // Its header came this moment, or went with the years: its absence proves nothing then.
        (Stage::Reorged, None) if is_past(head, stage) => {
            Err(SettleError::Later(format!("what the chain holds at {} is not known", stage.height)))
        }
        // The chain may have turned back to the block meanwhile: then nothing is to be taken back.
        (Stage::Reorged, holds) => Ok((holds != Some(stage.block_hash)).then_some(Anchor::Left(key, holds))),
        (Stage::Confirmed | Stage::Final, Some(known)) => {
            Ok((known == stage.block_hash).then_some(Anchor::Header(key, known)))
        }
        (Stage::Confirmed | Stage::Final, None) => {
            Ok(is_past(head, stage).then_some(Anchor::Watches(stage.block_hash)))
        }
    }
}

/// Whether what a stage means for a transaction depends on its parcels.
const fn asks_parcels(stage: Stage, settled: bool) -> bool {
    match stage {
        Stage::Confirmed | Stage::Final => !settled,
        Stage::Reorged => settled,
    }
}

/// What a stage's commits rest on.
#[derive(Debug)]
pub struct Look {
    /// How they are anchored; `None` where the chain has turned since the stage was told.
    pub anchor: Option<Anchor>,
    /// How far the tracker has come.
    pub head: Option<Head>,
    /// The rows of its transactions, in its order.
    pub rows: Vec<Option<Item>>,
}

/// Reads how commits of this stage are anchored, and its transactions' rows: all of it in one read.
pub async fn look(store: &dyn Store, stage: &StageMessage) -> Result<Look, SettleError> {
    let block = [HeaderRow::key(&stage.network, stage.height), Head::key(&stage.network)];
    let keys: Vec<Key> = block.into_iter().chain(transactions(&stage.inclusions)).collect();
    let mut rows = read(store, &keys).await?.into_iter();
    let (header, head) = (rows.next().flatten(), rows.next().flatten());
    let head = head.map(|row| row.parse::<Head>()).transpose()?;
    Ok(Look { anchor: anchor(stage, header.as_ref(), head.as_ref())?, head, rows: rows.collect() })
}

/// Reads transactions (unless their rows were just read) and the parcels that matter, strongly.
pub async fn load(
    store: &dyn Store,
    stage: Stage,
    inclusions: &[Inclusion],
    rows: Option<Vec<Option<Item>>>,
) -> Result<Vec<Loaded>, SettleError> {
    let rows = match rows {
        Some(rows) => rows,
        None => read(store, &transactions(inclusions).collect::<Vec<_>>()).await?,
    };
    let mut loaded = Vec::with_capacity(inclusions.len());
    for (inclusion, row) in inclusions.iter().zip(rows) {
        let row =
            row.ok_or_else(|| SettleError::Hopeless(format!("{} has no number {}", inclusion.lane, inclusion.number)))?;
        let transaction: Transaction = row.parse()?;
        let (inclusion, version) = (inclusion.clone(), row.version());
        loaded.push(Loaded { inclusion, transaction, version, parcels: Vec::new() });
    }
    let asks = |one: &Loaded| asks_parcels(stage, one.transaction.outcome.is_some());
    let ids: Vec<ParcelId> =
        loaded.iter().filter(|one| asks(one)).flat_map(|one| one.transaction.parcels.clone()).collect();
    let keys: Vec<Key> = ids.iter().map(|id| Parcel::key(*id)).collect();
    let mut rows = read(store, &keys).await?.into_iter().zip(ids);
    for one in loaded.iter_mut().filter(|one| asks(one)) {
        for _ in 0..one.transaction.parcels.len() {
            let Some((row, id)) = rows.next() else { break };
            let row = row.ok_or_else(|| SettleError::Hopeless(format!("there is no parcel {id}")))?;
            one.parcels.push((row.parse()?, row.version()));
        }
    }
    Ok(loaded)
}

async fn read(store: &dyn Store, keys: &[Key]) -> Result<Vec<Option<Item>>, SettleError> {
    let mut rows = Vec::with_capacity(keys.len());
    for chunk in keys.chunks(100) {
        rows.extend(store.get_many(chunk).await?);
    }
    Ok(rows)
}
