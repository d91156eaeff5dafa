"""Dead letters: what lands there, and what an operator does about it."""

from __future__ import annotations

import json

import pytest

from support.chain import Chain, new_address
from support.letters import TRACE, Letter, letter_about, letters, message_of, new_parcel, wait_letter
from support.tenants import Balances, Tenant
from support.world import World


def test_poison_ends_here_and_holds_up_nobody(world: World) -> None:
    tenant = world.tenant(ETH="1")
    nobodys = new_parcel()
    malformed = ["nonsense", "{}", '{"parcel": "pcl_x"}', json.dumps({"parcel": nobodys})]
    bodies = [*malformed, json.dumps({"parcel": nobodys, "trace": TRACE})]
    requests = [tenant.withdraw("ETH", "0.01", new_address())]
    for body in bodies:
        world.stack.send("transfers-normal", body)
        requests.append(tenant.withdraw("ETH", "0.01", new_address()))
    for request in requests:
        tenant.wait_completed(request)
    for body in malformed:
        letter = wait_letter(world.operator, with_body(world, body))
        assert letter["queue"] == "transfers-dead"
        assert letter["reason"].startswith("the message is not a parcel's: ")
        discard(world, letter)
    letter = wait_letter(world.operator, lambda one: one["reason"] == "there is no such parcel")
    assert letter["parcel"] == nobodys
    discard(world, letter)


def test_poison_among_chain_events_ends_here(world: World) -> None:
    world.stack.send("chain-events", '{"stage": "nonsense"}')
    letter = wait_letter(world.operator, with_body(world, '{"stage": "nonsense"}'))
    assert letter["queue"] == "chain-events-dead"
    assert letter["reason"].startswith("the message is not a stage's: ")
    discard(world, letter)


@pytest.fixture
def waiting(world: World) -> tuple[Tenant, str]:
    """A transfer that is held up for want of tokens in the treasury, in front of an operator."""
    tenant = world.tenant()
    tenant.credit("TUSD", "5")
    transfer = tenant.transfer("TUSD", "2", new_address())
    assert tenant.wait_told(transfer, state="waiting")["waitingFor"] == "treasury_short"
    world.stack.send("transfers-dead", message_of(transfer), reason="put here by a test")
    return tenant, transfer


def test_a_replay_takes_up_where_it_stopped(world: World, chain: Chain, waiting: tuple[Tenant, str]) -> None:
    tenant, transfer = waiting
    letter = wait_letter(world.operator, letter_about(transfer))
    assert letter["reason"] == "put here by a test"
    assert letter["transfer"].items() >= {"transferId": transfer, "tenant": tenant.name, "state": "waiting",
                                          "holdsMoney": True, "amount": "2", "token": "TUSD"}.items()
    chain.give("TUSD", tenant.treasury, chain.units("TUSD", "5"))
    replayed = act(world, letter, "replay").must(200)
    assert (replayed["status"], replayed["note"]) == ("replayed", "end-to-end test")
    told = tenant.wait_confirmed(transfer)
    # Replaying what already happened is harmless.
    act(world, letter, "replay").must(200)
    act(world, letter, "refund").must(409)
    discard(world, letter)
    act(world, letter, "replay").must(409)
    chain.bury()
    assert [one["hash"] for one in chain.sent_by(tenant.treasury)] == [told["transactionHash"]]
    assert chain.balance("TUSD", told["to"]) == chain.units("TUSD", "2")
    assert tenant.told(transfer)["status"] == "confirmed"
    tenant.assert_ledger_is_chain("TUSD", "ETH")


def test_a_refund_frees_the_money_and_nothing_is_sent_any_more(
    world: World, chain: Chain, waiting: tuple[Tenant, str]
) -> None:
    tenant, transfer = waiting
    letter = wait_letter(world.operator, letter_about(transfer))
    held = tenant.account("TUSD")
    assert held == Balances(chain.units("TUSD", "3"), chain.units("TUSD", "2"), 0)
    # Money is held for it, so it cannot merely be set aside.
    assert act(world, letter, "discard").must(409)["code"] == "CONFLICT"
    assert act(world, letter, "refund").must(200)["status"] == "refunded"
    assert tenant.account("TUSD") == Balances(chain.units("TUSD", "5"), 0, 0)
    told = tenant.told(transfer)
    assert (told["status"], told["state"]) == ("failed", "rejected")
    assert told["error"] == {"code": "REFUNDED", "message": "end-to-end test"}
    # Once is enough, and neither a replay nor money in the treasury brings it back.
    act(world, letter, "refund").must(200)
    act(world, letter, "replay").must(409)
    chain.give("TUSD", tenant.treasury, chain.units("TUSD", "5"))
    world.stack.send("transfers-normal", letter["body"])
    tenant.wait_completed(tenant.withdraw("TUSD", "1", new_address()))
    assert chain.balance("TUSD", told["to"]) == 0
    assert len(chain.sent_by(tenant.treasury)) == 1
    # People have looked at it already: a late message of it is no new case.
    assert not [one for one in letters(world.operator) if letter_about(transfer)(one)]
    tenant.assert_ledger_is_chain("TUSD", "ETH")


def test_a_dead_letter_is_told_in_the_list_and_in_the_audit_log(world: World) -> None:
    world.stack.send("transfers-dead", "nothing at all", reason="for the list")
    letter = wait_letter(world.operator, lambda one: one["reason"] == "for the list")
    assert letter["body"] == "nothing at all"
    assert "transfer" not in letter
    assert act(world, letter, "refund").must(409)["code"] == "CONFLICT"
    discard(world, letter)
    assert letter["id"] not in [one["id"] for one in letters(world.operator)]
    assert letter["id"] in [one["id"] for one in letters(world.operator, "discarded")]
    newest = world.operator.get("/admin/v1/audit", limit=20).must(200)["items"]
    [record] = [one for one in newest if one["target"] == letter["id"]]
    assert (record["action"], record["reason"]) == ("dead-letters.discard", "end-to-end test")


@pytest.mark.parametrize("verb", ["replay", "refund", "discard"])
def test_an_act_wants_a_reason_and_a_dead_letter(world: World, verb: str) -> None:
    world.stack.send("transfers-dead", "nothing at all", reason="for a reason")
    letter = wait_letter(world.operator, lambda one: one["reason"] == "for a reason")
    for body in ({}, {"reason": ""}, {"reason": " "}, {"reason": 1}, {"reason": "x" * 501}):
        refusal = world.operator.post(f"/admin/v1/dead-letters/{letter['id']}/{verb}", body).must(400)
        assert (refusal["code"], refusal["details"]["field"]) == ("VALIDATION_ERROR", "reason")
    world.operator.act(f"dead-letters/dl_01jfz4c3q8e000000000000000/{verb}").must(404)
    assert world.operator.get(f"/admin/v1/dead-letters/{letter['id']}").must(200)["status"] == "open"
    discard(world, letter)


def act(world: World, letter: Letter, verb: str):
    """An operator's act on a dead letter."""
    return world.operator.act(f"dead-letters/{letter['id']}/{verb}")


def discard(world: World, letter: Letter) -> None:
    """Sets a dead letter aside."""
    assert act(world, letter, "discard").must(200)["status"] == "discarded"


def with_body(world: World, body: str):
    """Recognises the dead letter of a message."""
    return lambda one: world.operator.get(f"/admin/v1/dead-letters/{one['id']}").must(200)["body"] == body
