# A cheap copy to try things in: test networks, nothing protected, new versions at once.
region   = "eu-central-1"
prefix   = "causeway-dev"
networks = ["sepolia"]

# Public endpoints, good for a first look; anything serious needs providers of your own,
# handed over as TF_VAR_rpc_urls.
rpc_urls = {
  sepolia = ["https://ethereum-sepolia-rpc.publicnode.com", "https://sepolia.drpc.org"]
}

deletion_protection  = false
secret_recovery_days = 0
log_retention_days   = 7
deploy_strategy      = null
password_login       = true
