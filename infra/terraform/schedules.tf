resource "aws_scheduler_schedule" "this" {
  for_each = local.schedules

  name                = "${var.prefix}-${replace(each.key, "/", "-")}"
  schedule_expression = each.value.rate

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = local.live[each.value.function].arn
    role_arn = aws_iam_role.scheduler[0].arn
    input    = each.value.input

    # A missed tick is not made up for: the next one does its work.
    retry_policy {
      maximum_retry_attempts       = 0
      maximum_event_age_in_seconds = 60
    }
  }
}

resource "aws_iam_role" "scheduler" {
  count = length(local.schedules) > 0 ? 1 : 0

  name        = "${var.prefix}-scheduler"
  description = "Lets EventBridge Scheduler run the scheduled functions."
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "scheduler.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_iam_role_policy" "scheduler" {
  count = length(local.schedules) > 0 ? 1 : 0

  name = "rights"
  role = aws_iam_role.scheduler[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "RunScheduledFunctions"
      Effect   = "Allow"
      Action   = "lambda:InvokeFunction"
      Resource = [for name in toset([for schedule in local.schedules : schedule.function]) : local.live[name].arn]
    }]
  })
}
