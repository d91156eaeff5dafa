"""What calls the functions besides the API: queues and schedules."""

from __future__ import annotations

import json
from typing import Any

from localstack.resources.context import CREATED, DELETED, UNCHANGED, UPDATED, Context
from localstack.resources.roles import SCHEDULER
from localstack.topology import Function, QueueTrigger


def apply_queues(context: Context) -> None:
    """Creates or updates the mapping of each queue to its reader, and removes the others."""
    client = context.client("lambda")
    present = {}
    for page in client.get_paginator("list_event_source_mappings").paginate():
        for mapping in page["EventSourceMappings"]:
            if mapping["FunctionArn"].rsplit(":", 1)[1].startswith(context.name("")):
                present[(mapping["EventSourceArn"], mapping["FunctionArn"])] = mapping
    for function, trigger in context.topology.queue_triggers():
        source = context.arn("sqs", context.name(trigger.queue))
        mapping = present.pop((source, context.function_arns[function.name]), None)
        change = _apply_mapping(client, function, trigger, source, context.function_arns[function.name], mapping)
        context.report.add("trigger", f"{trigger.queue} -> {function.name}", change)
    for (source, _), mapping in present.items():
        client.delete_event_source_mapping(UUID=mapping["UUID"])
        context.report.add("trigger", source, DELETED)


def _apply_mapping(client, function: Function, trigger: QueueTrigger, source: str, target: str,
                   present: dict[str, Any] | None) -> str:
    wanted: dict[str, Any] = {"BatchSize": trigger.batch, "FunctionResponseTypes": ["ReportBatchItemFailures"]}
    if trigger.batch_window_s:
        wanted["MaximumBatchingWindowInSeconds"] = trigger.batch_window_s
    if function.max_concurrency is not None:
        wanted["ScalingConfig"] = {"MaximumConcurrency": function.max_concurrency}
    if present is None:
        client.create_event_source_mapping(EventSourceArn=source, FunctionName=target, Enabled=True, **wanted)
        return CREATED
    # What was taken out of the topology goes back to its default.
    wanted.setdefault("MaximumBatchingWindowInSeconds", 0)
    wanted.setdefault("ScalingConfig", {})
    defaults = {"MaximumBatchingWindowInSeconds": 0, "ScalingConfig": {}}
    if all((present.get(key) or defaults.get(key)) == value for key, value in wanted.items()):
        return UNCHANGED
    client.update_event_source_mapping(UUID=present["UUID"], **wanted)
    return UPDATED


def apply_schedules(context: Context) -> None:
    """Creates or updates every schedule, and removes those that left the topology."""
    scheduler = context.client("scheduler")
    present = {one["Name"] for page in scheduler.get_paginator("list_schedules").paginate()
               for one in page["Schedules"] if one["Name"].startswith(context.name(""))}
    for logical, function, trigger, payload in context.topology.schedules():
        name = context.name(logical)
        wanted = {
            "ScheduleExpression": trigger.schedule,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {
                "Arn": context.function_arns[function.name],
                "RoleArn": context.role_arns[SCHEDULER],
                "Input": json.dumps(payload),
                # A missed tick is made up for by the next one.
                "RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
            },
        }
        if name not in present:
            scheduler.create_schedule(Name=name, **wanted)
            context.report.add("schedule", logical, CREATED)
            continue
        present.discard(name)
        current = scheduler.get_schedule(Name=name)
        if all(current.get(key) == value for key, value in wanted.items()):
            context.report.add("schedule", logical, UNCHANGED)
            continue
        scheduler.update_schedule(Name=name, **wanted)
        context.report.add("schedule", logical, UPDATED)
    for name in present:
        scheduler.delete_schedule(Name=name)
        context.report.add("schedule", name, DELETED)
