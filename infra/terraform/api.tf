resource "aws_apigatewayv2_api" "this" {
  name          = "${var.prefix}-api"
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_authorizer" "jwt" {
  api_id           = aws_apigatewayv2_api.this.id
  name             = "jwt"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = local.issuer
    audience = local.audience
  }
}

resource "aws_apigatewayv2_integration" "function" {
  for_each = local.api_functions

  api_id                 = aws_apigatewayv2_api.this.id
  integration_type       = "AWS_PROXY"
  integration_uri        = local.live[each.key].invoke_arn
  payload_format_version = "2.0"
  # The gateway gives up after the function would have.
  timeout_milliseconds = min(30000, local.functions[each.key].timeout_s * 1000 + 1000)
}

resource "aws_apigatewayv2_route" "this" {
  for_each = local.routes

  api_id             = aws_apigatewayv2_api.this.id
  route_key          = each.key
  target             = "integrations/${aws_apigatewayv2_integration.function[each.value.function].id}"
  authorization_type = each.value.auth == "jwt" ? "JWT" : "NONE"
  authorizer_id      = each.value.auth == "jwt" ? aws_apigatewayv2_authorizer.jwt.id : null

  lifecycle {
    precondition {
      condition     = contains(["jwt", "none"], each.value.auth)
      error_message = "The route ${each.key}: auth must be jwt or none."
    }
  }
}

resource "aws_apigatewayv2_stage" "this" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit    = local.file.api.throttle.rate
    throttling_burst_limit   = local.file.api.throttle.burst
    detailed_metrics_enabled = true
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.api.arn
    # No query string and no header: tokens and amounts stay out of this log.
    format = jsonencode({
      request_id     = "$context.requestId"
      time           = "$context.requestTime"
      source_ip      = "$context.identity.sourceIp"
      route          = "$context.routeKey"
      status         = "$context.status"
      user           = "$context.authorizer.claims.sub"
      latency_ms     = "$context.responseLatency"
      function_ms    = "$context.integrationLatency"
      response_bytes = "$context.responseLength"
      error          = "$context.error.message"
      auth_error     = "$context.authorizer.error"
      function_error = "$context.integrationErrorMessage"
    })
  }
}

resource "aws_cloudwatch_log_group" "api" {
  name              = "/aws/apigateway/${var.prefix}-api"
  retention_in_days = local.log_retention_days
  kms_key_id        = one(aws_kms_key.data[*].arn)
}

resource "aws_lambda_permission" "api" {
  for_each = local.api_functions

  statement_id  = "api"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this[each.key].function_name
  qualifier     = local.live[each.key].name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/*/*"
}
