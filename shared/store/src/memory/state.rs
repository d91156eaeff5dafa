//! The rows themselves and what a commit does to them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;

use crate::check::{self, Fault, LAST_COMMIT, PK, Refusal, SK, VERSION, limits, size};
use crate::cursor;
use crate::port::{Commit, CommitToken, Conflict, Expect, Page, Query, Range, Update, Write};
use crate::row::{Fields, Index, Item, Key, Table, Value};

use super::rows::Rows;

type Partitions = BTreeMap<String, BTreeSet<Key>>;

/// A row that a commit touched, as it is now; none where it was deleted.
pub(super) type Touched = (Key, Option<Item>);

/// What a commit left behind.
pub type After = Vec<Touched>;

/// All tables of a store. An index is computed from the rows as they were `lag` commits ago.
#[derive(Debug, Default)]
pub(super) struct State {
    rows: Rows,
    indexed: Rows,
    /// Keys of indexed rows by table, partition attribute and its value; for indexes that were asked before.
    partitions: HashMap<(Table, &'static str), Partitions>,
    unindexed: VecDeque<Arc<After>>,
    lag: usize,
    tokens: HashMap<CommitToken, Seen>,
    delayed: Vec<(CommitToken, Vec<Write>)>,
    journal: Option<Vec<Arc<After>>>,
}

/// A token that was used before.
#[derive(Debug)]
struct Seen {
    /// What it wrote, to tell a repeat from another commit under the same token.
    fingerprint: u64,
    committed: bool,
}

impl State {
    pub(super) fn get(&self, key: &Key) -> Option<Item> {
        self.rows.get(key).cloned()
    }

    pub(super) fn table(&self, table: Table) -> Vec<Item> {
        self.rows.table(table).map(|(_, item)| item.clone()).collect()
    }

    pub(super) fn set_lag(&mut self, commits: usize) {
        self.lag = commits;
        self.index();
    }

    /// Brings the indexes up to `lag` commits behind.
    fn index(&mut self) {
        while self.unindexed.len() > self.lag {
            let Some(after) = self.unindexed.pop_front() else { return };
            for (key, item) in &*after {
                self.file(key, item.as_ref());
                self.indexed.replace(key, item.clone());
            }
        }
    }

    /// Moves a row from the partitions it was in to those it is in now.
    fn file(&mut self, key: &Key, item: Option<&Item>) {
        let before = self.indexed.get(key);
        for ((_, attribute), partitions) in self.partitions.iter_mut().filter(|((table, _), _)| *table == key.table) {
            if let Some(keys) = before.and_then(|before| before.text(attribute)).and_then(|pk| partitions.get_mut(pk)) {
                keys.remove(key);
            }
            if let Some(pk) = item.and_then(|item| item.text(attribute)) {
                partitions.entry(pk.to_owned()).or_default().insert(key.clone());
            }
        }
    }

    /// Sorts all rows into an index's partitions, the first time that it is asked.
    fn learn(&mut self, query: &Query) {
        let Some(index) = query.index else { return };
        let indexed = &self.indexed;
        self.partitions.entry((query.table, index.pk)).or_insert_with(|| {
            let mut partitions = Partitions::new();
            for (key, item) in indexed.table(query.table) {
                if let Some(pk) = item.text(index.pk) {
                    partitions.entry(pk.to_owned()).or_default().insert(key);
                }
            }
            partitions
        });
    }

    /// Forgets which tokens committed, as DynamoDB does after ten minutes. Rows keep their `last_commit`.
    pub(super) fn forget_tokens(&mut self) {
        for seen in self.tokens.values_mut() {
            seen.committed = false;
        }
    }

    /// What committed since the last call; from the first call on.
    pub(super) fn journal(&mut self) -> Vec<Arc<After>> {
        self.journal.replace(Vec::new()).unwrap_or_default()
    }

    pub(super) fn delay(&mut self, token: &CommitToken, writes: &[Write]) {
        self.delayed.push((token.clone(), writes.to_vec()));
    }

    pub(super) fn take_delayed(&mut self) -> Vec<(CommitToken, Vec<Write>)> {
        std::mem::take(&mut self.delayed)
    }

