//! Wires intake's ports and runs it under API Gateway.

use std::sync::Arc;

use causeway_http::Claims;
use causeway_intake::{Intake, directory::Directory, handler};
use causeway_runtime::{Config, RealClock, aws, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init();
    let config = Config::from_env()?;
    let sdk = aws::sdk().await;
    let intake = Intake {
        store: aws::store(&sdk, &config),
        queue: aws::queue(&sdk, &config),
        clock: Arc::new(RealClock),
        claims: Claims {
            tenant: config.claim_tenant.clone(),
            user: config.claim_user.clone(),
            roles: config.claim_roles.clone(),
        },
        networks: config.networks,
        directory: Directory::default(),
    };
    lambda_http::run(handler::router(Arc::new(intake))).await
}
