"""What is wrong with a request is refused at the door, by field, and nothing comes of it."""

from __future__ import annotations

from typing import Any

import pytest

from support.api import new_key
from support.chain import NATIVE, Chain, new_address
from support.tenants import Balances, Tenant
from support.world import World

INVALID = "VALIDATION_ERROR"
# EIP-55's first example, and the same with one letter's case changed.
CHECKSUMMED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
MISTYPED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed"
GONE = object()
TUSD = object()

ADDRESSES = [
    GONE, None, 7, "", "0x", CHECKSUMMED[2:], CHECKSUMMED[:-1], CHECKSUMMED + "0", "0x" + "g" * 40, MISTYPED,
    f" {CHECKSUMMED}", "vitalik.eth",
]
# To these money would be lost: nobody's address, and the token's own contract.
RECIPIENTS = [*ADDRESSES, NATIVE, TUSD]
AMOUNTS = [
    GONE, None, 1, 1.5, True, ["1"], "", "0", "0.000000", "-1", "+1", "1e3", "1.", ".5", " 1", "1 ", "1,5", "1.2.3",
    "0x10", "\u0661", "NaN", "Infinity", "0.0000001", "1" * 39, "1" * 300,
]


@pytest.fixture(scope="module")
def tenant(world: World) -> Tenant:
    return world.tenant(ETH="1", TUSD="10")


@pytest.fixture(autouse=True, scope="module")
def nothing_came_of_it(tenant: Tenant, chain: Chain):
    """After all of these requests there is no transfer, and no money is held."""
    yield
    assert tenant.api.get("/api/v1/transfers").must(200)["transfers"] == []
    for symbol, amount in (("ETH", "1"), ("TUSD", "10")):
        assert tenant.account(symbol) == Balances(chain.units(symbol, amount), 0, 0)


def changed(body: dict[str, Any], field: str, value: Any, chain: Chain) -> dict[str, Any]:
    """The body with another value in a field, or without the field."""
    value = chain.token_address("TUSD") if value is TUSD else value
    return {name: old for name, old in (body | {field: value}).items() if name != field or value is not GONE}


def withdrawal_refused(tenant: Tenant, body: Any, status: int, code: str, field: str | None, **headers: str) -> None:
    """A withdrawal that must be refused in that surface's shape."""
    error = tenant.api.post("/withdrawal/request", body, **headers).must(status)["error"]
    assert (error["code"], error.get("field")) == (code, field), error
    assert field is None or field in error["message"], error


def transfer_refused(tenant: Tenant, body: Any, status: int, code: str, field: str | None) -> None:
    """A transfer that must be refused in that surface's shape."""
    error = tenant.api.post("/api/v1/transfers", body).must(status)
    assert (error["status"], error["code"], error["details"].get("field")) == ("error", code, field), error
    assert field is None or field in error["message"], error


WITHDRAWAL_FIELDS = [
    *(("toAddress", value, INVALID) for value in RECIPIENTS),
    *(("tokenAddress", value, INVALID) for value in ADDRESSES),
    ("tokenAddress", "0x" + "11" * 20, "UNKNOWN_TOKEN"),
    *(("amount", value, INVALID) for value in AMOUNTS),
    ("network", GONE, INVALID), ("network", 1, INVALID), ("network", "nowhere", "UNKNOWN_NETWORK"),
    # Known to the project, and not enabled here.
    ("network", "ethereum", "UNKNOWN_NETWORK"), ("network", "Local", "UNKNOWN_NETWORK"),
    ("memo", "for lunch", INVALID), ("amount ", "1", INVALID), ("amount", [[[["1"]]]], INVALID),
]


@pytest.mark.parametrize(("field", "value", "code"), WITHDRAWAL_FIELDS)
def test_a_withdrawal_with_a_bad_field(tenant: Tenant, chain: Chain, field: str, value: Any, code: str) -> None:
    body = changed(tenant.order("TUSD", "1", new_address()), field, value, chain)
    withdrawal_refused(tenant, body, 400, code, field)


TRANSFER_FIELDS = [
    *(("to", value, INVALID) for value in RECIPIENTS),
    *(("from", value, INVALID) for value in ADDRESSES),
    ("from", "0x" + "11" * 20, INVALID),
    *(("amount", value, INVALID) for value in AMOUNTS),
    ("token", GONE, INVALID), ("token", 1, INVALID), ("token", "DOGE", "UNKNOWN_TOKEN"),
    ("token", "0x" + "11" * 20, "UNKNOWN_TOKEN"), ("token", "TUSD ", "UNKNOWN_TOKEN"),
    ("network", 1, INVALID), ("network", "nowhere", "UNKNOWN_NETWORK"), ("network", "ethereum", "UNKNOWN_NETWORK"),
    ("priority", "urgent", INVALID), ("priority", 1, INVALID),
    ("idempotencyKey", GONE, INVALID), ("idempotencyKey", "", INVALID), ("idempotencyKey", "k" * 129, INVALID),
    ("idempotencyKey", "a b", INVALID), ("idempotencyKey", "\u00e4", INVALID), ("idempotencyKey", 1, INVALID),
    ("memo", "for lunch", INVALID),
]


@pytest.mark.parametrize(("field", "value", "code"), TRANSFER_FIELDS)
def test_a_transfer_with_a_bad_field(tenant: Tenant, chain: Chain, field: str, value: Any, code: str) -> None:
    body = {"from": tenant.treasury, "to": new_address(), "amount": "1", "token": "TUSD", "network": "local",
            "priority": "normal", "idempotencyKey": new_key()}
    transfer_refused(tenant, changed(body, field, value, chain), 400, code, field)


@pytest.mark.parametrize("key", ["", "k" * 129, "two words"])
def test_a_withdrawal_with_a_bad_key(tenant: Tenant, key: str) -> None:
    order = tenant.order("TUSD", "1", new_address())
    withdrawal_refused(tenant, order, 400, INVALID, "Idempotency-Key", **{"idempotency-key": key})


NO_OBJECTS = [b"", b"nonsense", b"{", b"[]", b"null", b'"text"', b"7", b'{"amount": "1"} and more']


@pytest.mark.parametrize("body", NO_OBJECTS)
def test_a_body_that_is_no_json_object(tenant: Tenant, body: bytes) -> None:
    withdrawal_refused(tenant, body, 400, INVALID, "body")
    transfer_refused(tenant, body, 400, INVALID, "body")


def test_a_field_that_is_there_twice(tenant: Tenant) -> None:
    withdrawal_refused(tenant, '{"amount": "1", "toAddress": "0x", "amount": "2"}', 400, INVALID, "amount")
    transfer_refused(tenant, '{"to": "0x", "amount": "1", "to": "0x"}', 400, INVALID, "to")


def test_a_body_that_is_too_large(tenant: Tenant) -> None:
    body = '{"amount": "' + "1" * 16 * 1024 + '"}'
    withdrawal_refused(tenant, body, 413, "BODY_TOO_LARGE", None)
    transfer_refused(tenant, body, 413, "BODY_TOO_LARGE", None)


def test_a_page_that_cannot_be(tenant: Tenant) -> None:
    for query, field in (({"limit": 0}, "limit"), ({"limit": 101}, "limit"), ({"limit": "x"}, "query"),
                         ({"cursor": "nonsense"}, "cursor"), ({"page": 2}, "query")):
        error = tenant.api.get("/api/v1/transfers", **query).must(400)
        assert (error["code"], error["details"]["field"]) == (INVALID, field), query
