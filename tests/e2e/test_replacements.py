"""What no block takes offers more, what a node forgot goes again as it was, what is not wanted any more is replaced by
nothing, and a stranger's number is given up by providers' proof or an operator's word."""

from __future__ import annotations

import pytest

from support.chain import Chain, new_address
from support.tenants import Tenant
from support.node import Node
from support.waiting import wait_until
from support.world import World

GWEI = 10**9
# Two looks at lanes, which are a minute apart, and one more where the first was too early.
LOOKS_S = 240


@pytest.fixture
def tenant(world: World) -> Tenant:
    return world.tenant(ETH="3")


def waiting(tenant: Tenant, chain: Chain, to: str, **fields: str) -> tuple[str, str]:
    """A transfer that a node has and no block, and its hash."""
    transfer = tenant.transfer("ETH", "1", to, **fields)
    tx_hash = tenant.wait_told(transfer, state="broadcast")["transactionHash"]
    chain.wait_pooled(tx_hash)
    return transfer, tx_hash


def replaced(tenant: Tenant, chain: Chain, transfer: str, tx_hash: str) -> str:
    """The hash of the next attempt, once a node has it."""
    def another() -> str | None:
        told = tenant.told(transfer)["transactionHash"]
        return told if told != tx_hash else None

    found = wait_until("another attempt", another)
    chain.wait_pooled(found)
    return found


def test_a_price_that_is_too_low_is_raised_and_paid_once(tenant: Tenant, chain: Chain, recipient: str) -> None:
    with chain.frozen():
        transfer, first = waiting(tenant, chain, recipient, priority="high")
        with chain.base_fee(20 * GWEI):
            second = replaced(tenant, chain, transfer, first)
            assert int(chain.transaction(second)["maxFeePerGas"], 16) >= 40 * GWEI
            assert chain.transaction(first) is None, "its pool has one transaction for a number"
            chain.mine()
    told = tenant.wait_confirmed(transfer)
    assert told["transactionHash"] == second
    assert [one["hash"] for one in chain.sent_by(tenant.treasury)] == [second]
    assert chain.balance("ETH", recipient) == chain.units("ETH", "1")
    tenant.assert_ledger_is_chain("ETH")


def included_instead(world: World, chain: Chain, raw: str, other: str) -> None:
    """These bytes are in a block, and not the others under the same number, which nodes have."""
    tx_hash = chain.call("web3_sha3", raw)

    def is_pooled() -> bool:
        # A sender that was under way may hand the other one out once more.
        chain.call("anvil_dropTransaction", other)
        if chain.transaction(tx_hash) is None and chain.transaction(other) is None:
            chain.call("eth_sendRawTransaction", raw)
        return chain.transaction(tx_hash) is not None and chain.transaction(other) is None

    with world.functions.untriggered("send", "transactions.fifo"):
        wait_until("these bytes in the pool", is_pooled)
        chain.mine()


def test_an_older_attempt_that_wins_is_told_and_paid_once(
    world: World, tenant: Tenant, chain: Chain, recipient: str
) -> None:
    with chain.frozen():
        transfer, first = waiting(tenant, chain, recipient, priority="high")
        raw = chain.raw(first)
        with chain.base_fee(20 * GWEI):
            second = replaced(tenant, chain, transfer, first)
        included_instead(world, chain, raw, second)
    assert tenant.wait_confirmed(transfer)["transactionHash"] == first
    assert [one["hash"] for one in chain.sent_by(tenant.treasury)] == [first]
    assert chain.balance("ETH", recipient) == chain.units("ETH", "1")
    tenant.assert_ledger_is_chain("ETH")


def test_one_that_the_pool_drops_is_sent_again_with_the_same_bytes_and_paid_once(
    world: World, tenant: Tenant, chain: Chain, recipient: str
) -> None:
    with chain.frozen():
        transfer, tx_hash = waiting(tenant, chain, recipient)
        # Nobody sends it again before it was seen to be gone.
        with world.functions.untriggered("send", "transactions.fifo"):
            assert chain.call("anvil_dropTransaction", tx_hash)
            assert chain.transaction(tx_hash) is None
        chain.wait_pooled(tx_hash)
        [number] = tenant.lane()["transactions"]
        assert (number["hashes"], number["attempts"]) == ([tx_hash], 1), "a hash is its bytes: no others were signed"
        chain.mine()
    assert tenant.wait_confirmed(transfer)["transactionHash"] == tx_hash
    assert [one["hash"] for one in chain.sent_by(tenant.treasury)] == [tx_hash]
    assert chain.balance("ETH", recipient) == chain.units("ETH", "1")
    assert tenant.account("ETH").held == 0
    assert tenant.lane()["state"] == "open"
    tenant.assert_ledger_is_chain("ETH")


