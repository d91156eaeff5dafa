"""The table says what was counted, and passes nothing that is not as it must be."""

from __future__ import annotations

from judge import Verdict
from report import result, text

RUN = {"seed": "a", "count": 9, "seconds": 1, "missing": {}}
LETTERS = {"found": 3, "planted": 2, "left": 0}


def told(verdict: Verdict, **changed) -> str:
    return text(RUN | result(verdict, {"workers killed": {"send": 4, "settle": 1}}, LETTERS) | changed)


def test_a_clean_verdict_is_a_table_of_zeros() -> None:
    table = told(Verdict()).splitlines()
    numbers = table[table.index("what must be 0") + 1:][:8]
    assert [line.split("  left")[0].split()[-1] for line in numbers] == ["0"] * 8
    assert numbers[-1].endswith("0  left after replaying 3, of which 2 were put there on purpose")
    assert table[-1] == "all is as it must be"
    assert any(line.split() == ["workers", "killed", "5", "send", "4,", "settle", "1"] for line in table)


def test_each_kind_of_fault_is_counted_with_its_cases_and_does_not_pass() -> None:
    for kind in vars(Verdict()):
        verdict = Verdict(**{kind: [f"case {number}" for number in range(7)]})
        table = told(verdict)
        [name] = [name for name, cases in verdict.rows().items() if cases]
        assert result(verdict, {}, LETTERS)["numbers"][name] == 7
        assert "case 4" in table and "case 5" not in table and "… and 2 more" in table
        assert not result(verdict, {}, LETTERS)["passed"] and table.endswith("NOT as it must be")


def test_what_was_planned_and_did_not_happen_is_told() -> None:
    assert "planned, and did not happen:      2  kills 2" in told(Verdict(), missing={"kills": 2}, passed=False)
