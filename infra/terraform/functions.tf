resource "aws_cloudwatch_log_group" "function" {
  for_each = local.functions

  name              = "/aws/lambda/${var.prefix}-${each.key}"
  retention_in_days = local.log_retention_days
  kms_key_id        = one(aws_kms_key.data[*].arn)
}

resource "aws_lambda_function" "this" {
  for_each = local.functions

  function_name = "${var.prefix}-${each.key}"
  role          = aws_iam_role.function[each.key].arn
  runtime       = each.value.runtime
  architectures = [local.architecture]
  handler       = "bootstrap"
  memory_size   = each.value.memory_mb
  timeout       = each.value.timeout_s

  filename         = each.value.zip
  source_code_hash = fileexists(each.value.zip) ? filebase64sha256(each.value.zip) : null
  publish          = true

  reserved_concurrent_executions = lookup(var.reserved_concurrency, each.key, -1)

  environment {
    variables = merge(each.value.environment,
      # Nobody reads it: a process reads the secret once, so other providers have to be a new version of the function.
      contains(each.value.rights.secrets, "rpc") ? { CAUSEWAY_SECRET_RPC_VERSION = aws_secretsmanager_secret_version.rpc.version_id } : {},
    )
  }

  # The functions write JSON lines and metrics themselves; the text format passes them on untouched.
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.function[each.key].name
  }

  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }

  dynamic "vpc_config" {
    for_each = contains(local.signers, each.key) && var.signer_vpc != null ? [var.signer_vpc] : []
    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = aws_security_group.signer[*].id
    }
  }

  # Without its rights a function's first run would fail.
  depends_on = [aws_iam_role_policy.function]

  lifecycle {
    precondition {
      condition     = fileexists(each.value.zip)
      error_message = "There is no ${each.value.zip}: build the release zips first, or name their folder in artifacts_dir."
    }
    precondition {
      # A queue that is polled faster than its function may run would be throttled, and each throttle costs a receive.
      condition = !contains(keys(var.reserved_concurrency), each.key) || lookup(var.reserved_concurrency, each.key, 0) >= (
        coalesce(each.value.max_concurrency, 0) * length([for trigger in local.queue_triggers : trigger if trigger.function == each.key])
      )
      error_message = "reserved_concurrency of ${each.key} is below what its queue triggers may run together."
    }
  }
}
