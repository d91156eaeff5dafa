"""What befalls the chain: branches, and pools that forget."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from support.chain import Chain

# Looks for what a turn needs (something in the pool, success told) before it goes without it.
LOOKS = 100


class Turns:
    """Reorganises the chain and drops what waits in the pool, and keeps count."""

    def __init__(self, chain: Chain, treasuries: list[str], settled: Callable[[], set[str]],
                 dice: random.Random) -> None:
        """`settled`: the hashes that success was told of."""
        self.chain = chain
        self.settled = settled
        self.treasuries = {address.lower() for address in treasuries}
        self.dice = dice
        # Blocks replaced -> how often.
        self.reorgs: Counter[int] = Counter()
        # Transactions of ours that a branch left out, put elsewhere, and that were dropped from the pool.
        self.removed = self.moved = self.dropped = 0
        self.drops = 0

    @property
    def deep(self) -> int:
        """Branches that went below the depth at which success is told."""
        return sum(count for depth, count in self.reorgs.items() if depth >= self.chain.network["confirmed_at"])

    def reorg(self, deep: bool) -> str:
        """A branch below the depth at which success is told, or above it and below the final one."""
        if deep:
            self._wait(lambda: self._told() is not None)
        confirmed_at, final_at = self.chain.network["confirmed_at"], self.chain.network["final_at"]
        with self.chain.frozen():
            least = max(confirmed_at + 1, self._told() or 0) if deep else 1
            depth = self.dice.randint(least, final_at - 1 if deep else confirmed_at - 1)
            height = self.chain.height()
            ours = [one for at in range(height - depth + 1, height + 1) for one in self._ours_in(at)]
            moved = self._moved(ours, depth)
            self.chain.reorg(depth, moved)
        self.reorgs[depth] += 1
        self.moved += len(moved)
        self.removed += len(ours) - len(moved)
        return f"{depth} blocks, {len(ours) - len(moved)} removed, {len(moved)} moved"

    def drop(self) -> str:
        """A node forgets some of what waits for a block."""
        self._wait(self._pooled)
        with self.chain.frozen():
            pooled = self._pooled()
            chosen = self.dice.sample(pooled, min(len(pooled), self.dice.randint(1, 3)))
            gone = [tx_hash for tx_hash in chosen if self.chain.call("anvil_dropTransaction", tx_hash)]
        self.dropped += len(gone)
        self.drops += bool(gone)
        return f"{len(gone)} of {len(pooled)}"

    def _wait(self, there: Callable[[], object]) -> None:
        for _ in range(LOOKS):
            if there():
                return
            self.chain.pause()

    def _told(self) -> int | None:
        """How deep the newest transaction lies that success was told of, if a branch may still remove it."""
        height, settled = self.chain.height(), self.settled()
        for depth in range(1, self.chain.network["final_at"]):
            if any(one["hash"] in settled for one in self._ours_in(height + 1 - depth)):
                return depth
        return None

    def _moved(self, ours: list[dict[str, Any]], depth: int) -> list[tuple[str, int]]:
        """Which of them the branch has, and where: none, all, or each lane's first ones, in their order."""
        share = self.dice.choice((0.0, 0.5, 1.0))
        by_lane: dict[str, list[dict[str, Any]]] = {}
        for one in sorted(ours, key=lambda one: int(one["nonce"], 16)):
            by_lane.setdefault(one["from"], []).append(one)
        kept = [one for lane in by_lane.values() for one in lane[:round(len(lane) * share)]]
        block = self.dice.randrange(depth)
        return [(self.chain.raw(one["hash"]), block) for one in kept]

    def _ours_in(self, height: int) -> list[dict[str, Any]]:
        block = self.chain.call("eth_getBlockByNumber", hex(height), True)
        return [one for one in block["transactions"] if one["from"] in self.treasuries]

    def _pooled(self) -> list[str]:
        pending = self.chain.call("txpool_content")["pending"]
        return [one["hash"] for sender, numbers in pending.items() if sender.lower() in self.treasuries
                for one in numbers.values()]
