//! The port on DynamoDB.
//!
//! Writes are sent once: the SDK's own retries are off for them, since a retry would hide a lost
//! reply, and what became of a commit is found by reading (`commit`). Reads are retried.
//!
//! Invariant: every table has the string keys `pk` and `sk`; its physical name is the
//! environment's prefix, a dash and the logical name.

mod calls;
mod codec;
mod commit;
mod expression;
mod fault;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::types::{KeysAndAttributes, ReturnConsumedCapacity};
use backon::BackoffBuilder as _;

use crate::check;
use crate::cursor;
use crate::port::{Commit, CommitToken, Page, Query, Store, StoreError, Write};
use crate::row::{Item, Key, Table};
use codec::Attributes;
use expression::Expression;

/// A connection within a region takes milliseconds; a second means the host is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// DynamoDB answers in milliseconds and a full transaction in tens of them. After three seconds
/// the reply is lost, and the caller still has time to settle it within its own 15 to 60 s.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
/// Room for all attempts of a read with the pauses between them, and for the loading of credentials.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);
/// A read's attempts: the SDK's default, with its exponential backoff and jitter.
const READ_ATTEMPTS: u32 = 3;
/// How often keys that a batch left over are asked for again; the pauses begin at 50 ms and double.
const LEFT_OVER_TRIES: usize = 6;
/// First pause before keys that a batch left over are asked for again.
const LEFT_OVER_PAUSE: Duration = Duration::from_millis(50);

/// Rows on DynamoDB.
#[derive(Debug, Clone)]
pub struct DynamoStore {
    reads: Client,
    writes: Client,
    prefix: String,
    counts_capacity: bool,
}

/// A batch read that DynamoDB kept leaving unfinished.
#[derive(Debug, thiserror::Error)]
#[error("{keys} keys of a batch were left unread after {LEFT_OVER_TRIES} tries")]
struct LeftOver {
    keys: usize,
}

impl DynamoStore {
    /// A store on the tables whose names begin with `prefix` and a dash.
    ///
    /// The client gives credentials, region and connections; timeouts and retries are set here.
    pub fn new(client: Client, prefix: String) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let with = |retries| {
            let config = client.config().to_builder().timeout_config(timeouts.clone()).retry_config(retries);
            Client::from_conf(config.build())
        };
        Self {
            reads: with(RetryConfig::standard().with_max_attempts(READ_ATTEMPTS)),
            writes: with(RetryConfig::disabled()),
            prefix,
            counts_capacity: false,
        }
    }

    /// The same store, which asks for the capacity units of each call and tells them in its events.
    pub fn counting_capacity(mut self) -> Self {
        self.counts_capacity = true;
        self
    }

    fn physical(&self, table: Table) -> String {
        format!("{}-{}", self.prefix, table.0)
    }

    fn capacity(&self) -> Option<ReturnConsumedCapacity> {
        self.counts_capacity.then_some(ReturnConsumedCapacity::Total)
    }

    /// Reads until no key is left over, or for too long.
    async fn read_all(&self, keys: &[Key]) -> Result<HashMap<Place, Item>, StoreError> {
        let mut rest = self.requests(keys)?;
        let mut found = HashMap::new();
        let mut pauses = backon::ExponentialBuilder::default()
            .with_min_delay(LEFT_OVER_PAUSE)
            .with_max_times(LEFT_OVER_TRIES)
            .with_jitter()
            .build();
        while !rest.is_empty() {
            let (rows, left_over) = self.read_batch(rest).await?;
            for (table, row) in rows {
                let item = codec::item(row)?;
                if let (Some(pk), Some(sk)) = (item.text(check::PK), item.text(check::SK)) {
                    found.insert((table, pk.to_owned(), sk.to_owned()), item);
                }
            }
            rest = left_over;
            if rest.is_empty() {
                break;
            }
            let Some(pause) = pauses.next() else {
                let keys = rest.values().map(|keys| keys.keys().len()).sum();
                return Err(StoreError::Unavailable(Box::new(LeftOver { keys })));
            };
            tokio::time::sleep(pause).await;
        }
        Ok(found)
    }

    /// The keys by table, each once: DynamoDB refuses a batch that names a key twice.
    fn requests(&self, keys: &[Key]) -> Result<Requests, StoreError> {
        let mut tables: HashMap<Table, Vec<Attributes>> = HashMap::new();
        for key in keys.iter().collect::<BTreeSet<_>>() {
            tables.entry(key.table).or_default().push(codec::key(key));
        }
        tables
            .into_iter()
            .map(|(table, keys)| {
                let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
                Ok((self.physical(table), keys.map_err(|error| StoreError::Refused(error.to_string()))?))
            })
            .collect()
    }

    async fn read_batch(&self, requests: Requests) -> Result<(Vec<(String, Attributes)>, Requests), StoreError> {
        let result = self
            .reads
            .batch_get_item()
            .set_request_items(Some(requests))
            .set_return_consumed_capacity(self.capacity())
            .send()
            .await;
        calls::record("BatchGetItem", result.as_ref().ok().and_then(|reply| calls::units(reply.consumed_capacity())));
        let reply = result.map_err(|error| fault::store_error("BatchGetItem", error))?;
        let rows = reply
            .responses
            .unwrap_or_default()
            .into_iter()
            .flat_map(|(table, rows)| rows.into_iter().map(move |row| (table.clone(), row)))
            .collect();
        Ok((rows, reply.unprocessed_keys.unwrap_or_default()))
    }
}

