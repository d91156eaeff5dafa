# The API: who is let in, how fast, and what is written down.

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

run "routes" {
  command = plan

  assert {
    condition = { for key, route in aws_apigatewayv2_route.this : key => "${route.authorization_type} ${route.authorizer_id == null ? "-" : route.authorizer_id} ${route.target}" } == {
      "POST /withdrawal/request"           = "JWT jwt1 integrations/integration-intake"
      "POST /withdrawal/cancel/{id}"       = "JWT jwt1 integrations/integration-intake"
      "GET /withdrawal/status/{id}"        = "JWT jwt1 integrations/integration-intake"
      "GET /withdrawal/queue/status"       = "JWT jwt1 integrations/integration-intake"
      "GET /withdrawal/queue/items"        = "JWT jwt1 integrations/integration-admin"
      "POST /api/v1/transfers"             = "JWT jwt1 integrations/integration-intake"
      "GET /api/v1/transfers"              = "JWT jwt1 integrations/integration-intake"
      "GET /api/v1/transfers/{id}"         = "JWT jwt1 integrations/integration-intake"
      "POST /api/v1/transfers/{id}/cancel" = "JWT jwt1 integrations/integration-intake"
      "ANY /admin/v1/{proxy+}"             = "JWT jwt1 integrations/integration-admin"
      "GET /openapi.json"                  = "NONE - integrations/integration-intake"
      "GET /healthz"                       = "NONE - integrations/integration-intake"
    }
    error_message = "Each route has its function, and all but two want a token."
  }
  assert {
    condition     = alltrue([for key, route in aws_apigatewayv2_route.this : route.route_key == key])
    error_message = "A route answers to another name than the topology's."
  }
  assert {
    condition = { for name, integration in aws_apigatewayv2_integration.function : name => [integration.integration_uri, integration.payload_format_version, integration.timeout_milliseconds] } == { for name, timeout_ms in { intake = 16000, admin = 30000 } :
      name => ["arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-central-1:123456789012:function:causeway-test-${name}:live/invocations", "2.0", timeout_ms]
    }
    error_message = "The API calls the alias live and waits for a second longer than the function may take."
  }
  assert {
    condition = { for name, permission in aws_lambda_permission.api : name => [permission.function_name, permission.qualifier, permission.principal, permission.source_arn] } == { for name in ["intake", "admin"] :
      name => ["causeway-test-${name}", "live", "apigateway.amazonaws.com", "arn:aws:execute-api:eu-central-1:123456789012:api1/*/*"]
    }
    error_message = "Only this API may call the functions behind it, and only by the alias."
  }
}

run "throttle_and_access_log" {
  command = plan

  assert {
    condition     = [aws_apigatewayv2_stage.this.default_route_settings[0].throttling_rate_limit, aws_apigatewayv2_stage.this.default_route_settings[0].throttling_burst_limit] == [2000, 1000]
    error_message = "The API is throttled as the topology says."
  }
  assert {
    condition     = length(regexall("(?i)header|queryString|authorization", aws_apigatewayv2_stage.this.access_log_settings[0].format)) == 0 && aws_cloudwatch_log_group.api.retention_in_days == 60
    error_message = "The access log is kept for a time and holds neither tokens nor query strings."
  }
}

run "own_pool" {
  command = plan

  assert {
    condition     = aws_apigatewayv2_authorizer.jwt.jwt_configuration[0].issuer == "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_pool1" && aws_apigatewayv2_authorizer.jwt.jwt_configuration[0].audience == toset(["client1"])
    error_message = "Without an issuer the API takes tokens of the pool made here, for its client."
  }
  assert {
    condition     = toset(keys(aws_cognito_user_group.this)) == toset(["client", "operator"])
    error_message = "The pool has the topology's groups."
  }
  assert {
    condition     = [for attribute in aws_cognito_user_pool.this[0].schema : attribute.name] == ["tenant"] && contains(aws_cognito_user_pool_client.this[0].read_attributes, "custom:tenant")
    error_message = "The token carries the tenant."
  }
  assert {
    condition     = aws_cognito_user_pool_client.this[0].write_attributes == toset(["email"])
    error_message = "A user must not be able to write the tenant."
  }
  assert {
    condition     = aws_cognito_user_pool.this[0].admin_create_user_config[0].allow_admin_create_user_only && aws_cognito_user_pool.this[0].deletion_protection == "ACTIVE"
    error_message = "Nobody signs up by himself, and the pool refuses deletion."
  }
  assert {
    condition     = aws_cognito_user_pool_client.this[0].explicit_auth_flows == toset(["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"])
    error_message = "Passwords travel only where password_login says so."
  }
}

