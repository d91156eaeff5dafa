"""A run that was calmer than planned does not pass, whatever its numbers are."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from demands import IN_CALLS, SECONDS_MAX, Deeds, missing, seconds_max
from proxy import Fault
from timeline import FULL, Event, planned

QUICK = 60


def as_planned(count: int) -> Deeds:
    """All that was planned, and no more."""
    plan = planned(count)
    in_calls = sum(plan[event] for event in IN_CALLS)
    return Deeds(
        kills=plan[Event.KILL] + in_calls, in_calls=in_calls, recycles=plan[Event.RECYCLE], spared=0,
        planted=plan[Event.LETTER] + plan[Event.KILL_RECORDER],
        branches=plan[Event.REORG] + plan[Event.DEEP_REORG], deep=plan[Event.DEEP_REORG], drops=plan[Event.DROP],
        reopened=1, faults=Counter(fault for fault in Fault if fault is not Fault.NONE))


@pytest.mark.parametrize("count", [1, QUICK, FULL])
def test_nothing_is_missing_where_all_befell(count: int) -> None:
    assert missing(count, as_planned(count)) == {}


def test_a_whole_run_demands_thirty_acts_of_killing_and_half_of_those_in_calls() -> None:
    assert missing(FULL, replace(as_planned(FULL), kills=0))["kills"] >= 30
    assert missing(FULL, replace(as_planned(FULL), in_calls=0)) == {"kills in a call": 14}
    assert missing(FULL, replace(as_planned(FULL), in_calls=14)) == {}


@pytest.mark.parametrize("count", [1, QUICK, FULL])
@pytest.mark.parametrize("lack, told", [
    ({"kills": 0}, "kills"), ({"in_calls": 0}, "kills in a call"), ({"recycles": 0}, "recycles"),
    ({"planted": 0}, "dead letters"), ({"branches": 0}, "reorganisations"), ({"deep": 0}, "deep reorganisations"),
])
def test_what_lacks_is_missing_in_every_run(count: int, lack: dict[str, Any], told: str) -> None:
    assert set(missing(count, replace(as_planned(count), **lack))) == {told}


@pytest.mark.parametrize("lack, told", [
    ({"drops": 0}, {"pool drops": 5}), ({"spared": 2}, {"functions": 2}), ({"reopened": 0}, {"transfers reopened": 1}),
    ({"faults": as_planned(FULL).faults - Counter([Fault.TWICE])}, {Fault.TWICE.value: 1}),
])
def test_what_a_little_of_it_may_lack_a_whole_run_may_not(lack: dict[str, Any], told: dict[str, int]) -> None:
    assert missing(FULL, replace(as_planned(FULL), **lack)) == told
    assert missing(QUICK, replace(as_planned(QUICK), **lack)) == {}


def test_a_whole_run_has_fifteen_minutes_and_a_quick_one_what_it_needs() -> None:
    assert seconds_max(FULL, quick=False) == seconds_max(200, quick=False) == SECONDS_MAX == 15 * 60
    assert seconds_max(2 * FULL, quick=False) == 2 * SECONDS_MAX
    assert seconds_max(QUICK, quick=True) is None
