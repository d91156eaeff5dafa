resource "aws_secretsmanager_secret" "this" {
  for_each = local.file.secrets

  name                    = "${var.prefix}-${each.key}"
  description             = each.value.description
  kms_key_id              = one(aws_kms_key.data[*].arn)
  recovery_window_in_days = var.secret_recovery_days
}

resource "aws_secretsmanager_secret_version" "rpc" {
  secret_id     = aws_secretsmanager_secret.this["rpc"].id
  secret_string = jsonencode(var.rpc_urls)
}

# Begins empty and is filled by operators, outside Terraform, so that no key is ever in its
# state. The first version of a secret becomes the current one by itself, so that is not asked
# for: if this version is ever lost and written again, the operators' keys stay current. The
# label INITIAL is there so that it is not lost, since a version without one is dropped in time.
resource "aws_secretsmanager_secret_version" "imported_keys" {
  secret_id      = aws_secretsmanager_secret.this["imported-keys"].id
  secret_string  = jsonencode({})
  version_stages = ["INITIAL"]

  lifecycle {
    ignore_changes = [secret_string, version_stages]
  }
}

locals {
  without_providers = [for network in sort(var.networks) : network if length(try(nonsensitive(var.rpc_urls)[network], [])) == 0]
}

# A warning only: the functions leave such a network out and serve the others.
check "every_network_has_providers" {
  assert {
    condition     = length(local.without_providers) == 0
    error_message = "rpc_urls names no provider for ${join(", ", local.without_providers)}: until it does, transfers there wait, and the alarm heartbeat-missing rings. Other networks go on."
  }
}