def test_a_cancel_before_the_signature_frees_the_money_at_once(world: World, tenant: Tenant, recipient: str) -> None:
    with world.functions.untriggered("validate-sign", "transfers-normal"):
        transfer = tenant.transfer("ETH", "1", recipient)
        told = tenant.api.post(f"/api/v1/transfers/{transfer}/cancel", {}).must(200)
        assert (told["state"], told["error"]["code"], told["cancelRequested"]) == ("cancelled", "CANCELLED", True)
        assert tenant.account("ETH").held == 0
    assert not tenant.lane().get("next")


def test_a_cancel_after_the_signature_ends_as_the_chain_decides(tenant: Tenant, chain: Chain, recipient: str) -> None:
    def cancel() -> tuple[str, str, bool]:
        told = tenant.api.post(f"/api/v1/transfers/{transfer}/cancel", {}).must(202)
        return told["state"], told["transactionHash"], told["cancelRequested"]

    def another() -> str | None:
        return next((one for one in tenant.lane()["transactions"][0]["hashes"] if one != first), None)

    with chain.frozen():
        transfer, first = waiting(tenant, chain, recipient)
        assert cancel() == ("broadcast", first, True)
        no_op = wait_until("a no-op", another)
        chain.wait_pooled(no_op)
        sent = chain.transaction(no_op)
        assert (sent["to"], int(sent["value"], 16)) == (tenant.treasury.lower(), 0)
        chain.mine()
        wait_until("its block is told", lambda: tenant.lane()["consumed"] == 1)
        assert cancel() == ("broadcast", first, True), "what pays nobody is not told as the payment"
        assert tenant.account("ETH").held > 0, "nothing is released before it is final"
    told = tenant.wait_told(transfer, state="cancelled")
    assert (told["status"], told["transactionHash"]) == ("failed", no_op)
    assert chain.balance("ETH", recipient) == 0
    assert tenant.account("ETH").held == 0
    tenant.assert_ledger_is_chain("ETH")


def test_a_payment_that_wins_against_an_operators_no_op_is_told_as_paid(
    world: World, tenant: Tenant, chain: Chain, recipient: str
) -> None:
    def another() -> str | None:
        return next((one for one in tenant.lane()["transactions"][0]["hashes"] if one != first), None)

    with chain.frozen():
        transfer, first = waiting(tenant, chain, recipient)
        raw = chain.raw(first)
        world.operator.act(f"transfers/{transfer}/cancel").must(200)
        no_op = wait_until("a no-op", another)
        chain.wait_pooled(no_op)
        included_instead(world, chain, raw, no_op)
    told = tenant.wait_confirmed(transfer)
    assert (told["transactionHash"], told["cancelRequested"]) == (first, True)
    assert [one["hash"] for one in chain.sent_by(tenant.treasury)] == [first]
    assert chain.balance("ETH", recipient) == chain.units("ETH", "1")
    tenant.assert_ledger_is_chain("ETH")


def test_a_transfer_in_a_block_is_not_cancelled(tenant: Tenant, chain: Chain, recipient: str) -> None:
    with chain.frozen():
        transfer, _ = waiting(tenant, chain, recipient)
        chain.mine()
        tenant.wait_told(transfer, state="included")
        refused = tenant.api.post(f"/api/v1/transfers/{transfer}/cancel", {})
        assert (refused.status, refused.body["code"]) == (409, "CONFLICT")
    tenant.wait_confirmed(transfer)
    assert tenant.api.post(f"/api/v1/transfers/{transfer}/cancel", {}).status == 409


def taken(tenant: Tenant, chain: Chain, world: World, recipient: str, legacy: bool = True) -> tuple[str, str]:
    """A transfer whose number a stranger's transaction took before it was sent, and that one's hash."""
    tenant.wait_confirmed(tenant.transfer("ETH", "1", new_address()))
    with world.functions.untriggered("send", "transactions.fifo"):
        transfer = tenant.transfer("ETH", "1", recipient)
        tenant.wait_told(transfer, state="assigned")
        before = chain.balance("ETH", tenant.treasury)
        taker = chain.spend_number(tenant.treasury, legacy)
        # The books know nothing of what that cost.
        chain.give("ETH", tenant.treasury, before - chain.balance("ETH", tenant.treasury))
        chain.bury()
    return transfer, taker


