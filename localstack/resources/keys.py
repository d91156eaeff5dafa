"""KMS keys of the treasuries, one for each demo tenant, found again by their alias."""

from __future__ import annotations

from localstack.resources.context import CREATED, UNCHANGED, Context
from localstack.topology import Key


def apply(context: Context) -> None:
    """Creates the keys that are missing. A key is never changed or deleted."""
    kms = context.client("kms")
    aliases = {alias["AliasName"]: alias.get("TargetKeyId")
               for page in kms.get_paginator("list_aliases").paginate() for alias in page["Aliases"]}
    for key in context.topology.keys.values():
        family = context.keys.setdefault(key.name, {})
        for tenant in context.topology.tenants:
            alias = alias_of(context, key.name, tenant)
            key_id, change = aliases.get(alias), UNCHANGED
            if key_id is None:
                key_id, change = _create(kms, key, alias), CREATED
            family[tenant] = (key_id, context.arn("kms", f"key/{key_id}"))
            context.report.add("key", f"{key.name}-{tenant}", change)


def alias_of(context: Context, key: str, tenant: str) -> str:
    """The alias by which functions name a tenant's key."""
    return f"alias/{context.name(key)}-{tenant}"


def _create(kms, key: Key, alias: str) -> str:
    made = kms.create_key(KeySpec=key.spec, KeyUsage=key.usage, Description=alias)
    key_id = made["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=alias, TargetKeyId=key_id)
    return key_id
