"""Nodes fail: the next one is asked, and without any nothing is concluded."""

from __future__ import annotations

from support.chain import Chain, new_address
from support.node import Node
from support.world import World

USERS_OF_NODES = ("validate-sign", "send", "status-check")


def test_when_the_first_provider_goes_down_the_second_does(
    world: World, chain: Chain, node: Node, recipient: str
) -> None:
    tenant = world.tenant(ETH="2", TUSD="5")
    with world.functions.endpoints([node.url, chain.url], *USERS_OF_NODES):
        tenant.wait_completed(tenant.withdraw("ETH", "0.5", new_address()))
        with node.down():
            withdrawal = tenant.withdraw("ETH", "1", recipient)
            transfer = tenant.transfer("TUSD", "5", recipient)
            tenant.wait_completed(withdrawal)
            tenant.wait_confirmed(transfer)
    # Each of them had turned to the one that is down first: for price or trial, with the bytes, about the head.
    for calls in ({"eth_feeHistory", "eth_estimateGas"}, {"eth_sendRawTransaction"}, {"eth_getBlockByNumber"}):
        assert calls & set(node.refused), node.refused
    assert chain.balance("ETH", recipient) == chain.units("ETH", "1")
    assert chain.balance("TUSD", recipient) == chain.units("TUSD", "5")
    tenant.assert_ledger_is_chain("ETH", "TUSD")


def test_a_provider_that_was_never_up_is_passed_over(world: World, chain: Chain, node: Node, recipient: str) -> None:
    tenant = world.tenant(ETH="2")
    with node.down(), world.functions.endpoints([node.url, chain.url], "validate-sign", "send"):
        tenant.wait_completed(tenant.withdraw("ETH", "1", recipient))
    assert chain.balance("ETH", recipient) == chain.units("ETH", "1")


def test_with_every_provider_down_it_waits_and_goes_on(world: World, chain: Chain, node: Node, recipient: str) -> None:
    tenant = world.tenant(ETH="2")
    with world.functions.endpoints([node.url], "validate-sign"):
        with node.down():
            transfer = tenant.transfer("ETH", "1", recipient)
            assert tenant.wait_told(transfer, state="waiting")["waitingFor"] == "chain_unavailable"
            assert tenant.lane()["state"] == "unused"
        tenant.wait_confirmed(transfer)
    assert chain.balance("ETH", recipient) == chain.units("ETH", "1")
    tenant.assert_ledger_is_chain("ETH")
