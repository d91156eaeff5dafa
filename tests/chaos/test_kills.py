"""A kill counts once, and as one in a call only where its worker was in that call."""

from __future__ import annotations

import os
import random
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

import kills
from kills import MOMENTS, RECORDER, TRACKER, TRACKER_MOMENTS, VICTIMS, Kills
from proxy import Trap
from sockets import owner

SIGN = (("validate-sign", "Sign", "aws"),) * kills.MOMENTS_TRIED


class Workers:
    """Functions with so many workers each, whose ports are their pids."""

    def __init__(self, **alive: list[int]) -> None:
        self.alive = {name.replace("_", "-"): pids for name, pids in alive.items()}
        self.ended: list[int] = []
        # Looks before which there is none.
        self.later = 0

    def workers(self, name: str) -> list[int]:
        self.later -= 1
        return [] if self.later >= 0 else [pid for pid in self.alive.get(name, []) if pid not in self.ended]

    def end(self, pids: list[int]) -> list[int]:
        self.ended += pids
        return pids


class Calls:
    """A proxy through which these calls come, by operation and port, as soon as somebody waits for one."""

    def __init__(self, *calls: tuple[str, int]) -> None:
        self.calls = calls

    @contextmanager
    def trapping(self, trap: Trap) -> Iterator[Trap]:
        for operation, port in self.calls:
            if operation == trap.operation and not trap.caught.is_set() and trap.wanted(port):
                trap.port = port
                trap.caught.set()
        yield trap


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kills, "owner", lambda port, pids: port if port in pids else None)
    monkeypatch.setattr(kills, "MOMENT_S", 0)
    monkeypatch.setattr(kills, "LOOK_S", 0)


def of(workers: Workers, *calls: tuple[str, int]) -> Kills:
    return Kills(workers, Calls(*calls), [Calls(*calls)], random.Random("a"))  # type: ignore[arg-type, list-item]


def test_the_worker_that_waits_for_the_answer_is_killed_and_nobody_else() -> None:
    workers = Workers(intake=[1], validate_sign=[2, 3])
    one = of(workers, ("Sign", 1), ("Sign", 3))
    assert one.in_a_call(SIGN) == "validate-sign in Sign"
    assert workers.ended == [3]
    assert (one.hit, one.in_calls) == ({"validate-sign": 1}, 1)


@pytest.mark.parametrize("calls", [[], [("Sign", 1)], [("PutItem", 2)]], ids=["none", "of another", "of another kind"])
def test_where_its_call_does_not_come_a_kill_at_random_is_none_in_a_call(calls: list[tuple[str, int]]) -> None:
    workers = Workers(intake=[1], validate_sign=[2, 3])
    one = of(workers, *calls)
    assert one.in_a_call(SIGN) in ("intake", "validate-sign")
    assert len(workers.ended) == sum(one.hit.values()) == 1
    assert one.in_calls == 0


def test_another_moment_is_waited_for_where_the_first_does_not_come() -> None:
    one = of(Workers(send=[4]), ("PutItem", 4))
    moments = (("send", "PutItem", "aws"), ("settle", "BatchGetItem", "aws"), ("intake", "PutItem", "aws"))
    assert one.in_a_call(moments) == "send in PutItem"
    assert one.in_calls == 1


def test_the_recorder_is_killed_while_it_records_what_was_put_there_for_it() -> None:
    workers, planted = Workers(dead_letters=[8], send=[4]), []
    one = of(workers, ("PutItem", 4), ("PutItem", 8))
    assert one.in_a_record(lambda: planted.append("a letter") or "a letter") == "dead-letters in PutItem"
    assert (planted, workers.ended, one.in_calls) == (["a letter"], [8], 1)


def test_every_function_has_its_turn_to_be_killed_and_recycled() -> None:
    functions = yaml.safe_load((Path(__file__).parents[2] / "infra" / "topology.yaml").read_text())["functions"]
    assert {*VICTIMS, TRACKER} == set(kills.RECYCLED) == set(functions)
    workers = Workers(**{name.replace("-", "_"): [pid] for pid, name in enumerate(functions, 1)})
    workers.set_variables = lambda *_, **__: None  # type: ignore[attr-defined]
    one = of(workers)
    assert one.spared() == set(functions)
    for _ in functions:
        workers.ended.clear()
        one.at_random()
        one.recycle()
    assert one.spared() == {TRACKER}, "whose cuts are its own"


def test_a_kill_at_random_ends_one_worker_whoever_has_one() -> None:
    workers = Workers(settle=[5, 6])
    one = of(workers)
    assert one.at_random() == "settle"
    assert (len(workers.ended), one.hit) == (1, {"settle": 1})


def test_where_there_is_no_worker_one_is_waited_for_and_nobody_is_no_kill() -> None:
    workers = Workers(send=[7])
    workers.later = 2 * len(VICTIMS)
    one = of(workers)
    assert one.at_random() == "send"
    assert one.at_random() == "nobody"
    assert one.hit == Counter(send=1)


def test_moments_are_enough_to_choose_from_and_each_group_is_its_functions() -> None:
    # A dead letter comes too seldom to be waited for: what is recorded is put there.
    assert {function for function, _, _ in MOMENTS} == set(VICTIMS) - {RECORDER}
    assert {function for function, _, _ in TRACKER_MOMENTS} == {TRACKER}
    assert min(len(MOMENTS), len(TRACKER_MOMENTS)) >= kills.MOMENTS_TRIED


def test_a_connection_is_its_callers_until_it_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as caller:
        caller.connect(server.getsockname())
        port = caller.getsockname()[1]
        assert owner(port, [os.getppid(), os.getpid()]) == os.getpid()
        assert owner(port, [os.getppid()]) is None
        caller.close()
        assert owner(port, [os.getpid()]) is None
