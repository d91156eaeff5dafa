"""Who may do what: no token, the wrong role, another tenant's money."""

from __future__ import annotations

import base64
import json

import pytest

from support.api import Api
from support.chain import new_address
from support.tenants import Tenant
from support.world import World

CLIENT_ROUTES = [
    ("POST", "/withdrawal/request"), ("GET", "/withdrawal/status/tx-1766000000000-a1b2c3d4e"),
    ("GET", "/withdrawal/queue/status"), ("POST", "/api/v1/transfers"), ("GET", "/api/v1/transfers"),
    ("GET", "/api/v1/transfers/tr_01jfz4c3q8e0000000000000000-0"),
]
OPERATOR_ROUTES = [
    ("GET", "/withdrawal/queue/items"), ("GET", "/admin/v1/accounts"), ("GET", "/admin/v1/accounts/acme"),
    ("POST", "/admin/v1/accounts/credit"), ("POST", "/admin/v1/accounts/debit"), ("POST", "/admin/v1/accounts/check"),
    ("GET", "/admin/v1/lanes"), ("POST", f"/admin/v1/lanes/local/{'0x' + '11' * 20}/release"),
    ("GET", "/admin/v1/transfers/waiting"), ("GET", "/admin/v1/dead-letters"),
    ("POST", "/admin/v1/dead-letters/dl_1/replay"),
    ("POST", "/admin/v1/dead-letters/dl_1/refund"), ("POST", "/admin/v1/dead-letters/dl_1/discard"),
    ("POST", "/admin/v1/dead-letters/dl_1/settle"),
    ("GET", "/admin/v1/queues"), ("GET", "/admin/v1/treasuries"), ("POST", "/admin/v1/treasuries"),
    ("GET", "/admin/v1/switches"), ("POST", "/admin/v1/switches"), ("GET", "/admin/v1/audit"),
]


def code(body: dict) -> str:
    """An error's code in either surface's shape."""
    return (body.get("error") or body)["code"]


def call(api: Api, method: str, path: str):
    """A call whose body does not matter: it must never be looked at."""
    return api.call(method, path, b"{}" if method == "POST" else None, {"content-type": "application/json"})


def unsigned() -> str:
    """A token that claims everything and is signed by nobody."""
    def part(content: dict) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    claims = {"sub": "me", "custom:tenant": "acme", "cognito:groups": ["client", "operator"], "exp": 4102444800}
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."


@pytest.mark.parametrize(("method", "path"), CLIENT_ROUTES + OPERATOR_ROUTES)
def test_nobody_gets_nothing(world: World, method: str, path: str) -> None:
    for token in (None, "nonsense", unsigned()):
        call(world.api(token), method, path).must(401)


@pytest.mark.parametrize(("method", "path"), CLIENT_ROUTES + OPERATOR_ROUTES)
def test_a_user_without_a_role_gets_nothing(world: World, method: str, path: str) -> None:
    assert code(call(world.api(world.stack.token("nobody")), method, path).must(403)) == "FORBIDDEN"


@pytest.mark.parametrize(("method", "path"), OPERATOR_ROUTES)
def test_a_client_does_not_run_the_place(world: World, method: str, path: str) -> None:
    assert code(call(world.api(world.stack.token("alice")), method, path).must(403)) == "FORBIDDEN"


@pytest.mark.parametrize(("method", "path"), [("POST", "/withdrawal/request"), ("GET", "/api/v1/transfers")])
def test_a_token_without_a_tenant_is_nobodys(world: World, method: str, path: str) -> None:
    answer = world.stack.client("cognito-idp").initiate_auth(
        AuthFlow="USER_PASSWORD_AUTH", ClientId=world.stack.outputs["cognito"]["client_id"],
        AuthParameters={"USERNAME": "alice", "PASSWORD": world.stack.outputs["users"]["alice"]["password"]})
    access_token = answer["AuthenticationResult"]["AccessToken"]
    assert code(call(world.api(access_token), method, path).must(401)) == "UNAUTHENTICATED"


def test_another_tenants_transfers_are_not_there(world: World) -> None:
    owner, other = world.tenant(ETH="1"), world.tenant(ETH="1")
    request = owner.withdraw("ETH", "0.1", new_address())
    transfer = owner.transfer_of(request)
    refusal = other.api.get(f"/withdrawal/status/{request}").must(404)
    assert refusal["error"]["code"] == "NOT_FOUND"
    assert other.api.get(f"/api/v1/transfers/{transfer}").must(404)["code"] == "NOT_FOUND"
    # The same words as for an id that never was.
    assert other.api.get("/withdrawal/status/tx-1766000000000-a1b2c3d4e").must(404) == refusal
    assert other.api.get("/api/v1/transfers").must(200)["transfers"] == []
    # An operator's role is over the place, not over other tenants' transfers.
    world.operator.get(f"/withdrawal/status/{request}").must(404)
    owner.wait_completed(request)


def test_another_tenants_treasury_does_not_pay(world: World) -> None:
    owner, other = world.tenant(ETH="1"), world.tenant(ETH="1")
    body = {"from": owner.treasury, "to": new_address(), "amount": "0.1", "token": "ETH", "idempotencyKey": "theirs"}
    for network in ({}, {"network": "local"}):
        refusal = other.api.post("/api/v1/transfers", body | network).must(400)
        assert (refusal["code"], refusal["details"]["field"]) == ("VALIDATION_ERROR", "from")


@pytest.mark.parametrize("path", [
    "/withdrawal/status/tx-1766000000000-a1b2c3d4e", "/withdrawal/status/nonsense",
    "/api/v1/transfers/tr_01jfz4c3q8e0000000000000000-0", "/api/v1/transfers/nonsense",
])
def test_an_id_that_never_was_is_not_there(world: World, path: str) -> None:
    assert code(world.api(world.stack.token("alice")).get(path).must(404)) == "NOT_FOUND"


def test_a_tenant_without_a_treasury_cannot_pay(world: World) -> None:
    api = world.api(world.stack.new_user("e2e-without", "client"))
    tenant = Tenant("e2e-without", api, world.operator, world.chain, "")
    refusal = api.post("/withdrawal/request", tenant.order("ETH", "1", new_address())).must(409)
    assert refusal["error"]["code"] == "NO_TREASURY"


def test_health_and_document_are_everybodys(world: World) -> None:
    nobody = world.api(None)
    nobody.get("/healthz").must(200)
    assert "/withdrawal/request" in nobody.get("/openapi.json").must(200)["paths"]
