resource "aws_lambda_event_source_mapping" "queue" {
  for_each = local.queue_triggers

  event_source_arn                   = aws_sqs_queue.this[each.value.queue].arn
  function_name                      = local.live[each.value.function].arn
  batch_size                         = each.value.batch
  maximum_batching_window_in_seconds = local.queues[each.value.queue].fifo ? null : each.value.window_s
  function_response_types            = ["ReportBatchItemFailures"]

  dynamic "scaling_config" {
    for_each = local.functions[each.value.function].max_concurrency == null ? [] : [local.functions[each.value.function].max_concurrency]
    content {
      maximum_concurrency = scaling_config.value
    }
  }

  metrics_config {
    metrics = ["EventCount"]
  }

  lifecycle {
    precondition {
      # Six, since AWS tries a throttled batch again within one visibility. The emulator hands each batch over once.
      condition     = local.queues[each.value.queue].visibility_s >= (local.emulated ? 1 : 6) * local.functions[each.value.function].timeout_s + each.value.window_s
      error_message = "The trigger ${each.key}: the queue's visibility_s must be at least 6 times the function's timeout_s, and the batch window more. (Was the topology's section local merged in? Terraform refuses it.)"
    }
    precondition {
      condition     = !local.queues[each.value.queue].fifo || (each.value.window_s == 0 && each.value.batch <= 10)
      error_message = "The trigger ${each.key}: a FIFO queue has no batch window and batches of at most 10."
    }
    precondition {
      condition     = each.value.batch <= 10 || each.value.window_s >= 1
      error_message = "The trigger ${each.key}: a batch above 10 needs a window of at least a second."
    }
    precondition {
      condition     = coalesce(local.functions[each.value.function].max_concurrency, 2) >= 2
      error_message = "The trigger ${each.key}: max_concurrency must be at least 2; Lambda refuses 1."
    }
  }
}
