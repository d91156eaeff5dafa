# What follows from local_endpoint, and that AWS sees none of it.

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

run "the_emulator" {
  command = plan
  variables {
    prefix         = "causeway-tf"
    networks       = ["local"]
    rpc_urls       = { local = ["http://127.0.0.1:8545"] }
    local_endpoint = "http://127.0.0.1:4566"
  }

  assert {
    condition = alltrue([for function in aws_lambda_function.this :
      [for name in ["AWS_ENDPOINT_URL", "CAUSEWAY_QUEUE_BASE", "CAUSEWAY_NETWORKS"] : function.environment[0].variables[name]] == ["http://127.0.0.1:4566", "http://127.0.0.1:4566/123456789012", "local"]
    ])
    error_message = "On the emulator functions must speak to the emulator."
  }
  assert {
    condition     = length(aws_sqs_queue_policy.this) == 0
    error_message = "The emulator has no TLS to insist on."
  }
  # Signing stays as narrow as the emulator can tell.
  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.function["validate-sign"].policy).Statement :
      jsonencode(statement.Condition) if statement.Sid == "Sign"
    ] == [jsonencode({ StringEqualsIfExists = { "kms:MessageType" = "DIGEST", "kms:SigningAlgorithm" = "ECDSA_SHA_256" } })]
    error_message = "On the emulator the conditions hold where they are told."
  }
}

# The local overlay, handed over merged: refused for AWS (refused_topologies.tftest.hcl).
run "the_emulator_with_short_visibilities" {
  command = plan
  variables {
    prefix         = "causeway-tf"
    networks       = ["local"]
    rpc_urls       = { local = ["http://127.0.0.1:8545"] }
    local_endpoint = "http://127.0.0.1:4566"
    topology_file  = "tests/fixtures/visibility.yaml"
  }

  assert {
    condition     = length(aws_lambda_event_source_mapping.queue) == 2
    error_message = "On the emulator messages may come back soon."
  }
}

run "aws" {
  command = plan

  assert {
    condition     = alltrue([for function in aws_lambda_function.this : !contains(keys(function.environment[0].variables), "AWS_ENDPOINT_URL")])
    error_message = "On AWS functions find AWS by themselves."
  }
  assert {
    condition     = aws_cognito_user_pool.this[0].password_policy[0].minimum_length == 14
    error_message = "On AWS passwords have fourteen characters."
  }
  assert {
    condition = length(regexall("IfExists|assumed-role|Batch\"", join(" ", concat(
      [for policy in aws_iam_role_policy.function : policy.policy],
      [for key in aws_kms_key.lane : key.policy],
    )))) == 0
    error_message = "What is made easier for the emulator must not reach AWS."
  }
}
