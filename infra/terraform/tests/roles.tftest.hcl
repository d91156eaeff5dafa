# Every right of every function, written out a second time: what a role may do changes here
# and in the topology together, or not at all.

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

run "rights" {
  command = plan

  # What each statement allows, whoever has it.
  assert {
    condition = alltrue(flatten([for policy in aws_iam_role_policy.function : [
      for statement in jsondecode(policy.policy).Statement :
      statement.Effect == "Allow" && jsonencode(statement.Action) == jsonencode(lookup({
        ReadTables   = ["dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:Query"]
        QueryIndexes = ["dynamodb:Query"]
        AppendTables = ["dynamodb:PutItem"]
        WriteTables  = ["dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
        QueueSend    = ["sqs:SendMessage"]
        QueueDepth   = ["sqs:GetQueueAttributes"]
        QueuePeek    = ["sqs:ReceiveMessage"]
        QueueConsume = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
        Sign         = ["kms:Sign"]
        PublicKey    = ["kms:GetPublicKey"]
        Secrets      = ["secretsmanager:GetSecretValue"]
        Logs         = ["logs:CreateLogStream", "logs:PutLogEvents"]
      }, statement.Sid, []))
    ]]))
    error_message = "A statement allows other actions than its name says."
  }

  # Who has it, and on what: "service name", the account's part of the ARN left out.

  assert {
    condition = jsonencode({ for statement in jsondecode(aws_iam_role_policy.function["intake"].policy).Statement : statement.Sid => [
      for arn in statement.Resource : replace(arn, "/^arn:aws:([a-z]+):eu-central-1:123456789012:(?:table/|key/|secret:|log-group:/aws/lambda/)?(?:causeway-test-)?/", "$1 ")
      ] }) == jsonencode({
      Logs         = ["logs intake:*"]
      QueryIndexes = ["dynamodb transfers/index/by-tenant", "dynamodb transfers/index/due"]
      QueueDepth   = ["sqs transfers-high", "sqs transfers-low", "sqs transfers-normal"]
      QueueSend    = ["sqs sign-requests.fifo", "sqs transfers-high", "sqs transfers-low", "sqs transfers-normal"]
      ReadTables   = ["dynamodb ledger", "dynamodb tracker", "dynamodb transfers", "dynamodb wallets"]
      WriteTables  = ["dynamodb ledger", "dynamodb transfers"]
    })
    error_message = "The rights of intake are not the ones written here: ${aws_iam_role_policy.function["intake"].policy}"
  }

  assert {
    condition = jsonencode({ for statement in jsondecode(aws_iam_role_policy.function["validate-sign"].policy).Statement : statement.Sid => [
      for arn in statement.Resource : replace(arn, "/^arn:aws:([a-z]+):eu-central-1:123456789012:(?:table/|key/|secret:|log-group:/aws/lambda/)?(?:causeway-test-)?/", "$1 ")
      ] }) == jsonencode({
      Logs         = ["logs validate-sign:*"]
      PublicKey    = ["kms main", "kms second"]
      QueryIndexes = ["dynamodb transfers/index/by-tenant", "dynamodb transfers/index/due"]
      QueueConsume = ["sqs sign-requests.fifo", "sqs transfers-high", "sqs transfers-low", "sqs transfers-normal"]
      QueueSend    = ["sqs sign-requests-dead.fifo", "sqs transactions.fifo", "sqs transfers-dead"]
      ReadTables   = ["dynamodb ledger", "dynamodb tracker", "dynamodb transfers", "dynamodb wallets"]
      Secrets      = ["secretsmanager imported-keys-AbCdEf", "secretsmanager rpc-AbCdEf"]
      Sign         = ["kms main", "kms second"]
      WriteTables  = ["dynamodb ledger", "dynamodb tracker", "dynamodb transfers"]
    })
    error_message = "The rights of validate-sign are not the ones written here: ${aws_iam_role_policy.function["validate-sign"].policy}"
  }

  assert {
    condition = jsonencode({ for statement in jsondecode(aws_iam_role_policy.function["send"].policy).Statement : statement.Sid => [
      for arn in statement.Resource : replace(arn, "/^arn:aws:([a-z]+):eu-central-1:123456789012:(?:table/|key/|secret:|log-group:/aws/lambda/)?(?:causeway-test-)?/", "$1 ")
      ] }) == jsonencode({
      Logs         = ["logs send:*"]
      QueryIndexes = ["dynamodb transfers/index/by-tenant", "dynamodb transfers/index/due"]
      QueueConsume = ["sqs transactions.fifo"]
      QueueSend    = ["sqs transactions.fifo"]
      ReadTables   = ["dynamodb transfers", "dynamodb wallets"]
      Secrets      = ["secretsmanager rpc-AbCdEf"]
      WriteTables  = ["dynamodb transfers"]
    })
    error_message = "The rights of send are not the ones written here: ${aws_iam_role_policy.function["send"].policy}"
  }

  assert {
    condition = jsonencode({ for statement in jsondecode(aws_iam_role_policy.function["status-check"].policy).Statement : statement.Sid => [
      for arn in statement.Resource : replace(arn, "/^arn:aws:([a-z]+):eu-central-1:123456789012:(?:table/|key/|secret:|log-group:/aws/lambda/)?(?:causeway-test-)?/", "$1 ")
      ] }) == jsonencode({
      Logs         = ["logs status-check:*"]
      QueryIndexes = ["dynamodb transfers/index/by-tenant", "dynamodb transfers/index/due"]
      QueueSend    = ["sqs chain-events", "sqs sign-requests.fifo", "sqs transactions.fifo", "sqs transfers-high", "sqs transfers-low", "sqs transfers-normal"]
      ReadTables   = ["dynamodb ledger", "dynamodb tracker", "dynamodb transfers", "dynamodb wallets"]
      Secrets      = ["secretsmanager rpc-AbCdEf"]
      WriteTables  = ["dynamodb ledger", "dynamodb tracker", "dynamodb transfers"]
    })
    error_message = "The rights of status-check are not the ones written here: ${aws_iam_role_policy.function["status-check"].policy}"
  }

  assert {
    condition = jsonencode({ for statement in jsondecode(aws_iam_role_policy.function["settle"].policy).Statement : statement.Sid => [
      for arn in statement.Resource : replace(arn, "/^arn:aws:([a-z]+):eu-central-1:123456789012:(?:table/|key/|secret:|log-group:/aws/lambda/)?(?:causeway-test-)?/", "$1 ")
      ] }) == jsonencode({
      Logs         = ["logs settle:*"]
      QueryIndexes = ["dynamodb transfers/index/by-tenant", "dynamodb transfers/index/due"]
      QueueConsume = ["sqs chain-events"]
      QueueSend    = ["sqs chain-events-dead"]
      ReadTables   = ["dynamodb ledger", "dynamodb tracker", "dynamodb transfers"]
      WriteTables  = ["dynamodb ledger", "dynamodb transfers"]
    })
    error_message = "The rights of settle are not the ones written here: ${aws_iam_role_policy.function["settle"].policy}"
  }

  assert {
    condition = jsonencode({ for statement in jsondecode(aws_iam_role_policy.function["dead-letters"].policy).Statement : statement.Sid => [
      for arn in statement.Resource : replace(arn, "/^arn:aws:([a-z]+):eu-central-1:123456789012:(?:table/|key/|secret:|log-group:/aws/lambda/)?(?:causeway-test-)?/", "$1 ")
      ] }) == jsonencode({
      Logs         = ["logs dead-letters:*"]
      QueryIndexes = ["dynamodb dead-letters/index/by-status", "dynamodb transfers/index/by-tenant", "dynamodb transfers/index/due"]
      QueueConsume = ["sqs chain-events-dead", "sqs sign-requests-dead.fifo", "sqs transactions-dead.fifo", "sqs transfers-dead"]
      ReadTables   = ["dynamodb dead-letters", "dynamodb transfers"]
      WriteTables  = ["dynamodb dead-letters"]
    })
    error_message = "The rights of dead-letters are not the ones written here: ${aws_iam_role_policy.function["dead-letters"].policy}"
  }

  assert {
    condition = jsonencode({ for statement in jsondecode(aws_iam_role_policy.function["admin"].policy).Statement : statement.Sid => [
      for arn in statement.Resource : replace(arn, "/^arn:aws:([a-z]+):eu-central-1:123456789012:(?:table/|key/|secret:|log-group:/aws/lambda/)?(?:causeway-test-)?/", "$1 ")
      ] }) == jsonencode({
      AppendTables = ["dynamodb audit"]
      Logs         = ["logs admin:*"]
      PublicKey    = ["kms main", "kms second"]
      QueryIndexes = ["dynamodb dead-letters/index/by-status", "dynamodb transfers/index/by-tenant", "dynamodb transfers/index/due"]
      QueueDepth   = ["sqs chain-events", "sqs chain-events-dead", "sqs sign-requests-dead.fifo", "sqs sign-requests.fifo", "sqs transactions-dead.fifo", "sqs transactions.fifo", "sqs transfers-dead", "sqs transfers-high", "sqs transfers-low", "sqs transfers-normal"]
      QueuePeek    = ["sqs transfers-high", "sqs transfers-low", "sqs transfers-normal"]
      QueueSend    = ["sqs chain-events", "sqs sign-requests.fifo", "sqs transactions.fifo", "sqs transfers-high", "sqs transfers-low", "sqs transfers-normal"]
      ReadTables   = ["dynamodb audit", "dynamodb dead-letters", "dynamodb ledger", "dynamodb tracker", "dynamodb transfers", "dynamodb wallets"]
      WriteTables  = ["dynamodb dead-letters", "dynamodb ledger", "dynamodb transfers", "dynamodb wallets"]
    })
    error_message = "The rights of admin are not the ones written here: ${aws_iam_role_policy.function["admin"].policy}"
  }

  assert {
    condition     = toset(keys(aws_iam_role_policy.function)) == toset(["admin", "dead-letters", "intake", "send", "settle", "status-check", "validate-sign"])
    error_message = "There is a function whose rights are not written here."
  }

  assert {
    condition = alltrue([for name, role in aws_iam_role.function :
      jsonencode(jsondecode(role.assume_role_policy).Statement[*].Principal) == jsonencode([{ Service = "lambda.amazonaws.com" }])
    ])
    error_message = "Somebody besides Lambda may take on a function's role."
  }

  # Each function runs under its own role.
  assert {
    condition     = alltrue([for name, function in aws_lambda_function.this : function.role == "arn:aws:iam::123456789012:role/causeway-test-${name}"])
    error_message = "A function runs under another one's role."
  }
}

run "traces_are_off_unless_asked_for" {
  command = plan
  variables {
    tracing = true
  }

  assert {
    condition = alltrue([for policy in aws_iam_role_policy.function : jsonencode([
      for statement in jsondecode(policy.policy).Statement : statement.Action if statement.Sid == "Traces"
    ]) == jsonencode([["xray:PutTelemetryRecords", "xray:PutTraceSegments"]])])
    error_message = "With tracing every function may write its traces, and nothing more."
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.this : function.tracing_config[0].mode == "Active"])
    error_message = "With tracing every function is traced."
  }
}

