"""More than the network's cap is never offered: what has no number waits, and what has one goes on as it was signed."""

from __future__ import annotations

from typing import Any

import pytest

from support.chain import Chain
from support.tenants import Tenant
from support.waiting import wait_until
from support.world import World

GWEI = 10**9
CAP = 500 * GWEI
# A base fee at which nearly all of the cap is offered, twice as much.
FIRST = 240 * GWEI


@pytest.fixture
def tenant(world: World) -> Tenant:
    return world.tenant(ETH="2")


def test_above_the_cap_nothing_is_signed_until_the_price_falls(
    world: World, tenant: Tenant, chain: Chain, recipient: str
) -> None:
    assert chain.network["max_fee_per_gas_wei"] == CAP
    with chain.frozen(), chain.base_fee(CAP):
        priced_anew(world)
        transfer = tenant.transfer("ETH", "1", recipient)
        told = tenant.wait_told(transfer, state="waiting")
        assert told["waitingFor"] == "fee_above_cap"
        assert "transactionHash" not in told
        assert not tenant.lane().get("next")
        listed = list(world.operator.items("/admin/v1/transfers/waiting", network="local"))
        mine = [(row["waitingFor"], row["amount"]) for row in listed if row["transferId"] == transfer]
        assert mine == [("fee_above_cap", "1")], listed
    # Nobody has to do anything: its next look comes within half a minute.
    tenant.wait_confirmed(transfer)
    assert chain.balance("ETH", recipient) == chain.units("ETH", "1")
    tenant.assert_ledger_is_chain("ETH")


@pytest.mark.parametrize("market", [490 * GWEI, 600 * GWEI], ids=["the step is", "the market is"])
def test_where_a_raise_would_be_above_the_cap_the_same_bytes_go_on_and_are_paid_once(
    world: World, tenant: Tenant, chain: Chain, recipient: str, market: int
) -> None:
    with chain.frozen():
        with chain.base_fee(FIRST):
            priced_anew(world)
            transfer = tenant.transfer("ETH", "1", recipient, priority="high")
            tx_hash = tenant.wait_told(transfer, state="broadcast")["transactionHash"]
            chain.wait_pooled(tx_hash)
            offered = int(chain.transaction(tx_hash)["maxFeePerGas"], 16)
            assert 2 * FIRST <= offered < 490 * GWEI
        with chain.base_fee(market):
            # The node throws out what no block of its own takes.
            chain.mine()
        assert chain.transaction(tx_hash) is None
        with chain.base_fee(market):
            with world.functions.untriggered("validate-sign", "sign-requests.fifo"):
                wait_until("a raise is asked for", lambda: world.queued("sign-requests.fifo"))
            wait_until("that is decided", lambda: not world.queued("sign-requests.fifo"))
            lane = wait_until("it goes out again and is refused", lambda: waiting(tenant))
            assert lane["reason"] == "fee_above_cap"
            assert signed(lane) == [tx_hash]
        chain.wait_pooled(tx_hash)
        chain.mine()
    assert tenant.wait_confirmed(transfer)["transactionHash"] == tx_hash
    assert [one["hash"] for one in chain.sent_by(tenant.treasury)] == [tx_hash]
    assert chain.balance("ETH", recipient) == chain.units("ETH", "1")
    tenant.assert_ledger_is_chain("ETH")


def priced_anew(world: World) -> None:
    """The next transfer is priced as the chain is now: a signer that knows a price believes it for a while."""
    world.functions.kill("validate-sign")


def waiting(tenant: Tenant) -> dict[str, Any] | None:
    """The lane, if it waits."""
    lane = tenant.lane()
    return lane if lane["state"] == "waiting" else None


def signed(lane: dict[str, Any]) -> list[str]:
    """Hashes of all that was ever signed for a lane."""
    return [tx_hash for number in lane["transactions"] for tx_hash in number["hashes"]]
