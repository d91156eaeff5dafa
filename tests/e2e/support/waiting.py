"""Waiting for what will be, by polling; and doing many things at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")

# Ends a test that hangs; no test passes or fails by how long anything took.
HANG_S = 120
PAUSE_S = 0.1


def wait_until(what: str, ask: Callable[[], T], limit_s: float = HANG_S, pause_s: float = PAUSE_S) -> T:
    """Asks again and again until the answer is true, and returns that answer."""
    deadline = time.monotonic() + limit_s
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: still not so after {limit_s} s; last answer {answer!r}")
        time.sleep(pause_s)
    return answer


def wait_empty(what: str, ask: Callable[[], list[T]]) -> None:
    """Asks again and again until nothing is left; if that never comes, says what is."""
    left: list[T] = []

    def nothing() -> bool:
        left[:] = ask()
        return not left

    try:
        wait_until(what, nothing)
    except AssertionError as hang:
        raise AssertionError(f"{hang}; left: {left}") from None


def at_once(act: Callable[[T], U], each: Iterable[T], connections: int | None = None) -> list[U]:
    """Does something with each of these side by side, and returns the results in order.

    Without a number of connections each has its own, and all start together.
    """
    inputs = list(each)
    if connections is not None:
        with ThreadPoolExecutor(connections) as pool:
            return list(pool.map(act, inputs))
    start = Barrier(len(inputs))

    def together(one: T) -> U:
        start.wait()
        return act(one)

    with ThreadPoolExecutor(len(inputs)) as pool:
        return list(pool.map(together, inputs))
