# ARNs as AWS would give them to the deployment causeway-test, known while planning, so that
# a test can read whole policies from a plan. A resource that is missing here is unknown in a
# plan, and a test that looks at it says so.

override_resource {
  target          = aws_sqs_queue.this["transfers-high"]
  override_during = plan
  values          = { arn = "arn:aws:sqs:eu-central-1:123456789012:causeway-test-transfers-high", id = "https://sqs.eu-central-1.amazonaws.com/123456789012/causeway-test-transfers-high" }
}

override_resource {
  target          = aws_sqs_queue.this["transfers-normal"]
  override_during = plan
  values          = { arn = "arn:aws:sqs:eu-central-1:123456789012:causeway-test-transfers-normal", id = "https://sqs.eu-central-1.amazonaws.com/123456789012/causeway-test-transfers-normal" }
}

override_resource {
  target          = aws_sqs_queue.this["transfers-low"]
  override_during = plan
  values          = { arn = "arn:aws:sqs:eu-central-1:123456789012:causeway-test-transfers-low", id = "https://sqs.eu-central-1.amazonaws.com/123456789012/causeway-test-transfers-low" }
}

override_resource {
  target          = aws_sqs_queue.this["transactions.fifo"]
  override_during = plan
  values          = { arn = "arn:aws:sqs:eu-central-1:123456789012:causeway-test-transactions.fifo", id = "https://sqs.eu-central-1.amazonaws.com/123456789012/causeway-test-transactions.fifo" }
}

override_resource {
  target          = aws_sqs_queue.this["chain-events"]
  override_during = plan
  values          = { arn = "arn:aws:sqs:eu-central-1:123456789012:causeway-test-chain-events", id = "https://sqs.eu-central-1.amazonaws.com/123456789012/causeway-test-chain-events" }
}

override_resource {
  target          = aws_sqs_queue.this["transfers-dead"]
  override_during = plan
  values          = { arn = "arn:aws:sqs:eu-central-1:123456789012:causeway-test-transfers-dead", id = "https://sqs.eu-central-1.amazonaws.com/123456789012/causeway-test-transfers-dead" }
}

override_resource {
  target          = aws_sqs_queue.this["transactions-dead.fifo"]
  override_during = plan
  values          = { arn = "arn:aws:sqs:eu-central-1:123456789012:causeway-test-transactions-dead.fifo", id = "https://sqs.eu-central-1.amazonaws.com/123456789012/causeway-test-transactions-dead.fifo" }
}

override_resource {
  target          = aws_sqs_queue.this["sign-requests-dead.fifo"]
  override_during = plan
  values          = { arn = "arn:aws:sqs:eu-central-1:123456789012:causeway-test-sign-requests-dead.fifo", id = "https://sqs.eu-central-1.amazonaws.com/123456789012/causeway-test-sign-requests-dead.fifo" }
}

override_resource {
  target          = aws_sqs_queue.this["sign-requests.fifo"]
  override_during = plan
  values          = { arn = "arn:aws:sqs:eu-central-1:123456789012:causeway-test-sign-requests.fifo", id = "https://sqs.eu-central-1.amazonaws.com/123456789012/causeway-test-sign-requests.fifo" }
}

override_resource {
  target          = aws_sqs_queue.this["chain-events-dead"]
  override_during = plan
  values          = { arn = "arn:aws:sqs:eu-central-1:123456789012:causeway-test-chain-events-dead", id = "https://sqs.eu-central-1.amazonaws.com/123456789012/causeway-test-chain-events-dead" }
}

