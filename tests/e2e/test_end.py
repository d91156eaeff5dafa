"""After everything: nothing is left over, the books are clean, and the chain agrees with them."""

from __future__ import annotations

import pytest

from support.chain import Chain
from support.letters import letters
from support.tenants import units
from support.waiting import wait_empty
from support.world import World

pytestmark = [pytest.mark.last, pytest.mark.guarded]


def test_no_money_is_held(world: World) -> None:
    def holding() -> list[dict]:
        return [row for row in world.operator.items("/admin/v1/accounts") if row["held"] != "0"]

    wait_empty("no account holds money", holding)


def test_no_lane_is_halted_or_has_anything_unsent(world: World) -> None:
    def unfinished() -> list[dict]:
        used = [lane for lane in world.operator.items("/admin/v1/lanes") if lane["state"] != "unused"]
        return [lane for lane in used if lane["state"] != "open" or lane["next"] != lane["consumed"]]

    wait_empty("every lane is open and worked off", unfinished)


def test_every_queue_runs_empty(world: World, chain: Chain) -> None:
    chain.bury()

    def filled() -> list[dict]:
        rows = world.operator.items("/admin/v1/queues")
        return [row for row in rows if row["ready"] + row["inFlight"] + row["delayed"]]

    wait_empty("every queue is empty", filled)


def test_no_dead_letter_is_left_open(world: World) -> None:
    assert letters(world.operator) == []


def test_the_ledger_check_is_clean(world: World) -> None:
    parts = [world.operator.post("/admin/v1/accounts/check", {}).must(200)]
    while cursor := parts[-1].get("nextCursor"):
        parts.append(world.operator.post("/admin/v1/accounts/check", {"cursor": cursor}).must(200))
    assert [commit for part in parts for commit in part["unbalanced"]] == []
    accounts = [account for part in parts for account in part["accounts"]]
    assert [account for account in accounts if account["faults"] or account["unproven"]] == []
    assert len(accounts) == len(list(world.operator.items("/admin/v1/accounts")))
    assert all(part["clean"] for part in parts)
    assert parts[-1]["provenUntil"]


def test_every_treasury_holds_what_the_ledger_says(world: World, chain: Chain) -> None:
    compared = 0
    for row in world.operator.items("/admin/v1/accounts"):
        owner, _, name = row["account"].partition(":")
        if owner == "treasury":
            holder = name.split("/")[1]
            assert chain.balance(row["symbol"], holder) == -units(row["available"], chain.decimals(row["symbol"])), row
            compared += 1
    assert compared


def test_every_number_of_every_lane_was_used_once(world: World, chain: Chain) -> None:
    for lane in world.operator.items("/admin/v1/lanes"):
        holder = lane["lane"].split("/")[1]
        assert chain.number("eth_getTransactionCount", holder, "latest") == lane.get("next", 0), lane
