terraform {
  # 1.9 lets a variable's validation look at other values; 1.11 gives each test run its own state.
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}
