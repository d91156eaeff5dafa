//! Wires settle's ports and runs it on its queue.

use std::sync::Arc;

use causeway_runtime::{Config, RealClock, aws, metrics::Metrics, run_batches, telemetry};
use causeway_settle::Settler;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    let config = Config::from_env()?;
    let sdk = aws::sdk().await;
    let settler = Arc::new(Settler {
        store: aws::store(&sdk, &config),
        queue: aws::queue(&sdk, &config),
        clock: Arc::new(RealClock),
        metrics: Metrics::new(&config.prefix),
    });
    run_batches(config.prefix, move |messages| {
        let settler = Arc::clone(&settler);
        async move { settler.handle(messages).await }
    })
    .await
}
