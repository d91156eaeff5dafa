# Whose tokens the API takes: any OIDC issuer, or the Cognito pool made here when none is named.

locals {
  own_pool = var.oidc_issuer == null

  issuer = local.own_pool ? "https://${one(aws_cognito_user_pool.this[*].endpoint)}" : var.oidc_issuer
  # An ID token's audience is the client's id.
  audience = local.own_pool ? aws_cognito_user_pool_client.this[*].id : var.oidc_audience
}

resource "aws_cognito_user_pool" "this" {
  count = local.own_pool ? 1 : 0

  name                = "${var.prefix}-${local.file.identity.pool}"
  deletion_protection = var.deletion_protection ? "ACTIVE" : "INACTIVE"

  # Operators make users; nobody signs up.
  admin_create_user_config {
    allow_admin_create_user_only = true
  }

  schema {
    name                = local.file.identity.tenant_attribute
    attribute_data_type = "String"
    mutable             = true
    string_attribute_constraints {
      min_length = 1
      max_length = 64
    }
  }

  password_policy {
    # The emulator makes temporary passwords of twelve characters, and then refuses them.
    minimum_length                   = local.emulated ? 12 : 14
    require_lowercase                = true
    require_numbers                  = true
    require_symbols                  = true
    require_uppercase                = true
    temporary_password_validity_days = 3
  }

  mfa_configuration = "OPTIONAL"
  software_token_mfa_configuration {
    enabled = true
  }
}

resource "aws_cognito_user_group" "this" {
  for_each = local.own_pool ? toset(local.file.identity.groups) : []

  name         = each.key
  user_pool_id = aws_cognito_user_pool.this[0].id
}

resource "aws_cognito_user_pool_client" "this" {
  count = local.own_pool ? 1 : 0

  name                          = "${var.prefix}-api"
  user_pool_id                  = aws_cognito_user_pool.this[0].id
  generate_secret               = false
  prevent_user_existence_errors = "ENABLED"
  enable_token_revocation       = true
  explicit_auth_flows = concat(
    ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    var.password_login ? ["ALLOW_USER_PASSWORD_AUTH"] : [],
  )

  # The tenant is read from the token and believed, so a user must not be able to write it.
  read_attributes  = ["custom:${local.file.identity.tenant_attribute}", "email"]
  write_attributes = ["email"]

  id_token_validity      = 60
  access_token_validity  = 60
  refresh_token_validity = 1
  token_validity_units {
    id_token      = "minutes"
    access_token  = "minutes"
    refresh_token = "days"
  }
}
