"""A block holds, also for what was taken before it, and opening it lets that go on."""

from __future__ import annotations

import pytest

from support.chain import Chain, new_address
from support.letters import message_of
from support.tenants import Tenant
from support.waiting import wait_until
from support.world import World


@pytest.fixture
def tenant(world: World) -> Tenant:
    return world.tenant(ETH="2")


def throw(world: World, scope: str, blocked: bool) -> None:
    """Throws a switch or opens it."""
    world.operator.act("switches", scope=scope, blocked=blocked).must(200)


def test_a_block_holds_for_what_was_taken_before(world: World, tenant: Tenant, chain: Chain, recipient: str) -> None:
    scope = f"tenant:{tenant.name}"
    with world.functions.untriggered("validate-sign", "transfers-low"):
        transfer = tenant.transfer("ETH", "1", recipient, priority="low")
        throw(world, scope, True)
    told = tenant.wait_told(transfer, state="waiting")
    assert told["waitingFor"] == "blocked"
    assert scope in [row["scope"] for row in world.operator.items("/admin/v1/switches")]
    # At the door the block is believed within seconds, by every process there.
    refusal = wait_until("a refusal", lambda: refused(tenant))
    assert refusal["code"] == "BLOCKED"
    # A repeat of its message does not get past the block.
    world.stack.send("transfers-low", message_of(transfer))
    wait_until("it was looked at again", lambda: tenant.told(transfer)["updatedAt"] != told["updatedAt"])
    assert tenant.told(transfer)["waitingFor"] == "blocked"
    assert not tenant.lane().get("next")
    throw(world, scope, False)
    # The next look at them would come within a minute; a repeat of their messages is as good.
    taken = [one["transferId"] for one in tenant.api.get("/api/v1/transfers", limit=100).must(200)["transfers"]]
    assert transfer in taken
    for one in taken:
        world.stack.send("transfers-low", message_of(one))
    for one in taken:
        tenant.wait_confirmed(one)
    assert chain.balance("ETH", recipient) == chain.units("ETH", "1")


def refused(tenant: Tenant) -> dict | None:
    """The refusal of a request that could be paid but for a block; one that is taken waits as well."""
    order = tenant.order("ETH", "0.000000000000000001", new_address())
    answer = tenant.api.post("/withdrawal/request", order)
    return answer.body["error"] if answer.status == 403 else answer.must(201) and None
