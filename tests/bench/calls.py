"""Calls that cost: each function logs one line for each (`CAUSEWAY_LOG=calls=debug`), and these are summed here."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

DURATION = re.compile(r"^REPORT .*\tDuration: (\d+) ms\t")
WRITES = {"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"}


@dataclass
class Calls:
    """How often each function called what, within a time."""

    # (function, service, operation) -> calls
    count: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    # function -> DynamoDB write units, as the emulator reckons them from sizes by AWS's rules
    write_units: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def by_service(self) -> dict[str, int]:
        """Calls by service."""
        total: Counter[str] = Counter()
        for (_, service, _), count in self.count.items():
            total[service] += count
        return dict(total)


def between(logs: Any, functions: dict[str, str], start: float, end: float) -> Calls:
    """The calls whose log line was written from `start` to `end` (seconds since the epoch)."""
    calls = Calls(seconds=end - start)
    for logical, physical in functions.items():
        for event in events(logs, physical, start):
            for line in event["message"].splitlines():
                _add(calls, logical, line, start, end)
    return calls


def events(logs: Any, function: str, since: float) -> list[dict[str, Any]]:
    """What a function's invocations that ended since then logged; nothing if it was never called."""
    # The emulator gives the first 10,000 events of a group, not all of them.
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=f"/aws/lambda/{function}", startTime=int(since * 1000))
    try:
        return [event for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []


def newest_begin(logs: Any, function: str, since: float) -> float:
    """When the newest of a function's invocations that have ended began, in seconds since the epoch."""
    took = ((event["timestamp"], DURATION.search(event["message"])) for event in events(logs, function, since))
    return max(((ended - int(found[1])) / 1000 for ended, found in took if found), default=0.0)


def _add(calls: Calls, function: str, line: str, start: float, end: float) -> None:
    if '"target":"calls"' not in line:
        return
    said = json.loads(line)
    at = datetime.fromisoformat(said["timestamp"].replace("Z", "+00:00")).timestamp()
    if not start <= at < end:
        return
    calls.count[function, said["service"], said["op"]] += 1
    if said["op"] in WRITES:
        calls.write_units[function] += said.get("units") or 0
