"""Power cuts: workers end by -9, at any moment or in the middle of a call; functions are recycled."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import ExitStack

from support.functions import Functions

from aws import AwsProxy
from proxy import Trap
from rpc import BROADCAST, RpcProxy

# Whom it hits, and how often in proportion. The tracker, which comes back by its schedule only, has cuts of its own.
VICTIMS = {"intake": 2, "validate-sign": 3, "send": 3, "settle": 3}
TRACKER = "status-check"
# A call whose answer its function never hears: the function, the operation, and through which proxy it goes.
MOMENTS = (
    ("validate-sign", "Sign", "aws"), ("validate-sign", "TransactWriteItems", "aws"),
    ("validate-sign", "eth_estimateGas", "rpc"), ("send", BROADCAST, "rpc"), ("send", BROADCAST, "rpc"),
    ("send", "PutItem", "aws"), ("settle", "BatchGetItem", "aws"), ("settle", "TransactWriteItems", "aws"),
    ("intake", "TransactWriteItems", "aws"),
)
TRACKER_MOMENTS = (
    (TRACKER, "eth_getBlockReceipts", "rpc"), (TRACKER, "eth_getBlockByNumber", "rpc"), (TRACKER, "UpdateItem", "aws"),
    (TRACKER, "PutItem", "aws"), (TRACKER, "SendMessage", "aws"),
)
RECYCLED = ("intake", "validate-sign", "send", "settle")
# So long a call of the kind that is waited for does not come: then the cut comes without it.
MOMENT_S = 4


class Kills:
    """Ends workers, and keeps count."""

    def __init__(self, functions: Functions, aws: AwsProxy, providers: list[RpcProxy], dice: random.Random) -> None:
        self.functions = functions
        self.aws = aws
        self.providers = providers
        self.dice = dice
        # Processes by function.
        self.hit: Counter[str] = Counter()
        self.recycled: Counter[str] = Counter()
        # Cuts between a call's effect and its answer.
        self.in_calls = 0
        self._recycles = 0

    def at_random(self) -> str:
        """Ends a worker of some function now; says which."""
        names = list(VICTIMS)
        self.dice.shuffle(names)
        chosen = self.dice.choices(names, [VICTIMS[name] for name in names])[0]
        # One that nobody has called lately has no worker: then another one's.
        return next((name for name in [chosen, *names] if self._kill(name)), "nobody")

    def in_a_call(self, moments: tuple[tuple[str, str, str], ...] = MOMENTS) -> str:
        """Ends a function whose call was carried out before it hears so; says where."""
        function, operation, way = self.dice.choice(moments)
        trap = Trap(operation)
        with ExitStack() as stack:
            for proxy in [self.aws] if way == "aws" else self.providers:
                stack.enter_context(proxy.trapping(trap))
            trap.caught.wait(MOMENT_S)
            # Who of them asked is not known, so all of them go.
            if self._kill(function, everybody=trap.caught.is_set()):
                self.in_calls += trap.caught.is_set()
                return f"{function} in {operation}" if trap.caught.is_set() else function
        return self.at_random()

    def recycle(self) -> str:
        """Gives a function a new configuration, which ends its workers, also those at work; says whose."""
        name = self.dice.choice(RECYCLED)
        self._recycles += 1
        self.functions.set_variables(name, CAUSEWAY_CHAOS=str(self._recycles))
        self.recycled[name] += 1
        return name

    def _kill(self, name: str, everybody: bool = False) -> int:
        hit = len(self.functions.kill(name, None if everybody else 1))
        self.hit[name] += hit
        return hit
