"""Power cuts: workers end by -9, at any moment or in the middle of a call; functions are recycled."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from support.functions import Functions

from aws import AwsProxy
from proxy import Proxy, Trap
from rpc import BROADCAST, RpcProxy
from sockets import owner

# Whom it hits, and how often in proportion. The tracker, which comes back by its schedule only, has cuts of its own.
VICTIMS = {"intake": 2, "validate-sign": 3, "send": 3, "settle": 3, "admin": 1, "dead-letters": 1}
TRACKER = "status-check"
# A call whose answer its function never hears: the function, the operation, and through which proxy it goes.
MOMENTS = (
    ("validate-sign", "Sign", "aws"), ("validate-sign", "TransactWriteItems", "aws"),
    ("validate-sign", "eth_estimateGas", "rpc"), ("send", BROADCAST, "rpc"), ("send", BROADCAST, "rpc"),
    ("send", "PutItem", "aws"), ("settle", "BatchGetItem", "aws"), ("settle", "TransactWriteItems", "aws"),
    ("intake", "TransactWriteItems", "aws"), ("admin", "Query", "aws"),
)
TRACKER_MOMENTS = (
    (TRACKER, "eth_getBlockReceipts", "rpc"), (TRACKER, "eth_getBlockByNumber", "rpc"),
    (TRACKER, "TransactWriteItems", "aws"), (TRACKER, "PutItem", "aws"), (TRACKER, "SendMessageBatch", "aws"),
)
# Where a dead letter is recorded.
RECORDER, RECORDS = "dead-letters", "PutItem"
RECYCLED = (*VICTIMS, TRACKER)
# So long a call of the kind that is waited for does not come: then another kind's turn it is, and after so many kinds
# the cut comes without one.
MOMENT_S = 4
MOMENTS_TRIED = 3
# Looks for a worker where no function has one just then.
LOOKS = 20
LOOK_S = 0.5


class Kills:
    """Ends workers, one with each act, and keeps count."""

    def __init__(self, functions: Functions, aws: AwsProxy, providers: list[RpcProxy], dice: random.Random) -> None:
        self.functions = functions
        self.aws = aws
        self.providers = providers
        self.dice = dice
        # Acts that ended a worker, by function.
        self.hit: Counter[str] = Counter()
        self.recycled: Counter[str] = Counter()
        # Those of the acts that came between a call's effect and its answer.
        self.in_calls = 0
        self._recycles = 0

    def at_random(self) -> str:
        """Ends a worker of some function now; says which."""
        names = list(VICTIMS)
        self.dice.shuffle(names)
        # Whose turn it is in proportion: every function has one.
        names.sort(key=lambda name: self.hit[name] / VICTIMS[name])
        # One that nobody has called lately has no worker: then another one's. After another cut nobody may have one.
        for _ in range(LOOKS):
            for name in names:
                if self._end(name, self.functions.workers(name)):
                    return name
            time.sleep(LOOK_S)
        return "nobody"

    def in_a_call(self, moments: tuple[tuple[str, str, str], ...] = MOMENTS) -> str:
        """Ends a worker whose call was carried out before it hears so; says where."""
        for function, operation, way in self.dice.sample(moments, MOMENTS_TRIED):
            if self._end_in(function, operation, [self.aws] if way == "aws" else self.providers):
                self.in_calls += 1
                return f"{function} in {operation}"
        return self.at_random()

    def in_a_record(self, plant: Callable[[], str]) -> str:
        """Ends the worker that records a dead letter, which is put there for it, before it hears that it did; says where."""
        if self._end_in(RECORDER, RECORDS, [self.aws], plant):
            self.in_calls += 1
            return f"{RECORDER} in {RECORDS}"
        return self.at_random()

    def recycle(self) -> str:
        """Gives a function a new configuration, which ends its workers, also those at work; says whose."""
        name = min(self.dice.sample(RECYCLED, len(RECYCLED)), key=lambda name: self.recycled[name])
        self._recycles += 1
        self.functions.set_variables(name, CAUSEWAY_CHAOS=str(self._recycles))
        self.recycled[name] += 1
        return name

    def spared(self) -> set[str]:
        """Functions of which no worker was ended, or that were not recycled."""
        return {name for name in RECYCLED if not self.hit[name] or not self.recycled[name]}

    def _end_in(self, function: str, operation: str, proxies: Sequence[Proxy],
                begin: Callable[[], object] = lambda: None) -> bool:
        # Others make such calls as well: a cut of who waits for nothing would not be one in a call.
        trap = Trap(operation, lambda port: owner(port, self.functions.workers(function)) is not None)
        with ExitStack() as stack:
            for proxy in proxies:
                stack.enter_context(proxy.trapping(trap))
            begin()
            if not trap.caught.wait(MOMENT_S):
                return False
            caller = owner(trap.port, self.functions.workers(function))
            return caller is not None and self._end(function, [caller])

    def _end(self, function: str, workers: list[int]) -> bool:
        ended = any(self.functions.end([pid]) for pid in workers)
        if ended:
            self.hit[function] += 1
        return ended
