# State holds the provider addresses of var.rpc_urls, so it belongs in an encrypted bucket
# that only deployers can read. The settings come from a file of your own:
#   terraform init -backend-config=backend.hcl      (see backend.hcl.example)
terraform {
  backend "s3" {}
}
