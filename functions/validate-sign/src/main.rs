//! Wires validate-sign's ports and runs it on its queues.

use std::sync::Arc;

use causeway_runtime::{Config, RealClock, aws, metrics::Metrics, run_batches, telemetry};
use causeway_validate_sign::{Memory, Signer};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init();
    let config = Config::from_env()?;
    let sdk = aws::sdk().await;
    let clock: Arc<RealClock> = Arc::new(RealClock);
    let signer = Arc::new(Signer {
        store: aws::store(&sdk, &config),
        queue: aws::queue(&sdk, &config),
        keys: aws::lane_keys(&sdk, &config),
        chains: aws::chains(&sdk, &config, Arc::<RealClock>::clone(&clock)).await?,
        clock,
        metrics: Metrics::new(&config.prefix),
        networks: config.networks,
        memory: Memory::default(),
    });
    run_batches(config.prefix, move |messages| {
        let signer = Arc::clone(&signer);
        async move { signer.handle(messages).await }
    })
    .await
}
