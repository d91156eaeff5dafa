"""The chain changes its mind: what left it is sent again, the same bytes, and pays once."""

from __future__ import annotations

import pytest

from support.chain import Chain, new_address
from support.tenants import Balances, Tenant
from support.waiting import wait_until
from support.world import World

AMOUNT = "0.5"
GWEI = 10**9


@pytest.fixture(autouse=True)
def alone(chain: Chain) -> None:
    """What earlier tests did is too deep to be touched."""
    chain.bury()


@pytest.fixture
def tenant(world: World) -> Tenant:
    return world.tenant(ETH="2")


def included(tenant: Tenant, chain: Chain, blocks: int, **fields: str) -> tuple[str, str]:
    """A transfer to nobody else, and its hash, in the oldest of the chain's newest few blocks."""
    transfer = tenant.transfer("ETH", AMOUNT, new_address(), **fields)
    tx_hash = tenant.wait_told(transfer, state="broadcast")["transactionHash"]
    chain.wait_pooled(tx_hash)
    chain.mine(blocks)
    tenant.wait_told(transfer, confirmations=blocks)
    return transfer, tx_hash


def paid_once(tenant: Tenant, chain: Chain, transfer: str, tx_hash: str) -> None:
    """The transfer ended well, by these bytes and by nothing else."""
    told = tenant.wait_confirmed(transfer)
    assert told["transactionHash"] == tx_hash
    assert told["blockNumber"] == int(chain.receipt(tx_hash)["blockNumber"], 16)
    assert [one["hash"] for one in chain.sent_by(tenant.treasury)] == [tx_hash]
    assert chain.balance("ETH", told["to"]) == chain.units("ETH", AMOUNT)
    assert tenant.account("ETH") == Balances(chain.units("ETH", "1.5"), 0, chain.units("ETH", AMOUNT))
    tenant.assert_ledger_is_chain("ETH")


def test_one_that_removes_a_transaction(tenant: Tenant, chain: Chain) -> None:
    with chain.frozen():
        transfer, tx_hash = included(tenant, chain, 2)
        chain.reorg(2)
        assert chain.transaction(tx_hash) is None
        chain.mine()
        # Sent again by nobody but us: the node had forgotten it.
        chain.wait_pooled(tx_hash)
        told = tenant.wait_told(transfer, confirmations=0)
        assert (told["status"], told["state"]) == ("pending", "broadcast")
    paid_once(tenant, chain, transfer, tx_hash)
    assert tenant.lane()["state"] == "open"


def test_one_that_moves_a_transaction(tenant: Tenant, chain: Chain) -> None:
    with chain.frozen():
        transfer, tx_hash = included(tenant, chain, 2)
        before = tenant.told(transfer)["blockNumber"]
        chain.reorg(2, [(chain.raw(tx_hash), 1)])
        chain.mine()
        moved = wait_until("it is seen in its new block",
                           lambda: (told := tenant.told(transfer)) if tenant.told(transfer).get("blockNumber") == before + 1
                           else None)
        assert moved["status"] == "pending"
    paid_once(tenant, chain, transfer, tx_hash)
    assert tenant.lane()["state"] == "open"


def test_one_deeper_than_confirmed_reopens_and_halts_the_lane(world: World, tenant: Tenant, chain: Chain) -> None:
    depth = chain.network["confirmed_at"] + 1
    with chain.frozen():
        transfer, tx_hash = included(tenant, chain, depth)
        tenant.wait_told(transfer, status="confirmed")
        chain.reorg(depth)
        chain.mine()
        told = tenant.wait_told(transfer, status="resubmitted")
        assert told["state"] == "reopened"
        # Taken back by reversing entries: the money is held again, nothing is released.
        assert tenant.account("ETH") == Balances(chain.units("ETH", "1.5"), chain.units("ETH", AMOUNT), 0)
        # The same bytes go again although the lane is halted; nothing new does.
        chain.wait_pooled(tx_hash)
        lane = tenant.lane()
        assert (lane["state"], lane["next"]) == ("halted", 1)
        assert "left the chain" in lane["reason"]
        chain.mine(depth)
        tenant.wait_told(transfer, status="confirmed")
    paid_once(tenant, chain, transfer, tx_hash)
    late = tenant.transfer("ETH", AMOUNT, new_address())
    assert tenant.wait_told(late, state="waiting")["waitingFor"] == "lane_closed"
    lane = tenant.lane()
    assert (lane["state"], lane["next"]) == ("halted", 1)
    opened = world.operator.act(f"lanes/local/{tenant.treasury}/release").must(200)
    assert opened["state"] == "open"
    world.operator.act(f"lanes/local/{tenant.treasury}/release").must(409)
    tenant.wait_confirmed(late)
    tenant.assert_ledger_is_chain("ETH")


def test_one_after_which_the_price_is_too_low_is_raised_once_people_opened_the_lane(
    world: World, tenant: Tenant, chain: Chain
) -> None:
    depth = chain.network["confirmed_at"] + 1
    with chain.frozen():
        transfer, first = included(tenant, chain, depth, priority="high")
        tenant.wait_told(transfer, status="confirmed")
        chain.reorg(depth)
        with chain.base_fee(20 * GWEI):
            chain.mine()
            assert tenant.wait_told(transfer, status="resubmitted")["transactionHash"] == first
            assert tenant.lane()["state"] == "halted"
            world.operator.act(f"lanes/local/{tenant.treasury}/release").must(200)

            def raised() -> str | None:
                told = tenant.told(transfer)["transactionHash"]
                return told if told != first else None

            second = wait_until("another attempt", raised)
            chain.wait_pooled(second)
            # Empty blocks let the price fall by an eighth each.
            assert int(chain.transaction(second)["maxFeePerGas"], 16) > 20 * GWEI
            chain.mine(depth)
            tenant.wait_told(transfer, status="confirmed")
    paid_once(tenant, chain, transfer, second)
    assert tenant.lane()["state"] == "open"
