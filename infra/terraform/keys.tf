# Lane keys sign transactions. Two locks guard them: the role of validate-sign is the only
# one that allows kms:Sign (roles.tf), and each key's own policy denies it to everybody else,
# whatever another policy or a grant may say. The account keeps the right to change that
# policy, so watch PutKeyPolicy in CloudTrail.

locals {
  lane_keys = { for pair in setproduct(keys(local.file.keys), var.treasuries) : "${pair[0]}-${pair[1]}" => {
    id   = "${pair[0]}-${pair[1]}"
    kind = pair[0]
    spec = local.file.keys[pair[0]]
  } }

  # AWS tells the role of who calls, the emulator the role's session.
  signer_principals = concat(
    [for name in local.signers : aws_iam_role.function[name].arn],
    [for name in local.signers : "arn:${local.partition}:sts::${local.account}:assumed-role/${var.prefix}-${name}/*" if local.emulated],
  )
}

resource "aws_kms_key" "lane" {
  for_each = local.lane_keys

  description              = "${var.prefix}: lane key ${each.key}"
  customer_master_key_spec = each.value.spec.spec
  key_usage                = each.value.spec.usage
  deletion_window_in_days  = each.value.spec.deletion_window_days

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AccountAdministers"
        Effect    = "Allow"
        Principal = { AWS = local.account_root }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "OnlySignersSign"
        Effect    = "Deny"
        Principal = "*"
        Action    = "kms:Sign"
        Resource  = "*"
        Condition = { ArnNotEquals = { "aws:PrincipalArn" = local.signer_principals } }
      },
    ]
  })

  lifecycle {
    precondition {
      condition     = join(",", local.signers) == "validate-sign"
      error_message = "The topology gives the right to sign with ${each.value.kind} to [${join(", ", local.signers)}]: only validate-sign may sign."
    }
    precondition {
      condition     = alltrue([for name in local.signers : can(local.functions[name].sign_conditions.algorithm) && can(local.functions[name].sign_conditions.message_type)])
      error_message = "The topology lets a function sign without sign_conditions (algorithm and message_type)."
    }
  }
}

resource "aws_kms_alias" "lane" {
  for_each = local.lane_keys

  name          = "alias/${var.prefix}-${each.key}"
  target_key_id = aws_kms_key.lane[each.key].key_id
}

# The key that tables, queues, logs, secrets and the alarm topic are encrypted with, on request.
resource "aws_kms_key" "data" {
  count = var.customer_key ? 1 : 0

  description             = "${var.prefix}: data at rest"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AccountAdministers"
        Effect    = "Allow"
        Principal = { AWS = local.account_root }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "LogsOfThisDeployment"
        Effect    = "Allow"
        Principal = { Service = "logs.${var.region}.${local.dns_suffix}" }
        Action    = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Resource  = "*"
        Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:${local.partition}:logs:${var.region}:${local.account}:log-group:/aws/*/${var.prefix}*" } }
      },
      {
        Sid       = "AlarmsToTheirTopic"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
    ]
  })
}

resource "aws_kms_alias" "data" {
  count = var.customer_key ? 1 : 0

  name          = "alias/${var.prefix}-data"
  target_key_id = aws_kms_key.data[0].key_id
}
