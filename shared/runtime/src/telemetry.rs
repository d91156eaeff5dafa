//! Logs: one JSON object a line on standard error, fields flat, the trace in each.

use std::error::Error;

use tracing_subscriber::{EnvFilter, fmt};

/// Starts logging. `CAUSEWAY_LOG` filters (`info` by default; `calls=debug` shows every call that costs).
pub fn init() {
    let filter = EnvFilter::try_from_env("CAUSEWAY_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let format = fmt().json().flatten_event(true).with_current_span(true).with_span_list(false);
    // A second start in one process (tests) keeps the first subscriber.
    let _ = format.with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// What lies beneath an error, outermost first, for the log: what it says itself is for everybody, its causes are not.
pub fn causes(error: &dyn Error) -> String {
    let (mut texts, mut cause) = (Vec::new(), error.source());
    while let Some(under) = cause {
        texts.push(under.to_string());
        cause = under.source();
    }
    texts.join(": ")
}
