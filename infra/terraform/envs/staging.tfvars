# Production's settings on test networks, so that a deployment is rehearsed as it will be.
# rpc_urls comes from the environment: TF_VAR_rpc_urls='{"sepolia":["https://...","https://..."]}'
region   = "eu-central-1"
prefix   = "causeway-staging"
networks = ["sepolia"]

customer_key    = true
tracing         = true
deploy_strategy = "CodeDeployDefault.LambdaCanary10Percent5Minutes"
firewall        = {}
