"""Evidence is read from blocks and rows as they are: what moved no money is no payment."""

from __future__ import annotations

from typing import Any

from support.chain import NATIVE

from evidence import TRANSFER, line, mined, units
from judge import Line, Payment

TREASURY, RECIPIENT, TOKEN = "0x" + "11" * 20, "0x" + "22" * 20, "0x" + "33" * 20


def transaction(value: int = 0, to: str = RECIPIENT) -> dict[str, Any]:
    return {"hash": "0xh", "from": TREASURY, "to": to, "nonce": "0x7", "value": hex(value)}


def receipt(status: str = "0x1", logs: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"status": status, "logs": logs or [], "gasUsed": "0x5208", "effectiveGasPrice": "0x2"}


def transfer_log(amount: int) -> dict[str, Any]:
    topics = [TRANSFER, "0x" + "00" * 12 + TREASURY[2:], "0x" + "00" * 12 + RECIPIENT[2:].upper()]
    return {"address": TOKEN.upper().replace("0X", "0x"), "topics": topics, "data": f"0x{amount:064x}"}


def test_coins_that_moved_are_a_payment() -> None:
    one = mined(transaction(value=5), receipt())
    assert one.payments == (Payment(NATIVE, RECIPIENT, 5),)
    assert (one.hash, one.sender, one.number, one.gas_cost) == ("0xh", TREASURY, 7, 42_000)


def test_a_tokens_log_is_a_payment() -> None:
    assert mined(transaction(to=TOKEN), receipt(logs=[transfer_log(9)])).payments == (Payment(TOKEN, RECIPIENT, 9),)


def test_a_revert_and_a_no_op_pay_nothing() -> None:
    assert mined(transaction(value=5), receipt(status="0x0")).payments == ()
    assert mined(transaction(to=TREASURY), receipt()).payments == ()


def row(pk: str, sk: str, **fields: dict[str, str]) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}} | fields


def test_a_lanes_rows_are_its_counter_its_numbers_and_every_attempt() -> None:
    lane = f"LANE#local/{TREASURY}"
    other = f"LANE#local/{RECIPIENT}"
    rows = [
        row(lane, "NEXT", next={"N": "2"}), row(lane, "GATE", seen={"N": "1"}),
        row(f"{lane}#0", "TX#0", number={"N": "0"}),
        row(f"{lane}#0", "TX#0#A000000", number={"N": "0"}, raw={"S": "0x"}, hash={"S": "0xa"}),
        row(f"{lane}#0", "TX#0#A000001", number={"N": "0"}, raw={"S": "0x"}, hash={"S": "0xb"}),
        row(f"{lane}#1", "TX#1", number={"N": "1"}),
        row(f"{other}#0", "TX#5", number={"N": "5"}), row("PCL#1", "PCL", number={"N": "9"}),
    ]
    assert line(rows, TREASURY) == Line(2, frozenset({0, 1}), frozenset({"0xa", "0xb"}))


def test_a_balance_that_is_not_in_the_row_is_nothing() -> None:
    assert units({"available": {"N": "-3"}}, "available") == -3
    assert units({}, "held") == 0
