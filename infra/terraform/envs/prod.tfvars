# rpc_urls comes from the environment: TF_VAR_rpc_urls='{"ethereum":["https://...","https://..."],"polygon":[...]}'
# Give oidc_issuer, oidc_audience and claims for an identity provider of your own, and
# signer_vpc where the signer must not stand on the open network.
region   = "eu-central-1"
prefix   = "causeway-prod"
networks = ["ethereum", "polygon"]

customer_key       = true
tracing            = true
log_retention_days = 365
deploy_strategy    = "CodeDeployDefault.LambdaCanary10Percent5Minutes"
firewall           = { requests_per_5_minutes = 5000 }
