"""What the tracker's looks at treasuries found, and when they are made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .tenants import NETWORK
from .waiting import HANG_S, PAUSE_S, wait_until
from .world import World

OFTEN_S = "2"


@contextmanager
def reconciled_often(world: World) -> Iterator[None]:
    """The tracker looks at treasuries all the time, not each hour."""
    world.functions.set_variables("status-check", CAUSEWAY_RECONCILE_S=OFTEN_S)
    try:
        yield
    finally:
        world.functions.set_variables("status-check", CAUSEWAY_RECONCILE_S="")


def reconciliation(world: World) -> dict[str, Any]:
    """What the latest looks at the local network's treasuries found."""
    [local] = [row for row in world.operator.items("/admin/v1/reconciliation") if row["network"] == NETWORK]
    return local


def wait_looked(world: World, after: str, limit_s: float = HANG_S, pause_s: float = PAUSE_S) -> dict[str, Any]:
    """What they found, once each treasury was looked at after this time and nothing waits for a second look."""

    def looked() -> dict[str, Any] | None:
        now = reconciliation(world)
        return now if now.get("lookedAt", "") > after and not now["suspected"] else None

    return wait_until("every treasury is looked at", looked, limit_s, pause_s)
