"""When what befalls the stack: orders at a steady pace, and between them cuts, branches, drops, lags and letters."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum
from itertools import zip_longest

from load import Order

# What happens during a thousand withdrawals; the parts of fewer are as many, but never none.
FULL = 1_000
CONNECTIONS = 32
# Events that may wait for their turn before the orders wait for them.
BACKLOG_MAX = 1


class Event(Enum):
    """What befalls the stack, beside the proxies' faults."""

    KILL = "kill"
    KILL_IN_A_CALL = "kill in a call"
    KILL_TRACKER = "kill the tracker"
    KILL_RECORDER = "kill the dead letters' recorder"
    RECYCLE = "recycle"
    REORG = "reorg"
    DEEP_REORG = "deep reorg"
    DROP = "drop"
    LAG = "lag"
    LETTER = "dead letter"


PER_FULL = {Event.KILL: 18, Event.KILL_IN_A_CALL: 22, Event.KILL_TRACKER: 3, Event.KILL_RECORDER: 2, Event.RECYCLE: 8,
            Event.REORG: 5, Event.DEEP_REORG: 3, Event.DROP: 8, Event.LAG: 8, Event.LETTER: 5}


def planned(count: int) -> Counter[Event]:
    """How much befalls so many withdrawals."""
    return Counter({event: max(1, -(-often * count // FULL)) for event, often in PER_FULL.items()})


def schedule(count: int, dice: random.Random) -> list[tuple[int, Event]]:
    """Before which order what happens: evenly spread, in an order that chance decides."""
    events = list(planned(count).elements())
    dice.shuffle(events)
    # Neither before anything is under way, nor after the last order.
    first, last = count // 20, count - count // 20
    return [(first + (last - first) * at // len(events), event) for at, event in enumerate(events)]


def play(orders: list[Order], events: list[tuple[int, Event]], rate: float, place: Callable[[Order], None],
         act: Callable[[Event], None]) -> None:
    """Places the orders at this rate per second and lets the events happen in their turn, until all is done."""
    with ThreadPoolExecutor(CONNECTIONS) as clients, ThreadPoolExecutor(1) as fate:
        begun, waited = time.monotonic(), 0.0
        placed: list[Future] = []
        acts: list[Future] = []
        due = list(events)
        for number, order in enumerate(orders):
            while due and due[0][0] <= number:
                acts.append(fate.submit(act, due.pop(0)[1]))
            # Events must happen while transfers are under way, however long each takes.
            before = time.monotonic()
            if len(acts) > BACKLOG_MAX:
                acts[-1 - BACKLOG_MAX].result()
            waited += time.monotonic() - before
            time.sleep(max(0.0, begun + waited + number / rate - time.monotonic()))
            placed.append(clients.submit(place, order))
        for one, other in zip_longest(acts, placed):
            for future in (one, other):
                if future is not None:
                    future.result()
