"""The stack's functions: their worker processes, their nodes' addresses, their triggers."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .stack import Stack
from .waiting import wait_until

ENDPOINTS = "CAUSEWAY_RPC_LOCAL"


class Functions:
    """What a test does to functions, and how it puts them back."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def workers(self, name: str) -> list[int]:
        """Living worker processes of a function of this stack, recognised by their environment."""
        wanted = {
            f"AWS_LAMBDA_FUNCTION_NAME={self.stack.function(name)}",
            f"CAUSEWAY_QUEUE_BASE={self.stack.outputs['queue_base']}",
        }
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and wanted <= set((entry / "environ").read_text().split("\0")):
                    found.append(int(entry.name))
        return found

    def kill(self, name: str, at_most: int | None = None) -> list[int]:
        """Ends a function's workers as a power cut would, all or so many; returns whom it hit."""
        return self.end(self.workers(name)[:at_most])

    def end(self, pids: list[int]) -> list[int]:
        """Ends these processes as a power cut would; returns whom it hit."""
        hit: list[int] = []
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                hit.append(pid)
        return hit

    @contextmanager
    def endpoints(self, urls: list[str], *names: str, **others: str) -> Iterator[None]:
        """These functions know the chain by these addresses, in order of preference; `others` are more variables."""
        before = {name: self._variables(name) for name in names}
        try:
            for name in names:
                self._configure(name, before[name] | {ENDPOINTS: ",".join(urls)} | others)
            yield
        finally:
            for name in names:
                self._configure(name, before[name])

    def set_variables(self, name: str, **changed: str) -> None:
        """Changes some of a function's environment, which ends its workers."""
        self._configure(name, self._variables(name) | changed)

    def _variables(self, name: str) -> dict[str, str]:
        configuration = self.stack.client("lambda").get_function_configuration(FunctionName=self.stack.function(name))
        return configuration["Environment"]["Variables"]

    def _configure(self, name: str, variables: dict[str, str]) -> None:
        """Changes a function's environment, which ends its workers."""
        client, function = self.stack.client("lambda"), self.stack.function(name)
        client.update_function_configuration(FunctionName=function, Environment={"Variables": variables})
        client.get_waiter("function_updated_v2").wait(FunctionName=function, WaiterConfig={"Delay": 1})
        if name == "status-check":
            self.track()

    def track(self) -> None:
        """Starts the tracker now; its schedule would do so within a minute."""
        client, function = self.stack.client("lambda"), self.stack.function("status-check")
        client.invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps({"network": "local"}))

    @contextmanager
    def untriggered(self, name: str, queue: str) -> Iterator[None]:
        """A queue's messages do not reach the function: they stay in the queue."""
        mapping = self._mapping(name, queue)
        self._enable(mapping, False)
        try:
            yield
        finally:
            self._enable(mapping, True)

    def _mapping(self, name: str, queue: str) -> str:
        listed = self.stack.client("lambda").list_event_source_mappings(FunctionName=self.stack.function(name))
        physical = self.stack.outputs["queues"][queue].rsplit("/", 1)[1]
        [found] = [one for one in listed["EventSourceMappings"] if one["EventSourceArn"].endswith(f":{physical}")]
        return found["UUID"]

    def _enable(self, mapping: str, enabled: bool) -> None:
        client = self.stack.client("lambda")
        client.update_event_source_mapping(UUID=mapping, Enabled=enabled)
        wanted = "Enabled" if enabled else "Disabled"
        wait_until(f"the trigger {wanted}", lambda: client.get_event_source_mapping(UUID=mapping)["State"] == wanted)

    def logs(self, name: str, containing: str) -> list[dict[str, Any]]:
        """Lines that a function logged, with a text in them."""
        pages = self.stack.client("logs").get_paginator("filter_log_events")
        found = pages.paginate(logGroupName=f"/aws/lambda/{self.stack.function(name)}")
        return [event for page in found for event in page["events"] if containing in event["message"]]
