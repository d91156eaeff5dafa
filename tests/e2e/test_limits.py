"""How much may go out: what is there, and what the asset allows at once and in a day."""

from __future__ import annotations

from support.api import new_key
from support.chain import Chain, new_address
from support.tenants import Balances, Tenant
from support.waiting import at_once, wait_until
from support.world import World


def test_more_than_is_available_is_refused_with_both_numbers(world: World, chain: Chain) -> None:
    tenant = world.tenant(TUSD="5.5")
    error = tenant.api.post("/withdrawal/request", tenant.order("TUSD", "5.500001", new_address())).must(402)["error"]
    wanted = {"code": "INSUFFICIENT_FUNDS", "field": "amount", "available": "5.5", "required": "5.500001"}
    assert error.items() >= wanted.items()
    body = {"from": tenant.treasury, "to": new_address(), "amount": "6", "token": "TUSD", "idempotencyKey": new_key()}
    error = tenant.api.post("/api/v1/transfers", body).must(402)
    assert error["code"] == "INSUFFICIENT_FUNDS"
    assert error["details"] == {"field": "amount", "available": "5.5", "required": "6"}
    # Exactly what there is goes out.
    tenant.wait_completed(tenant.withdraw("TUSD", "5.5", new_address()))
    assert tenant.account("TUSD") == Balances(0, 0, chain.units("TUSD", "5.5"))


def test_an_asset_that_was_never_credited_is_not_there(world: World) -> None:
    tenant = world.tenant(ETH="1")
    error = tenant.api.post("/withdrawal/request", tenant.order("TUSD", "1", new_address())).must(402)["error"]
    assert (error["available"], error["required"]) == ("0", "1")


def test_the_same_money_is_never_held_twice(world: World, chain: Chain) -> None:
    tenant = world.tenant(TUSD="10")
    asked = [new_address() for _ in range(25)]

    def ask(to: str):
        return tenant.api.post_until_taken("/withdrawal/request", tenant.order("TUSD", "1", to),
                                           **{"idempotency-key": new_key()})

    answers = at_once(ask, asked)
    assert sorted(answer.status for answer in answers) == [201] * 10 + [402] * 15
    for answer in answers:
        if answer.status == 201:
            tenant.wait_completed(answer.body["requestId"])
    paid = [chain.balance("TUSD", to) for to in asked]
    assert [bool(units) for units in paid] == [answer.status == 201 for answer in answers]
    assert tenant.account("TUSD") == Balances(0, 0, chain.units("TUSD", "10"))


def test_more_than_the_limit_at_once_is_refused(world: World) -> None:
    tenant = world.tenant(TUSD="100001")
    error = tenant.api.post("/withdrawal/request", tenant.order("TUSD", "100000.000001", new_address())).must(400)
    assert (error["error"]["code"], error["error"]["field"]) == ("LIMIT_EXCEEDED", "amount")
    body = {"from": tenant.treasury, "to": new_address(), "amount": "1000.1", "token": "ETH", "idempotencyKey": "much"}
    error = tenant.api.post("/api/v1/transfers", body).must(400)
    assert (error["code"], error["details"]["field"]) == ("LIMIT_EXCEEDED", "amount")
    # Exactly the limit goes out.
    tenant.wait_completed(tenant.withdraw("TUSD", "100000", new_address()))


def test_more_than_the_limit_of_a_day_is_refused(world: World, chain: Chain) -> None:
    tenant = world.tenant(TUSD="1000002")
    first = tenant.withdraw("TUSD", "99999.5", new_address())
    rest = [tenant.withdraw("TUSD", "100000", new_address()) for _ in range(9)]
    refused = {"code": "LIMIT_EXCEEDED", "field": "amount", "left": "0.5"}
    error = tenant.api.post("/withdrawal/request", tenant.order("TUSD", "0.500001", new_address())).must(400)["error"]
    assert error.items() >= refused.items()
    last = tenant.withdraw("TUSD", "0.5", new_address())
    error = tenant.api.post("/withdrawal/request", tenant.order("TUSD", "0.000001", new_address())).must(400)["error"]
    assert error["left"] == "0"
    for request in (first, *rest, last):
        tenant.wait_completed(request)
    assert tenant.account("TUSD") == Balances(chain.units("TUSD", "2"), 0, chain.units("TUSD", "1000000"))


def test_a_treasury_without_coins_waits_for_them_and_its_lane_goes_on(world: World, chain: Chain) -> None:
    tenant = world.tenant(gas="0")
    tenant.credit("ETH", "1", "gas")
    tenant.credit("ETH", "5")
    transfer = tenant.transfer("ETH", "2", new_address())
    lane = wait_until("the lane waits", lambda: (lane := tenant.lane())["state"] == "waiting" and lane)
    assert lane["reason"] == "treasury_short"
    assert tenant.told(transfer)["status"] == "pending"
    # People are told, and nobody else waits for it.
    wait_until("an alarm's metric", lambda: world.functions.logs("send", '"TreasuryShort"'))
    other = world.tenant(ETH="1")
    other.wait_confirmed(other.transfer("ETH", "1", new_address()))
    assert tenant.lane()["state"] == "waiting"
    chain.give("ETH", tenant.treasury, chain.units("ETH", "6"))
    # Nobody has to do anything but bring the money: the next look finds it.
    tenant.wait_confirmed(transfer)
    assert tenant.lane()["state"] == "open"
    tenant.assert_ledger_is_chain("ETH")


def test_gas_that_nobody_set_aside_is_booked_all_the_same(world: World, chain: Chain) -> None:
    tenant = world.tenant(gas="0", ETH="1")
    told = tenant.wait_confirmed(tenant.transfer("ETH", "0.5", new_address()))
    receipt = chain.receipt(told["transactionHash"])
    cost = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
    assert tenant.account("ETH", "gas") == Balances(-cost, 0, cost)
    tenant.assert_ledger_is_chain("ETH")
    # Until an operator does.
    tenant.fund("ETH", "0.1", "gas")
    assert tenant.account("ETH", "gas").available == chain.units("ETH", "0.1") - cost
