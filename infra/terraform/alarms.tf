# The alarms of the topology. What to do on each is in docs/operations.md.

locals {
  # What an alarm is repeated for, and where its metric is found. Our own metrics carry the
  # deployment's prefix, alone and with the network (shared/runtime/src/metrics.rs).
  alarm_scopes = {
    once = { namespace = "Causeway", members = { "" = { Prefix = var.prefix } } }
    network = { namespace = "Causeway", members = {
      for name in var.networks : name => { Prefix = var.prefix, Network = name }
    } }
    queue = { namespace = "AWS/SQS", members = {
      for name in keys(local.queues) : name => { QueueName = "${var.prefix}-${name}" }
    } }
    function = { namespace = "AWS/Lambda", members = {
      for name in keys(local.functions) : name => { FunctionName = "${var.prefix}-${name}" }
    } }
  }

  alarms = merge([for name, alarm in local.file.alarms : {
    for member, dimensions in local.alarm_scopes[try(alarm.each, "once")].members :
    (member == "" ? name : "${name}/${member}") => {
      name       = name
      namespace  = local.alarm_scopes[try(alarm.each, "once")].namespace
      dimensions = dimensions
      metric     = alarm.metric
      statistic  = alarm.statistic
      period_s   = alarm.period_s
      periods    = try(alarm.periods, 1)
      threshold  = alarm.threshold
      compare    = alarm.compare
      missing    = try(alarm.missing, "notBreaching")
    }
  }]...)

  comparisons = {
    ">=" = "GreaterThanOrEqualToThreshold"
    ">"  = "GreaterThanThreshold"
    "<=" = "LessThanOrEqualToThreshold"
    "<"  = "LessThanThreshold"
  }

  alarm_topic = coalesce(var.alarm_topic_arn, one(aws_sns_topic.alarms[*].arn))
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.prefix}-${replace(each.key, "/", "-")}"
  alarm_description   = "See ${each.value.name} in docs/operations.md."
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period_s
  evaluation_periods  = each.value.periods
  threshold           = each.value.threshold
  comparison_operator = local.comparisons[each.value.compare]
  treat_missing_data  = each.value.missing
  alarm_actions       = [local.alarm_topic]
  ok_actions          = [local.alarm_topic]
}

resource "aws_sns_topic" "alarms" {
  count = var.alarm_topic_arn == null ? 1 : 0

  name              = "${var.prefix}-alarms"
  kms_master_key_id = one(aws_kms_key.data[*].arn)
}

resource "aws_sns_topic_subscription" "alarms" {
  for_each = var.alarm_emails

  topic_arn = aws_sns_topic.alarms[0].arn
  protocol  = "email"
  endpoint  = each.key
}
