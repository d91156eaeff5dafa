# One role for each function, with exactly the rights that the topology gives it.

locals {
  # What a right of the topology means in IAM. TransactWriteItems has no right of
  # its own: it takes those of the writes inside. A condition on a row that is only read
  # is a ConditionCheckItem, so reading includes it.
  table_actions = {
    read = ["dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:Query"]
    # IAM cannot ask that a put be new: the code's condition does, and the audit log's chain of hashes tells.
    append = ["dynamodb:PutItem"]
    write  = ["dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
  }
  queue_actions = { for right, actions in {
    send    = ["sqs:SendMessage"]
    depth   = ["sqs:GetQueueAttributes"]
    peek    = ["sqs:ReceiveMessage"]
    consume = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    } : right => concat(actions, local.emulated ? [for action in actions : "${action}Batch" if contains(local.batched, action)] : [])
  }
  # On AWS these cover their batches as well; the emulator asks for a batch by its own name.
  batched = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:SendMessage"]

  # The emulator does not tell these two conditions of kms:Sign; AWS always does.
  sign_operator = local.emulated ? "StringEqualsIfExists" : "StringEquals"

  # Function -> statements. One without resources grants nothing and is left out.
  statements = { for name, function in local.functions : name => [for statement in concat(
    [
      {
        Sid      = "ReadTables"
        Effect   = "Allow"
        Action   = local.table_actions.read
        Resource = [for table, rights in function.rights.tables : aws_dynamodb_table.this[table].arn if contains(rights, "read")]
      },
      {
        Sid    = "QueryIndexes"
        Effect = "Allow"
        Action = ["dynamodb:Query"]
        Resource = flatten([for table, rights in function.rights.tables : [
          for index in keys(local.tables[table].indexes) : "${aws_dynamodb_table.this[table].arn}/index/${index}"
        ] if contains(rights, "read")])
      },
      {
        Sid      = "WriteTables"
        Effect   = "Allow"
        Action   = local.table_actions.write
        Resource = [for table, rights in function.rights.tables : aws_dynamodb_table.this[table].arn if contains(rights, "write")]
      },
    ],
    [{
      Sid      = "AppendTables"
      Effect   = "Allow"
      Action   = local.table_actions.append
      Resource = [for table, rights in function.rights.tables : aws_dynamodb_table.this[table].arn if contains(rights, "append")]
    }],
    [for right in ["send", "depth", "peek"] : {
      Sid      = "Queue${title(right)}"
      Effect   = "Allow"
      Action   = local.queue_actions[right]
      Resource = [for queue, rights in function.rights.queues : aws_sqs_queue.this[queue].arn if contains(rights, right)]
    }],
    [
      {
        Sid      = "QueueConsume"
        Effect   = "Allow"
        Action   = local.queue_actions.consume
        Resource = [for trigger in local.queue_triggers : aws_sqs_queue.this[trigger.queue].arn if trigger.function == name]
      },
      {
        Sid      = "Sign"
        Effect   = "Allow"
        Action   = ["kms:Sign"]
        Resource = [for key in local.lane_keys : aws_kms_key.lane[key.id].arn if contains(try(function.rights.keys[key.kind], []), "sign")]
        Condition = { (local.sign_operator) = {
          "kms:SigningAlgorithm" = try(function.sign_conditions.algorithm, "")
          "kms:MessageType"      = try(function.sign_conditions.message_type, "")
        } }
      },
      {
        Sid      = "PublicKey"
        Effect   = "Allow"
        Action   = ["kms:GetPublicKey"]
        Resource = [for key in local.lane_keys : aws_kms_key.lane[key.id].arn if contains(try(function.rights.keys[key.kind], []), "public")]
      },
      {
        Sid      = "Secrets"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = [for secret in function.rights.secrets : aws_secretsmanager_secret.this[secret].arn]
      },
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${aws_cloudwatch_log_group.function[name].arn}:*"]
      },
      {
        # The data key opens what AWS services encrypted with it, and nothing directly.
        Sid      = "DataKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = aws_kms_key.data[*].arn
        Condition = { StringEquals = {
          "kms:ViaService" = [for service in ["dynamodb", "secretsmanager", "sqs"] : "${service}.${var.region}.${local.dns_suffix}"]
        } }
      },
      {
        Sid      = "Traces"
        Effect   = "Allow"
        Action   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
        Resource = var.tracing ? ["*"] : []
      },
    ],
    [for statement in local.vpc_statements : statement if contains(local.signers, name)],
  ) : statement if length(statement.Resource) > 0] }
}

resource "aws_iam_role" "function" {
  for_each = local.functions

  name        = "${var.prefix}-${each.key}"
  description = "What the function ${each.key} may do."
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Action = "sts:AssumeRole"
      # On the emulator a test may take on a role, to try what it may do.
      Principal = merge({ Service = "lambda.amazonaws.com" }, local.emulated ? { AWS = local.account_root } : {})
    }]
  })
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions

  name   = "rights"
  role   = aws_iam_role.function[each.key].id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements[each.key] })

  lifecycle {
    precondition {
      condition = alltrue(flatten([
        [for rights in each.value.rights.tables : length(setsubtract(rights, ["append", "read", "write"])) == 0],
        [for rights in each.value.rights.queues : length(setsubtract(rights, ["send", "depth", "peek"])) == 0],
        [for rights in each.value.rights.keys : length(setsubtract(rights, ["sign", "public"])) == 0],
      ]))
      error_message = "The topology gives ${each.key} a right that is not known: tables have append, read and write; queues send, depth and peek; keys sign and public."
    }
  }
}
