//! Wires send's ports and runs it on its queue.

use std::sync::Arc;

use causeway_runtime::{Config, RealClock, aws, metrics::Metrics, run_batches, telemetry};
use causeway_send::{Memory, Sender};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    let config = Config::from_env()?;
    let sdk = aws::sdk().await;
    let clock: Arc<RealClock> = Arc::new(RealClock);
    let sender = Arc::new(Sender {
        store: aws::store(&sdk, &config),
        queue: aws::queue(&sdk, &config),
        chains: aws::chains(&sdk, &config, Arc::<RealClock>::clone(&clock)).await?,
        clock,
        metrics: Metrics::new(&config.prefix),
        memory: Memory::default(),
    });
    run_batches(config.prefix, move |messages| {
        let sender = Arc::clone(&sender);
        async move { sender.handle(messages).await }
    })
    .await
}