    /// All of the writes or none.
    ///
    /// Knows a repeat by what DynamoDB has to know it by: a row that carries the token, and for
    /// commits that go through a transaction (several writes, or a lone check) the token itself.
    pub(super) fn commit(&mut self, token: &CommitToken, writes: &[Write]) -> Result<Commit, Refusal> {
        let fingerprint = FixedState::default().hash_one(writes);
        if let Some(seen) = self.tokens.get(token) {
            if seen.fingerprint != fingerprint {
                return Err(Refusal::TokenReused);
            }
            if seen.committed && is_transaction(writes) {
                return Ok(Commit::Committed);
            }
        }
        let outcome = self.evaluate(token, writes)?;
        let committed = outcome == Commit::Committed;
        self.tokens.insert(token.clone(), Seen { fingerprint, committed });
        Ok(outcome)
    }

    fn evaluate(&mut self, token: &CommitToken, writes: &[Write]) -> Result<Commit, Refusal> {
        if writes.iter().any(|write| self.carries(token, write)) {
            return Ok(Commit::Committed);
        }
        let conflicts = self.conflicts(writes);
        if !conflicts.is_empty() {
            return Ok(Commit::Conflict(conflicts));
        }
        let after = writes
            .iter()
            .enumerate()
            .filter_map(|(index, write)| self.after(index, token, write).transpose())
            .collect::<Result<After, _>>()?;
        for (key, item) in &after {
            self.rows.replace(key, item.clone());
        }
        let after = Arc::new(after);
        if let Some(journal) = &mut self.journal {
            journal.push(Arc::clone(&after));
        }
        self.unindexed.push_back(after);
        self.index();
        Ok(Commit::Committed)
    }

    /// Whether this write's row shows that the commit has happened.
    fn carries(&self, token: &CommitToken, write: &Write) -> bool {
        let last = || self.rows.get(write.key()).and_then(|item| item.text(LAST_COMMIT));
        match write {
            Write::Put { .. } | Write::Update { .. } => last() == Some(token.as_str()),
            Write::Delete { .. } | Write::Check { .. } => false,
        }
    }

    fn conflicts(&self, writes: &[Write]) -> Vec<Conflict> {
        writes
            .iter()
            .enumerate()
            .filter_map(|(index, write)| {
                let current = self.rows.get(write.key());
                let holds = write.expect().iter().all(|expect| holds(expect, current));
                (!holds).then(|| Conflict { index, current: current.cloned() })
            })
            .collect()
    }

    /// The row after this write; nothing for a check, which leaves it as it is.
    fn after(&self, index: usize, token: &CommitToken, write: &Write) -> Result<Option<Touched>, Refusal> {
        let key = write.key().clone();
        let (mut item, version) = match write {
            Write::Check { .. } => return Ok(None),
            Write::Delete { .. } => return Ok(Some((key, None))),
            Write::Put { item, expect, .. } => (item.clone(), check::version_of_put(expect)),
            Write::Update { update, .. } => {
                let current = self.get(&key).unwrap_or_default();
                let version = i128::from(current.version()) + 1;
                let item = updated(current, update).map_err(|fault| check::refusal_of(index, write, fault))?;
                (item, version)
            }
        };
        item = item.with(PK, key.pk.as_str()).with(SK, key.sk.as_str());
        item = item.with(VERSION, version).with(LAST_COMMIT, token.as_str());
        check::item_bytes(size::of_item(&item)).map_err(|fault| check::refusal_of(index, write, fault))?;
        Ok(Some((key, Some(item))))
    }

    /// One page, cut as DynamoDB cuts it: at the limit or at 1 MB, whichever comes first.
    pub(super) fn query(&mut self, query: &Query) -> Result<Page, Refusal> {
        self.learn(query);
        let after = cursor::decode(query)?;
        let mut rows: Vec<&Item> = match query.index {
            // A partition is in the order of its sort keys.
            None => self.rows.partition(query.table, &query.pk).filter(|item| in_range(query, item)).collect(),
            Some(index) => {
                let mut rows: Vec<&Item> =
                    self.indexed_rows(query, index).filter(|item| in_range(query, item)).collect();
                rows.sort_by(|left, right| order(query, left.fields()).cmp(&order(query, right.fields())));
                rows
            }
        };
        if query.descending {
            rows.reverse();
        }
        let start = after.as_ref().map(|position| order(query, position));
        let rest = rows.into_iter().filter(|item| match (&start, query.descending) {
            (None, _) => true,
            (Some(start), false) => order(query, item.fields()) > *start,
            (Some(start), true) => order(query, item.fields()) < *start,
        });
        Ok(page(query, rest))
    }

