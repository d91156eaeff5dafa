"""What is planned is enough, is spread over the orders, and happens."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from timeline import FULL, Event, planned, play, schedule


def test_a_full_run_has_its_kills_and_branches() -> None:
    plan = planned(FULL)
    assert plan[Event.KILL] + plan[Event.KILL_IN_A_CALL] >= 30
    assert plan[Event.REORG] + plan[Event.DEEP_REORG] >= 5
    assert plan[Event.DROP] >= 5


@pytest.mark.parametrize("count", [1, 20, 60, FULL])
def test_everything_happens_once_for_each_plan_and_before_the_last_order(count: int) -> None:
    events = schedule(count, random.Random("a"))
    assert Counter(event for _, event in events) == planned(count)
    assert set(planned(count)) == set(Event)
    assert events == sorted(events, key=lambda one: one[0]) == schedule(count, random.Random("a"))
    assert all(0 <= at < count for at, _ in events)


def test_orders_and_events_are_played_in_turn() -> None:
    done: list = []
    orders = list(range(10))
    play(orders, [(3, Event.KILL), (9, Event.DROP)], 1000, done.append, done.append)  # type: ignore[arg-type]
    assert sorted(one for one in done if isinstance(one, int)) == orders
    assert [one for one in done if isinstance(one, Event)] == [Event.KILL, Event.DROP]


def test_what_fails_in_a_storm_is_told() -> None:
    def fail(_event: Event) -> None:
        raise RuntimeError("the chain is gone")

    with pytest.raises(RuntimeError, match="the chain is gone"):
        play([0, 1], [(0, Event.REORG)], 1000, lambda _order: None, fail)  # type: ignore[list-item]
