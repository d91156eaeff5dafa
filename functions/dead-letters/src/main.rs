//! Wires dead-letters' ports and runs it on every dead-letter queue.

use std::sync::Arc;

use causeway_dead_letters::Recorder;
use causeway_runtime::{Config, RealClock, aws, metrics::Metrics, run_batches, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    let config = Config::from_env()?;
    let sdk = aws::sdk().await;
    let recorder = Arc::new(Recorder {
        store: aws::store(&sdk, &config),
        clock: Arc::new(RealClock),
        metrics: Metrics::new(&config.prefix),
    });
    run_batches(config.prefix, move |messages| {
        let recorder = Arc::clone(&recorder);
        async move { recorder.handle(messages).await }
    })
    .await
}
