# Functions, and what sets them off.

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

run "functions" {
  command = plan

  assert {
    condition = { for name, function in aws_lambda_function.this : name => [function.function_name, function.memory_size, function.timeout, function.reserved_concurrent_executions] } == {
      admin         = ["causeway-test-admin", 256, 29, -1]
      dead-letters  = ["causeway-test-dead-letters", 256, 30, -1]
      intake        = ["causeway-test-intake", 256, 15, -1]
      send          = ["causeway-test-send", 256, 30, -1]
      settle        = ["causeway-test-settle", 256, 60, -1]
      status-check  = ["causeway-test-status-check", 256, 90, -1]
      validate-sign = ["causeway-test-validate-sign", 512, 60, -1]
    }
    error_message = "The functions are not those of the topology, or its section local got in."
  }
  assert {
    condition = alltrue([for function in aws_lambda_function.this :
      function.runtime == "provided.al2023" && function.handler == "bootstrap" && function.publish && jsonencode(function.architectures) == jsonencode(["arm64"])
    ])
    error_message = "Functions are arm64 bootstraps, each change a version of its own."
  }
  assert {
    condition = alltrue([for name, function in aws_lambda_function.this :
      endswith(function.filename, "tests/fixtures/zips/${name}.zip") && function.source_code_hash == filebase64sha256("tests/fixtures/zips/${name}.zip")
    ])
    error_message = "Each function runs its own zip, and notices when that changes."
  }
  assert {
    condition = aws_lambda_function.this["status-check"].environment[0].variables == tomap({
      CAUSEWAY_LOG                = "info"
      CAUSEWAY_CLAIM_TENANT       = "custom:tenant"
      CAUSEWAY_CLAIM_USER         = "sub"
      CAUSEWAY_CLAIM_ROLES        = "cognito:groups"
      CAUSEWAY_LOOP_S             = "75"
      CAUSEWAY_PREFIX             = "causeway-test"
      CAUSEWAY_QUEUE_BASE         = "https://sqs.eu-central-1.amazonaws.com/123456789012"
      CAUSEWAY_NETWORKS           = "ethereum,polygon"
      CAUSEWAY_SECRET_RPC_VERSION = "rpc-version"
    })
    error_message = "The environment is the topology's plus what follows from the deployment."
  }
  assert {
    condition = { for name, function in aws_lambda_function.this : name => function.environment[0].variables["CAUSEWAY_SECRET_RPC_VERSION"]
      if contains(keys(function.environment[0].variables), "CAUSEWAY_SECRET_RPC_VERSION") } == {
      send = "rpc-version", status-check = "rpc-version", validate-sign = "rpc-version"
    }
    error_message = "Who reads the providers, and nobody else, becomes a new version when they change."
  }
  assert {
    condition = alltrue([for name, function in aws_lambda_function.this :
      function.logging_config[0].log_group == "/aws/lambda/causeway-test-${name}" && aws_cloudwatch_log_group.function[name].retention_in_days == 60
    ])
    error_message = "Each function writes to its own log group, kept for thirty days."
  }
}

run "overrides" {
  command = plan
  variables {
    architecture         = "x86_64"
    environment          = { CAUSEWAY_LOG = "debug" }
    log_retention_days   = 365
    reserved_concurrency = { send = 20, validate-sign = 200 }
  }

  assert {
    condition = alltrue([for name, function in aws_lambda_function.this :
      jsonencode(function.architectures) == jsonencode(["x86_64"]) && function.environment[0].variables["CAUSEWAY_LOG"] == "debug" && aws_cloudwatch_log_group.function[name].retention_in_days == 365
    ])
    error_message = "architecture, environment and log_retention_days hold for every function."
  }
  assert {
    condition     = { for name, function in aws_lambda_function.this : name => function.reserved_concurrent_executions if function.reserved_concurrent_executions != -1 } == { send = 20, validate-sign = 200 }
    error_message = "Concurrency is reserved where it is asked for."
  }
}

run "queue_triggers" {
  command = plan

  assert {
    condition = { for key, mapping in aws_lambda_event_source_mapping.queue : key => [
      mapping.event_source_arn, mapping.function_name, mapping.batch_size, try(mapping.scaling_config[0].maximum_concurrency, 0)
      ] } == { for key, trigger in {
      "validate-sign/transfers-high"         = 50
      "validate-sign/transfers-normal"       = 50
      "validate-sign/transfers-low"          = 50
      "validate-sign/sign-requests.fifo"     = 50
      "send/transactions.fifo"               = 0
      "settle/chain-events"                  = 0
      "dead-letters/transfers-dead"          = 0
      "dead-letters/transactions-dead.fifo"  = 0
      "dead-letters/sign-requests-dead.fifo" = 0
      "dead-letters/chain-events-dead"       = 0
      } : key => [
      "arn:aws:sqs:eu-central-1:123456789012:causeway-test-${split("/", key)[1]}",
      "arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-${split("/", key)[0]}:live", 10, trigger
    ] }
    error_message = "Each queue calls its function by the alias live, ten at a time."
  }
  assert {
    condition = alltrue([for mapping in aws_lambda_event_source_mapping.queue :
      mapping.function_response_types == toset(["ReportBatchItemFailures"]) && mapping.metrics_config[0].metrics == toset(["EventCount"])
    ])
    error_message = "A poison record must not cost the others, and events are counted."
  }
  assert {
    condition = alltrue([for key, mapping in aws_lambda_event_source_mapping.queue :
      aws_sqs_queue.this[split("/", key)[1]].visibility_timeout_seconds >= 6 * aws_lambda_function.this[split("/", key)[0]].timeout
    ])
    error_message = "A queue hides a message for at least six timeouts of its reader."
  }
}

run "schedules" {
  command = plan

  assert {
    condition = { for key, schedule in aws_scheduler_schedule.this : key => [schedule.name, schedule.schedule_expression, schedule.target[0].arn, schedule.target[0].input, schedule.target[0].retry_policy[0].maximum_retry_attempts] } == { for network in ["ethereum", "polygon"] :
      "status-check/${network}" => ["causeway-test-status-check-${network}", "rate(1 minute)", "arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-status-check:live", jsonencode({ network = network }), 0]
    }
    error_message = "Each network has its own tick, told which network it is for."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.scheduler[0].policy).Statement == [{ Sid = "RunScheduledFunctions", Effect = "Allow", Action = "lambda:InvokeFunction", Resource = ["arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-status-check:live"] }]
    error_message = "The scheduler may run what is scheduled, and nothing else."
  }
}

run "a_schedule_follows_its_network" {
  command = plan
  variables {
    networks = ["sepolia"]
    rpc_urls = { sepolia = ["https://one.example"] }
  }

  assert {
    condition     = keys(aws_scheduler_schedule.this) == ["status-check/sepolia"] && aws_lambda_function.this["send"].environment[0].variables["CAUSEWAY_NETWORKS"] == "sepolia"
    error_message = "Schedules and functions serve the deployment's networks and no others."
  }
}
