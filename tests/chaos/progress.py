"""How far everything is, told every few seconds, and waiting that ends when nothing goes on any more."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from support.world import World

LOOK_S = 4.0
# A parcel whose message was lost is published again after a minute, then after two, then after four.
STALLED_S = 300
# Kinds of rows by their sort key, and what of a lane's rows moves.
KINDS = {":parcel": "PCL", ":next": "NEXT", ":gate": "GATE"}
MOVING = ("next", "seen", "consumed", "gate")
ENDS = {"confirmed", "rejected", "failed", "cancelled"}


class Progress:
    """Reads the tables again and again; `told` adds what else is counted."""

    def __init__(self, world: World, count: int, told: Callable[[], dict[str, int]],
                 say: Callable[[str], None]) -> None:
        self.world = world
        self.count = count
        self.told = told
        self.say = say
        self.states: Counter[str] = Counter()
        self.parcels: list[str] = []
        # How often success was taken back.
        self.reopened = 0
        self._rows: tuple[Any, ...] = ()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def close(self) -> None:
        """Ends."""
        self._stop.set()
        self._thread.join()

    @property
    def ended(self) -> int:
        """Transfers in a state that is the last one."""
        return sum(count for state, count in self.states.items() if state in ENDS)

    def wait(self, what: str, done: Callable[[], bool]) -> bool:
        """Waits until it is so; False when nothing at all has changed for long."""
        self.say(f"waiting until {what}")
        last, since = None, time.monotonic()
        while not done():
            if not self._thread.is_alive():
                raise RuntimeError("nobody looks any more: the tables could not be read")
            if self._rows != last:
                last, since = self._rows, time.monotonic()
            if time.monotonic() - since > STALLED_S:
                self.say(f"nothing has changed for {STALLED_S} s; not so: {what}")
                return False
            time.sleep(1)
        return True

    def look(self) -> None:
        """Reads how far every transfer and lane is."""
        states: Counter[str] = Counter()
        parcels, lanes, reopened = [], [], 0
        for row in self._scan("sk IN (:parcel, :next, :gate)", ":parcel", ":next", ":gate"):
            if row["sk"]["S"] == "PCL":
                states[row["state"]["S"]] += 1
                parcels.append(row["pk"]["S"].removeprefix("PCL#"))
                reopened += int(row["reopened"]["N"])
            else:
                lanes.append(sorted((name, str(row[name])) for name in MOVING if name in row))
        self.states, self.parcels, self.reopened = states, parcels, reopened
        self._rows = (sorted(states.items()), sorted(lanes))

    def settled(self) -> set[str]:
        """The hashes that success was told of, as of now."""
        found = self._scan("sk = :parcel AND attribute_exists(settled)", ":parcel")
        return {row["settled"]["M"]["hash"]["S"] for row in found}

    def line(self) -> str:
        """All counts on one line."""
        told = "  ".join(f"{name} {count}" for name, count in self.told().items())
        states = " ".join(f"{state} {count}" for state, count in sorted(self.states.items()))
        return f"{told}  ended {self.ended}/{self.count}  [{states}]"

    def _scan(self, condition: str, *kinds: str) -> Iterator[dict[str, Any]]:
        values = {kind: {"S": KINDS[kind]} for kind in kinds}
        pages = self.world.stack.client("dynamodb").get_paginator("scan").paginate(
            TableName=self.world.stack.outputs["tables"]["transfers"], FilterExpression=condition,
            ExpressionAttributeValues=values)
        for page in pages:
            yield from page["Items"]

    def _loop(self) -> None:
        while not self._stop.wait(LOOK_S):
            self.look()
            self.say(self.line())
