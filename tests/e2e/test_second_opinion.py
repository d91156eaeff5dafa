"""Where a network asks for a second opinion, what one provider alone says is neither paid nor failed."""

from __future__ import annotations

from pathlib import Path

import pytest
from contracts import deploy

from support.chain import Chain, new_address
from support.node import Node
from support.tenants import Balances
from support.waiting import wait_until
from support.world import World

LOCAL = 'id = "local"\n'


@pytest.fixture
def networks(tmp_path: Path) -> str:
    """The file of the networks, of which the local one asks for a second opinion."""
    text = deploy.NETWORKS.read_text()
    assert text.count(LOCAL) == 1
    file = tmp_path / "networks.toml"
    file.write_text(text.replace(LOCAL, f"{LOCAL}second_opinion = true\n"))
    return str(file)


def test_one_provider_alone_confirms_and_releases_nothing(
    world: World, chain: Chain, node: Node, networks: str, recipient: str
) -> None:
    tenant = world.tenant(TBLK="5", TUSD="5")
    blacklisted = new_address()
    chain.blacklist(blacklisted, True)
    # Two ports count as two hosts.
    with (
        world.functions.endpoints([chain.url, node.url], "status-check", CAUSEWAY_NETWORKS_FILE=networks),
        chain.lenient(), chain.frozen(),
    ):
        with node.down():
            paying = tenant.transfer("TUSD", "1", recipient)
            reverting = tenant.transfer("TBLK", "2", blacklisted)
            for transfer in (paying, reverting):
                chain.wait_pooled(tenant.wait_told(transfer, state="broadcast")["transactionHash"])
            chain.bury()
            deep = 2 * chain.network["final_at"]
            tenant.wait_told(paying, confirmations=deep)
            # A look moves the head first and tells afterwards: a later head proves that one came to its end.
            chain.mine()
            for transfer in (paying, reverting):
                tenant.wait_told(transfer, confirmations=deep + 1)
            wait_until("what was told is worked off", lambda: not world.queued("chain-events"))
            for transfer in (paying, reverting):
                told = tenant.told(transfer)
                assert (told["status"], told["state"]) == ("pending", "included")
            assert tenant.account("TUSD") == Balances(chain.units("TUSD", "4"), chain.units("TUSD", "1"), 0)
            assert tenant.account("TBLK") == Balances(chain.units("TBLK", "3"), chain.units("TBLK", "2"), 0)
        # No block has come since: what was missing is the other provider's word.
        tenant.wait_confirmed(paying)
        assert tenant.wait_told(reverting, status="failed")["error"]["code"] == "REVERTED"
    assert tenant.account("TUSD") == Balances(chain.units("TUSD", "4"), 0, chain.units("TUSD", "1"))
    assert tenant.account("TBLK") == Balances(chain.units("TBLK", "5"), 0, 0)
    assert chain.balance("TUSD", recipient) == chain.units("TUSD", "1")
    tenant.assert_ledger_is_chain("TUSD", "TBLK", "ETH")
