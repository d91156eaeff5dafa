"""The same request twice moves money once; a client that repeats a call is safe."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.api import Answer, new_key
from support.chain import Chain, new_address
from support.tenants import Tenant
from support.waiting import at_once
from support.world import World

AT_ONCE = 50


@pytest.fixture(scope="module")
def tenant(world: World) -> Tenant:
    return world.tenant(ETH="1", TUSD="100")


def withdrawing(tenant: Tenant, to: str, key: str, amount: str = "1") -> Callable[[], Answer]:
    """A withdrawal under a key, to be asked for any number of times."""
    order = tenant.order("TUSD", amount, to)
    return lambda: tenant.api.post_until_taken("/withdrawal/request", order, **{"idempotency-key": key})


def transferring(tenant: Tenant, to: str, key: str, amount: str = "1") -> Callable[[], Answer]:
    """A transfer under a key, to be asked for any number of times."""
    body = {"from": tenant.treasury, "to": to, "amount": amount, "token": "TUSD", "idempotencyKey": key}
    return lambda: tenant.api.post_until_taken("/api/v1/transfers", body)


SURFACES = pytest.mark.parametrize("asking", [withdrawing, transferring])


@SURFACES
def test_a_repeat_gets_the_same_answer_before_and_after_it_is_paid(
    tenant: Tenant, chain: Chain, recipient: str, asking: Callable
) -> None:
    ask = asking(tenant, recipient, new_key())
    first = ask()
    assert first.status in (201, 202)
    assert [ask().body for _ in range(3)] == [first.body] * 3
    wait_paid(tenant, first)
    assert (ask().status, ask().body) == (first.status, first.body)
    assert chain.balance("TUSD", recipient) == chain.units("TUSD", "1")


@SURFACES
def test_many_at_once_are_one_transfer(tenant: Tenant, chain: Chain, recipient: str, asking: Callable) -> None:
    ask = asking(tenant, recipient, new_key())
    answers = at_once(lambda _: ask(), range(AT_ONCE))
    assert {answer.status for answer in answers} <= {201, 202}
    assert all(answer.body == answers[0].body for answer in answers)
    wait_paid(tenant, answers[0])
    assert chain.balance("TUSD", recipient) == chain.units("TUSD", "1")


@SURFACES
def test_a_key_is_refused_for_another_request(tenant: Tenant, recipient: str, asking: Callable) -> None:
    key = new_key()
    first = asking(tenant, recipient, key)()
    for other in (asking(tenant, recipient, key, amount="2"), asking(tenant, new_address(), key)):
        refusal = other().must(422)
        assert (refusal.get("error") or refusal)["code"] == "IDEMPOTENCY_KEY_REUSED"
    wait_paid(tenant, first)


@SURFACES
def test_the_same_amount_written_otherwise_is_the_same_request(
    tenant: Tenant, recipient: str, asking: Callable
) -> None:
    key = new_key()
    first = asking(tenant, recipient, key, amount="1")()
    assert asking(tenant, recipient, key, amount="1.00")().body == first.body
    wait_paid(tenant, first)


def test_a_key_belongs_to_its_tenant_and_surface(world: World, tenant: Tenant, chain: Chain, recipient: str) -> None:
    other, key = world.tenant(TUSD="1"), new_key()
    wait_paid(tenant, withdrawing(tenant, recipient, key)())
    wait_paid(tenant, transferring(tenant, recipient, key)())
    wait_paid(other, withdrawing(other, recipient, key)())
    assert chain.balance("TUSD", recipient) == chain.units("TUSD", "3")


def test_without_a_key_each_call_is_a_new_withdrawal(tenant: Tenant, chain: Chain, recipient: str) -> None:
    order = tenant.order("TUSD", "1", recipient)
    requests = {tenant.api.post("/withdrawal/request", order).must(201)["requestId"] for _ in range(2)}
    assert len(requests) == 2
    for request in requests:
        tenant.wait_completed(request)
    assert chain.balance("TUSD", recipient) == chain.units("TUSD", "2")


def wait_paid(tenant: Tenant, answer: Answer) -> None:
    """Waits until what was asked for has ended well."""
    if answer.status == 201:
        tenant.wait_completed(answer.body["requestId"])
    else:
        tenant.wait_confirmed(answer.must(202)["transferId"])
