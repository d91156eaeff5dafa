"""The operator opens only what the operations page lets be opened after a look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from desk import Desk
from evidence import halts

LANE = "local/0xt"
DEEP = "number 3 was settled and its block left the chain"
STRANGER = "number 4 was used on chain by a transaction that is not Causeway's"


class Rehearsed(Desk):
    """A desk whose command line shows one lane."""

    def __init__(self, reason: str | None) -> None:
        super().__init__(Path("causeway"), Path("outputs.json"))
        self.reason = reason
        self.released: list[str] = []

    def ask(self, *verb: str, fine: tuple[int, ...] = (0,)) -> Any:
        lane = {"lane": LANE, "state": "halted" if self.reason else "open", "reason": self.reason}
        match verb[:2]:
            case ("lanes", "list"):
                return [lane]
            case ("lanes", "show"):
                return lane
            case ("lanes", "release"):
                self.released.append(verb[2])
                self.reason = None
                return lane
        raise AssertionError(verb)


@pytest.mark.parametrize("reason", [DEEP, f"{DEEP}; {DEEP.replace('3', '4')}"], ids=["one number", "two numbers"])
def test_a_lane_that_a_deep_branch_halted_is_opened_at_the_second_look(reason: str) -> None:
    desk = Rehearsed(reason)
    desk.look()
    assert desk.released == []
    desk.look()
    desk.look()
    assert desk.released == [LANE]
    assert desk.acts["lanes released"] == 1 and not desk.strange
    assert halts(desk) == []


@pytest.mark.parametrize("reason", [STRANGER, f"{DEEP}; {STRANGER}"], ids=["alone", "beside one that may be opened"])
def test_a_lane_that_halted_for_another_reason_stays_so_and_is_told(reason: str) -> None:
    desk = Rehearsed(reason)
    for _ in range(3):
        desk.look()
    assert desk.released == []
    assert desk.strange == {LANE: reason}
    assert halts(desk) == [f"{LANE}: {reason}"]


def test_such_a_halt_is_told_also_where_it_has_ended_by_itself() -> None:
    desk = Rehearsed(STRANGER)
    desk.look()
    desk.reason = None
    assert halts(desk) == [f"{LANE}: {STRANGER}"]


def test_a_lane_that_is_halted_at_the_end_is_told_whatever_for() -> None:
    assert halts(Rehearsed(DEEP)) == [f"{LANE}: {DEEP}"]
