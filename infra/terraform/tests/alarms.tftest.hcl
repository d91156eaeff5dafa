# What wakes somebody, and what they see.

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

run "alarms" {
  command = plan

  assert {
    condition = toset(keys(aws_cloudwatch_metric_alarm.this)) == setunion(
      ["dead-letter", "waits-overdue", "lane-halted", "treasury-short"],
      [for queue in keys(aws_sqs_queue.this) : "oldest-message/${queue}"],
      [for pair in setproduct(["errors", "throttles"], keys(aws_lambda_function.this)) : "${pair[0]}/${pair[1]}"],
      [for pair in setproduct(["differences", "finality-lag", "head-age", "heartbeat-missing", "long-wait", "looks-late", "oldest-unseen"], ["ethereum", "polygon"]) : "${pair[0]}/${pair[1]}"],
    ) && length(aws_sqs_queue.this) == 10 && length(aws_lambda_function.this) == 7
    error_message = "An alarm of the topology is missing for some queue, function or network."
  }
  assert {
    condition = alltrue([for queue in keys(aws_sqs_queue.this) : [
      for alarm in [aws_cloudwatch_metric_alarm.this["oldest-message/${queue}"]] :
      [alarm.namespace, alarm.metric_name, alarm.dimensions["QueueName"], alarm.statistic, alarm.threshold, alarm.comparison_operator]
    ] == [["AWS/SQS", "ApproximateAgeOfOldestMessage", "causeway-test-${queue}", "Maximum", 300, "GreaterThanOrEqualToThreshold"]]])
    error_message = "Each queue has an alarm on the age of its oldest message."
  }
  assert {
    condition = alltrue([for function in keys(aws_lambda_function.this) : [
      for alarm in [aws_cloudwatch_metric_alarm.this["throttles/${function}"]] :
      [alarm.namespace, alarm.metric_name, alarm.dimensions["FunctionName"], alarm.evaluation_periods]
    ] == [["AWS/Lambda", "Throttles", "causeway-test-${function}", 3]]])
    error_message = "Each function has an alarm on throttles."
  }
  assert {
    condition = alltrue([for function in keys(aws_lambda_function.this) : [
      for alarm in [aws_cloudwatch_metric_alarm.this["errors/${function}"]] :
      [alarm.namespace, alarm.metric_name, alarm.dimensions["FunctionName"], alarm.statistic, alarm.threshold]
    ] == [["AWS/Lambda", "Errors", "causeway-test-${function}", "Sum", 1]]])
    error_message = "Each function has an alarm on its errors."
  }
  # Our own metrics, as the functions emit them: over all networks, under the deployment's prefix.
  assert {
    condition = alltrue([for name, metric in { dead-letter = "DeadLetters", waits-overdue = "WaitsOverdue", lane-halted = "LanesHalted", treasury-short = "TreasuryShort" } : [
      for alarm in [aws_cloudwatch_metric_alarm.this[name]] :
      [alarm.namespace, alarm.metric_name, jsonencode(alarm.dimensions), alarm.threshold, alarm.treat_missing_data]
    ] == [["Causeway", metric, jsonencode({ Prefix = "causeway-test" }), 1, "notBreaching"]]])
    error_message = "The alarms on our own metrics must look where the functions emit them."
  }
  assert {
    condition = alltrue([for alarm in aws_cloudwatch_metric_alarm.this :
      jsonencode([alarm.alarm_actions, alarm.ok_actions]) == jsonencode([["arn:aws:sns:eu-central-1:123456789012:causeway-test-alarms"], ["arn:aws:sns:eu-central-1:123456789012:causeway-test-alarms"]])
    ])
    error_message = "Every alarm, and its end, is told to the topic."
  }
}

