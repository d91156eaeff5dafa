# Settings that are refused while planning, by name and with the reason.

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

# The overlay belongs to the local platform.
run "prefix_of_the_local_platform" {
  command = plan
  variables {
    prefix = "causeway-local"
  }
  expect_failures = [var.prefix]
}

# Names are lower case.
run "prefix_with_capitals" {
  command = plan
  variables {
    prefix = "Causeway"
  }
  expect_failures = [var.prefix]
}

# No chain on this machine is served from AWS.
run "network_of_the_local_platform" {
  command = plan
  variables {
    networks = ["local"]
  }
  expect_failures = [var.networks]
}

# A misspelt network is not silently none.
run "unknown_network" {
  command = plan
  variables {
    networks = ["ethereum", "etherium"]
  }
  expect_failures = [var.networks]
}

# A deployment without a network does nothing.
run "no_network" {
  command = plan
  variables {
    networks = []
  }
  expect_failures = [var.networks]
}

# A treasury's name becomes an alias.
run "treasury_name" {
  command = plan
  variables {
    treasuries = ["Main Street"]
  }
  expect_failures = [var.treasuries]
}

# An address without its scheme.
run "rpc_address" {
  command = plan
  variables {
    rpc_urls = { ethereum = ["one.example"], polygon = ["https://two.example"] }
  }
  expect_failures = [var.rpc_urls]
}

# The functions speak HTTP alone.
run "rpc_over_a_websocket" {
  command = plan
  variables {
    rpc_urls = { ethereum = ["https://one.example"], polygon = ["wss://two.example"] }
  }
  expect_failures = [var.rpc_urls]
}

# Nor without its TLS.
run "rpc_over_a_plain_websocket" {
  command = plan
  variables {
    rpc_urls = { ethereum = ["ws://one.example"], polygon = ["https://two.example"] }
  }
  expect_failures = [var.rpc_urls]
}

# Lambda calls it x86_64.
run "architecture" {
  command = plan
  variables {
    architecture = "amd64"
  }
  expect_failures = [var.architecture]
}

# The code and the names would part.
run "environment_that_follows" {
  command = plan
  variables {
    environment = { CAUSEWAY_PREFIX = "other" }
  }
  expect_failures = [var.environment]
}

# A misspelt function is not silently none.
run "reserve_for_nobody" {
  command = plan
  variables {
    reserved_concurrency = { sender = 5 }
  }
  expect_failures = [var.reserved_concurrency]
}

# Three triggers of fifty each would be throttled.
run "reserve_too_little" {
  command = plan
  variables {
    reserved_concurrency = { validate-sign = 149 }
  }
  expect_failures = [aws_lambda_function.this]
}

# A strategy for containers.
run "strategy" {
  command = plan
  variables {
    deploy_strategy = "CodeDeployDefault.ECSAllAtOnce"
  }
  expect_failures = [var.deploy_strategy]
}

# Secrets Manager wants seven at least.
run "recovery_of_three_days" {
  command = plan
  variables {
    secret_recovery_days = 3
  }
  expect_failures = [var.secret_recovery_days]
}

# Any token of the issuer would do.
run "issuer_without_audience" {
  command = plan
  variables {
    oidc_issuer = "https://id.example"
  }
  expect_failures = [var.oidc_issuer]
}

# The pool made here has its own audience.
run "audience_without_issuer" {
  command = plan
  variables {
    oidc_audience = ["causeway"]
  }
  expect_failures = [var.oidc_issuer]
}

# Keys of an issuer are fetched with TLS.
run "issuer_without_tls" {
  command = plan
  variables {
    oidc_issuer   = "http://id.example"
    oidc_audience = ["causeway"]
  }
  expect_failures = [var.oidc_issuer]
}

# They would never be subscribed.
run "emails_for_another_topic" {
  command = plan
  variables {
    alarm_topic_arn = "arn:aws:sns:eu-central-1:123456789012:pager"
    alarm_emails    = ["ops@pay.example"]
  }
  expect_failures = [var.alarm_emails]
}

# Lambda wants a subnet.
run "vpc_without_subnets" {
  command = plan
  variables {
    signer_vpc = { vpc_id = "vpc-1", subnet_ids = [] }
  }
  expect_failures = [var.signer_vpc]
}

# DynamoDB would be out of reach.
run "endpoints_without_routes" {
  command = plan
  variables {
    signer_vpc = { vpc_id = "vpc-1", subnet_ids = ["subnet-1"], endpoints = true }
  }
  expect_failures = [var.signer_vpc]
}

# The emulator has no edge.
run "emulator_with_a_firewall" {
  command = plan
  variables {
    local_endpoint = "http://127.0.0.1:4566"
    firewall       = {}
  }
  expect_failures = [var.local_endpoint]
}

# A plan that could not be applied.
run "no_zip" {
  command = plan
  variables {
    artifacts_dir = "tests/fixtures"
  }
  expect_failures = [aws_lambda_function.this]
}
