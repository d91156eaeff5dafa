output "api_url" {
  description = "Where clients call: the firewall's address when there is one, or the API's."
  value       = try("https://${aws_cloudfront_distribution.api[0].domain_name}", aws_apigatewayv2_api.this.api_endpoint)
}

output "api_id" {
  description = "Id of the HTTP API."
  value       = aws_apigatewayv2_api.this.id
}

output "issuer" {
  description = "Whose tokens the API takes."
  value       = local.issuer
}

output "audience" {
  description = "Audiences, one of which a token must carry."
  value       = local.audience
}

output "user_pool_id" {
  description = "The Cognito pool made here, or null."
  value       = one(aws_cognito_user_pool.this[*].id)
}

output "client_id" {
  description = "The Cognito pool's client, or null."
  value       = one(aws_cognito_user_pool_client.this[*].id)
}

output "tables" {
  description = "Logical name -> table."
  value       = { for name, table in aws_dynamodb_table.this : name => table.name }
}

output "queues" {
  description = "Logical name -> address of the queue."
  value       = { for name, queue in aws_sqs_queue.this : name => queue.url }
}

output "queue_base" {
  description = "Address of the queues, up to the account."
  value       = local.queue_base
}

output "roles" {
  description = "Logical name of a function -> ARN of its role."
  value       = { for name, role in aws_iam_role.function : name => role.arn }
}

output "functions" {
  description = "Logical name -> ARN of the alias that is called."
  value       = { for name, alias in local.live : name => alias.arn }
}

output "lane_keys" {
  description = "Kind and name -> ARN of the key, for registering a treasury."
  value       = { for name, key in aws_kms_key.lane : name => key.arn }
}

output "secrets" {
  description = "Logical name -> ARN."
  value       = { for name, secret in aws_secretsmanager_secret.this : name => secret.arn }
}

output "alarm_topic" {
  description = "Topic that alarms go to."
  value       = local.alarm_topic
}

output "dashboard" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}
