"""Power cuts: workers end by -9, at any moment or in the middle of a call; functions are recycled."""

from __future__ import annotations

import random
from collections import Counter

from support.functions import Functions

from aws import AwsProxy
from rpc import BROADCAST, RpcProxy

# Whom it hits, and how often in proportion. A tracker comes back by its schedule only, so it dies less often.
VICTIMS = {"intake": 4, "validate-sign": 6, "send": 6, "settle": 6, "status-check": 2}
# A call whose answer its function never hears: the function, the operation, and through which proxy it goes.
MOMENTS = (
    ("validate-sign", "Sign", "aws"), ("validate-sign", "TransactWriteItems", "aws"),
    ("validate-sign", "eth_estimateGas", "rpc"), ("send", BROADCAST, "rpc"), ("send", BROADCAST, "rpc"),
    ("settle", "BatchGetItem", "aws"), ("settle", "TransactWriteItems", "aws"),
    ("status-check", "eth_getBlockReceipts", "rpc"), ("status-check", "SendMessage", "aws"),
    ("intake", "TransactWriteItems", "aws"),
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
        self._recycles = 0

    def at_random(self) -> str:
        """Ends a worker of some function now; says which."""
        names = list(VICTIMS)
        self.dice.shuffle(names)
        chosen = self.dice.choices(names, [VICTIMS[name] for name in names])[0]
        # One that nobody has called lately has no worker: then another one's.
        return next((name for name in [chosen, *names] if self._kill(name)), "nobody")

    def in_a_call(self) -> str:
        """Ends a function whose call was carried out before it hears so; says where."""
        function, operation, way = self.dice.choice(MOMENTS)
        proxy = self.aws if way == "aws" else self.dice.choice(self.providers)
        with proxy.trap(operation) as trap:
            trap.caught.wait(MOMENT_S)
            # Who of them asked is not known, so all of them go.
            if self._kill(function, everybody=trap.caught.is_set()):
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