def is_paid_once(tenant: Tenant, chain: Chain, world: World, transfer: str, recipient: str) -> None:
    told = tenant.wait_confirmed(transfer)
    sent = chain.sent_by(tenant.treasury)
    assert [int(one["nonce"], 16) for one in sent] == [0, 1, 2]
    assert told["transactionHash"] == sent[2]["hash"]
    assert chain.balance("ETH", recipient) == chain.units("ETH", "1")
    shown = world.operator.get(f"/admin/v1/lanes/local/{tenant.treasury}").must(200)
    assert [one.get("outcome") for one in shown["transactions"]] == ["paid", "displaced", "paid"]
    tenant.assert_ledger_is_chain("ETH")


def test_a_strangers_number_halts_its_lane_until_an_operator_gives_it_up(
    world: World, tenant: Tenant, chain: Chain, recipient: str
) -> None:
    transfer, taker = taken(tenant, chain, world, recipient, legacy=False)
    wait_until("the lane halts", lambda: tenant.lane()["state"] == "halted", limit_s=LOOKS_S)
    assert "not Causeway's" in tenant.lane()["reason"]
    told = tenant.told(transfer)
    assert (told["status"], tenant.account("ETH").held) == ("pending", chain.units("ETH", "1"))
    path = f"lanes/local/{tenant.treasury}"
    refused = world.operator.act(f"{path}/displace", number=7)
    assert (refused.status, refused.body["details"]["field"]) == (404, "number")
    # Refused until the block at which the lane halted is final.
    chain.bury()

    # A look names it then, and no node tells what it paid: an operator has to have seen that.
    def named() -> bool:
        bare = world.operator.act(f"{path}/displace", number=1)
        assert bare.status == 409
        return taker in tenant.lane()["reason"] and bare.body["details"]["field"] == "takenBy"

    wait_until("a look names what took it", named, limit_s=LOOKS_S)
    assert world.operator.act(f"{path}/displace", number=1, takenBy="0x" + "77" * 32).status == 409
    assert world.operator.act(f"{path}/displace", number=1, takenBy=taker).status == 200
    is_paid_once(tenant, chain, world, transfer, recipient)


def test_a_strangers_number_is_given_up_where_two_providers_prove_it(
    world: World, tenant: Tenant, chain: Chain, node: Node, recipient: str
) -> None:
    with world.functions.endpoints([chain.url, node.url], "status-check"):
        transfer, _ = taken(tenant, chain, world, recipient)
        shown = f"/admin/v1/lanes/local/{tenant.treasury}"

        def given_up() -> bool:
            numbers = world.operator.get(shown).must(200)["transactions"]
            return "displaced" in [one.get("outcome") for one in numbers]

        wait_until("the number is given up", given_up, limit_s=LOOKS_S)
        is_paid_once(tenant, chain, world, transfer, recipient)


def test_a_number_that_was_used_without_a_transaction_is_passed_over(
    world: World, tenant: Tenant, chain: Chain, recipient: str
) -> None:
    tenant.wait_confirmed(tenant.transfer("ETH", "1", new_address()))
    # As an authorization signed elsewhere would (EIP-7702): the account's count goes up, and nothing of its is in a block.
    chain.use_number(tenant.treasury)
    wait_until("the lane halts", lambda: tenant.lane()["state"] == "halted", limit_s=LOOKS_S)
    chain.bury()
    path = f"lanes/local/{tenant.treasury}/displace"

    def is_missing() -> bool:
        refused = world.operator.act(path, number=1)
        return (refused.status, refused.body["details"]["field"]) == (409, "takenBy")

    # Refused for its block first, until that is final.
    wait_until("nobody names what took it", is_missing, limit_s=LOOKS_S)
    taken_by = "0x" + "77" * 32

    # The tracker asks nodes for it first; until then the lane stays as it is.
    def passed_over() -> bool:
        answer = world.operator.act(path, number=1, takenBy=taken_by)
        return answer.status == 200 and answer.body["state"] != "halted"

    wait_until("the number is passed over", passed_over, limit_s=LOOKS_S)
    tenant.wait_confirmed(tenant.transfer("ETH", "1", recipient))
    assert [int(one["nonce"], 16) for one in chain.sent_by(tenant.treasury)] == [0, 2]
    assert chain.balance("ETH", recipient) == chain.units("ETH", "1")
    tenant.assert_ledger_is_chain("ETH")
