"""A key that does not sign costs its own tenant time, and nobody a number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from support.chain import Chain, new_address
from support.letters import message_of
from support.tenants import Tenant
from support.waiting import wait_until
from support.world import World


@contextmanager
def disabled_key(world: World, tenant: Tenant) -> Iterator[None]:
    """KMS refuses to sign with the key of a tenant's treasury."""
    [treasury] = world.operator.items("/admin/v1/treasuries", tenant=tenant.name)
    kms, key = world.stack.client("kms"), treasury["key"]["keyId"]
    kms.disable_key(KeyId=key)
    try:
        yield
    finally:
        kms.enable_key(KeyId=key)


def test_a_key_that_is_denied_burns_no_number_and_holds_up_nobody_else(
    world: World, chain: Chain, recipient: str
) -> None:
    tenant, other = world.tenant(ETH="2"), world.tenant(ETH="1")
    tenant.wait_confirmed(tenant.transfer("ETH", "0.5", new_address()))
    with disabled_key(world, tenant):
        # Both lie in one batch.
        with world.functions.untriggered("validate-sign", "transfers-normal"):
            transfer = tenant.transfer("ETH", "1", recipient)
            others = other.transfer("ETH", "0.5", new_address())
        told = tenant.wait_told(transfer, state="waiting")
        assert told["waitingFor"] == "keys_unavailable"
        other.wait_confirmed(others)
        # A repeat of its message changes nothing.
        world.stack.send("transfers-normal", message_of(transfer))
        wait_until("it was looked at again", lambda: tenant.told(transfer)["updatedAt"] != told["updatedAt"])
        assert tenant.told(transfer)["waitingFor"] == "keys_unavailable"
        lane = tenant.lane()
        assert (lane["state"], lane["next"], len(lane["transactions"])) == ("open", 1, 1)
    # Its next look comes by itself.
    tenant.wait_confirmed(transfer)
    assert [int(one["nonce"], 16) for one in chain.sent_by(tenant.treasury)] == [0, 1]
    assert chain.balance("ETH", recipient) == chain.units("ETH", "1")
    tenant.assert_ledger_is_chain("ETH")
