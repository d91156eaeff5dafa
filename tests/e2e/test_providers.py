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
    # They had turned to the one that is down first: for price or trial, and with the bytes. (The tracker
    # may have found it behind the other one before, and left it alone.)
    for calls in ({"eth_feeHistory", "eth_estimateGas"}, {"eth_sendRawTransaction"}):
        assert calls & set(node.refused), node.refused
    assert chain.balance("ETH", recipient) == chain.units("ETH", "1")
    assert chain.balance("TUSD", recipient) == chain.units("TUSD", "5")
    tenant.assert_ledger_is_chain("ETH", "TUSD")


def test_a_provider_that_was_never_up_is_passed_over(world: World, chain: Chain, node: Node, recipient: str) -> None:
    tenant = world.tenant(ETH="2")
    with node.down(), world.functions.endpoints([node.url, chain.url], "validate-sign", "send"):
        tenant.wait_completed(tenant.withdraw("ETH", "1", recipient))
    assert chain.balance("ETH", recipient) == chain.units("ETH", "1")


def test_with_every_provider_down_it_waits_and_then_goes_on(
    world: World, chain: Chain, node: Node, recipient: str
) -> None:
    tenant = world.tenant(ETH="2")
    with world.functions.endpoints([node.url], *USERS_OF_NODES):
        with chain.frozen():
            early = tenant.transfer("ETH", "0.5", new_address())
            chain.wait_pooled(tenant.wait_told(early, state="broadcast")["transactionHash"])
            chain.mine()
            tenant.wait_told(early, confirmations=1)
            with node.down():
                late = tenant.transfer("ETH", "1", recipient)
                assert tenant.wait_told(late, state="waiting")["waitingFor"] == "chain_unavailable"
                # The chain goes on unseen, so nothing is concluded about what was under way.
                chain.bury()
                told = tenant.told(early)
                assert (told["state"], told["confirmations"]) == ("included", 1)
                assert tenant.lane()["next"] == 1
        for transfer in (early, late):
            tenant.wait_confirmed(transfer)
    assert [int(one["nonce"], 16) for one in chain.sent_by(tenant.treasury)] == [0, 1]
    assert chain.balance("ETH", recipient) == chain.units("ETH", "1")
    tenant.assert_ledger_is_chain("ETH")
