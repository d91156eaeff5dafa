# What differs between deployments. What the system consists of is in ../topology.yaml.

# ---- where and what ---------------------------------------------------------------------

variable "region" {
  description = "AWS region of everything but the optional firewall."
  type        = string
}

variable "prefix" {
  description = "Name of this deployment; every physical name begins with it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.prefix))
    error_message = "prefix must be 3 to 32 lower-case letters, digits and hyphens, beginning with a letter."
  }
  validation {
    condition     = var.prefix != local.overlay.prefix
    error_message = "prefix is the one of the topology's section local: that overlay is for the local platform, Terraform refuses it."
  }
}

variable "networks" {
  description = "Networks of ../networks.toml that this deployment serves."
  type        = set(string)

  validation {
    condition     = length(var.networks) > 0
    error_message = "networks must name at least one network."
  }
  validation {
    condition     = length(setsubtract(var.networks, local.known_networks)) == 0
    error_message = "networks names one that ../networks.toml does not hold. Known: ${join(", ", local.known_networks)}."
  }
  validation {
    condition     = local.emulated || length(setintersection(var.networks, local.overlay.networks)) == 0
    error_message = "networks names a network of the topology's section local: it exists only on the local platform."
  }
}

variable "treasuries" {
  description = "Treasury keys to make in KMS, by name. A name that is removed schedules its key for deletion."
  type        = set(string)
  default     = ["main"]

  validation {
    condition     = alltrue([for name in var.treasuries : can(regex("^[a-z0-9][a-z0-9-]{0,39}$", name))])
    error_message = "treasuries must be names of 1 to 40 lower-case letters, digits and hyphens."
  }
}

variable "rpc_urls" {
  description = "Provider addresses of each network, in order of preference. Giving a number up for dead takes two (docs/architecture.md)."
  type        = map(list(string))
  default     = {}
  sensitive   = true

  validation {
    condition     = alltrue([for url in flatten(values(var.rpc_urls)) : can(regex("^https?://[^/]", url))])
    error_message = "rpc_urls must hold addresses that begin with http:// or https://: the functions speak no other."
  }
}

variable "tags" {
  description = "Tags of every resource, besides Project and Deployment."
  type        = map(string)
  default     = {}
}

# ---- functions --------------------------------------------------------------------------

variable "artifacts_dir" {
  description = "Folder of the release zips, one NAME.zip for each function. Relative to this folder unless absolute."
  type        = string
  default     = "../../target/lambda/release"
}

