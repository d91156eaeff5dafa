"""Money goes out: every kind of asset, through both surfaces, with both kinds of key."""

from __future__ import annotations

import re

import pytest

from support.api import new_key
from support.chain import Chain, new_address
from support.tenants import Balances, Tenant
from support.world import World

pytestmark = pytest.mark.guarded

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@pytest.fixture(scope="module")
def alice(world: World) -> Tenant:
    return world.demo_tenant("alice", ETH="1", TUSD="10", TUSDT="10")


@pytest.fixture(scope="module")
def bob(world: World) -> Tenant:
    return world.demo_tenant("bob", ETH="1", TUSD="10", TUSDT="10")


@pytest.fixture(scope="module")
def carol(world: World) -> Tenant:
    return world.demo_tenant("carol", ETH="1", TUSD="10")


ASSETS = [("ETH", "0.000000000000000001"), ("TUSD", "1.000001"), ("TUSDT", "2.5")]


@pytest.mark.parametrize(("symbol", "amount"), ASSETS)
def test_a_withdrawal_pays_and_is_told_to_its_end(
    alice: Tenant, chain: Chain, recipient: str, symbol: str, amount: str
) -> None:
    before = alice.account(symbol)
    answer = alice.api.post("/withdrawal/request", alice.order(symbol, amount, recipient))
    taken = answer.must(201)
    request = taken["requestId"]
    assert re.fullmatch(r"tx-\d{13}-[0-9a-z]{9}", request)
    assert taken["status"] == "PENDING"
    assert answer.headers["location"] == f"/withdrawal/status/{request}"
    status = alice.wait_completed(request)
    assert set(status) == {"id", "status", "transactionHash", "createdAt", "updatedAt"}
    assert status["id"] == request
    assert TIME.fullmatch(status["createdAt"]) and TIME.fullmatch(status["updatedAt"])
    assert chain.receipt(status["transactionHash"])["status"] == "0x1"
    paid(alice, chain, symbol, chain.units(symbol, amount), recipient, before)


@pytest.mark.parametrize(("symbol", "amount", "priority"), [(*asset, priority) for asset, priority in zip(
    ASSETS, ("low", "normal", "high"))])
def test_a_transfer_pays_and_is_told_to_its_end(
    bob: Tenant, chain: Chain, recipient: str, symbol: str, amount: str, priority: str
) -> None:
    before = bob.account(symbol)
    body = {"from": bob.treasury, "to": recipient, "amount": amount, "token": symbol, "priority": priority,
            "idempotencyKey": new_key()}
    taken = bob.api.post("/api/v1/transfers", body).must(202)
    assert taken["status"] == "accepted"
    assert taken["trackingUrl"] == f"/api/v1/transfers/{taken['transferId']}"
    assert TIME.fullmatch(taken["estimatedCompletionTime"])
    told = bob.wait_confirmed(taken["transferId"])
    receipt = chain.receipt(told["transactionHash"])
    asked = {"from": bob.treasury, "amount": amount, "token": symbol, "network": "local", "priority": priority}
    assert told.items() >= asked.items()
    assert told["to"].lower() == recipient
    assert told["state"] == "confirmed"
    assert told["blockNumber"] == int(receipt["blockNumber"], 16)
    assert told["confirmations"] >= chain.network["confirmed_at"]
    paid(bob, chain, symbol, chain.units(symbol, amount), recipient, before)


@pytest.mark.parametrize(("symbol", "amount"), [("ETH", "0.1"), ("TUSD", "3")])
def test_an_imported_key_pays(carol: Tenant, chain: Chain, recipient: str, symbol: str, amount: str) -> None:
    before = carol.account(symbol)
    carol.wait_completed(carol.withdraw(symbol, amount, recipient))
    paid(carol, chain, symbol, chain.units(symbol, amount), recipient, before)


def test_a_tokens_address_names_it_as_its_symbol_does(alice: Tenant, chain: Chain, recipient: str) -> None:
    token = chain.token_address("TUSD")
    told = alice.wait_confirmed(alice.transfer(token, "1", recipient))
    assert told["token"] == "TUSD"
    assert chain.balance("TUSD", recipient) == chain.units("TUSD", "1")


def test_the_list_has_both_surfaces_transfers_newest_first(bob: Tenant) -> None:
    first = bob.transfer_of(bob.withdraw("TUSD", "0.1", new_address()))
    second = bob.transfer("TUSD", "0.1", new_address())
    page = bob.api.get("/api/v1/transfers", limit=1).must(200)
    assert [one["transferId"] for one in page["transfers"]] == [second]
    page = bob.api.get("/api/v1/transfers", limit=1, cursor=page["nextCursor"]).must(200)
    assert [one["transferId"] for one in page["transfers"]] == [first]
    for transfer in (first, second):
        bob.wait_confirmed(transfer)


def paid(tenant: Tenant, chain: Chain, symbol: str, units: int, recipient: str, before: Balances) -> None:
    """The recipient has it, the ledger says so, and ledger and chain agree."""
    assert chain.balance(symbol, recipient) == units
    assert tenant.account(symbol) == Balances(before.available - units, before.held, before.posted + units)
    tenant.assert_ledger_is_chain(symbol, "ETH")
