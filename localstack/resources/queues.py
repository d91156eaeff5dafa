"""SQS queues, their dead-letter queues and who may redrive into whom."""

from __future__ import annotations

import json

from localstack.resources.context import CREATED, UNCHANGED, UPDATED, Context
from localstack.topology import Queue

DAY_S = 86400


def apply(context: Context) -> None:
    """Creates or updates every queue; dead-letter queues come first, as others name them."""
    for queue in sorted(context.topology.queues.values(), key=lambda one: one.dead_letter is not None):
        context.report.add("queue", queue.name, _apply(context, queue))


def _apply(context: Context, queue: Queue) -> str:
    sqs = context.client("sqs")
    wanted = _attributes(context, queue)
    try:
        url = sqs.get_queue_url(QueueName=context.name(queue.name))["QueueUrl"]
    except sqs.exceptions.QueueDoesNotExist:
        url = sqs.create_queue(QueueName=context.name(queue.name), Attributes=wanted)["QueueUrl"]
        context.queue_urls[queue.name] = url
        return CREATED
    context.queue_urls[queue.name] = url
    present = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    # An attribute that was taken out of the topology is emptied, which removes it.
    for gone in ("RedrivePolicy", "RedriveAllowPolicy"):
        if gone in present and gone not in wanted:
            wanted[gone] = ""
    # What a queue is made with cannot be set again.
    different = {key: value for key, value in wanted.items()
                 if key != "FifoQueue" and not _same(present.get(key, ""), value)}
    if not different:
        return UNCHANGED
    sqs.set_queue_attributes(QueueUrl=url, Attributes=different)
    return UPDATED


def _attributes(context: Context, queue: Queue) -> dict[str, str]:
    attributes = {
        "VisibilityTimeout": str(queue.visibility_s),
        "MessageRetentionPeriod": str(queue.retention_days * DAY_S),
    }
    if queue.fifo:
        attributes |= {
            "FifoQueue": "true",
            "ContentBasedDeduplication": "false",
            # High throughput: order and deduplication hold within a message group.
            "DeduplicationScope": "messageGroup",
            "FifoThroughputLimit": "perMessageGroupId",
        }
    if queue.dead_letter:
        attributes["RedrivePolicy"] = json.dumps({
            "deadLetterTargetArn": _arn(context, queue.dead_letter),
            "maxReceiveCount": queue.max_receives,
        })
    sources = [_arn(context, one.name) for one in context.topology.queues.values() if one.dead_letter == queue.name]
    if sources:
        attributes["RedriveAllowPolicy"] = json.dumps(
            {"redrivePermission": "byQueue", "sourceQueueArns": sorted(sources)})
    return attributes


def _arn(context: Context, name: str) -> str:
    return context.arn("sqs", context.name(name))


def _same(present: str, wanted: str) -> bool:
    if not (present.startswith("{") and wanted.startswith("{")):
        return present == wanted
    left, right = json.loads(present), json.loads(wanted)
    # A count may come back as text.
    return {key: str(value) for key, value in left.items()} == {key: str(value) for key, value in right.items()}
