"""The HTTP API: its routes, their functions, and the JWT authorizer in front of them."""

from __future__ import annotations

from typing import Any

from localstack.resources.context import CREATED, DELETED, UNCHANGED, UPDATED, Context
from localstack.topology import Route

STAGE = "$default"
AUTHORIZER = "jwt"


def apply(context: Context) -> None:
    """Creates or updates the API with everything in it, and removes routes that are gone."""
    gateway = context.client("apigatewayv2")
    _api(context, gateway)
    _stage(context, gateway)
    authorizer = _authorizer(context, gateway)
    integrations = _integrations(context, gateway)
    _routes(context, gateway, authorizer, integrations)


def url(context: Context) -> str:
    """Address of the API, in the form that needs no host name of its own."""
    base = f"{context.settings.endpoint}/_aws/execute-api/{context.api_id}"
    # MiniStack finds the default stage by itself; LocalStack wants it named.
    return f"{base}/{STAGE}" if context.settings.given_function_endpoint else base


def _api(context: Context, gateway) -> None:
    name = context.name("api")
    found = next((one["ApiId"] for one in _items(gateway, "get_apis") if one["Name"] == name), None)
    context.api_id = found or gateway.create_api(Name=name, ProtocolType="HTTP")["ApiId"]
    context.report.add("api", name, UNCHANGED if found else CREATED)


def _stage(context: Context, gateway) -> None:
    settings = {"ThrottlingBurstLimit": context.topology.throttle["burst"],
                "ThrottlingRateLimit": float(context.topology.throttle["rate"])}
    present = {one["StageName"]: one for one in _items(gateway, "get_stages", ApiId=context.api_id)}.get(STAGE)
    change = UNCHANGED
    if present is None:
        gateway.create_stage(ApiId=context.api_id, StageName=STAGE, AutoDeploy=True, DefaultRouteSettings=settings)
        change = CREATED
    elif not settings.items() <= (present.get("DefaultRouteSettings") or {}).items():
        gateway.update_stage(ApiId=context.api_id, StageName=STAGE, DefaultRouteSettings=settings)
        change = UPDATED
    context.report.add("stage", STAGE, change)


def _authorizer(context: Context, gateway) -> str:
    wanted = {
        "AuthorizerType": "JWT",
        "IdentitySource": ["$request.header.Authorization"],
        "JwtConfiguration": {"Audience": [context.identity["client_id"]], "Issuer": context.identity["issuer"]},
    }
    listed = _items(gateway, "get_authorizers", ApiId=context.api_id)
    present = next((one for one in listed if one["Name"] == AUTHORIZER), None)
    if present is None:
        made = gateway.create_authorizer(ApiId=context.api_id, Name=AUTHORIZER, **wanted)
        context.report.add("authorizer", AUTHORIZER, CREATED)
        return made["AuthorizerId"]
    change = UNCHANGED
    if any(present.get(key) != value for key, value in wanted.items()):
        gateway.update_authorizer(ApiId=context.api_id, AuthorizerId=present["AuthorizerId"], **wanted)
        change = UPDATED
    context.report.add("authorizer", AUTHORIZER, change)
    return present["AuthorizerId"]


def _integrations(context: Context, gateway) -> dict[str, str]:
    """One integration per function that has a route; returns their ids by function."""
    present = {one["IntegrationUri"]: one["IntegrationId"]
               for one in _items(gateway, "get_integrations", ApiId=context.api_id)}
    integrations = {}
    for name in dict.fromkeys(route.function for route in context.topology.routes):
        uri = context.function_arns[name]
        change = UNCHANGED
        if uri not in present:
            made = gateway.create_integration(
                ApiId=context.api_id, IntegrationType="AWS_PROXY", IntegrationUri=uri, PayloadFormatVersion="2.0")
            present[uri], change = made["IntegrationId"], CREATED
        integrations[name] = present[uri]
        _permit(context, name)
        context.report.add("integration", name, change)
    return integrations


def _permit(context: Context, function: str) -> None:
    """Lets the API call the function; saying so again is harmless."""
    client = context.client("lambda")
    try:
        client.add_permission(
            FunctionName=context.name(function), StatementId="api", Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com", SourceArn=context.arn("execute-api", f"{context.api_id}/*/*"))
    except client.exceptions.ResourceConflictException:
        return


def _routes(context: Context, gateway, authorizer: str, integrations: dict[str, str]) -> None:
    present = {one["RouteKey"]: one for one in _items(gateway, "get_routes", ApiId=context.api_id)}
    for route in context.topology.routes:
        wanted = _route(route, authorizer, integrations)
        current = present.pop(route.route, None)
        change = UNCHANGED
        if current is None:
            gateway.create_route(ApiId=context.api_id, RouteKey=route.route, **wanted)
            change = CREATED
        elif any(current.get(key) != value for key, value in wanted.items()):
            gateway.update_route(ApiId=context.api_id, RouteId=current["RouteId"], **wanted)
            change = UPDATED
        context.report.add("route", route.route, change)
    for key, gone in present.items():
        gateway.delete_route(ApiId=context.api_id, RouteId=gone["RouteId"])
        context.report.add("route", key, DELETED)


def _route(route: Route, authorizer: str, integrations: dict[str, str]) -> dict[str, Any]:
    wanted = {"Target": f"integrations/{integrations[route.function]}", "AuthorizationType": "NONE"}
    if route.auth == "jwt":
        wanted |= {"AuthorizationType": "JWT", "AuthorizerId": authorizer}
    return wanted


def _items(gateway, operation: str, **arguments: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        page = getattr(gateway, operation)(**arguments, **token)
        items += page["Items"]
        if not page.get("NextToken"):
            return items
        token = {"NextToken": page["NextToken"]}
