resource "aws_sqs_queue" "this" {
  for_each = local.queues

  name                       = "${var.prefix}-${each.key}"
  fifo_queue                 = each.value.fifo
  visibility_timeout_seconds = each.value.visibility_s
  message_retention_seconds  = each.value.retention_days * 86400

  # High throughput: a group is a lane, and lanes do not wait for each other.
  deduplication_scope   = each.value.fifo ? "messageGroup" : null
  fifo_throughput_limit = each.value.fifo ? "perMessageGroupId" : null

  sqs_managed_sse_enabled           = var.customer_key ? null : true
  kms_master_key_id                 = one(aws_kms_key.data[*].arn)
  kms_data_key_reuse_period_seconds = var.customer_key ? 300 : null

  lifecycle {
    precondition {
      condition     = each.value.fifo == endswith(each.key, ".fifo")
      error_message = "The queue ${each.key}: the name of a FIFO queue, and of no other, ends in .fifo."
    }
    precondition {
      condition     = each.value.dead_letter == null || contains(keys(local.queues), coalesce(each.value.dead_letter, each.key))
      error_message = "The queue ${each.key} names a dead-letter queue that the topology does not hold."
    }
    precondition {
      condition     = each.value.dead_letter == null || try(local.queues[each.value.dead_letter].fifo, null) == each.value.fifo
      error_message = "The queue ${each.key}: the dead-letter queue of a FIFO queue is FIFO, of a standard queue standard."
    }
    precondition {
      # A dead letter's age counts from when it was first sent.
      condition     = each.value.dead_letter == null || try(local.queues[each.value.dead_letter].retention_days, 0) > each.value.retention_days
      error_message = "The queue ${each.key}: its dead-letter queue must keep messages for longer than it does itself."
    }
  }
}

resource "aws_sqs_queue_redrive_policy" "this" {
  for_each = { for name, queue in local.queues : name => queue if queue.dead_letter != null }

  queue_url = aws_sqs_queue.this[each.key].id
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.this[each.value.dead_letter].arn
    maxReceiveCount     = each.value.max_receives
  })
}

resource "aws_sqs_queue_redrive_allow_policy" "this" {
  for_each = local.dead_letter_sources

  queue_url = aws_sqs_queue.this[each.key].id
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [for source in each.value : aws_sqs_queue.this[source].arn]
  })
}

# Nobody speaks to a queue without TLS; the emulator has none.
resource "aws_sqs_queue_policy" "this" {
  for_each = { for name, queue in local.queues : name => queue if !local.emulated }

  queue_url = aws_sqs_queue.this[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = aws_sqs_queue.this[each.key].arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}
