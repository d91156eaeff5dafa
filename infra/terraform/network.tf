# Two things that are off unless asked for: a private network for the function that signs,
# and a firewall before the API.

# ---- the signer's VPC -------------------------------------------------------------------

locals {
  vpc_statements = [for statement in [
    {
      # Lambda makes the network interfaces under the function's role; EC2 knows no narrower resource.
      Sid      = "NetworkInterfaces"
      Effect   = "Allow"
      Action   = local.interface_actions
      Resource = ["*"]
    },
    {
      # ... but the function's own code has no business with them.
      Sid      = "NoInterfacesFromCode"
      Effect   = "Deny"
      Action   = local.interface_actions
      Resource = ["*"]
      Condition = { ArnEquals = {
        "lambda:SourceFunctionArn" = [for name in local.signers : "arn:${local.partition}:lambda:${var.region}:${local.account}:function:${var.prefix}-${name}"]
      } }
    },
  ] : statement if var.signer_vpc != null]
  interface_actions = [
    "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
  ]
  signer_endpoints = var.signer_vpc != null && try(var.signer_vpc.endpoints, false)
}

resource "aws_security_group" "signer" {
  count = var.signer_vpc == null ? 0 : 1

  name        = "${var.prefix}-signer"
  description = "The function that signs: nothing comes in, only TLS goes out."
  vpc_id      = var.signer_vpc.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "signer" {
  for_each = toset(try(var.signer_vpc.egress_cidrs, []))

  security_group_id = aws_security_group.signer[0].id
  description       = "RPC providers and AWS"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_security_group" "endpoints" {
  count = local.signer_endpoints ? 1 : 0

  name        = "${var.prefix}-signer-endpoints"
  description = "Private addresses of AWS services: only the signer reaches them."
  vpc_id      = var.signer_vpc.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  count = local.signer_endpoints ? 1 : 0

  security_group_id            = aws_security_group.endpoints[0].id
  referenced_security_group_id = aws_security_group.signer[0].id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_endpoint" "signer" {
  for_each = toset(local.signer_endpoints ? ["kms", "secretsmanager", "sqs"] : [])

  vpc_id              = var.signer_vpc.vpc_id
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = var.signer_vpc.subnet_ids
  security_group_ids  = aws_security_group.endpoints[*].id
  private_dns_enabled = true
}

resource "aws_vpc_endpoint" "tables" {
  count = local.signer_endpoints ? 1 : 0

  vpc_id            = var.signer_vpc.vpc_id
  service_name      = "com.amazonaws.${var.region}.dynamodb"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = var.signer_vpc.route_table_ids
}

# ---- the firewall -----------------------------------------------------------------------
# AWS WAF cannot guard an HTTP API itself, so it guards a CloudFront distribution in front.
# The API's own address still answers; there the JWT and the throttle remain.

locals {
  firewall_count = var.firewall == null ? 0 : 1
  # In order of evaluation.
  managed_rules = ["AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesKnownBadInputsRuleSet", "AWSManagedRulesCommonRuleSet"]
}

resource "aws_wafv2_web_acl" "api" {
  count    = local.firewall_count
  provider = aws.global

  name  = "${var.prefix}-api"
  scope = "CLOUDFRONT"

  default_action {
    allow {}
  }

  rule {
    name     = "rate"
    priority = 0
    action {
      block {}
    }
    statement {
      rate_based_statement {
        limit              = var.firewall.requests_per_5_minutes
        aggregate_key_type = "IP"
      }
    }
    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "rate"
      sampled_requests_enabled   = true
    }
  }

  dynamic "rule" {
    for_each = local.managed_rules
    content {
      name     = rule.value
      priority = rule.key + 1
      override_action {
        none {}
      }
      statement {
        managed_rule_group_statement {
          vendor_name = "AWS"
          name        = rule.value
        }
      }
      visibility_config {
        cloudwatch_metrics_enabled = true
        metric_name                = rule.value
        sampled_requests_enabled   = true
      }
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = "${var.prefix}-api"
    sampled_requests_enabled   = true
  }
}

# Nothing is cached, and every header but Host goes on to the API.
data "aws_cloudfront_cache_policy" "none" {
  count = local.firewall_count
  name  = "Managed-CachingDisabled"
}

data "aws_cloudfront_origin_request_policy" "all" {
  count = local.firewall_count
  name  = "Managed-AllViewerExceptHostHeader"
}

resource "aws_cloudfront_distribution" "api" {
  count = local.firewall_count

  comment         = "${var.prefix}: firewall before the API"
  enabled         = true
  is_ipv6_enabled = true
  http_version    = "http2and3"
  web_acl_id      = aws_wafv2_web_acl.api[0].arn

  origin {
    origin_id   = "api"
    domain_name = trimprefix(aws_apigatewayv2_api.this.api_endpoint, "https://")
    custom_origin_config {
      http_port              = 80
      https_port             = 443
      origin_protocol_policy = "https-only"
      origin_ssl_protocols   = ["TLSv1.2"]
    }
  }

  default_cache_behavior {
    target_origin_id         = "api"
    viewer_protocol_policy   = "https-only"
    allowed_methods          = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
    cached_methods           = ["GET", "HEAD"]
    cache_policy_id          = data.aws_cloudfront_cache_policy.none[0].id
    origin_request_policy_id = data.aws_cloudfront_origin_request_policy.all[0].id
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = true
  }
}
