# One page: is work coming in, is it moving, is anything broken.

locals {
  live_queues = sort([for name, queue in local.queues : name if queue.dead_letter != null])
  dead_queues = sort(keys(local.dead_letter_sources))
  # Where accepted transfers enter: the queues that validate-sign reads.
  entry_queues = sort([for trigger in local.queue_triggers : trigger.queue if contains(local.signers, trigger.function)])

  # Title, statistic and metrics of each graph, two a row.
  graphs = [
    { title = "Accepted transfers (messages sent)", stat = "Sum", metrics = [
      for name in local.entry_queues : ["AWS/SQS", "NumberOfMessagesSent", "QueueName", "${var.prefix}-${name}", { label = name }]
    ] },
    { title = "API requests and errors", stat = "Sum", metrics = [
      for metric in ["Count", "4xx", "5xx"] : ["AWS/ApiGateway", metric, "ApiId", aws_apigatewayv2_api.this.id, { label = metric }]
    ] },
    { title = "API latency, p99 (ms)", stat = "p99", metrics = [
      for metric in ["Latency", "IntegrationLatency"] : ["AWS/ApiGateway", metric, "ApiId", aws_apigatewayv2_api.this.id, { label = metric }]
    ] },
    { title = "Waiting messages", stat = "Maximum", metrics = [
      for name in local.live_queues : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "${var.prefix}-${name}", { label = name }]
    ] },
    { title = "Age of the oldest message (s)", stat = "Maximum", metrics = [
      for name in local.live_queues : ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", "${var.prefix}-${name}", { label = name }]
    ] },
    { title = "Dead letters (messages)", stat = "Maximum", metrics = [
      for name in local.dead_queues : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "${var.prefix}-${name}", { label = name }]
    ] },
    { title = "Function errors", stat = "Sum", metrics = [
      for name in keys(local.functions) : ["AWS/Lambda", "Errors", "FunctionName", "${var.prefix}-${name}", { label = name }]
    ] },
    { title = "Function duration, p99 (ms)", stat = "p99", metrics = [
      for name in keys(local.functions) : ["AWS/Lambda", "Duration", "FunctionName", "${var.prefix}-${name}", { label = name }]
    ] },
    { title = "Throttles", stat = "Sum", metrics = [
      for name in keys(local.functions) : ["AWS/Lambda", "Throttles", "FunctionName", "${var.prefix}-${name}", { label = name }]
    ] },
    # Whatever the functions measure themselves appears without being named here.
    { title = "Causeway, sums", stat = "Sum", metrics = [
      [{ expression = "SEARCH('Namespace=\"Causeway\" Prefix=\"${var.prefix}\"', 'Sum', 60)", label = "" }]
    ] },
    { title = "Causeway, maxima", stat = "Maximum", metrics = [
      [{ expression = "SEARCH('Namespace=\"Causeway\" Prefix=\"${var.prefix}\"', 'Maximum', 60)", label = "" }]
    ] },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.prefix
  dashboard_body = jsonencode({
    widgets = concat(
      [for position, graph in local.graphs : {
        type       = "metric"
        x          = position % 2 * 12
        y          = floor(position / 2) * 6
        width      = 12
        height     = 6
        properties = { title = graph.title, stat = graph.stat, metrics = graph.metrics, period = 60, region = var.region, view = "timeSeries" }
      }],
      [{
        type       = "alarm"
        x          = 0
        y          = ceil(length(local.graphs) / 2) * 6
        width      = 24
        height     = 6
        properties = { title = "Alarms", alarms = [for key in sort(keys(local.alarms)) : aws_cloudwatch_metric_alarm.this[key].arn] }
      }],
    )
  })
}
