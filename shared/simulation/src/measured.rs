//! What the handlers measured, for tests to read.

use std::sync::{Arc, Mutex, PoisonError};

use causeway_domain::clock::Millis;
use causeway_runtime::metrics::{Metric, Sink};
use serde_json::Value;

/// Every value that was emitted, in order. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Measured(Arc<Mutex<Vec<Value>>>);

impl Measured {
    /// All values of a metric, oldest first, each with when it was told.
    pub fn values(&self, metric: Metric) -> Vec<(Millis, u64)> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let value = |line: &Value| Some((line["_aws"]["Timestamp"].as_u64()?, line.get(metric.name)?.as_u64()?));
        lines.iter().filter_map(value).collect()
    }

    /// The latest value of a metric, and when it was told.
    pub fn last(&self, metric: Metric) -> Option<(Millis, u64)> {
        self.values(metric).pop()
    }
}

impl Sink for Measured {
    fn take(&self, line: &Value) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.clone());
    }
}
