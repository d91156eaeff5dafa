"""Many withdrawals at once from one treasury: every number used once, everybody paid once."""

from __future__ import annotations

from support.chain import Chain, new_address
from support.waiting import at_once, wait_until
from support.world import World

MANY = 200
CONNECTIONS = 50


def test_two_hundred_at_once_leave_no_gap_and_no_repeat(world: World, chain: Chain) -> None:
    tenant = world.tenant(ETH="3")
    recipients = [new_address() for _ in range(MANY)]
    requests = at_once(lambda to: tenant.withdraw("ETH", "0.01", to), recipients, CONNECTIONS)
    assert len(set(requests)) == MANY
    hashes = [tenant.wait_completed(request)["transactionHash"] for request in requests]
    wait_until("all final on chain", lambda: all_final(chain, hashes))
    sent = chain.sent_by(tenant.treasury)
    assert [int(one["nonce"], 16) for one in sent] == list(range(MANY))
    assert {one["hash"] for one in sent} == set(hashes)
    assert sorted(one["to"] for one in sent) == sorted(recipients)
    assert {chain.balance("ETH", to) for to in recipients} == {chain.units("ETH", "0.01")}
    lane = tenant.lane()
    assert (lane["next"], lane["seen"], lane["consumed"], lane["state"]) == (MANY, MANY, MANY, "open")
    account = tenant.account("ETH")
    assert (account.available, account.held) == (chain.units("ETH", "1"), 0)
    tenant.assert_ledger_is_chain("ETH")


def all_final(chain: Chain, hashes: list[str]) -> bool:
    """Whether the newest of their blocks is deep enough."""
    newest = max(int(chain.receipt(one)["blockNumber"], 16) for one in hashes)
    return chain.height() - newest + 1 >= chain.network["final_at"]