run "the_data_key_opens_only_through_services" {
  command = plan
  variables {
    customer_key = true
  }

  assert {
    condition = alltrue([for policy in aws_iam_role_policy.function : jsonencode([
      for statement in jsondecode(policy.policy).Statement : [statement.Action, statement.Resource, statement.Condition] if statement.Sid == "DataKey"
      ]) == jsonencode([[
        ["kms:Decrypt", "kms:GenerateDataKey"],
        ["arn:aws:kms:eu-central-1:123456789012:key/data"],
        { StringEquals = { "kms:ViaService" = ["dynamodb.eu-central-1.amazonaws.com", "secretsmanager.eu-central-1.amazonaws.com", "sqs.eu-central-1.amazonaws.com"] } },
    ]])])
    error_message = "The data key must be usable through DynamoDB, Secrets Manager and SQS, and in no other way."
  }
}

run "the_signer_in_a_vpc" {
  command = plan
  variables {
    signer_vpc = { vpc_id = "vpc-1", subnet_ids = ["subnet-1", "subnet-2"], endpoints = true, route_table_ids = ["rtb-1"] }
  }

  assert {
    condition     = [for name, function in aws_lambda_function.this : name if length(function.vpc_config) > 0] == ["validate-sign"]
    error_message = "The signer, and nothing else, is in the VPC."
  }
  assert {
    condition = { for name, policy in aws_iam_role_policy.function : name => join(" ", [
      for statement in jsondecode(policy.policy).Statement : "${statement.Effect} ${statement.Sid}" if length(regexall("Interfaces", statement.Sid)) > 0
      ]) if length(regexall("ec2:", policy.policy)) > 0 } == {
      validate-sign = "Allow NetworkInterfaces Deny NoInterfacesFromCode"
    }
    error_message = "Lambda may make the signer's interfaces, the signer's own code may not, and no other role speaks of EC2."
  }
  assert {
    condition     = [for rule in aws_vpc_security_group_egress_rule.signer : [rule.from_port, rule.to_port, rule.ip_protocol]] == [[443, 443, "tcp"]]
    error_message = "Only TLS leaves the signer."
  }
  assert {
    condition     = toset([for endpoint in aws_vpc_endpoint.signer : endpoint.service_name]) == toset(["com.amazonaws.eu-central-1.kms", "com.amazonaws.eu-central-1.secretsmanager", "com.amazonaws.eu-central-1.sqs"])
    error_message = "The signer's private endpoints are KMS, Secrets Manager and SQS; DynamoDB is a route."
  }
}
