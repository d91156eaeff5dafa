//! Wires admin's ports and runs it under API Gateway.

use std::sync::Arc;

use causeway_admin::{Admin, handler, queues::Looks};
use causeway_http::Claims;
use causeway_runtime::{Config, RealClock, aws, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init();
    let config = Config::from_env()?;
    let sdk = aws::sdk().await;
    let admin = Admin {
        store: aws::store(&sdk, &config),
        queue: aws::queue(&sdk, &config),
        keys: aws::public_keys(&sdk),
        clock: Arc::new(RealClock),
        claims: Claims {
            tenant: config.claim_tenant.clone(),
            user: config.claim_user.clone(),
            roles: config.claim_roles.clone(),
        },
        networks: config.networks,
        looks: Looks::default(),
    };
    lambda_http::run(handler::router(Arc::new(admin))).await
}
