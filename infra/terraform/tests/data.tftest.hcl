# Queues and tables: what is kept, for how long, and behind which locks.

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

run "queues" {
  command = plan

  assert {
    condition = { for name, queue in aws_sqs_queue.this : name => [queue.name, queue.fifo_queue, queue.visibility_timeout_seconds, queue.message_retention_seconds / 86400] } == {
      "transfers-high"          = ["causeway-test-transfers-high", false, 360, 4]
      "transfers-normal"        = ["causeway-test-transfers-normal", false, 360, 4]
      "transfers-low"           = ["causeway-test-transfers-low", false, 360, 4]
      "transactions.fifo"       = ["causeway-test-transactions.fifo", true, 180, 4]
      "sign-requests.fifo"      = ["causeway-test-sign-requests.fifo", true, 360, 4]
      "chain-events"            = ["causeway-test-chain-events", false, 360, 13]
      "transfers-dead"          = ["causeway-test-transfers-dead", false, 180, 14]
      "transactions-dead.fifo"  = ["causeway-test-transactions-dead.fifo", true, 180, 14]
      "sign-requests-dead.fifo" = ["causeway-test-sign-requests-dead.fifo", true, 180, 14]
      "chain-events-dead"       = ["causeway-test-chain-events-dead", false, 180, 14]
    }
    error_message = "The queues are not those of the topology, or its section local got in."
  }
  assert {
    condition     = alltrue([for queue in aws_sqs_queue.this : queue.sqs_managed_sse_enabled])
    error_message = "A queue is not encrypted."
  }
  assert {
    condition = alltrue([for queue in aws_sqs_queue.this :
      queue.deduplication_scope == "messageGroup" && queue.fifo_throughput_limit == "perMessageGroupId" if queue.fifo_queue
    ])
    error_message = "A FIFO queue must have high throughput: lanes do not wait for each other."
  }
  assert {
    condition = length(aws_sqs_queue_policy.this) == 10 && alltrue([for policy in aws_sqs_queue_policy.this :
      jsonencode([for statement in jsondecode(policy.policy).Statement : [statement.Effect, statement.Action, statement.Condition]]) == jsonencode([["Deny", "sqs:*", { Bool = { "aws:SecureTransport" = "false" } }]])
    ])
    error_message = "A queue can be spoken to without TLS."
  }
}

run "redrive" {
  command = plan

  assert {
    condition = { for name, policy in aws_sqs_queue_redrive_policy.this : name => policy.redrive_policy } == { for name, dead in {
      "transfers-high"     = "transfers-dead"
      "transfers-normal"   = "transfers-dead"
      "transfers-low"      = "transfers-dead"
      "transactions.fifo"  = "transactions-dead.fifo"
      "sign-requests.fifo" = "sign-requests-dead.fifo"
      "chain-events"       = "chain-events-dead"
    } : name => jsonencode({ deadLetterTargetArn = "arn:aws:sqs:eu-central-1:123456789012:causeway-test-${dead}", maxReceiveCount = 20 }) }
    error_message = "Every source queue has its dead-letter queue, after twenty receives."
  }
  assert {
    condition = { for name, policy in aws_sqs_queue_redrive_allow_policy.this : name => jsondecode(policy.redrive_allow_policy) } == { for name, sources in {
      "transfers-dead"          = ["transfers-high", "transfers-low", "transfers-normal"]
      "transactions-dead.fifo"  = ["transactions.fifo"]
      "sign-requests-dead.fifo" = ["sign-requests.fifo"]
      "chain-events-dead"       = ["chain-events"]
    } : name => { redrivePermission = "byQueue", sourceQueueArns = [for source in sources : "arn:aws:sqs:eu-central-1:123456789012:causeway-test-${source}"] } }
    error_message = "A dead-letter queue takes from its own sources only."
  }
  assert {
    condition = alltrue([for name, policy in aws_sqs_queue_redrive_policy.this :
      aws_sqs_queue.this[trimprefix(jsondecode(policy.redrive_policy).deadLetterTargetArn, "arn:aws:sqs:eu-central-1:123456789012:causeway-test-")].message_retention_seconds > aws_sqs_queue.this[name].message_retention_seconds
    ])
    error_message = "A dead-letter queue must keep messages for longer than its source."
  }
}

run "tables" {
  command = plan

  assert {
    condition = { for name, table in aws_dynamodb_table.this : name => {
      name    = table.name
      key     = "${table.hash_key}/${table.range_key}"
      types   = { for attribute in table.attribute : attribute.name => attribute.type }
      indexes = { for index in table.global_secondary_index : index.name => "${index.hash_key}/${index.range_key} ${index.projection_type}" }
      ttl     = [for ttl in table.ttl : ttl.attribute_name if ttl.enabled]
      } } == {
      transfers = {
        name    = "causeway-test-transfers", key = "pk/sk", ttl = ["expires_at"]
        types   = { pk = "S", sk = "S", due_pk = "S", due_at = "N", tenant_pk = "S", created = "S" }
        indexes = { due = "due_pk/due_at KEYS_ONLY", by-tenant = "tenant_pk/created KEYS_ONLY" }
      }
      ledger  = { name = "causeway-test-ledger", key = "pk/sk", ttl = ["expires_at"], types = { pk = "S", sk = "S" }, indexes = {} }
      wallets = { name = "causeway-test-wallets", key = "pk/sk", ttl = [], types = { pk = "S", sk = "S" }, indexes = {} }
      tracker = { name = "causeway-test-tracker", key = "pk/sk", ttl = [], types = { pk = "S", sk = "S" }, indexes = {} }
      dead-letters = {
        name    = "causeway-test-dead-letters", key = "pk/sk", ttl = []
        types   = { pk = "S", sk = "S", status_pk = "S", created = "S" }
        indexes = { by-status = "status_pk/created KEYS_ONLY" }
      }
      audit = { name = "causeway-test-audit", key = "pk/sk", ttl = [], types = { pk = "S", sk = "S" }, indexes = {} }
    }
    error_message = "The tables are not those of the topology."
  }
  assert {
    condition = alltrue([for table in aws_dynamodb_table.this :
      table.billing_mode == "PAY_PER_REQUEST" && table.deletion_protection_enabled && table.point_in_time_recovery[0].enabled && !table.stream_enabled
    ])
    error_message = "Every table is billed on demand, refuses deletion and can be restored to any second."
  }
}

run "a_stream_where_one_is_asked_for" {
  command = plan
  variables {
    topology_file = "tests/fixtures/stream.yaml"
  }

  assert {
    condition     = { for name, table in aws_dynamodb_table.this : name => table.stream_view_type if table.stream_enabled } == { rows = "NEW_AND_OLD_IMAGES" }
    error_message = "A table has a stream exactly if the topology asks for one."
  }
}

run "deletion_protection_can_be_lifted" {
  command = plan
  variables {
    deletion_protection = false
  }

  assert {
    condition     = alltrue([for table in aws_dynamodb_table.this : !table.deletion_protection_enabled]) && aws_cognito_user_pool.this[0].deletion_protection == "INACTIVE"
    error_message = "deletion_protection = false must lift the protection of tables and pool."
  }
}
