"""The table says what was counted, and passes nothing that is not as it must be."""

from __future__ import annotations

from typing import Any

import pytest

from judge import Verdict
from report import result, text, timed

RUN = {"seed": "a", "count": 9}
LETTERS = {"found": 3, "planted": 2, "left": 0}
BEFELL = {"workers killed": {"send": 4, "settle": 1}}


def ran(verdict: Verdict | None = None, missing: dict[str, int] | None = None, never: list[str] | None = None,
        seconds: int = 1, most: int | None = 900) -> dict[str, Any]:
    told = result(verdict or Verdict(), BEFELL, LETTERS, missing or {}, never or [])
    return RUN | timed(told, seconds, most)


def test_a_clean_verdict_is_a_table_of_zeros() -> None:
    assert ran()["passed"]
    table = text(ran()).splitlines()
    kinds = len(Verdict().rows())
    numbers = table[table.index("what must be 0") + 1:][:kinds]
    assert [line.split("  left")[0].split()[-1] for line in numbers] == ["0"] * kinds
    assert numbers[-1].endswith("0  left after replaying 3, of which 2 were put there on purpose")
    assert table[-1] == "all is as it must be"
    assert any(line.split() == ["workers", "killed", "5", "send", "4,", "settle", "1"] for line in table)


def test_each_kind_of_fault_is_counted_with_its_cases_and_does_not_pass() -> None:
    for kind in vars(Verdict()):
        verdict = Verdict(**{kind: [f"case {number}" for number in range(7)]})
        table = text(ran(verdict))
        [name] = [name for name, cases in verdict.rows().items() if cases]
        assert ran(verdict)["numbers"][name] == 7
        assert "case 4" in table and "case 5" not in table and "… and 2 more" in table
        assert not ran(verdict)["passed"] and table.endswith("NOT as it must be")


def test_a_lane_that_halted_for_what_nobody_may_open_is_told_and_does_not_pass() -> None:
    halted = ran(Verdict(halts=["local/0xt: number 4 is refused"]))
    assert not halted["passed"]
    table = text(halted)
    assert any(line.split() == ["halts", "not", "opened", "1"] for line in table.splitlines())
    assert "local/0xt: number 4 is refused" in table and table.endswith("NOT as it must be")


@pytest.mark.parametrize("lack, told", [
    ({"missing": {"kills": 2}}, "planned, and did not happen:      2  kills 2"),
    ({"never": ["the queues are empty"]}, "waited for, and never so: the queues are empty"),
    ({"seconds": 901}, "took 901 s, of at most 900 s: TOO LONG"),
])
def test_what_lacks_is_told_and_does_not_pass(lack: dict[str, Any], told: str) -> None:
    assert not ran(**lack)["passed"]
    table = text(ran(**lack))
    assert told in table.splitlines() and table.endswith("NOT as it must be")


def test_how_long_it_took_is_told_where_it_passes() -> None:
    assert ran(seconds=900)["passed"] and ran(seconds=901, most=None)["passed"]
    assert "took 900 s, of at most 900 s" in text(ran(seconds=900)).splitlines()
    assert "took 901 s" in text(ran(seconds=901, most=None)).splitlines()


def test_being_in_time_mends_nothing() -> None:
    assert not ran(Verdict(gaps=["one"]), seconds=1)["passed"]