    fn indexed_rows<'a>(&'a self, query: &'a Query, index: Index) -> impl Iterator<Item = &'a Item> {
        let keys = self.partitions.get(&(query.table, index.pk)).and_then(|partitions| partitions.get(&query.pk));
        keys.into_iter().flatten().filter_map(|key| self.indexed.get(key))
    }
}

/// Whether DynamoDB would take this commit as a transaction, whose token it remembers.
fn is_transaction(writes: &[Write]) -> bool {
    match writes {
        [Write::Put { .. } | Write::Update { .. } | Write::Delete { .. }] => false,
        [Write::Check { .. }] | [] | [_, _, ..] => true,
    }
}

fn holds(expect: &Expect, current: Option<&Item>) -> bool {
    let number = |field: &str| current.and_then(|item| item.number(field));
    match expect {
        Expect::Absent => current.is_none(),
        Expect::Exists => current.is_some(),
        Expect::Equals(field, value) => current.and_then(|item| item.get(field)) == Some(value),
        Expect::AtLeast(field, least) => number(field).is_some_and(|number| number >= *least),
        Expect::Version(version) => number(VERSION) == Some(i128::from(*version)),
    }
}

fn updated(mut item: Item, update: &Update) -> Result<Item, Fault> {
    for (field, value) in &update.set {
        item.set(*field, value.clone());
    }
    for (field, number) in &update.add {
        let before = match item.get(field) {
            None => 0,
            Some(_) => item.number(field).ok_or_else(|| Fault::NotANumber((*field).to_owned()))?,
        };
        let sum = before.checked_add(*number).ok_or_else(|| Fault::Number((*field).to_owned()))?;
        check::in_range(field, sum)?;
        item.set(*field, Value::Num(sum));
    }
    for field in &update.remove {
        item.remove(field);
    }
    Ok(item)
}

/// The sort key first; on an index rows with the same sort key follow each other by their own keys.
fn order<'a>(query: &Query, fields: &'a Fields) -> [Option<&'a Value>; 3] {
    [sort_name(query), PK, SK].map(|name| fields.get(name))
}

/// Name of the attribute that a query's rows are in the order of.
fn sort_name(query: &Query) -> &'static str {
    query.index.map_or(SK, |index| index.sk)
}

/// A row without the attribute that its index sorts by is not in the index.
fn in_range(query: &Query, item: &Item) -> bool {
    let Some(sort) = item.get(sort_name(query)) else {
        return false;
    };
    let same_type = |bound: &Value| std::mem::discriminant(bound) == std::mem::discriminant(sort);
    match (&query.range, sort) {
        (_, Value::Null | Value::Bool(_) | Value::Bytes(_) | Value::List(_) | Value::Map(_)) => false,
        (Range::All, Value::Str(_) | Value::Num(_)) => true,
        (Range::Prefix(prefix), Value::Str(text)) => text.starts_with(prefix.as_str()),
        (Range::Prefix(_), Value::Num(_)) => false,
        (Range::UpTo(upper), Value::Str(_) | Value::Num(_)) => same_type(upper) && sort <= upper,
        (Range::Between(lower, upper), Value::Str(_) | Value::Num(_)) => {
            same_type(lower) && lower <= sort && sort <= upper
        }
    }
}

/// A page that is full has a cursor even when nothing follows, as in DynamoDB. From an index only keys come back, as its
/// projection holds nothing else.
fn page<'a>(query: &Query, rows: impl Iterator<Item = &'a Item>) -> Page {
    let mut page = Page::default();
    let mut bytes = 0;
    let mut last = None;
    let after = |last: Option<&Item>| last.and_then(|item| cursor::position(query, item)).as_ref().map(cursor::encode);
    for row in rows {
        let item = match query.index {
            None => row.clone(),
            Some(_) => match cursor::position(query, row) {
                Some(keys) => Item::from(keys),
                None => continue,
            },
        };
        bytes += size::of_item(&item);
        let full = page.items.len() == query.limit || (bytes > limits::PAGE_BYTES && last.is_some());
        if full {
            page.next = after(last);
            return page;
        }
        page.items.push(item);
        last = Some(row);
    }
    if page.items.len() == query.limit {
        page.next = after(last);
    }
    page
}
