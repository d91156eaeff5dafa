//! Metrics as CloudWatch's embedded metric format: one JSON line on standard output, no call, no agent.
//!
//! Source: AWS, "Specification: Embedded metric format". It is one small object, so it is built here.

use causeway_domain::Clock;
use serde_json::json;

/// Namespace of every metric of ours.
pub const NAMESPACE: &str = "Causeway";

/// Emits one value of a metric, under the dimensions of the environment and (if any) of the network.
pub fn emit(clock: &dyn Clock, name: &str, value: u64, network: Option<&str>) {
    let dimensions = if network.is_some() { json!([[], ["Network"]]) } else { json!([[]]) };
    let line = json!({
        "_aws": {
            "Timestamp": clock.now_ms(),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": dimensions,
                "Metrics": [{"Name": name, "Unit": "Count"}],
            }],
        },
        "Network": network,
        name: value,
    });
    println!("{line}");
}
