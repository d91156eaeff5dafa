"""What every resource module is given: settings, topology, clients, and the report."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from localstack.settings import ACCOUNT, REGION, SECRET_KEY, Settings
from localstack.topology import Topology

CREATED, UPDATED, UNCHANGED, DELETED = "created", "updated", "unchanged", "deleted"


class Report:
    """What a deploy did to each resource, by kind."""

    def __init__(self) -> None:
        self.done: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))

    def add(self, kind: str, name: str, change: str) -> None:
        """Notes what was done to one resource."""
        self.done[kind][change].append(name)

    def names(self, kind: str, *changes: str) -> list[str]:
        """The resources of a kind to which one of these things was done."""
        return [name for change in changes for name in self.done[kind][change]]

    @property
    def changed(self) -> bool:
        """Whether anything was created, updated or deleted."""
        return any(names for kind in self.done.values() for change, names in kind.items() if change != UNCHANGED)

    def table(self) -> str:
        """The counts as a table for the terminal."""
        columns = (CREATED, UPDATED, DELETED, UNCHANGED)
        lines = [f"{'':<12}" + "".join(f"{column:>11}" for column in columns)]
        for kind, changes in self.done.items():
            lines.append(f"{kind:<12}" + "".join(f"{len(changes[column]) or '-':>11}" for column in columns))
        lines.append("" if self.changed else "Nothing changed.")
        return "\n".join(lines).rstrip()


@dataclass
class Context:
    """One deploy: where to, what, and what has been found out on the way."""

    settings: Settings
    topology: Topology
    report: Report = field(default_factory=Report)
    # Logical key -> treasury -> (key id, ARN).
    keys: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    # Logical name -> address or ARN.
    queue_urls: dict[str, str] = field(default_factory=dict)
    role_arns: dict[str, str] = field(default_factory=dict)
    function_arns: dict[str, str] = field(default_factory=dict)
    # What outputs.json tells of the identity pool and the API.
    identity: dict[str, Any] = field(default_factory=dict)
    api_id: str = ""

    def client(self, service: str):
        """A client of one AWS service at the emulator."""
        return client(service, self.settings.endpoint)

    def name(self, logical: str) -> str:
        """The physical name of a resource."""
        return self.topology.physical(logical)

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of this account and region."""
        return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


@cache
def client(service: str, endpoint: str):
    """A client that acts for the emulator's administrator and waits out a slow machine."""
    return boto3.client(
        service, endpoint_url=endpoint, region_name=REGION,
        aws_access_key_id=ACCOUNT, aws_secret_access_key=SECRET_KEY,
        config=Config(retries={"max_attempts": 3}, read_timeout=120),
    )
