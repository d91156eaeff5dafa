# Who may sign, and how the keys and secrets are kept.

mock_provider "aws" {
  source = "./tests/mocks"
}

mock_provider "aws" {
  alias  = "global"
  source = "./tests/mocks"
}

variables {
  region          = "eu-central-1"
  prefix          = "causeway-test"
  networks        = ["ethereum", "polygon"]
  treasuries      = ["main", "second"]
  artifacts_dir   = "tests/fixtures/zips"
  deploy_strategy = null
  rpc_urls        = { ethereum = ["https://one.example"], polygon = ["https://two.example"] }
}

run "only_validate_sign_signs" {
  command = plan

  assert {
    condition     = [for name, policy in aws_iam_role_policy.function : name if length(regexall("kms:(Sign|\\*)", policy.policy)) > 0] == ["validate-sign"]
    error_message = "A role besides validate-sign's speaks of kms:Sign."
  }
  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.function["validate-sign"].policy).Statement :
      jsonencode(statement.Condition) if statement.Sid == "Sign"
    ] == [jsonencode({ StringEquals = { "kms:MessageType" = "DIGEST", "kms:SigningAlgorithm" = "ECDSA_SHA_256" } })]
    error_message = "validate-sign may sign digests by ECDSA_SHA_256, and only those."
  }
  assert {
    condition     = length(regexall("kms:", aws_iam_role_policy.function["send"].policy)) == 0
    error_message = "send has a right on a key."
  }
  # The key's own policy: whatever another policy or a grant allows, nobody else signs.
  assert {
    condition = length(aws_kms_key.lane) == 2 && alltrue([for key in aws_kms_key.lane : contains([
      for statement in jsondecode(key.policy).Statement : jsonencode([
        statement.Effect, statement.Principal, statement.Action, statement.Resource, try(statement.Condition, {})
      ])
      ], jsonencode(["Deny", "*", "kms:Sign", "*", { ArnNotEquals = { "aws:PrincipalArn" = ["arn:aws:iam::123456789012:role/causeway-test-validate-sign"] } }
    ]))])
    error_message = "A lane key does not deny kms:Sign to everybody but validate-sign."
  }
  assert {
    condition = alltrue([for key in aws_kms_key.lane : jsonencode([
      for statement in jsondecode(key.policy).Statement : statement.Principal if statement.Effect == "Allow"
    ]) == jsonencode([{ AWS = "arn:aws:iam::123456789012:root" }])])
    error_message = "A lane key's policy allows something to somebody besides the account."
  }
}

run "keys_by_treasury" {
  command = plan

  assert {
    condition     = { for name, alias in aws_kms_alias.lane : alias.name => alias.target_key_id } == { "alias/causeway-test-treasury-main" = "main", "alias/causeway-test-treasury-second" = "second" }
    error_message = "Each treasury has one key, found by alias/PREFIX-treasury-NAME."
  }
  assert {
    condition = alltrue([for key in aws_kms_key.lane :
      key.customer_master_key_spec == "ECC_SECG_P256K1" && key.key_usage == "SIGN_VERIFY" && key.deletion_window_in_days == 30
    ])
    error_message = "Lane keys are secp256k1 keys for signing, with thirty days to change one's mind."
  }
}

run "secrets" {
  command = plan

  assert {
    condition     = { for name, secret in aws_secretsmanager_secret.this : name => [secret.name, secret.recovery_window_in_days] } == { imported-keys = ["causeway-test-imported-keys", 30], rpc = ["causeway-test-rpc", 30] }
    error_message = "The secrets are not those of the topology."
  }
  assert {
    condition     = jsondecode(nonsensitive(aws_secretsmanager_secret_version.rpc.secret_string)) == { ethereum = ["https://one.example"], polygon = ["https://two.example"] }
    error_message = "The secret rpc must hold rpc_urls."
  }
  # With AWSCURRENT among them, writing this version again would push the operators' keys aside.
  assert {
    condition     = toset(aws_secretsmanager_secret_version.imported_keys.version_stages) == toset(["INITIAL"])
    error_message = "The first version of imported-keys has its own label, and must not ask to be the current one."
  }
}

run "warns_of_a_network_without_providers" {
  command = plan
  variables {
    rpc_urls = { ethereum = ["https://one.example"] }
  }
  expect_failures = [check.every_network_has_providers]
}

run "customer_key" {
  command = plan
  variables {
    customer_key = true
  }

  assert {
    condition = alltrue(concat(
      [for queue in aws_sqs_queue.this : queue.kms_master_key_id == "arn:aws:kms:eu-central-1:123456789012:key/data"],
      [for table in aws_dynamodb_table.this : table.server_side_encryption[0].kms_key_arn == "arn:aws:kms:eu-central-1:123456789012:key/data"],
      [for secret in aws_secretsmanager_secret.this : secret.kms_key_id == "arn:aws:kms:eu-central-1:123456789012:key/data"],
      [for group in aws_cloudwatch_log_group.function : group.kms_key_id == "arn:aws:kms:eu-central-1:123456789012:key/data"],
      [aws_cloudwatch_log_group.api.kms_key_id == "arn:aws:kms:eu-central-1:123456789012:key/data"],
      [aws_sns_topic.alarms[0].kms_master_key_id == "arn:aws:kms:eu-central-1:123456789012:key/data"],
    ))
    error_message = "With customer_key everything at rest is encrypted with the account's own key."
  }
  assert {
    condition     = aws_kms_key.data[0].enable_key_rotation
    error_message = "The data key must rotate."
  }
}
