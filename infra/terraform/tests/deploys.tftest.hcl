# New versions: at once, or shifted and rolled back on alarm.

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

run "at_once" {
  command = plan

  assert {
    condition     = { for name, alias in aws_lambda_alias.at_once : name => [alias.name, alias.function_version] } == { for name in keys(aws_lambda_function.this) : name => ["live", "7"] }
    error_message = "Without CodeDeploy the alias follows the newest version."
  }
  assert {
    condition     = length(aws_codedeploy_app.this) + length(aws_codedeploy_deployment_group.function) + length(aws_lambda_alias.shifted) + length(terraform_data.shift) + length(aws_iam_role.deploys) == 0
    error_message = "Without a strategy nothing of CodeDeploy is made."
  }
}

run "shifted" {
  command = plan
  variables {
    deploy_strategy = "CodeDeployDefault.LambdaLinear10PercentEvery1Minute"
  }

  assert {
    condition     = toset(keys(aws_lambda_alias.shifted)) == toset(keys(aws_lambda_function.this)) && length(aws_lambda_alias.at_once) == 0 && toset(keys(terraform_data.shift)) == toset(keys(aws_lambda_function.this))
    error_message = "With a strategy every function's alias is shifted, and an apply starts the shift."
  }
  assert {
    condition = alltrue([for name, group in aws_codedeploy_deployment_group.function :
      group.deployment_config_name == "CodeDeployDefault.LambdaLinear10PercentEvery1Minute" && group.deployment_style[0].deployment_type == "BLUE_GREEN" && group.deployment_style[0].deployment_option == "WITH_TRAFFIC_CONTROL"
    ]) && length(aws_codedeploy_deployment_group.function) == 7 && aws_codedeploy_app.this[0].compute_platform == "Lambda"
    error_message = "Traffic moves little by little, as the strategy says."
  }
  assert {
    condition = alltrue([for name, group in aws_codedeploy_deployment_group.function :
      group.auto_rollback_configuration[0].enabled && group.auto_rollback_configuration[0].events == toset(["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"])
      && group.alarm_configuration[0].enabled && !group.alarm_configuration[0].ignore_poll_alarm_failure
      && group.alarm_configuration[0].alarms == toset(["causeway-test-live-errors-${name}", "causeway-test-throttles-${name}", "causeway-test-dead-letter"])
    ])
    error_message = "A deployment goes back on the function's errors, its throttles, or a dead letter."
  }
  assert {
    condition = alltrue([for name, alarm in aws_cloudwatch_metric_alarm.live_errors :
      alarm.dimensions == tomap({ FunctionName = "causeway-test-${name}", Resource = "causeway-test-${name}:live" }) && alarm.metric_name == "Errors" && alarm.threshold == 1 && alarm.period == 60
    ])
    error_message = "The alarm that rolls back must watch what the alias runs."
  }
  assert {
    condition     = toset(flatten(jsondecode(aws_iam_role_policy.deploys[0].policy).Statement[*].Action)) == toset(["lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias", "cloudwatch:DescribeAlarms"])
    error_message = "CodeDeploy may shift aliases and read alarms, and nothing else."
  }
  # Callers follow the alias, whichever way it moves.
  assert {
    condition     = alltrue([for key, mapping in aws_lambda_event_source_mapping.queue : endswith(mapping.function_name, ":live")])
    error_message = "A trigger goes past the alias."
  }
}

run "one_function_is_shifted_by_default" {
  command = plan
  variables {
    topology_file   = "tests/fixtures/minimal.yaml"
    deploy_strategy = "CodeDeployDefault.LambdaCanary10Percent5Minutes"
  }

  # Without the topology's alarms the function's own errors still roll back.
  assert {
    condition     = aws_codedeploy_deployment_group.function["intake"].alarm_configuration[0].alarms == toset(["causeway-test-live-errors-intake"])
    error_message = "A function's errors must always roll back."
  }
}
