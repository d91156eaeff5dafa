"""A block holds, also for what was taken before it, and opening it lets that go on."""

from __future__ import annotations

import pytest

from support.chain import Chain, new_address
from support.tenants import NETWORK, Tenant
from support.waiting import wait_until
from support.world import World


@pytest.fixture
def tenant(world: World) -> Tenant:
    return world.tenant(ETH="2")


def throw(world: World, scope: str, blocked: bool) -> None:
    """Throws a switch or opens it."""
    world.operator.act("switches", scope=scope, blocked=blocked).must(200)


@pytest.mark.parametrize("kind", ["tenant", "lane"])
def test_a_block_holds_for_what_was_taken_before(
    world: World, tenant: Tenant, chain: Chain, recipient: str, kind: str
) -> None:
    scope = f"tenant:{tenant.name}" if kind == "tenant" else f"lane:{NETWORK}/{tenant.treasury}"
    with world.functions.untriggered("validate-sign", "transfers-low"):
        transfer = tenant.transfer("ETH", "1", recipient, priority="low")
        throw(world, scope, True)
    assert tenant.wait_told(transfer, state="waiting")["waitingFor"] == "blocked"
    assert chain.sent_by(tenant.treasury) == []
    listed = [row["scope"].lower() for row in world.operator.items("/admin/v1/switches")]
    assert scope.lower() in listed
    # At the door the block is believed within seconds, by every process there.
    refusal = wait_until("a refusal", lambda: refused(tenant))
    assert refusal["code"] == "BLOCKED"
    throw(world, scope, False)
    tenant.wait_confirmed(transfer)
    assert chain.balance("ETH", recipient) == chain.units("ETH", "1")


def refused(tenant: Tenant) -> dict | None:
    """The refusal of a request that could be paid but for a block; one that is taken waits as well."""
    order = tenant.order("ETH", "0.000000000000000001", new_address())
    answer = tenant.api.post("/withdrawal/request", order)
    return answer.body["error"] if answer.status == 403 else answer.must(201) and None
