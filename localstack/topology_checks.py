"""The rules that a topology keeps, checked before anything is deployed from it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from localstack.settings import PlatformError

if TYPE_CHECKING:
    from localstack.topology import Function, Topology

TABLE_RIGHTS = {"append", "read", "write"}
QUEUE_RIGHTS = {"send", "depth", "peek"}
KEY_RIGHTS = {"sign", "public"}


def check(topology: Topology, visibility_factor: int) -> None:
    """Raises one `PlatformError` that lists everything that is wrong."""
    problems = [
        *_redrives(topology),
        *_visibilities(topology, visibility_factor),
        *_references(topology),
    ]
    if problems:
        raise PlatformError("infra/topology.yaml:\n  " + "\n  ".join(problems))


def _redrives(topology: Topology) -> Iterable[str]:
    for queue in topology.queues.values():
        where = f"queues.{queue.name}"
        if queue.fifo != queue.name.endswith(".fifo"):
            yield f"{where}: a name ends in .fifo exactly if its kind is fifo"
        if (queue.dead_letter is None) != (queue.max_receives is None):
            yield f"{where}: dead_letter and max_receives come together"
        if queue.dead_letter is None:
            continue
        dead = topology.queues.get(queue.dead_letter)
        if dead is None:
            yield f"{where}.dead_letter: there is no queue {queue.dead_letter}"
            continue
        if dead.kind != queue.kind:
            yield f"{where}.dead_letter: {dead.name} is {dead.kind}, it must be {queue.kind} too"
        if dead.retention_days <= queue.retention_days:
            yield f"{where}.dead_letter: {dead.name} must retain messages for longer"


def _visibilities(topology: Topology, factor: int) -> Iterable[str]:
    readers: dict[str, str] = {}
    for function, trigger in topology.queue_triggers():
        queue = topology.queues.get(trigger.queue)
        where = f"functions.{function.name}.triggers"
        if queue is None:
            yield f"{where}: there is no queue {trigger.queue}"
            continue
        if trigger.queue in readers:
            yield f"{where}: {trigger.queue} is already read by {readers[trigger.queue]}"
        readers[trigger.queue] = function.name
        if queue.visibility_s < factor * function.timeout_s:
            yield (f"queues.{queue.name}.visibility_s: {queue.visibility_s} is less than "
                   f"{factor} x the {function.timeout_s} s of {function.name}")
        if queue.fifo and trigger.batch_window_s:
            yield f"{where}: a FIFO queue takes no batch_window_s"
    for name in topology.queues.keys() - readers.keys():
        yield f"queues.{name}: no function reads it"


def _references(topology: Topology) -> Iterable[str]:
    for function in topology.functions.values():
        yield from _rights(topology, function)
    for route in topology.routes:
        if route.function not in topology.functions:
            yield f"api.routes {route.route}: there is no function {route.function}"
        if route.auth not in ("jwt", "none"):
            yield f"api.routes {route.route}: auth is {route.auth}, it must be jwt or none"
        for role in set(route.roles) - set(topology.groups):
            yield f"api.routes {route.route}: there is no group {role}"
    for user in topology.users:
        for group in set(user.groups) - set(topology.groups):
            yield f"local.users {user.name}: there is no group {group}"


def _rights(topology: Topology, function: Function) -> Iterable[str]:
    rights = function.rights
    for kind, granted, known, words in (
        ("table", rights.tables, topology.tables, TABLE_RIGHTS),
        ("queue", rights.queues, topology.queues, QUEUE_RIGHTS),
        ("key", rights.keys, topology.keys, KEY_RIGHTS),
    ):
        for name, verbs in granted.items():
            if name not in known:
                yield f"functions.{function.name}.rights: there is no {kind} {name}"
            for verb in set(verbs) - words:
                yield f"functions.{function.name}.rights: {verb} is not a right on a {kind}"
    for name in set(rights.secrets) - topology.secrets.keys():
        yield f"functions.{function.name}.rights: there is no secret {name}"
    signs = any("sign" in verbs for verbs in rights.keys.values())
    if signs != (rights.sign_conditions.keys() == {"algorithm", "message_type"}):
        yield (f"functions.{function.name}.rights.sign_conditions: the right to sign comes with "
               "algorithm and message_type, and only with it")
