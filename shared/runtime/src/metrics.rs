//! Metrics as CloudWatch's embedded metric format: one JSON line on standard output, no call, no agent.
//!
//! Source: AWS, "Specification: Embedded metric format". It is one small object, so it is built here.

use std::{fmt, sync::Arc};

use causeway_domain::{Clock, id::NetworkId};
use serde_json::{Map, Value, json};

/// Namespace of every metric of ours.
pub const NAMESPACE: &str = "Causeway";

/// What is measured: its name, as alarms and dashboards know it, and CloudWatch's word for its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its unit.
    pub unit: &'static str,
}

/// Dead letters that now lie in front of an operator.
pub const DEAD_LETTERS: Metric = Metric { name: "DeadLetters", unit: "Count" };
/// What two looks at a treasury in a row found not to agree, of the kinds that somebody must look at.
pub const DIFFERENCES: Metric = Metric { name: "Differences", unit: "Count" };
/// Looks of a network's tracker that came to their end, one told every few seconds.
pub const HEARTBEAT: Metric = Metric { name: "Heartbeat", unit: "Count" };
/// By how much what is told as final lags behind its depth: nothing is released, and no number given up, meanwhile.
pub const FINALITY_LAG: Metric = Metric { name: "FinalityLagMs", unit: "Milliseconds" };
/// Age of the newest block that providers tell of: where they all stand still, nothing else does.
pub const HEAD_AGE: Metric = Metric { name: "HeadAgeMs", unit: "Milliseconds" };
/// Lanes that take no new numbers.
pub const LANES_HALTED: Metric = Metric { name: "LanesHalted", unit: "Count" };
/// Age of the latest look at the treasury that nobody has reconciled for longest.
pub const OLDEST_LOOK_AGE: Metric = Metric { name: "OldestLookAgeMs", unit: "Milliseconds" };
/// Age of the oldest transaction that is signed and that no block is known to hold.
pub const OLDEST_UNSEEN_AGE: Metric = Metric { name: "OldestUnseenAgeMs", unit: "Milliseconds" };
/// Age of the oldest transfer that waits for something which nobody decided and no other alarm tells of.
pub const OLDEST_WAIT_AGE: Metric = Metric { name: "OldestWaitAgeMs", unit: "Milliseconds" };
/// Looks that found a treasury without the asset, or without coin for gas.
pub const TREASURY_SHORT: Metric = Metric { name: "TreasuryShort", unit: "Count" };
/// Waits that were over long before the sweep came.
pub const WAITS_OVERDUE: Metric = Metric { name: "WaitsOverdue", unit: "Count" };

/// Where a metric's line goes.
pub trait Sink: fmt::Debug + Send + Sync {
    /// Takes one value in the embedded metric format.
    fn take(&self, line: &Value);
}

/// Standard output, which Lambda hands to CloudWatch.
#[derive(Debug)]
struct Output;

impl Sink for Output {
    fn take(&self, line: &Value) {
        println!("{line}");
    }
}

/// Emits metrics under the name of the environment, so that two of them in one account do not mix.
#[derive(Debug, Clone)]
pub struct Metrics {
    prefix: String,
    sink: Arc<dyn Sink>,
}

impl Metrics {
    /// The metrics of the environment with this prefix, on standard output.
    pub fn new(prefix: &str) -> Self {
        Self::to(prefix, Arc::new(Output))
    }

    /// The metrics of the environment with this prefix, to somebody else.
    pub fn to(prefix: &str, sink: Arc<dyn Sink>) -> Self {
        Self { prefix: prefix.to_owned(), sink }
    }

    /// Emits a value, for the environment as a whole and (if any) for the network.
    pub fn emit(&self, clock: &dyn Clock, metric: Metric, value: u64, network: Option<&NetworkId>) {
        let mut dimensions = vec![vec!["Prefix"]];
        let mut line =
            Map::from_iter([("Prefix".to_owned(), json!(self.prefix)), (metric.name.to_owned(), json!(value))]);
        if let Some(network) = network {
            dimensions.push(vec!["Prefix", "Network"]);
            line.insert("Network".to_owned(), json!(network.as_str()));
        }
        let told = json!({
            "Timestamp": clock.now_ms(),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": dimensions,
                "Metrics": [{"Name": metric.name, "Unit": metric.unit}],
            }],
        });
        line.insert("_aws".to_owned(), told);
        self.sink.take(&Value::Object(line));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::RealClock;

    #[derive(Debug, Default)]
    struct Kept(Mutex<Vec<Value>>);

    impl Sink for Kept {
        fn take(&self, line: &Value) {
            self.0.lock().expect("no test panics with it").push(line.clone());
        }
    }

    fn emitted(network: Option<&str>) -> Value {
        let kept = Arc::new(Kept::default());
        let network: Option<NetworkId> = network.map(|name| name.parse().expect("a name"));
        let metrics = Metrics::to("causeway-test", Arc::<Kept>::clone(&kept));
        metrics.emit(&RealClock, OLDEST_UNSEEN_AGE, 7, network.as_ref());
        let lines = kept.0.lock().expect("no test panics with it");
        assert_eq!(lines.len(), 1);
        lines[0].clone()
    }

    #[test]
    fn a_value_is_told_for_the_environment() {
        let line = emitted(None);
        let told = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(told["Namespace"], "Causeway");
        assert_eq!(told["Dimensions"], json!([["Prefix"]]));
        assert_eq!(told["Metrics"], json!([{"Name": "OldestUnseenAgeMs", "Unit": "Milliseconds"}]));
        assert_eq!((&line["OldestUnseenAgeMs"], &line["Prefix"]), (&json!(7), &json!("causeway-test")));
        assert!(line["_aws"]["Timestamp"].is_u64());
        assert_eq!(line.get("Network"), None);
    }

    /// Every dimension that is named must be a member of the line, or CloudWatch drops the value.
    #[test]
    fn a_networks_value_is_told_for_it_as_well() {
        let line = emitted(Some("polygon"));
        let dimensions = &line["_aws"]["CloudWatchMetrics"][0]["Dimensions"];
        assert_eq!(dimensions, &json!([["Prefix"], ["Prefix", "Network"]]));
        assert_eq!((&line["Prefix"], &line["Network"]), (&json!("causeway-test"), &json!("polygon")));
    }
}
