//! Tables on the emulator, new ones for each test.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType,
};
use causeway_store::contract::{BY_OWNER, DUE, Loss, OTHER, ROWS, Subject};
use causeway_store::dynamo::DynamoStore;
use causeway_store::{Index, Table};

use crate::wire::{Calls, Fate, Wire};

/// A store on tables of its own, and the wire to it.
pub(crate) struct Emulated {
    pub(crate) store: DynamoStore,
    pub(crate) wire: Wire,
    /// Tells this test's names and tokens from those of all other tests and runs.
    pub(crate) run: String,
}

impl Emulated {
    pub(crate) async fn new() -> Self {
        let endpoint = std::env::var("AWS_ENDPOINT_URL").unwrap_or_else(|_| {
            panic!(
                "AWS_ENDPOINT_URL is not set: these tests need the emulator. Run\n  \
                 python3 localstack/with_platform.py -- cargo test -p causeway-store --features aws"
            )
        });
        let wire = Wire::new();
        let client = wire.client(&endpoint);
        let run = unique();
        let prefix = format!("store-{run}");
        create(&client, &prefix, ROWS, &[(BY_OWNER, ScalarAttributeType::S), (DUE, ScalarAttributeType::N)]).await;
        create(&client, &prefix, OTHER, &[]).await;
        Self { store: DynamoStore::new(client, prefix), wire, run }
    }

    /// As the contract wants it.
    pub(crate) async fn subject() -> Subject {
        let Self { store, wire, run } = Self::new().await;
        Subject::new(run, Arc::new(store), move |loss| {
            let fate = match loss {
                Loss::Call => Fate::LoseCall,
                Loss::Reply => Fate::LoseReply,
            };
            wire.next(Calls::Writes, fate);
        })
    }
}

fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("{:016x}-{}", now as u64, COUNT.fetch_add(1, Ordering::Relaxed))
}

async fn create(client: &Client, prefix: &str, table: Table, indexes: &[(Index, ScalarAttributeType)]) {
    let mut request = client
        .create_table()
        .table_name(format!("{prefix}-{}", table.0))
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(schema("pk", "sk")))
        .attribute_definitions(defined("pk", ScalarAttributeType::S))
        .attribute_definitions(defined("sk", ScalarAttributeType::S));
    for (index, sort) in indexes {
        let keys_only = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
        let definition = GlobalSecondaryIndex::builder()
            .index_name(index.name)
            .set_key_schema(Some(schema(index.pk, index.sk)))
            .projection(keys_only)
            .build()
            .unwrap();
        request = request
            .global_secondary_indexes(definition)
            .attribute_definitions(defined(index.pk, ScalarAttributeType::S))
            .attribute_definitions(defined(index.sk, sort.clone()));
    }
    request.send().await.unwrap();
}

fn schema(pk: &str, sk: &str) -> Vec<KeySchemaElement> {
    [(pk, KeyType::Hash), (sk, KeyType::Range)]
        .map(|(name, kind)| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap())
        .to_vec()
}

fn defined(name: &str, kind: ScalarAttributeType) -> AttributeDefinition {
    AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap()
}
