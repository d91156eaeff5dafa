//! One event for each call to AWS; the bench sums them.

use aws_sdk_dynamodb::types::ConsumedCapacity;

/// Tells of a call. `units` are capacity units, known only when they were asked for.
pub(super) fn record(op: &'static str, units: Option<f64>) {
    tracing::debug!(target: "calls", service = "dynamodb", op, units);
}

/// The capacity units of a reply, over all its tables.
pub(super) fn units<'a>(capacities: impl IntoIterator<Item = &'a ConsumedCapacity>) -> Option<f64> {
    let units: Vec<f64> = capacities.into_iter().filter_map(ConsumedCapacity::capacity_units).collect();
    (!units.is_empty()).then(|| units.iter().sum())
}
