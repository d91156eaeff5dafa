"""The judge notices whatever is planted, so that a table of zeros means something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from judge import FAILED, PAID, Account, Asked, Evidence, Line, Mined, Payment, judge

TREASURY, ASSET = "0xt", "0xa"
COUNT = 3


def asked(number: int) -> Asked:
    return Asked(f"key-{number}", TREASURY, ASSET, f"0xr{number}", 10 + number, frozenset({f"tx-{number}"}), None,
                 PAID, f"0xh{number}")


def mined(number: int) -> Mined:
    return Mined(f"0xh{number}", TREASURY, number, (Payment(ASSET, f"0xr{number}", 10 + number),), 1)


def evidence() -> Evidence:
    """Three withdrawals that all went well."""
    numbers = range(COUNT)
    line = Line(COUNT, frozenset(numbers), frozenset(f"0xh{number}" for number in numbers))
    return Evidence([asked(number) for number in numbers], [mined(number) for number in numbers], {TREASURY: line},
                    [Account("tenant", 5, 0, 5)], [], [])


def with_asked(number: int, **changed) -> Callable[[Evidence], Evidence]:
    def plant(all_well: Evidence) -> Evidence:
        return replace(all_well, asked=[replace(one, **changed) if at == number else one
                                        for at, one in enumerate(all_well.asked)])
    return plant


def with_mined(*more: Mined, without: int | None = None) -> Callable[[Evidence], Evidence]:
    def plant(all_well: Evidence) -> Evidence:
        kept = [one for one in all_well.mined if one.number != without]
        return replace(all_well, mined=[*kept, *more])
    return plant


def with_payments(*payments: Payment) -> Callable[[Evidence], Evidence]:
    """The second withdrawal's transaction moves these instead."""
    return with_mined(replace(mined(1), payments=payments), without=1)


def with_account(**changed) -> Callable[[Evidence], Evidence]:
    return lambda all_well: replace(all_well, accounts=[replace(all_well.accounts[0], **changed)])


def with_line(**changed) -> Callable[[Evidence], Evidence]:
    return lambda all_well: replace(all_well, lanes={TREASURY: replace(all_well.lanes[TREASURY], **changed)})


def paid_again(all_well: Evidence) -> Evidence:
    """Under a number and a hash of its own, with rows for both: everything but the money is in order."""
    line = Line(COUNT + 1, frozenset(range(COUNT + 1)), all_well.lanes[TREASURY].hashes | {"0xh3"})
    again = replace(mined(1), hash="0xh3", number=3)
    return replace(all_well, mined=[*all_well.mined, again], lanes={TREASURY: line})


def test_what_went_well_is_clean() -> None:
    assert judge(evidence()).clean


RIGHT = Payment(ASSET, "0xr1", 11)

PLANTED = {
    "paid by two transactions": (paid_again, {"duplicates": 1}),
    "paid twice by one transaction": (with_payments(RIGHT, RIGHT), {"duplicates": 1}),
    "one key taken as two withdrawals": (with_asked(1, requests=frozenset({"tx-1", "tx-9"})), {"duplicates": 1}),
    "paid too much": (with_payments(replace(RIGHT, units=12)), {"duplicates": 1}),
    "paid in another asset": (with_payments(replace(RIGHT, asset="0xb")), {"duplicates": 1}),
    "a stranger is paid": (with_payments(RIGHT, replace(RIGHT, to="0xs")), {"duplicates": 1}),
    "a number is missing on the chain": (with_mined(without=1), {"gaps": 1, "false successes": 1, "lost hashes": 1}),
    "a number has no row": (with_line(numbers=frozenset({0, 2})), {"gaps": 1}),
    "a number is burned": (with_line(next=COUNT + 2), {"gaps": 2}),
    "the counter is behind the chain": (with_line(next=COUNT - 1), {"gaps": 1}),
    "told failed, and paid": (with_asked(1, told=FAILED), {"false failures": 1}),
    "refused at the door": (with_asked(1, refused="402", requests=frozenset(), told=None), {"false failures": 1}),
    "told paid by a no-op": (with_payments(), {"false successes": 1, "lost hashes": 1}),
    "told another hash": (with_asked(1, told_hash="0xh9"), {"lost hashes": 1}),
    "mined by a hash without an attempt": (with_line(hashes=frozenset({"0xh0", "0xh2"})), {"lost hashes": 1}),
    "still pending": (with_asked(1, told="pending"), {"unfinished": 1}),
    "never taken": (with_asked(1, requests=frozenset(), told=None), {"unfinished": 1}),
    "books and chain differ": (with_account(expected=6), {"ledger difference": 1}),
    "money is held for nobody": (with_account(held=1), {"ledger difference": 1}),
    "the books' own check finds something": (
        lambda all_well: replace(all_well, check_faults=["a sum"]), {"ledger difference": 1}),
    "a lane halted for what nobody may open": (
        lambda all_well: replace(all_well, halts=["local/0xt: number 1 is refused"]), {"halts not opened": 1}),
    "a dead letter is left": (lambda all_well: replace(all_well, letters=["dl_1"]), {"dead letters": 1}),
}


@pytest.mark.parametrize("plant, noticed", PLANTED.values(), ids=PLANTED.keys())
def test_what_is_planted_is_noticed(plant: Callable[[Evidence], Evidence], noticed: dict[str, int]) -> None:
    verdict = judge(plant(evidence()))
    assert {kind: len(cases) for kind, cases in verdict.rows().items() if cases} == noticed
    assert not verdict.clean


def test_a_number_that_a_no_op_used_up_is_no_gap() -> None:
    told_failed = with_asked(1, told=FAILED)(with_payments()(evidence()))
    assert judge(told_failed).gaps == []
