//! Wires the tracker's ports and runs its loop at each tick of its schedule.

use std::sync::Arc;

use causeway_domain::{Clock, id::NetworkId};
use causeway_runtime::{Config, RealClock, aws, config::optional, metrics::Metrics, telemetry};
use causeway_status_check::{Tracker, reconcile::EVERY_MS};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;

/// What the schedule sends.
#[derive(Debug, Deserialize)]
struct Tick {
    network: NetworkId,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let config = Config::from_env()?;
    let loop_ms: u64 = optional("CAUSEWAY_LOOP_S", "75").parse::<u64>()? * 1000;
    let reconcile_ms: u64 = match optional("CAUSEWAY_RECONCILE_S", "").as_str() {
        "" => EVERY_MS,
        seconds => seconds.parse::<u64>()? * 1000,
    };
    let sdk = aws::sdk().await;
    let clock: Arc<RealClock> = Arc::new(RealClock);
    let tracker = Arc::new(Tracker {
        store: aws::store(&sdk, &config),
        queue: aws::queue(&sdk, &config),
        chains: aws::chains(&sdk, &config, Arc::<RealClock>::clone(&clock)).await?,
        clock: Arc::<RealClock>::clone(&clock),
        metrics: Metrics::new(&config.prefix),
        networks: config.networks,
        reconcile_ms,
    });
    let service = service_fn(move |event: LambdaEvent<Tick>| {
        let (tracker, until) = (Arc::clone(&tracker), clock.now_ms() + loop_ms);
        async move {
            tracker.run(&event.payload.network, until).await;
            Ok::<_, Error>(())
        }
    });
    lambda_runtime::run(service).await
}
