"""The logs: files of the emulator and the node, and the functions' from CloudWatch Logs."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from localstack import processes, services
from localstack.deploy import read_outputs
from localstack.settings import PlatformError, Settings
from localstack.stack import NAMES


def show(here: Settings, name: str | None, lines: int) -> None:
    """Prints the end of one log, or of every log with its name before each line."""
    functions = _functions(here)
    if name is not None and name not in (*NAMES, *functions):
        raise PlatformError(f"there is no log of {name}: choose one of {', '.join((*NAMES, *functions))}")
    for one in [name] if name else [*NAMES, *functions]:
        mark = "" if name else f"{one} | "
        for line in _tail(here, one, functions, lines):
            print(mark + line)


def save_functions(here: Settings) -> None:
    """Writes each function's log beside the others: the emulator keeps them in memory only."""
    if not services.emulator_ready(here):
        return
    here.logs.mkdir(parents=True, exist_ok=True)
    for name, physical in _functions(here).items():
        lines = _events(here, physical)
        if lines:
            (here.logs / f"{name}.log").write_text("\n".join(lines) + "\n")


def _functions(here: Settings) -> dict[str, str]:
    return (read_outputs(here) or {}).get("functions", {})


def _tail(here: Settings, name: str, functions: dict[str, str], lines: int) -> list[str]:
    if name in functions and services.emulator_ready(here):
        return _events(here, functions[name])[-lines:]
    return processes.tail(here.logs / f"{name}.log", lines).splitlines()


def _events(here: Settings, physical: str) -> list[str]:
    """Everything that a function has printed, in order of time."""
    from localstack.resources.context import client

    logs = client("logs", here.endpoint)
    events: list[dict[str, Any]] = []
    try:
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{physical}"):
            events += page["events"]
    except logs.exceptions.ResourceNotFoundException:
        # It has not been called yet.
        return []
    events.sort(key=lambda event: event["timestamp"])
    return [f"{_time(event['timestamp'])} {event['message'].rstrip()}" for event in events]


def _time(milliseconds: int) -> str:
    # Time stamps are whole milliseconds since 1970.
    seconds, rest = divmod(milliseconds, 1000)
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%H:%M:%S}.{rest:03}"