run "password_login" {
  command = plan
  variables {
    password_login = true
  }

  assert {
    condition     = contains(aws_cognito_user_pool_client.this[0].explicit_auth_flows, "ALLOW_USER_PASSWORD_AUTH")
    error_message = "password_login must allow it."
  }
}

run "another_issuer" {
  command = plan
  variables {
    oidc_issuer   = "https://id.example/realms/pay"
    oidc_audience = ["causeway"]
    claims        = { tenant = "org", user = "sub", roles = "realm_access.roles" }
  }

  assert {
    condition     = aws_apigatewayv2_authorizer.jwt.jwt_configuration[0].issuer == "https://id.example/realms/pay" && aws_apigatewayv2_authorizer.jwt.jwt_configuration[0].audience == toset(["causeway"])
    error_message = "The API takes the tokens of the issuer that was named."
  }
  assert {
    condition     = length(aws_cognito_user_pool.this) + length(aws_cognito_user_group.this) + length(aws_cognito_user_pool_client.this) == 0
    error_message = "With an issuer of its own a deployment makes no pool."
  }
  assert {
    condition = alltrue([for function in aws_lambda_function.this : [for name in ["TENANT", "USER", "ROLES"] :
      function.environment[0].variables["CAUSEWAY_CLAIM_${name}"]
    ] == ["org", "sub", "realm_access.roles"]])
    error_message = "The functions must read the claims that were named."
  }
}

run "firewall" {
  command = plan
  variables {
    firewall = { requests_per_5_minutes = 777 }
  }

  override_resource {
    target          = aws_wafv2_web_acl.api[0]
    override_during = plan
    values          = { arn = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/causeway-test-api/1" }
  }

  assert {
    condition     = aws_cloudfront_distribution.api[0].web_acl_id == "arn:aws:wafv2:us-east-1:123456789012:global/webacl/causeway-test-api/1" && aws_wafv2_web_acl.api[0].scope == "CLOUDFRONT"
    error_message = "The firewall must guard the distribution."
  }
  assert {
    condition     = [for origin in aws_cloudfront_distribution.api[0].origin : [origin.domain_name, origin.custom_origin_config[0].origin_protocol_policy]] == [["api1.execute-api.eu-central-1.amazonaws.com", "https-only"]]
    error_message = "The distribution stands before the API, with TLS on both sides."
  }
  assert {
    condition = { for rule in aws_wafv2_web_acl.api[0].rule : rule.name => try(rule.statement[0].rate_based_statement[0].limit, rule.statement[0].managed_rule_group_statement[0].name) } == {
      rate                                  = 777
      AWSManagedRulesAmazonIpReputationList = "AWSManagedRulesAmazonIpReputationList"
      AWSManagedRulesKnownBadInputsRuleSet  = "AWSManagedRulesKnownBadInputsRuleSet"
      AWSManagedRulesCommonRuleSet          = "AWSManagedRulesCommonRuleSet"
    }
    error_message = "The firewall limits each address and applies AWS's lists."
  }
}

run "no_firewall" {
  command = plan

  assert {
    condition     = length(aws_cloudfront_distribution.api) + length(aws_wafv2_web_acl.api) == 0 && output.api_url == "https://api1.execute-api.eu-central-1.amazonaws.com"
    error_message = "Without a firewall clients call the API itself."
  }
}
