"""Transfers that the token refuses: before they are signed, or on chain."""

from __future__ import annotations

from support.chain import Chain, new_address
from support.letters import letter_about, wait_letter
from support.tenants import Balances
from support.world import World


def checksummed(chain: Chain, address: str) -> str:
    """An address in EIP-55's spelling."""
    digits = address[2:].lower()
    hashed = chain.call("web3_sha3", "0x" + digits.encode().hex())[2:]
    return "0x" + "".join(c.upper() if int(h, 16) >= 8 else c for c, h in zip(digits, hashed))


def test_what_the_trial_refuses_is_rejected_and_lies_with_its_reason(world: World, chain: Chain, recipient: str) -> None:
    tenant = world.tenant(TBLK="5", TUSD="5")
    chain.blacklist(recipient, True)
    good = tenant.withdraw("TUSD", "1", new_address())
    request = tenant.withdraw("TBLK", "2", recipient)
    status = tenant.wait_ended(request)
    assert status["status"] == "FAILED"
    assert f"Blacklisted(account: {checksummed(chain, recipient)})" in status["error"]
    assert "transactionHash" not in status
    told = tenant.told(tenant.transfer_of(request))
    assert (told["state"], told["error"]["message"]) == ("rejected", status["error"])
    # Its money is free again, and the others were not held up.
    assert tenant.account("TBLK") == Balances(chain.units("TBLK", "5"), 0, 0)
    tenant.wait_completed(good)
    assert len(chain.sent_by(tenant.treasury)) == 1
    letter = wait_letter(world.operator, letter_about(told["transferId"]))
    assert (letter["queue"], letter["reason"]) == ("transfers-dead", status["error"])
    world.operator.act(f"dead-letters/{letter['id']}/discard").must(200)


def test_a_revert_fails_with_its_reason_only_when_it_is_final(world: World, chain: Chain, recipient: str) -> None:
    tenant = world.tenant(TBLK="5", TUSD="5")
    chain.blacklist(recipient, True)
    with chain.lenient(), chain.frozen():
        reverting = tenant.transfer("TBLK", "2", recipient)
        paying = tenant.transfer("TUSD", "1", new_address())
        for transfer in (reverting, paying):
            chain.wait_pooled(tenant.wait_told(transfer, state="broadcast")["transactionHash"])
        chain.mine(chain.network["confirmed_at"])
        # The same block's payment was told, so the revert would have been, too.
        tenant.wait_confirmed(paying)
        assert tenant.told(reverting)["state"] == "included"
        before = chain.network["final_at"] - 1
        chain.mine(before - chain.network["confirmed_at"])
        told = tenant.wait_told(reverting, confirmations=before)
        assert (told["status"], told["state"]) == ("pending", "included")
        assert tenant.account("TBLK") == Balances(chain.units("TBLK", "3"), chain.units("TBLK", "2"), 0)
        assert chain.receipt(told["transactionHash"])["status"] == "0x0"
        chain.mine()
        told = tenant.wait_told(reverting, status="failed")
    assert told["state"] == "failed"
    assert told["error"]["code"] == "REVERTED"
    assert f"Blacklisted(account: {checksummed(chain, recipient)})" in told["error"]["message"]
    assert tenant.account("TBLK") == Balances(chain.units("TBLK", "5"), 0, 0)
    # The gas was burnt all the same.
    tenant.assert_ledger_is_chain("TBLK", "TUSD", "ETH")


def test_a_token_that_says_no_without_reverting_has_not_paid(world: World, chain: Chain, recipient: str) -> None:
    tenant = world.tenant(TFALSE="5")
    told = tenant.wait_told(tenant.transfer("TFALSE", "1", recipient), status="failed")
    assert (told["state"], told["error"]["code"]) == ("failed", "NOT_MOVED")
    assert chain.receipt(told["transactionHash"])["status"] == "0x1"
    assert chain.balance("TFALSE", recipient) == 0
    assert tenant.account("TFALSE") == Balances(chain.units("TFALSE", "5"), 0, 0)
    tenant.assert_ledger_is_chain("TFALSE", "ETH")
