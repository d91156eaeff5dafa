"""The operator opens only what the operations page lets be opened after a look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from desk import Desk

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


def test_a_lane_that_a_deep_branch_halted_is_opened_at_the_second_look() -> None:
    desk = Rehearsed(DEEP)
    desk.look()
    assert desk.released == []
    desk.look()
    desk.look()
    assert desk.released == [LANE]
    assert desk.acts["lanes released"] == 1 and not desk.strange


def test_a_lane_that_halted_for_another_reason_stays_so_and_is_told() -> None:
    desk = Rehearsed(STRANGER)
    for _ in range(3):
        desk.look()
    assert desk.released == []
    assert desk.strange == {LANE: STRANGER}
