//! Rows by table, partition and sort key, each in order.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::FixedState;

use crate::row::{Item, Key, Table};

type Partition = BTreeMap<String, Item>;

/// Rows by their keys: in order only within a partition, as whoever reads them has it. Partition keys share their beginnings,
/// so they are not compared.
#[derive(Debug, Default)]
pub(super) struct Rows(BTreeMap<Table, HashMap<String, Partition, FixedState>>);

impl Rows {
    /// The rows of a partition in the order of their sort keys.
    pub(super) fn partition(&self, table: Table, pk: &str) -> impl Iterator<Item = &Item> {
        self.0.get(&table).and_then(|table| table.get(pk)).into_iter().flat_map(BTreeMap::values)
    }

    /// All rows of a table in the order of their keys.
    pub(super) fn table(&self, table: Table) -> impl Iterator<Item = (Key, &Item)> {
        let mut partitions: Vec<_> = self.0.get(&table).into_iter().flatten().collect();
        partitions.sort_unstable_by_key(|(pk, _)| *pk);
        let partitions = partitions.into_iter();
        partitions.flat_map(move |(pk, rows)| rows.iter().map(move |(sk, item)| (Key::new(table, &**pk, &**sk), item)))
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Item> {
        self.0.get(&key.table)?.get(&key.pk)?.get(&key.sk)
    }

    /// Puts a row where its key says, or takes it away.
    pub(super) fn replace(&mut self, key: &Key, item: Option<Item>) {
        let partitions = self.0.entry(key.table).or_default();
        match (item, partitions.get_mut(&key.pk)) {
            (Some(item), Some(partition)) => match partition.get_mut(&key.sk) {
                Some(there) => *there = item,
                None => {
                    partition.insert(key.sk.clone(), item);
                }
            },
            (Some(item), None) => {
                partitions.insert(key.pk.clone(), Partition::from([(key.sk.clone(), item)]));
            }
            (None, Some(partition)) => {
                partition.remove(&key.sk);
            }
            (None, None) => {}
        }
    }
}
