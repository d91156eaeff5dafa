# Reads ../topology.yaml once and fills in what it leaves to its defaults. Everything else
# refers to these values, never to the file.

locals {
  # "/x" stays "/x"; "x" is looked for beside these files.
  topology_path  = startswith(var.topology_file, "/") ? var.topology_file : "${path.module}/${var.topology_file}"
  artifacts_path = startswith(var.artifacts_dir, "/") ? var.artifacts_dir : "${path.module}/${var.artifacts_dir}"

  file     = yamldecode(file(local.topology_path))
  defaults = local.file.defaults

  # The local platform's overlay is known here by its names alone, to refuse them.
  overlay = {
    prefix   = try(local.file.local.prefix, "causeway-local")
    networks = toset(try(local.file.local.networks, []))
  }

  known_networks = toset(flatten(regexall("(?m)^id = \"([a-z0-9-]+)\"", file("${path.module}/../networks.toml"))))

  emulated     = var.local_endpoint != null
  account      = data.aws_caller_identity.current.account_id
  partition    = data.aws_partition.current.partition
  dns_suffix   = data.aws_partition.current.dns_suffix
  account_root = "arn:${local.partition}:iam::${local.account}:root"
  queue_base   = local.emulated ? "${var.local_endpoint}/${local.account}" : "https://sqs.${var.region}.${local.dns_suffix}/${local.account}"

  tags               = merge(var.tags, { Project = "causeway", Deployment = var.prefix })
  architecture       = coalesce(var.architecture, local.defaults.architecture)
  log_retention_days = coalesce(var.log_retention_days, local.defaults.log_retention_days)

  claims = var.claims == null ? {} : {
    CAUSEWAY_CLAIM_TENANT = var.claims.tenant
    CAUSEWAY_CLAIM_USER   = var.claims.user
    CAUSEWAY_CLAIM_ROLES  = var.claims.roles
  }

  # ---- queues ---------------------------------------------------------------------------

  queues = { for name, queue in local.file.queues : name => {
    fifo           = queue.kind == "fifo"
    visibility_s   = queue.visibility_s
    retention_days = queue.retention_days
    dead_letter    = try(queue.dead_letter, null)
    max_receives   = try(queue.max_receives, null)
  } }

  # Dead-letter queue -> the queues that may redrive into it.
  dead_letter_sources = { for dead in toset(compact([for queue in local.queues : queue.dead_letter])) :
    dead => [for name, queue in local.queues : name if queue.dead_letter == dead]
  }

  # ---- tables ---------------------------------------------------------------------------

  tables = { for name, table in local.file.tables : name => {
    indexes = { for index, spec in try(table.indexes, {}) : index => {
      pk         = spec.pk
      sk         = try(spec.sk, null)
      projection = { keys = "KEYS_ONLY", all = "ALL" }[spec.projection]
    } }
    attributes = merge({ pk = "S", sk = "S" }, [for spec in try(table.indexes, {}) : spec.types]...)
    ttl        = try(table.ttl, null)
    # A stream view type of DynamoDB.
    stream = try(table.stream, null)
  } }

  # ---- functions ------------------------------------------------------------------------

  functions = { for name, function in local.file.functions : name => {
    memory_mb       = try(function.memory_mb, local.defaults.memory_mb)
    timeout_s       = try(function.timeout_s, local.defaults.timeout_s)
    runtime         = try(function.runtime, local.defaults.runtime)
    max_concurrency = try(function.max_concurrency, null)
    environment = merge(
      local.defaults.environment,
      local.claims,
      try(function.environment, {}),
      var.environment,
      {
        CAUSEWAY_PREFIX     = var.prefix
        CAUSEWAY_QUEUE_BASE = local.queue_base
        CAUSEWAY_NETWORKS   = join(",", sort(var.networks))
      },
      local.emulated ? { AWS_ENDPOINT_URL = var.local_endpoint } : {},
    )
    rights = {
      tables  = { for table, rights in try(function.rights.tables, {}) : table => toset(rights) }
      queues  = { for queue, rights in try(function.rights.queues, {}) : queue => toset(rights) }
      keys    = { for key, rights in try(function.rights.keys, {}) : key => toset(rights) }
      secrets = toset(try(function.rights.secrets, []))
    }
    sign_conditions = try(function.rights.sign_conditions, null)
    zip             = "${local.artifacts_path}/${name}.zip"
  } }

  # Rule 11 of the design: this list has one member, and keys.tf refuses any other.
  signers = [for name, function in local.functions : name if anytrue([for rights in function.rights.keys : contains(rights, "sign")])]

  # ---- triggers -------------------------------------------------------------------------

  triggers = flatten([for name, function in local.file.functions : [for trigger in try(function.triggers, []) : {
    function    = name
    queue       = try(trigger.queue, null)
    schedule    = try(trigger.schedule, null)
    per_network = try(trigger.per_network, false)
    batch       = try(trigger.batch, 10)
    window_s    = try(trigger.batch_window_s, 0)
  }]])

  queue_triggers = { for trigger in local.triggers : "${trigger.function}/${trigger.queue}" => trigger if trigger.queue != null }

  # A schedule is one for each network, or one in all.
  schedules = merge([for trigger in local.triggers : {
    for network in(trigger.per_network ? var.networks : ["all"]) : "${trigger.function}/${network}" => {
      function = trigger.function
      rate     = trigger.schedule
      input    = trigger.per_network ? jsonencode({ network = network }) : jsonencode({})
    }
  } if trigger.schedule != null]...)

  # ---- API ------------------------------------------------------------------------------

  routes        = { for route in local.file.api.routes : route.route => route }
  api_functions = toset([for route in local.file.api.routes : route.function])
}