override_resource {
  target          = aws_dynamodb_table.this["transfers"]
  override_during = plan
  values          = { arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/causeway-test-transfers" }
}

override_resource {
  target          = aws_dynamodb_table.this["ledger"]
  override_during = plan
  values          = { arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/causeway-test-ledger" }
}

override_resource {
  target          = aws_dynamodb_table.this["wallets"]
  override_during = plan
  values          = { arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/causeway-test-wallets" }
}

override_resource {
  target          = aws_dynamodb_table.this["tracker"]
  override_during = plan
  values          = { arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/causeway-test-tracker" }
}

override_resource {
  target          = aws_dynamodb_table.this["dead-letters"]
  override_during = plan
  values          = { arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/causeway-test-dead-letters" }
}

override_resource {
  target          = aws_dynamodb_table.this["audit"]
  override_during = plan
  values          = { arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/causeway-test-audit" }
}

override_resource {
  target          = aws_kms_key.lane["treasury-main"]
  override_during = plan
  values          = { arn = "arn:aws:kms:eu-central-1:123456789012:key/main", key_id = "main" }
}

override_resource {
  target          = aws_kms_key.lane["treasury-second"]
  override_during = plan
  values          = { arn = "arn:aws:kms:eu-central-1:123456789012:key/second", key_id = "second" }
}

override_resource {
  target          = aws_kms_key.data[0]
  override_during = plan
  values          = { arn = "arn:aws:kms:eu-central-1:123456789012:key/data", key_id = "data" }
}

override_resource {
  target          = aws_secretsmanager_secret.this["rpc"]
  override_during = plan
  values          = { arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:causeway-test-rpc-AbCdEf" }
}

override_resource {
  target          = aws_secretsmanager_secret_version.rpc
  override_during = plan
  values          = { version_id = "rpc-version" }
}

override_resource {
  target          = aws_secretsmanager_secret.this["imported-keys"]
  override_during = plan
  values          = { arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:causeway-test-imported-keys-AbCdEf" }
}

override_resource {
  target          = aws_iam_role.function["intake"]
  override_during = plan
  values          = { arn = "arn:aws:iam::123456789012:role/causeway-test-intake" }
}

override_resource {
  target          = aws_cloudwatch_log_group.function["intake"]
  override_during = plan
  values          = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/causeway-test-intake" }
}

override_resource {
  target          = aws_lambda_function.this["intake"]
  override_during = plan
  values          = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-intake", version = "7" }
}

override_resource {
  target          = aws_lambda_alias.at_once["intake"]
  override_during = plan
  values          = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-intake:live", invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-intake:live/invocations" }
}

override_resource {
  target          = aws_lambda_alias.shifted["intake"]
  override_during = plan
  values          = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-intake:live", invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-intake:live/invocations" }
}

override_resource {
  target          = aws_iam_role.function["validate-sign"]
  override_during = plan
  values          = { arn = "arn:aws:iam::123456789012:role/causeway-test-validate-sign" }
}

override_resource {
  target          = aws_cloudwatch_log_group.function["validate-sign"]
  override_during = plan
  values          = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/causeway-test-validate-sign" }
}

override_resource {
  target          = aws_lambda_function.this["validate-sign"]
  override_during = plan
  values          = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-validate-sign", version = "7" }
}

override_resource {
  target          = aws_lambda_alias.at_once["validate-sign"]
  override_during = plan
  values          = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-validate-sign:live", invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-validate-sign:live/invocations" }
}

override_resource {
  target          = aws_lambda_alias.shifted["validate-sign"]
  override_during = plan
  values          = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-validate-sign:live", invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-validate-sign:live/invocations" }
}

override_resource {
  target          = aws_iam_role.function["send"]
  override_during = plan
  values          = { arn = "arn:aws:iam::123456789012:role/causeway-test-send" }
}

override_resource {
  target          = aws_cloudwatch_log_group.function["send"]
  override_during = plan
  values          = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/causeway-test-send" }
}

override_resource {
  target          = aws_lambda_function.this["send"]
  override_during = plan
  values          = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-send", version = "7" }
}

override_resource {
  target          = aws_lambda_alias.at_once["send"]
  override_during = plan
  values          = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-send:live", invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-send:live/invocations" }
}

override_resource {
  target          = aws_lambda_alias.shifted["send"]
  override_during = plan
  values          = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-send:live", invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-send:live/invocations" }
}

override_resource {
  target          = aws_iam_role.function["status-check"]
  override_during = plan
  values          = { arn = "arn:aws:iam::123456789012:role/causeway-test-status-check" }
}

override_resource {
  target          = aws_cloudwatch_log_group.function["status-check"]
  override_during = plan
  values          = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/causeway-test-status-check" }
}

override_resource {
  target          = aws_lambda_function.this["status-check"]
  override_during = plan
  values          = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-status-check", version = "7" }
}

override_resource {
  target          = aws_lambda_alias.at_once["status-check"]
  override_during = plan
  values          = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-status-check:live", invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-status-check:live/invocations" }
}

override_resource {
  target          = aws_lambda_alias.shifted["status-check"]
  override_during = plan
  values          = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-status-check:live", invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-status-check:live/invocations" }
}

