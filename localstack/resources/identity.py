"""The Cognito pool with its groups, the app client, and the demo users."""

from __future__ import annotations

import base64
import json
from typing import Any

from localstack.resources.context import CREATED, UNCHANGED, UPDATED, Context
from localstack.topology import User

# Demo users exist on the local platform alone, so their password is no secret.
DEMO_PASSWORD = "Causeway-demo-1"
CLIENT = "cli"
TOKEN_HOURS = 24


def apply(context: Context) -> None:
    """Creates or updates the pool and everything in it."""
    cognito = context.client("cognito-idp")
    pool_id = _pool(context, cognito)
    client_id = _app_client(context, cognito, pool_id)
    _groups(context, cognito, pool_id)
    for user in context.topology.users:
        context.report.add("user", user.name, _user(context, cognito, pool_id, user))
    context.identity = {
        "pool_id": pool_id,
        "client_id": client_id,
        "issuer": _issuer(context, cognito, client_id),
    }


def _issuer(context: Context, cognito, client_id: str) -> str:
    """The pool's issuer as its tokens name it: emulators differ in that."""
    token = cognito.initiate_auth(
        AuthFlow="USER_PASSWORD_AUTH", ClientId=client_id,
        AuthParameters={"USERNAME": context.topology.users[0].name, "PASSWORD": DEMO_PASSWORD},
    )["AuthenticationResult"]["IdToken"]
    claims = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["iss"]


def tenant_attribute(context: Context) -> str:
    """The user attribute, and the claim, that names a user's tenant."""
    return f"custom:{context.topology.tenant_attribute}"


def _pool(context: Context, cognito) -> str:
    name = context.name(context.topology.pool)
    for page in cognito.get_paginator("list_user_pools").paginate(MaxResults=60):
        for pool in page["UserPools"]:
            if pool["Name"] == name:
                context.report.add("pool", name, UNCHANGED)
                return pool["Id"]
    made = cognito.create_user_pool(PoolName=name, Schema=[
        {"Name": context.topology.tenant_attribute, "AttributeDataType": "String", "Mutable": True}])
    context.report.add("pool", name, CREATED)
    return made["UserPool"]["Id"]


def _app_client(context: Context, cognito, pool_id: str) -> str:
    wanted: dict[str, Any] = {
        "ExplicitAuthFlows": ["ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_PASSWORD_AUTH"],
        # A user may read the tenant, and through this client nobody may write it.
        "ReadAttributes": ["email", tenant_attribute(context)],
        "WriteAttributes": ["email"],
        "IdTokenValidity": TOKEN_HOURS,
        "AccessTokenValidity": TOKEN_HOURS,
        "TokenValidityUnits": {"IdToken": "hours", "AccessToken": "hours"},
    }
    listed = cognito.list_user_pool_clients(UserPoolId=pool_id, MaxResults=60)["UserPoolClients"]
    found = next((one["ClientId"] for one in listed if one["ClientName"] == CLIENT), None)
    if found is None:
        made = cognito.create_user_pool_client(UserPoolId=pool_id, ClientName=CLIENT, **wanted)
        context.report.add("client", CLIENT, CREATED)
        return made["UserPoolClient"]["ClientId"]
    present = cognito.describe_user_pool_client(UserPoolId=pool_id, ClientId=found)["UserPoolClient"]
    if all(_plain(present.get(key)) == _plain(value) for key, value in wanted.items()):
        context.report.add("client", CLIENT, UNCHANGED)
    else:
        cognito.update_user_pool_client(UserPoolId=pool_id, ClientId=found, ClientName=CLIENT, **wanted)
        context.report.add("client", CLIENT, UPDATED)
    return found


def _groups(context: Context, cognito, pool_id: str) -> None:
    present = {group["GroupName"] for group in cognito.list_groups(UserPoolId=pool_id)["Groups"]}
    for group in context.topology.groups:
        if group not in present:
            cognito.create_group(UserPoolId=pool_id, GroupName=group)
        context.report.add("group", group, UNCHANGED if group in present else CREATED)


def _user(context: Context, cognito, pool_id: str, user: User) -> str:
    whose = {"UserPoolId": pool_id, "Username": user.name}
    attributes = {tenant_attribute(context): user.tenant}
    listed = [{"Name": key, "Value": value} for key, value in attributes.items()]
    change = UNCHANGED
    try:
        present = cognito.admin_get_user(**whose)["UserAttributes"]
        if not attributes.items() <= {one["Name"]: one["Value"] for one in present}.items():
            cognito.admin_update_user_attributes(**whose, UserAttributes=listed)
            change = UPDATED
    except cognito.exceptions.UserNotFoundException:
        cognito.admin_create_user(**whose, UserAttributes=listed, MessageAction="SUPPRESS")
        cognito.admin_set_user_password(**whose, Password=DEMO_PASSWORD, Permanent=True)
        change = CREATED
    member_of = {group["GroupName"] for group in cognito.admin_list_groups_for_user(**whose)["Groups"]}
    for group in set(user.groups) - member_of:
        cognito.admin_add_user_to_group(**whose, GroupName=group)
    for group in member_of - set(user.groups):
        cognito.admin_remove_user_from_group(**whose, GroupName=group)
    if change == UNCHANGED and member_of != set(user.groups):
        return UPDATED
    return change


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value
