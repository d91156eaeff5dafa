"""A block holds, also for what was taken before it, and opening it lets that go on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.chain import Chain, new_address
from support.letters import message_of
from support.tenants import NETWORK, Tenant
from support.waiting import wait_until
from support.world import World


@pytest.fixture
def tenant(world: World) -> Tenant:
    return world.tenant(ETH="2")


@pytest.fixture(params=["tenant", "lane", "network"])
def pause(request: pytest.FixtureRequest, world: World, tenant: Tenant) -> Iterator[str]:
    """The scope of a pause, lifted at the end whatever happens: a network's would hold all other tests."""
    names = {"tenant": tenant.name, "lane": f"{NETWORK}/{tenant.treasury}", "network": NETWORK}
    scope = f"{request.param}:{names[request.param]}"
    yield scope
    throw(world, scope, False)


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


def test_a_pause_holds_what_is_signed_and_what_is_queued_until_it_is_lifted(
    world: World, tenant: Tenant, chain: Chain, recipient: str, pause: str
) -> None:
    late = new_address()
    with world.functions.untriggered("send", "transactions.fifo"):
        signed = tenant.transfer("ETH", "0.5", recipient)
        tenant.wait_told(signed, state="assigned")
        with world.functions.untriggered("validate-sign", "transfers-low"):
            queued = tenant.transfer("ETH", "0.5", late, priority="low")
            throw(world, pause, True)
    assert tenant.wait_told(queued, state="waiting")["waitingFor"] == "blocked"
    wait_until("the sender has looked at the lane", lambda: tenant.lane().get("reason") == "blocked")
    lane = tenant.lane()
    assert (lane["state"], lane["next"], lane["seen"]) == ("waiting", 1, 0)
    [number] = lane["transactions"]
    assert chain.transaction(number["hash"]) is None
    assert tenant.told(signed)["state"] == "assigned"
    throw(world, pause, False)
    # What is signed goes by itself. The next look at what is not would come within a minute; a repeat is as good.
    world.stack.send("transfers-low", message_of(queued))
    told = [tenant.wait_confirmed(one) for one in (signed, queued)]
    assert told[0]["transactionHash"] == number["hash"]
    sent = chain.sent_by(tenant.treasury)
    assert [one["hash"] for one in sent] == [one["transactionHash"] for one in told]
    assert [chain.balance("ETH", to) for to in (recipient, late)] == [chain.units("ETH", "0.5")] * 2
    assert tenant.lane()["state"] == "open"
    tenant.assert_ledger_is_chain("ETH")


def refused(tenant: Tenant) -> dict | None:
    """The refusal of a request that could be paid but for a block; one that is taken waits as well."""
    order = tenant.order("ETH", "0.000000000000000001", new_address())
    answer = tenant.api.post("/withdrawal/request", order)
    return answer.body["error"] if answer.status == 403 else answer.must(201) and None
