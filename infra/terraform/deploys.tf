# Everything calls a function by its alias live. A new version takes over in one of two ways:
# shifted by CodeDeploy, little by little and back again on an alarm, or at once.

locals {
  shifted = toset([for name in keys(local.functions) : name if var.deploy_strategy != null])
  at_once = toset([for name in keys(local.functions) : name if var.deploy_strategy == null])

  live = merge(aws_lambda_alias.shifted, aws_lambda_alias.at_once)

  # What stops a deployment: the function's own errors and throttles, and dead letters of any.
  rollback_alarms = { for name in local.shifted : name => concat(
    [aws_cloudwatch_metric_alarm.live_errors[name].alarm_name],
    [for key in sort(keys(local.alarms)) : aws_cloudwatch_metric_alarm.this[key].alarm_name
    if contains(["dead-letter", "throttles/${name}"], key)],
  ) }
}

resource "aws_lambda_alias" "at_once" {
  for_each = local.at_once

  name             = "live"
  function_name    = aws_lambda_function.this[each.key].function_name
  function_version = aws_lambda_function.this[each.key].version
}

# Made on the first version; from then on only CodeDeploy moves it.
resource "aws_lambda_alias" "shifted" {
  for_each = local.shifted

  name             = "live"
  function_name    = aws_lambda_function.this[each.key].function_name
  function_version = aws_lambda_function.this[each.key].version

  lifecycle {
    ignore_changes = [function_version, routing_config]
  }
}

# Errors of what the alias runs, old and new version together: while a tenth of the calls go
# to the new one, an error in it is an error here.
resource "aws_cloudwatch_metric_alarm" "live_errors" {
  for_each = local.shifted

  alarm_name          = "${var.prefix}-live-errors-${each.key}"
  alarm_description   = "The function ${each.key} failed a call. See docs/operations.md."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = aws_lambda_function.this[each.key].function_name, Resource = "${aws_lambda_function.this[each.key].function_name}:live" }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.alarm_topic]
}

resource "aws_codedeploy_app" "this" {
  count = var.deploy_strategy == null ? 0 : 1

  name             = var.prefix
  compute_platform = "Lambda"
}

resource "aws_codedeploy_deployment_group" "function" {
  for_each = local.shifted

  app_name               = aws_codedeploy_app.this[0].name
  deployment_group_name  = each.key
  deployment_config_name = var.deploy_strategy
  service_role_arn       = aws_iam_role.deploys[0].arn

  deployment_style {
    deployment_type   = "BLUE_GREEN"
    deployment_option = "WITH_TRAFFIC_CONTROL"
  }

  alarm_configuration {
    enabled = true
    alarms  = local.rollback_alarms[each.key]
    # An alarm that cannot be read stops the deployment too.
    ignore_poll_alarm_failure = false
  }

  auto_rollback_configuration {
    enabled = true
    events  = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"]
  }
}

# Starts the shift when an apply has published a new version, and waits for its end, so that
# an apply whose deployment was rolled back fails.
resource "terraform_data" "shift" {
  for_each = local.shifted

  triggers_replace = [aws_lambda_function.this[each.key].version]

  provisioner "local-exec" {
    command = "python3 ${path.module}/shift.py"
    environment = {
      AWS_REGION       = var.region
      APPLICATION      = aws_codedeploy_app.this[0].name
      DEPLOYMENT_GROUP = aws_codedeploy_deployment_group.function[each.key].deployment_group_name
      FUNCTION         = aws_lambda_function.this[each.key].function_name
      ALIAS            = aws_lambda_alias.shifted[each.key].name
      TARGET_VERSION   = aws_lambda_function.this[each.key].version
    }
  }
}

resource "aws_iam_role" "deploys" {
  count = var.deploy_strategy == null ? 0 : 1

  name        = "${var.prefix}-deploys"
  description = "Lets CodeDeploy shift the aliases of this deployment."
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "codedeploy.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "deploys" {
  count = var.deploy_strategy == null ? 0 : 1

  name = "rights"
  role = aws_iam_role.deploys[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ShiftAliases"
        Effect   = "Allow"
        Action   = ["lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias"]
        Resource = flatten([for function in aws_lambda_function.this : [function.arn, "${function.arn}:live"]])
      },
      {
        # CloudWatch knows no narrower resource for this.
        Sid      = "ReadAlarms"
        Effect   = "Allow"
        Action   = "cloudwatch:DescribeAlarms"
        Resource = "*"
      },
    ]
  })
}
