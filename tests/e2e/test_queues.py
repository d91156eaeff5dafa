"""What clients and operators see of the queues."""

from __future__ import annotations

import pytest

from support.chain import new_address
from support.letters import message_of, parcel_of
from support.stack import DEAD_QUEUES, REQUEST_QUEUES
from support.tenants import Tenant
from support.waiting import wait_until
from support.world import World


@pytest.fixture
def tenant(world: World) -> Tenant:
    return world.tenant(ETH="2")


def test_the_status_counts_what_waits_and_what_is_under_way(world: World, tenant: Tenant) -> None:
    def counts() -> dict[str, int]:
        body = tenant.api.get("/withdrawal/queue/status").must(200)
        assert set(body) == {"tx-request"}
        return body["tx-request"]

    assert counts() == {"size": 0, "processing": 0}
    with world.functions.untriggered("validate-sign", "transfers-low"):
        transfers = [tenant.transfer("ETH", "0.1", new_address(), priority="low") for _ in range(3)]
        assert counts() == {"size": 3, "processing": 0}
    with tenant.chain.frozen():
        for transfer in transfers:
            tenant.wait_told(transfer, state="broadcast")
        wait_until("the queue is empty", lambda: counts() == {"size": 0, "processing": 3})
    for transfer in transfers:
        tenant.wait_confirmed(transfer)
    assert counts() == {"size": 0, "processing": 0}


def test_operators_see_messages_without_taking_them(world: World, tenant: Tenant) -> None:
    with world.functions.untriggered("validate-sign", "transfers-low"):
        transfer = tenant.transfer("ETH", "0.1", new_address(), priority="low")
        parcel = parcel_of(transfer)

        def look() -> list[dict]:
            # Looks are limited to one a second for each process.
            answer = world.operator.get("/withdrawal/queue/items")
            return answer.body["items"] if answer.status == 200 else answer.must(503) and []

        [item] = wait_until("the message is seen", lambda: [one for one in look() if parcel in str(one["body"])])
        assert item["messageId"]
        assert 0 < len(item["receiptHandle"]) < 40
        assert item["receiveCount"] >= 1
        queues = {row["queue"]: row for row in world.operator.items("/admin/v1/queues")}
        assert queues["transfers-low"]["ready"] + queues["transfers-low"]["inFlight"] == 1
    # It was seen, not taken.
    tenant.wait_confirmed(transfer)


def test_operators_see_who_waits_and_for_what(world: World, tenant: Tenant) -> None:
    tenant.credit("TUSD", "1")
    transfer = tenant.transfer("TUSD", "1", new_address())
    tenant.wait_told(transfer, state="waiting")

    def rows() -> list[dict]:
        answer = world.operator.get("/withdrawal/queue/items")
        return answer.body["waiting"] if answer.status == 200 else answer.must(503) and []

    [row] = wait_until("it is listed", lambda: [one for one in rows() if one["id"] == transfer])
    assert (row["reason"], bool(row["wakeAt"])) == ("treasury_short", True)
    tenant.chain.give("TUSD", tenant.treasury, tenant.chain.units("TUSD", "1"))
    # Its next look would come within half a minute; a repeat of its message is as good.
    world.stack.send("transfers-normal", message_of(transfer))
    tenant.wait_confirmed(transfer)


def test_every_queue_is_listed(world: World) -> None:
    listed = {row["queue"] for row in world.operator.items("/admin/v1/queues")}
    assert listed >= {*REQUEST_QUEUES, *DEAD_QUEUES, "transactions.fifo", "chain-events"}
