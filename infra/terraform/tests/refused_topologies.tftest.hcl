# Topologies that are refused while planning: each of these would fail later, or worse, not fail.

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

# The fixtures below differ from this one in a single thing.
run "without_a_fault" {
  command = plan
  variables {
    topology_file = "tests/fixtures/minimal.yaml"
  }

  assert {
    condition     = length(aws_lambda_event_source_mapping.queue) == 2
    error_message = "The fixture without a fault must be planned."
  }
}

# The local overlay, handed over merged.
run "visibility" {
  command = plan
  variables {
    topology_file = "tests/fixtures/visibility.yaml"
  }
  expect_failures = [aws_lambda_event_source_mapping.queue]
}

# The batch window counts as well.
run "visibility_window" {
  command = plan
  variables {
    topology_file = "tests/fixtures/visibility-window.yaml"
  }
  expect_failures = [aws_lambda_event_source_mapping.queue]
}

# A FIFO queue has no window.
run "fifo_window" {
  command = plan
  variables {
    topology_file = "tests/fixtures/fifo-window.yaml"
  }
  expect_failures = [aws_lambda_event_source_mapping.queue]
}

# ... and no batch above ten.
run "fifo_batch" {
  command = plan
  variables {
    topology_file = "tests/fixtures/fifo-batch.yaml"
  }
  expect_failures = [aws_lambda_event_source_mapping.queue]
}

# A batch above ten has to be collected.
run "batch" {
  command = plan
  variables {
    topology_file = "tests/fixtures/batch.yaml"
  }
  expect_failures = [aws_lambda_event_source_mapping.queue]
}

# Only validate-sign signs.
run "two_signers" {
  command = plan
  variables {
    topology_file = "tests/fixtures/two-signers.yaml"
  }
  expect_failures = [aws_kms_key.lane]
}

# ... and only under conditions.
run "no_conditions" {
  command = plan
  variables {
    topology_file = "tests/fixtures/no-conditions.yaml"
  }
  expect_failures = [aws_kms_key.lane]
}

# A dead letter keeps the age of its message.
run "dead_retention" {
  command = plan
  variables {
    topology_file = "tests/fixtures/dead-retention.yaml"
  }
  expect_failures = [aws_sqs_queue.this]
}

# SQS wants both of a kind.
run "dead_kind" {
  command = plan
  variables {
    topology_file = "tests/fixtures/dead-kind.yaml"
  }
  expect_failures = [aws_sqs_queue.this]
}

# A misspelt dead-letter queue.
run "dead_missing" {
  command = plan
  variables {
    topology_file = "tests/fixtures/dead-missing.yaml"
  }
  expect_failures = [aws_sqs_queue.this]
}

# SQS wants the ending.
run "fifo_name" {
  command = plan
  variables {
    topology_file = "tests/fixtures/fifo-name.yaml"
  }
  expect_failures = [aws_sqs_queue.this]
}

# A misspelt right is not silently none.
run "right" {
  command = plan
  variables {
    topology_file = "tests/fixtures/right.yaml"
  }
  expect_failures = [aws_iam_role_policy.function]
}

# A misspelt auth is not silently an open door.
run "auth" {
  command = plan
  variables {
    topology_file = "tests/fixtures/auth.yaml"
  }
  expect_failures = [aws_apigatewayv2_route.this]
}

# Lambda takes two or more.
run "one_at_a_time" {
  command = plan
  variables {
    topology_file = "tests/fixtures/one-at-a-time.yaml"
  }
  expect_failures = [aws_lambda_event_source_mapping.queue]
}
