"""Power cuts: a function's processes end at the worst moment, and no money moves twice."""

from __future__ import annotations

from support.chain import Chain, new_address
from support.node import Node
from support.waiting import at_once, wait_until
from support.world import World

MANY = 40
# Two signers run side by side with at most ten messages each. Once so many trials were
# answered, one of their batches is through and another is not.
ANSWERED = 24


def test_the_signer_is_killed_in_the_middle_of_a_batch(world: World, chain: Chain, node: Node) -> None:
    tenant = world.tenant(ETH="2")
    recipients = [new_address() for _ in range(MANY)]
    with world.functions.endpoints([node.url], "validate-sign"):
        with node.holding("eth_estimateGas", after=ANSWERED) as held:
            requests = at_once(lambda to: tenant.withdraw("ETH", "0.01", to), recipients, MANY // 2)
            held.wait()
            numbers = wait_until("some have numbers", lambda: tenant.lane().get("next"))
            assert 0 < numbers < MANY
            assert world.functions.kill("validate-sign")
        hashes = [tenant.wait_completed(request)["transactionHash"] for request in requests]
    sent = chain.sent_by(tenant.treasury)
    assert [int(one["nonce"], 16) for one in sent] == list(range(MANY))
    assert sorted(one["hash"] for one in sent) == sorted(hashes)
    assert {chain.balance("ETH", to) for to in recipients} == {chain.units("ETH", "0.01")}
    tenant.assert_ledger_is_chain("ETH")


def test_the_sender_is_killed_after_the_node_took_it(world: World, chain: Chain, node: Node, recipient: str) -> None:
    tenant = world.tenant(ETH="2")
    with world.functions.endpoints([node.url], "send"):
        with node.holding("eth_sendRawTransaction") as held:
            transfer = tenant.transfer("ETH", "1", recipient)
            held.wait()
            tx_hash = tenant.wait_told(transfer)["transactionHash"]
            assert chain.transaction(tx_hash), "the node took it"
            assert world.functions.kill("send")
        tenant.wait_confirmed(transfer)
        # Its number is behind it: the next one goes out.
        tenant.wait_completed(tenant.withdraw("ETH", "0.5", new_address()))
    first, second = chain.sent_by(tenant.treasury)
    assert (first["hash"], int(second["nonce"], 16)) == (tx_hash, 1)
    assert chain.balance("ETH", recipient) == chain.units("ETH", "1")
    tenant.assert_ledger_is_chain("ETH")


def test_the_tracker_is_killed_and_another_takes_over(world: World, chain: Chain, recipient: str) -> None:
    tenant = world.tenant(ETH="2")
    transfer = tenant.transfer("ETH", "1", recipient)
    assert world.functions.kill("status-check")
    world.functions.track()
    tenant.wait_confirmed(transfer)
    assert chain.balance("ETH", recipient) == chain.units("ETH", "1")
    tenant.assert_ledger_is_chain("ETH")
