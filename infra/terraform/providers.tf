provider "aws" {
  region = var.region

  default_tags { tags = local.tags }

  # Only against an emulator: there is no account to ask about.
  skip_credentials_validation = local.emulated
  skip_metadata_api_check     = local.emulated
  skip_requesting_account_id  = local.emulated

  dynamic "endpoints" {
    for_each = local.emulated ? [var.local_endpoint] : []
    content {
      apigatewayv2   = endpoints.value
      cloudwatch     = endpoints.value
      cognitoidp     = endpoints.value
      dynamodb       = endpoints.value
      iam            = endpoints.value
      kms            = endpoints.value
      lambda         = endpoints.value
      logs           = endpoints.value
      scheduler      = endpoints.value
      secretsmanager = endpoints.value
      sns            = endpoints.value
      sqs            = endpoints.value
      sts            = endpoints.value
    }
  }
}

# A firewall in front of CloudFront lives in us-east-1, wherever the rest is.
provider "aws" {
  alias  = "global"
  region = "us-east-1"

  default_tags { tags = local.tags }

  skip_credentials_validation = local.emulated
  skip_metadata_api_check     = local.emulated
  skip_requesting_account_id  = local.emulated
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}