/// Keys to read, by physical table.
type Requests = HashMap<String, KeysAndAttributes>;

/// A row's physical table and keys.
type Place = (String, String, String);

#[async_trait]
impl Store for DynamoStore {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        check::get(key)?;
        let result = self
            .reads
            .get_item()
            .table_name(self.physical(key.table))
            .set_key(Some(codec::key(key)))
            .consistent_read(true)
            .set_return_consumed_capacity(self.capacity())
            .send()
            .await;
        calls::record("GetItem", result.as_ref().ok().and_then(|reply| calls::units(reply.consumed_capacity())));
        let reply = result.map_err(|error| fault::store_error("GetItem", error))?;
        Ok(reply.item.map(codec::item).transpose()?)
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        check::get_many(keys)?;
        let found = self.read_all(keys).await?;
        let place = |key: &Key| (self.physical(key.table), key.pk.clone(), key.sk.clone());
        Ok(keys.iter().map(|key| found.get(&place(key)).cloned()).collect())
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        check::query(query)?;
        let start = cursor::decode(query)?;
        let mut expression = Expression::default();
        let condition = expression.key_condition(query);
        let (names, values) = expression.into_parts();
        let result = self
            .reads
            .query()
            .table_name(self.physical(query.table))
            .set_index_name(query.index.map(|index| index.name.to_owned()))
            // An index cannot be read strongly.
            .consistent_read(query.index.is_none())
            .key_condition_expression(condition)
            .set_expression_attribute_names(names)
            .set_expression_attribute_values(values)
            .scan_index_forward(!query.descending)
            .set_limit(i32::try_from(query.limit).ok())
            .set_exclusive_start_key(start.as_ref().map(codec::attributes))
            .set_return_consumed_capacity(self.capacity())
            .send()
            .await;
        calls::record("Query", result.as_ref().ok().and_then(|reply| calls::units(reply.consumed_capacity())));
        let reply = result.map_err(|error| fault::store_error("Query", error))?;
        let rows = reply.items.unwrap_or_default().into_iter().map(codec::item);
        let next = reply.last_evaluated_key.map(codec::item).transpose()?;
        Ok(Page { items: rows.collect::<Result<_, _>>()?, next: next.map(|last| cursor::encode(last.fields())) })
    }

    async fn commit(&self, token: &CommitToken, writes: &[Write]) -> Result<Commit, StoreError> {
        self.carry_out(token, writes).await
    }
}