# One network's heartbeat, or its new transactions, must not hide the silence of another.
run "an_alarm_for_each_network" {
  command = plan

  assert {
    condition = alltrue([for network in ["ethereum", "polygon"] : [
      for alarm in [aws_cloudwatch_metric_alarm.this["heartbeat-missing/${network}"]] :
      [alarm.namespace, alarm.metric_name, jsonencode(alarm.dimensions), alarm.comparison_operator, alarm.treat_missing_data]
    ] == [["Causeway", "Heartbeat", jsonencode({ Network = network, Prefix = "causeway-test" }), "LessThanThreshold", "breaching"]]])
    error_message = "A heartbeat that is missing altogether must raise its network's alarm."
  }
  assert {
    condition = alltrue([for network in ["ethereum", "polygon"] : [
      for alarm in [aws_cloudwatch_metric_alarm.this["oldest-unseen/${network}"]] :
      [alarm.namespace, alarm.metric_name, jsonencode(alarm.dimensions), alarm.statistic, alarm.threshold, alarm.comparison_operator]
    ] == [["Causeway", "OldestUnseenAgeMs", jsonencode({ Network = network, Prefix = "causeway-test" }), "Maximum", 600000, "GreaterThanOrEqualToThreshold"]]])
    error_message = "A transaction that comes into no block must raise its network's alarm."
  }
  assert {
    condition = alltrue([for network in ["ethereum", "polygon"] : [
      for alarm in [aws_cloudwatch_metric_alarm.this["differences/${network}"]] :
      [alarm.namespace, alarm.metric_name, jsonencode(alarm.dimensions), alarm.statistic, alarm.threshold, alarm.comparison_operator]
    ] == [["Causeway", "Differences", jsonencode({ Network = network, Prefix = "causeway-test" }), "Maximum", 1, "GreaterThanOrEqualToThreshold"]]])
    error_message = "Books and chain that do not agree must raise their network's alarm."
  }
}

run "topic" {
  command = plan
  variables {
    alarm_topic_arn = "arn:aws:sns:eu-central-1:123456789012:pager"
  }

  assert {
    condition     = length(aws_sns_topic.alarms) == 0 && alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions == toset(["arn:aws:sns:eu-central-1:123456789012:pager"])])
    error_message = "Alarms go to the topic that was named."
  }
}

run "emails" {
  command = plan
  variables {
    alarm_emails = ["ops@pay.example"]
  }

  assert {
    condition     = { for key, subscription in aws_sns_topic_subscription.alarms : key => [subscription.topic_arn, subscription.protocol] } == { "ops@pay.example" = ["arn:aws:sns:eu-central-1:123456789012:causeway-test-alarms", "email"] }
    error_message = "Who is to be told must be subscribed."
  }
}

run "dashboard" {
  command = plan

  override_resource {
    target          = aws_cloudwatch_metric_alarm.this
    override_during = plan
    values          = { arn = "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:some" }
  }

  # Every metric that the operations guide sends people to look at has its line.
  assert {
    condition = length(setsubtract(
      concat(
        [for queue in ["transfers-high", "transfers-normal", "transfers-low"] : "NumberOfMessagesSent causeway-test-${queue}"],
        [for queue in ["transfers-high", "transfers-normal", "transfers-low", "transactions.fifo", "chain-events"] : "ApproximateAgeOfOldestMessage causeway-test-${queue}"],
        [for queue in keys(aws_sqs_queue.this) : "ApproximateNumberOfMessagesVisible causeway-test-${queue}"],
        [for pair in setproduct(["Errors", "Duration", "Throttles"], keys(aws_lambda_function.this)) : "${pair[0]} causeway-test-${pair[1]}"],
        ["Count api1", "5xx api1"],
      ),
      flatten([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : [
        for metric in try(widget.properties.metrics, []) : "${metric[1]} ${metric[3]}" if length(metric) > 3
      ]]),
    )) == 0
    error_message = "The dashboard lacks a line."
  }
  assert {
    condition     = length(regexall("SEARCH\\('Namespace=.{1,4}Causeway.{1,4} Prefix=.{1,4}causeway-test.{1,4}',", aws_cloudwatch_dashboard.this.dashboard_body)) == 2
    error_message = "The dashboard finds our own metrics, and only this deployment's."
  }
}