override_resource {
  target          = aws_iam_role.function["settle"]
  override_during = plan
  values          = { arn = "arn:aws:iam::123456789012:role/causeway-test-settle" }
}

override_resource {
  target          = aws_cloudwatch_log_group.function["settle"]
  override_during = plan
  values          = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/causeway-test-settle" }
}

override_resource {
  target          = aws_lambda_function.this["settle"]
  override_during = plan
  values          = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-settle", version = "7" }
}

override_resource {
  target          = aws_lambda_alias.at_once["settle"]
  override_during = plan
  values          = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-settle:live", invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-settle:live/invocations" }
}

override_resource {
  target          = aws_lambda_alias.shifted["settle"]
  override_during = plan
  values          = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-settle:live", invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-settle:live/invocations" }
}

override_resource {
  target          = aws_iam_role.function["dead-letters"]
  override_during = plan
  values          = { arn = "arn:aws:iam::123456789012:role/causeway-test-dead-letters" }
}

override_resource {
  target          = aws_cloudwatch_log_group.function["dead-letters"]
  override_during = plan
  values          = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/causeway-test-dead-letters" }
}

override_resource {
  target          = aws_lambda_function.this["dead-letters"]
  override_during = plan
  values          = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-dead-letters", version = "7" }
}

override_resource {
  target          = aws_lambda_alias.at_once["dead-letters"]
  override_during = plan
  values          = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-dead-letters:live", invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-dead-letters:live/invocations" }
}

override_resource {
  target          = aws_lambda_alias.shifted["dead-letters"]
  override_during = plan
  values          = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-dead-letters:live", invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-dead-letters:live/invocations" }
}

override_resource {
  target          = aws_iam_role.function["admin"]
  override_during = plan
  values          = { arn = "arn:aws:iam::123456789012:role/causeway-test-admin" }
}

override_resource {
  target          = aws_cloudwatch_log_group.function["admin"]
  override_during = plan
  values          = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/causeway-test-admin" }
}

override_resource {
  target          = aws_lambda_function.this["admin"]
  override_during = plan
  values          = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-admin", version = "7" }
}

override_resource {
  target          = aws_lambda_alias.at_once["admin"]
  override_during = plan
  values          = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-admin:live", invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-admin:live/invocations" }
}

override_resource {
  target          = aws_lambda_alias.shifted["admin"]
  override_during = plan
  values          = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-admin:live", invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-admin:live/invocations" }
}

override_resource {
  target          = aws_apigatewayv2_integration.function["intake"]
  override_during = plan
  values          = { id = "integration-intake" }
}

override_resource {
  target          = aws_apigatewayv2_integration.function["admin"]
  override_during = plan
  values          = { id = "integration-admin" }
}

override_resource {
  target          = aws_apigatewayv2_api.this
  override_during = plan
  values          = { id = "api1", execution_arn = "arn:aws:execute-api:eu-central-1:123456789012:api1", api_endpoint = "https://api1.execute-api.eu-central-1.amazonaws.com" }
}

override_resource {
  target          = aws_apigatewayv2_authorizer.jwt
  override_during = plan
  values          = { id = "jwt1" }
}

override_resource {
  target          = aws_cognito_user_pool.this[0]
  override_during = plan
  values          = { id = "eu-central-1_pool1", endpoint = "cognito-idp.eu-central-1.amazonaws.com/eu-central-1_pool1" }
}

override_resource {
  target          = aws_cognito_user_pool_client.this[0]
  override_during = plan
  values          = { id = "client1" }
}

override_resource {
  target          = aws_sns_topic.alarms[0]
  override_during = plan
  values          = { arn = "arn:aws:sns:eu-central-1:123456789012:causeway-test-alarms" }
}

override_resource {
  target          = aws_iam_role.scheduler[0]
  override_during = plan
  values          = { arn = "arn:aws:iam::123456789012:role/causeway-test-scheduler" }
}