variable "architecture" {
  description = "Architecture of the zips: arm64 or x86_64. Null takes the topology's."
  type        = string
  default     = null

  validation {
    condition     = var.architecture == null || contains(["arm64", "x86_64"], coalesce(var.architecture, "arm64"))
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "environment" {
  description = "Environment variables of every function, over those of the topology."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(setintersection(keys(var.environment), ["CAUSEWAY_PREFIX", "CAUSEWAY_QUEUE_BASE", "CAUSEWAY_NETWORKS", "CAUSEWAY_SECRET_RPC_VERSION"])) == 0
    error_message = "environment must not set CAUSEWAY_PREFIX, CAUSEWAY_QUEUE_BASE, CAUSEWAY_NETWORKS or CAUSEWAY_SECRET_RPC_VERSION: they follow from prefix, region, networks and rpc_urls."
  }
}

variable "reserved_concurrency" {
  description = "Reserved concurrent executions by function. A fresh account has too few to reserve any."
  type        = map(number)
  default     = {}

  validation {
    condition     = length(setsubtract(keys(var.reserved_concurrency), keys(local.functions))) == 0
    error_message = "reserved_concurrency names a function that the topology does not hold."
  }
}

variable "tracing" {
  description = "Whether functions record X-Ray traces."
  type        = bool
  default     = false
}

variable "deploy_strategy" {
  description = "CodeDeploy configuration that shifts the alias live to a new version and rolls back on alarm. Null moves it at once, without CodeDeploy. Choose before the first apply (README.md)."
  type        = string
  default     = "CodeDeployDefault.LambdaCanary10Percent5Minutes"

  validation {
    condition     = var.deploy_strategy == null || can(regex("^(CodeDeployDefault\\.Lambda[A-Za-z0-9]+|[A-Za-z0-9_-]+)$", coalesce(var.deploy_strategy, "none")))
    error_message = "deploy_strategy must be the name of a CodeDeploy configuration for Lambda, or null."
  }
}

# ---- data -------------------------------------------------------------------------------

variable "deletion_protection" {
  description = "Whether tables and the user pool refuse to be deleted."
  type        = bool
  default     = true
}

variable "customer_key" {
  description = "Whether tables, queues, logs and secrets are encrypted with a KMS key of this account rather than with AWS's own."
  type        = bool
  default     = false
}

variable "secret_recovery_days" {
  description = "Days in which a deleted secret can be brought back: 7 to 30, or 0 for none."
  type        = number
  default     = 30

  validation {
    condition     = var.secret_recovery_days == 0 || (var.secret_recovery_days >= 7 && var.secret_recovery_days <= 30)
    error_message = "secret_recovery_days must be 0, or 7 to 30."
  }
}

variable "log_retention_days" {
  description = "Days for which logs are kept. Null takes the topology's."
  type        = number
  default     = null
}

# ---- identity ---------------------------------------------------------------------------

variable "oidc_issuer" {
  description = "Issuer of the tokens that the API takes. Null makes a Cognito pool."
  type        = string
  default     = null

  validation {
    condition     = var.oidc_issuer == null || startswith(coalesce(var.oidc_issuer, "https://"), "https://")
    error_message = "oidc_issuer must begin with https://."
  }
  validation {
    condition     = (var.oidc_issuer == null) == (length(var.oidc_audience) == 0)
    error_message = "oidc_issuer and oidc_audience go together: give both, or neither for a Cognito pool."
  }
}

variable "oidc_audience" {
  description = "Audiences, one of which a token must carry. Only with oidc_issuer."
  type        = list(string)
  default     = []
}

variable "claims" {
  description = "Names of the token's claims. Null takes the topology's, which are Cognito's."
  type        = object({ tenant = string, user = string, roles = string })
  default     = null
}

variable "password_login" {
  description = "Whether the Cognito client may trade a name and a password for tokens in one call, besides SRP."
  type        = bool
  default     = false
}

# ---- alarms -----------------------------------------------------------------------------

variable "alarm_topic_arn" {
  description = "SNS topic that alarms are sent to. Null makes one."
  type        = string
  default     = null
}

variable "alarm_emails" {
  description = "Addresses subscribed to the topic that is made here; each has to confirm."
  type        = set(string)
  default     = []

  validation {
    condition     = length(var.alarm_emails) == 0 || var.alarm_topic_arn == null
    error_message = "alarm_emails are for the topic made here: subscribe them to alarm_topic_arn yourself."
  }
}

# ---- network ----------------------------------------------------------------------------

variable "signer_vpc" {
  description = "VPC for the function that signs, or null for none. Its subnets need a way out to the RPC providers; endpoints = true makes private ones for the AWS services it uses."
  type = object({
    vpc_id          = string
    subnet_ids      = list(string)
    endpoints       = optional(bool, false)
    route_table_ids = optional(list(string), [])
    egress_cidrs    = optional(list(string), ["0.0.0.0/0"])
  })
  default = null

  validation {
    condition     = var.signer_vpc == null || length(try(var.signer_vpc.subnet_ids, [])) > 0
    error_message = "signer_vpc.subnet_ids must name at least one subnet."
  }
  validation {
    condition     = !try(var.signer_vpc.endpoints, false) || length(try(var.signer_vpc.route_table_ids, [])) > 0
    error_message = "signer_vpc.route_table_ids must be given with endpoints = true: the gateway to DynamoDB is a route."
  }
}

variable "firewall" {
  description = "CloudFront with a WAF in front of the API, or null for none. requests_per_5_minutes is the limit of one address. The API's own address stays reachable (README.md)."
  type        = object({ requests_per_5_minutes = optional(number, 2000) })
  default     = null
}

# ---- the local platform -----------------------------------------------------------------

variable "local_endpoint" {
  description = "Address of an AWS emulator to apply to instead of AWS; null for AWS. Set by check.py local."
  type        = string
  default     = null

  validation {
    condition     = var.local_endpoint == null || can(regex("^https?://[^/]+$", var.local_endpoint))
    error_message = "local_endpoint must be an address without a path, such as http://127.0.0.1:4566."
  }
  validation {
    condition     = var.local_endpoint == null || (var.deploy_strategy == null && var.firewall == null && var.signer_vpc == null)
    error_message = "local_endpoint goes without deploy_strategy, firewall and signer_vpc: the emulator has no CodeDeploy, and no edge or private network to speak of."
  }
}

variable "topology_file" {
  description = "The system on one page. Relative to this folder unless absolute; other files are for tests."
  type        = string
  default     = "../topology.yaml"
}
