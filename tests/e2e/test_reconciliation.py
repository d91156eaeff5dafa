"""Reconciliation: what does not agree is told, and all that the other tests did agrees."""

from __future__ import annotations

import pytest

from support.chain import Chain
from support.reconciliation import reconciled_often, reconciliation, wait_looked
from support.waiting import wait_until
from support.world import World


def told(world: World, tenant: str) -> dict[str, bool]:
    """What is told of a tenant: each kind, and whether it is an alarm."""
    differences = reconciliation(world)["differences"]
    return {one["kind"]: one["alarm"] for one in differences if one["tenant"] == tenant}


def test_what_the_chain_lacks_is_told_and_ends_with_its_cause(world: World, chain: Chain, recipient: str) -> None:
    tenant = world.tenant(ETH="2", TUSD="3")
    tenant.wait_completed(tenant.withdraw("TUSD", "1", recipient))
    had = chain.balance("ETH", tenant.treasury)

    # A new leader knows the new treasury at once; one that is there already reads the list each minute.
    with reconciled_often(world):
        chain.call("anvil_setBalance", tenant.treasury, hex(had - 1))
        wait_until("the chain's loss is told", lambda: told(world, tenant.name) == {"short": True})
        assert not reconciliation(world)["clean"]
        [one] = [one for one in reconciliation(world)["differences"] if one["tenant"] == tenant.name]
        assert one["subject"].lower() == f"treasury:local/{tenant.treasury.lower()}#local:0x{'0' * 40}"
        assert "0.000000000000000001 ETH less" in one["detail"]

        chain.call("anvil_setBalance", tenant.treasury, hex(had + 1))
        wait_until("the deposit is listed", lambda: told(world, tenant.name) == {"uncredited": False})
        chain.call("anvil_setBalance", tenant.treasury, hex(had))
        wait_until("nothing is told", lambda: told(world, tenant.name) == {})
    tenant.assert_ledger_is_chain("ETH")


def test_a_parcel_that_its_number_does_not_name_is_told_to_people(world: World, chain: Chain, recipient: str) -> None:
    tenant = world.tenant(ETH="2")

    def number(value: int) -> None:
        world.stack.client("dynamodb").update_item(
            TableName=world.stack.outputs["tables"]["transfers"],
            Key={"pk": {"S": f"PCL#{parcel}"}, "sk": {"S": "PCL"}}, ConditionExpression="attribute_exists(pk)",
            UpdateExpression="SET #n = :n", ExpressionAttributeNames={"#n": "number"},
            ExpressionAttributeValues={":n": {"N": str(value)}})

    # Nobody writes the row, and no look calls it settled, before a block has it.
    with chain.frozen():
        transfer = tenant.transfer("ETH", "1", recipient)
        tenant.wait_told(transfer, state="broadcast")
        parcel = transfer.removeprefix("tr_").split("-")[0]
        number(7)
        with reconciled_often(world):
            wait_until("the difference is told", lambda: told(world, tenant.name).get("parcel"))
            assert not reconciliation(world)["clean"]
            number(0)
            wait_until("nothing is told", lambda: told(world, tenant.name) == {})
    tenant.wait_confirmed(transfer)


@pytest.mark.last
def test_after_everything_all_agrees(world: World) -> None:
    before = reconciliation(world).get("lookedAt", "")
    with reconciled_often(world):
        now = wait_looked(world, after=before)
    assert (now["clean"], now["differences"]) == (True, [])
