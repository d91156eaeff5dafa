"""Reads infra/topology.yaml, lays the section `local` over it, and checks the result.

Everything the file may say is a field of a class below; anything else is refused by name,
so that a misspelt setting cannot be silently ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from localstack.settings import PlatformError

# A queue's visibility over its reader's timeout. AWS asks for six: a throttled batch is
# tried again within one visibility. The emulator hands each batch over once, so there it
# is enough that a message stays hidden for as long as its reader may run.
VISIBILITY_FACTOR = 6
LOCAL_VISIBILITY_FACTOR = 1

# The sections that the overlay is laid over.
OVERLAID = ("defaults", "queues", "functions")


@dataclass(frozen=True)
class Queue:
    """An SQS queue; `dead_letter` and `max_receives` are its redrive."""

    name: str
    kind: str
    visibility_s: int
    retention_days: int
    dead_letter: str | None = None
    max_receives: int | None = None

    @property
    def fifo(self) -> bool:
        """Whether the queue keeps the order within a message group."""
        return self.kind == "fifo"


@dataclass(frozen=True)
class Index:
    """A global secondary index of a table."""

    name: str
    pk: str
    sk: str
    types: dict[str, str]
    projection: str


@dataclass(frozen=True)
class Table:
    """A DynamoDB table with the string keys pk and sk."""

    name: str
    indexes: dict[str, Index] = field(default_factory=dict)
    ttl: str | None = None
    # A DynamoDB stream view type, such as NEW_AND_OLD_IMAGES.
    stream: str | None = None


@dataclass(frozen=True)
class Key:
    """A KMS key, or a family of them: one per treasury."""

    name: str
    spec: str
    usage: str
    deletion_window_days: int


@dataclass(frozen=True)
class Secret:
    """A Secrets Manager secret."""

    name: str
    description: str


@dataclass(frozen=True)
class Rights:
    """What a function may do, by logical resource name; nothing else is allowed."""

    tables: dict[str, list[str]] = field(default_factory=dict)
    queues: dict[str, list[str]] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    sign_conditions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class QueueTrigger:
    """A queue whose messages call a function in batches."""

    queue: str
    batch: int
    batch_window_s: int = 0


@dataclass(frozen=True)
class ScheduleTrigger:
    """A schedule that calls a function, once for each enabled network if so asked."""

    schedule: str
    per_network: bool = False


@dataclass(frozen=True)
class Function:
    """A Lambda function, with the defaults already laid under it."""

    name: str
    runtime: str
    architecture: str
    memory_mb: int
    timeout_s: int
    log_retention_days: int
    rights: Rights
    environment: dict[str, str] = field(default_factory=dict)
    max_concurrency: int | None = None
    queue_triggers: tuple[QueueTrigger, ...] = ()
    schedule_triggers: tuple[ScheduleTrigger, ...] = ()


@dataclass(frozen=True)
class Route:
    """A route of the HTTP API; the function itself checks `roles`."""

    route: str
    function: str
    auth: str
    roles: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class User:
    """A demo user of the local identity pool."""

    name: str
    tenant: str
    groups: list[str]


@dataclass(frozen=True)
class Topology:
    """The whole system as the local platform runs it, or as AWS does without the overlay."""

    prefix: str
    networks: list[str]
    queues: dict[str, Queue]
    tables: dict[str, Table]
    keys: dict[str, Key]
    secrets: dict[str, Secret]
    functions: dict[str, Function]
    routes: list[Route]
    throttle: dict[str, int]
    pool: str
    groups: list[str]
    tenant_attribute: str
    users: list[User]

    def physical(self, logical: str) -> str:
        """The name that a resource has in the account."""
        return f"{self.prefix}-{logical}"

    @property
    def tenants(self) -> list[str]:
        """Tenants of the demo users, in order of appearance; each has a treasury."""
        return list(dict.fromkeys(user.tenant for user in self.users))

    def queue_triggers(self) -> Iterator[tuple[Function, QueueTrigger]]:
        """Every function with each of the queues it reads."""
        for function in self.functions.values():
            for trigger in function.queue_triggers:
                yield function, trigger

    def schedules(self) -> Iterator[tuple[str, Function, ScheduleTrigger, dict[str, str]]]:
        """Every schedule: its logical name, its function, its rate and its input."""
        for function in self.functions.values():
            for trigger in function.schedule_triggers:
                if not trigger.per_network:
                    yield function.name, function, trigger, {}
                    continue
                for network in self.networks:
                    yield f"{function.name}-{network}", function, trigger, {"network": network}


def load(path: Path, local: bool = True) -> Topology:
    """Reads and checks the topology, with the overlay `local` unless told otherwise."""
    document = yaml.safe_load(path.read_text())
    overlay = document.pop("local", {}) if isinstance(document, dict) else {}
    if not isinstance(document, dict) or document.pop("version", None) != 1:
        raise PlatformError(f"{path}: version must be 1")
    known = {"defaults", "queues", "tables", "keys", "secrets", "functions", "api", "identity", "alarms"}
    _refuse_unknown("the topology", document, known)
    _refuse_unknown("local", overlay, {"prefix", "networks", "users", *OVERLAID})
    if local:
        for section in OVERLAID:
            document[section] = merge(document[section], overlay.get(section, {}))
    topology = _parse(document, overlay)
    from localstack import topology_checks
    topology_checks.check(topology, LOCAL_VISIBILITY_FACTOR if local else VISIBILITY_FACTOR)
    return topology


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`over` laid on `base`: maps are merged key by key, everything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = merge(base[key], value) if both else value
    return merged


def _parse(document: dict[str, Any], overlay: dict[str, Any]) -> Topology:
    _refuse_unknown("api", document["api"], {"throttle", "routes"})
    identity = document["identity"]
    _refuse_unknown("identity", identity, {"pool", "groups", "tenant_attribute"})
    return Topology(
        prefix=overlay.get("prefix", "causeway"),
        networks=overlay.get("networks", []),
        queues=_named(Queue, "queues", document["queues"]),
        tables={name: _table(name, body or {}) for name, body in document["tables"].items()},
        keys=_named(Key, "keys", document["keys"]),
        secrets=_named(Secret, "secrets", document["secrets"]),
        functions={name: _function(name, body, document["defaults"])
                   for name, body in document["functions"].items()},
        routes=[_build(Route, f"api.routes[{at}]", body) for at, body in enumerate(document["api"]["routes"])],
        throttle=document["api"]["throttle"],
        pool=identity["pool"],
        groups=identity["groups"],
        tenant_attribute=identity["tenant_attribute"],
        users=[_build(User, f"local.users[{at}]", body) for at, body in enumerate(overlay.get("users", []))],
    )


def _table(name: str, body: dict[str, Any]) -> Table:
    indexes = _named(Index, f"tables.{name}.indexes", body.get("indexes", {}))
    return _build(Table, f"tables.{name}", body | {"indexes": indexes}, name=name)


def _function(name: str, body: dict[str, Any], defaults: dict[str, Any]) -> Function:
    where = f"functions.{name}"
    body = merge(defaults, body)
    triggers = body.pop("triggers", [])
    queues: list[QueueTrigger] = []
    schedules: list[ScheduleTrigger] = []
    for at, trigger in enumerate(triggers):
        place = f"{where}.triggers[{at}]"
        if "queue" in trigger:
            queues.append(_build(QueueTrigger, place, trigger))
        else:
            schedules.append(_build(ScheduleTrigger, place, trigger))
    body["environment"] = {key: str(value) for key, value in body.get("environment", {}).items()}
    body["rights"] = _build(Rights, f"{where}.rights", body.get("rights", {}))
    return _build(Function, where, body, name=name,
                  queue_triggers=tuple(queues), schedule_triggers=tuple(schedules))


def _named(kind, where: str, entries: dict[str, Any]) -> dict[str, Any]:
    return {name: _build(kind, f"{where}.{name}", body, name=name) for name, body in entries.items()}


def _build(kind, where: str, body: dict[str, Any], **given: Any):
    """Makes one of the classes above from its section, naming what is unknown or missing."""
    _refuse_unknown(where, body, {one.name for one in fields(kind)} - set(given))
    missing = {one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING}
    missing -= set(body) | set(given)
    if missing:
        raise PlatformError(f"{where}: {', '.join(sorted(missing))} is missing")
    return kind(**body, **given)


def _refuse_unknown(where: str, body: dict[str, Any], known: set[str]) -> None:
    unknown = set(body) - known
    if unknown:
        raise PlatformError(f"{where}: {', '.join(sorted(unknown))} is not a known setting")
