//! What the handlers measured, for tests to read.

use std::sync::{Arc, Mutex, PoisonError};

use causeway_runtime::metrics::{Metric, Sink};
use serde_json::Value;

/// Every value that was emitted, in order. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Measured(Arc<Mutex<Vec<Value>>>);

impl Measured {
    /// All values of a metric, oldest first.
    pub fn values(&self, metric: Metric) -> Vec<u64> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().filter_map(|line| line.get(metric.name)?.as_u64()).collect()
    }
}

impl Sink for Measured {
    fn take(&self, line: &Value) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.clone());
    }
}
