//! What a stage is about: its transactions, their parcels, and whether its block is on the chain.

use causeway_domain::{B256, id::ParcelId};
use causeway_state::{
    lane::Transaction,
    message::{Stage, StageMessage},
    parcel::Parcel,
    tracker::{Head, HeaderRow, Inclusion, Watch},
};
use causeway_store::{Expect, Item, Key, Value, Write};

use crate::{Settler, write::SettleError};

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
fn is_past(head: &Option<Item>, stage: &StageMessage) -> Result<bool, SettleError> {
    let head = head.as_ref().map(Item::parse::<Head>).transpose()?;
    Ok(head.is_some_and(|head| head.height >= stage.height))
}

impl Settler {
    /// How commits of this stage are anchored; `None` where its block is not on the chain (any more): whatever the
    /// chain holds instead is told by stages of its own.
    pub async fn anchor(&self, stage: &StageMessage) -> Result<Option<Anchor>, SettleError> {
        let keys = [HeaderRow::key(&stage.network, stage.height), Head::key(&stage.network)];
        let rows = self.store.get_many(&keys).await?;
        let known = rows[0].as_ref().map(Item::parse::<HeaderRow>).transpose()?;
        match stage.stage {
            // The chain may have turned back to the block meanwhile: then nothing is to be taken back.
            Stage::Reorged => {
                let holds = known.map(|known| known.hash);
                if holds.is_none() && is_past(&rows[1], stage)? {
                    // Its header came this moment, or went with the years: its absence proves nothing then.
                    return Err(SettleError::Later(format!("what the chain holds at {} is not known", stage.height)));
                }
                let gone = holds != Some(stage.block_hash);
                return Ok(gone.then(|| Anchor::Left(keys[0].clone(), holds)));
            }
            Stage::Confirmed | Stage::Final => {}
        }
        if let Some(known) = known {
            let anchor = Anchor::Header(keys[0].clone(), stage.block_hash);
            return Ok((known.hash == stage.block_hash).then_some(anchor));
        }
        Ok(is_past(&rows[1], stage)?.then_some(Anchor::Watches(stage.block_hash)))
    }

    /// Reads transactions and parcels, strongly.
    pub async fn load(&self, inclusions: &[Inclusion]) -> Result<Vec<Loaded>, SettleError> {
        let keys: Vec<Key> =
            inclusions.iter().map(|inclusion| Transaction::key(&inclusion.lane, inclusion.number)).collect();
        let mut loaded = Vec::with_capacity(inclusions.len());
        for (inclusion, row) in inclusions.iter().zip(self.read(&keys).await?) {
            let row = row.ok_or_else(|| {
                SettleError::Hopeless(format!("{} has no number {}", inclusion.lane, inclusion.number))
            })?;
            let transaction: Transaction = row.parse()?;
            let (inclusion, version) = (inclusion.clone(), row.version());
            loaded.push(Loaded { inclusion, transaction, version, parcels: Vec::new() });
        }
        let ids: Vec<ParcelId> = loaded.iter().flat_map(|one| one.transaction.parcels.clone()).collect();
        let keys: Vec<Key> = ids.iter().map(|id| Parcel::key(*id)).collect();
        let mut rows = self.read(&keys).await?.into_iter().zip(ids);
        for one in &mut loaded {
            for _ in 0..one.transaction.parcels.len() {
                let Some((row, id)) = rows.next() else { break };
                let row = row.ok_or_else(|| SettleError::Hopeless(format!("there is no parcel {id}")))?;
                one.parcels.push((row.parse()?, row.version()));
            }
        }
        Ok(loaded)
    }

    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, SettleError> {
        let mut rows = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(100) {
            rows.extend(self.store.get_many(chunk).await?);
        }
        Ok(rows)
    }
}
