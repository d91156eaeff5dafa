//! The rows themselves and what a commit does to them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use crate::check::{self, Fault, LAST_COMMIT, PK, Refusal, SK, VERSION, limits, size};
use crate::cursor::{self, Position};
use crate::port::{Commit, CommitToken, Conflict, Expect, Page, Query, Range, Update, Write};
use crate::row::{Item, Key, Table, Value};

type Rows = BTreeMap<Key, Item>;

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
    unindexed: VecDeque<After>,
    lag: usize,
    tokens: HashMap<CommitToken, Seen>,
    delayed: Vec<(CommitToken, Vec<Write>)>,
    journal: Option<Vec<After>>,
}

/// A token that was used before.
#[derive(Debug)]
struct Seen {
    writes: Vec<Write>,
    committed: bool,
}

impl State {
    pub(super) fn get(&self, key: &Key) -> Option<Item> {
        self.rows.get(key).cloned()
    }

    pub(super) fn table(&self, table: Table) -> Vec<Item> {
        self.rows.iter().filter(|(key, _)| key.table == table).map(|(_, item)| item.clone()).collect()
    }

    pub(super) fn set_lag(&mut self, commits: usize) {
        self.lag = commits;
        self.index();
    }

    /// Brings the indexes up to `lag` commits behind.
    fn index(&mut self) {
        while self.unindexed.len() > self.lag {
            for (key, item) in self.unindexed.pop_front().into_iter().flatten() {
                self.file(&key, item.as_ref());
                replace(&mut self.indexed, key, item);
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
            for (key, item) in indexed.iter().filter(|(key, _)| key.table == query.table) {
                if let Some(pk) = item.text(index.pk) {
                    partitions.entry(pk.to_owned()).or_default().insert(key.clone());
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
    pub(super) fn journal(&mut self) -> Vec<After> {
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
        if let Some(seen) = self.tokens.get(token) {
            if seen.writes != writes {
                return Err(Refusal::TokenReused);
            }
            if seen.committed && is_transaction(writes) {
                return Ok(Commit::Committed);
            }
        }
        let outcome = self.evaluate(token, writes)?;
        let committed = outcome == Commit::Committed;
        self.tokens.insert(token.clone(), Seen { writes: writes.to_vec(), committed });
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
            replace(&mut self.rows, key.clone(), item.clone());
        }
        if let Some(journal) = &mut self.journal {
            journal.push(after.clone());
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
        let order = |position: &Position| order(query, position);
        let start = after.as_ref().map(order);
        let mut rows: Vec<_> = self
            .candidates(query)
            .filter(|(position, _)| in_range(query, position))
            .map(|(position, item)| (order(&position), position, item))
            .collect();
        rows.sort_by(|(left, ..), (right, ..)| left.cmp(right));
        if query.descending {
            rows.reverse();
        }
        let rest = rows.into_iter().filter(|(at, ..)| match (&start, query.descending) {
            (None, _) => true,
            (Some(start), false) => at > start,
            (Some(start), true) => at < start,
        });
        Ok(page(query, rest.map(|(_, position, item)| (position, item))))
    }

    /// The partition's rows. From an index only keys come back, as its projection holds nothing else.
    fn candidates<'a>(&'a self, query: &'a Query) -> Box<dyn Iterator<Item = (Position, Item)> + 'a> {
        let Some(index) = query.index else {
            let first = Key::new(query.table, query.pk.as_str(), "");
            let partition = self.rows.range(first..);
            return Box::new(
                partition
                    .take_while(|(key, _)| key.table == query.table && key.pk == query.pk)
                    .filter_map(|(_, item)| Some((cursor::position(query, item)?, item.clone()))),
            );
        };
        let keys = self.partitions.get(&(query.table, index.pk)).and_then(|partitions| partitions.get(&query.pk));
        Box::new(keys.into_iter().flatten().filter_map(|key| {
            let position = cursor::position(query, self.indexed.get(key)?)?;
            Some((position.clone(), Item::from(position)))
        }))
    }
}

fn replace(rows: &mut Rows, key: Key, item: Option<Item>) {
    match item {
        Some(item) => rows.insert(key, item),
        None => rows.remove(&key),
    };
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
        item.set(field, value.clone());
    }
    for (field, number) in &update.add {
        let before = match item.get(field) {
            None => 0,
            Some(_) => item.number(field).ok_or_else(|| Fault::NotANumber((*field).to_owned()))?,
        };
        let sum = before.checked_add(*number).ok_or_else(|| Fault::Number((*field).to_owned()))?;
        check::in_range(field, sum)?;
        item.set(field, Value::Num(sum));
    }
    for field in &update.remove {
        item.remove(field);
    }
    Ok(item)
}

/// The sort key first; on an index rows with the same sort key follow each other by their own keys.
fn order(query: &Query, position: &Position) -> [Option<Value>; 3] {
    let sort = query.index.map_or(SK, |index| index.sk);
    [sort, PK, SK].map(|name| position.get(name).cloned())
}

fn in_range(query: &Query, position: &Position) -> bool {
    let name = query.index.map_or(SK, |index| index.sk);
    let Some(sort) = position.get(name) else {
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

/// A page that is full has a cursor even when nothing follows, as in DynamoDB.
fn page(query: &Query, rows: impl Iterator<Item = (Position, Item)>) -> Page {
    let mut page = Page::default();
    let mut bytes = 0;
    let mut last = None;
    for (position, item) in rows {
        bytes += size::of_item(&item);
        let full = page.items.len() == query.limit || (bytes > limits::PAGE_BYTES && last.is_some());
        if full {
            page.next = last.as_ref().map(cursor::encode);
            return page;
        }
        page.items.push(item);
        last = Some(position);
    }
    if page.items.len() == query.limit {
        page.next = last.as_ref().map(cursor::encode);
    }
    page
}
