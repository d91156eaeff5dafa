"""Operators tell the ledger of money that came to a treasury or left it: once, with a reason, on record."""

from __future__ import annotations

import pytest

from support.api import REASON, new_key
from support.chain import Chain
from support.tenants import Balances, Tenant
from support.waiting import at_once
from support.world import World


@pytest.fixture(scope="module")
def tenant(world: World) -> Tenant:
    """A tenant with money; ledger and chain agree after each test."""
    return world.tenant(TUSD="5")


def movement(tenant: Tenant, amount: str) -> dict[str, str]:
    """The body of a credit or debit of TUSD."""
    return {"tenant": tenant.name, "network": "local", "token": "TUSD", "amount": amount, "reason": REASON,
            "idempotencyKey": new_key()}


def test_a_credit_counts_once_however_often_it_is_sent(world: World, tenant: Tenant, chain: Chain) -> None:
    before = tenant.account("TUSD").available
    body = movement(tenant, "1.5")
    chain.give("TUSD", tenant.treasury, chain.units("TUSD", "1.5"))
    answers = at_once(lambda _: world.operator.post_until_taken("/admin/v1/accounts/credit", body), range(10))
    assert {answer.must(200)["operationId"] for answer in answers} == {answers[0].body["operationId"]}
    assert tenant.account("TUSD") == Balances(before + chain.units("TUSD", "1.5"), 0, 0)
    tenant.assert_ledger_is_chain("TUSD")
    refusal = world.operator.post("/admin/v1/accounts/credit", body | {"amount": "2"}).must(422)
    assert refusal["code"] == "IDEMPOTENCY_KEY_REUSED"


def test_a_debit_takes_what_is_there_and_no_more(world: World, tenant: Tenant, chain: Chain) -> None:
    all_of_it = chain.shown("TUSD", tenant.account("TUSD").available)
    refusal = world.operator.post("/admin/v1/accounts/debit", movement(tenant, f"1{all_of_it}")).must(402)
    assert refusal["details"] == {"field": "amount", "available": all_of_it, "required": f"1{all_of_it}"}
    answer = world.operator.post("/admin/v1/accounts/debit", movement(tenant, all_of_it)).must(200)
    assert answer["available"] == "0"
    assert tenant.account("TUSD", "treasury").available == 0
    # The money did not leave the treasury, after all.
    tenant.credit("TUSD", all_of_it)
    tenant.assert_ledger_is_chain("TUSD")


def test_a_movement_is_on_record(world: World, tenant: Tenant) -> None:
    operation = tenant.debit("TUSD", "1")["operationId"]
    records = world.operator.get("/admin/v1/audit", limit=20).must(200)["items"]
    [record] = [one for one in records if one["detail"].get("operation") == operation]
    assert (record["action"], record["reason"]) == ("accounts.debit", REASON)
    assert record["target"].startswith(f"tenant:{tenant.name}#")
    # Each record carries the hash of the one before.
    assert all(newer["previous"] == older["hash"] for newer, older in zip(records, records[1:]))
    tenant.credit("TUSD", "1")


@pytest.mark.parametrize(("field", "value"), [
    ("amount", "0"), ("amount", "1.0000001"), ("reason", ""), ("account", "treasury"), ("tenant", "No Such"),
    ("token", "ETH "), ("network", "nowhere"), ("idempotencyKey", ""), ("memo", "x"),
])
@pytest.mark.parametrize("verb", ["credit", "debit"])
def test_a_movement_with_a_bad_field(world: World, tenant: Tenant, verb: str, field: str, value: str) -> None:
    refusal = world.operator.post(f"/admin/v1/accounts/{verb}", movement(tenant, "1") | {field: value}).must(400)
    assert refusal["details"]["field"] == field


def test_an_address_is_one_tenants_treasury(world: World, tenant: Tenant) -> None:
    [row] = [one for one in world.operator.items("/admin/v1/treasuries", tenant=tenant.name)]
    assert (row["address"], row["network"]) == (tenant.treasury, "local")
    key = {"kind": "kms", "keyId": row["key"]["keyId"]}
    for name in (tenant.name, "e2e-another"):
        refusal = world.operator.act("treasuries", tenant=name, network="local", key=key).must(409)
        assert refusal["code"] == "CONFLICT"
