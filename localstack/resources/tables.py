"""DynamoDB tables with their indexes, time to live and streams."""

from __future__ import annotations

from typing import Any

from localstack.resources.context import CREATED, UNCHANGED, UPDATED, Context
from localstack.topology import Index, Table

PROJECTIONS = {"keys": "KEYS_ONLY", "all": "ALL"}


def apply(context: Context) -> None:
    """Creates or updates every table. A table that left the topology keeps its rows."""
    for table in context.topology.tables.values():
        context.report.add("table", table.name, _apply(context, table))


def _apply(context: Context, table: Table) -> str:
    dynamodb, name = context.client("dynamodb"), context.name(table.name)
    try:
        present = dynamodb.describe_table(TableName=name)["Table"]
    except dynamodb.exceptions.ResourceNotFoundException:
        _create(dynamodb, name, table)
        dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
        _apply_ttl(dynamodb, name, table)
        return CREATED
    changed = [
        _apply_indexes(dynamodb, name, table, present),
        _apply_stream(dynamodb, name, table, present),
        _apply_ttl(dynamodb, name, table),
    ]
    return UPDATED if any(changed) else UNCHANGED


def _create(dynamodb, name: str, table: Table) -> None:
    request: dict[str, Any] = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": _key_schema("pk", "sk"),
        "AttributeDefinitions": _attribute_definitions(table.indexes.values()),
    }
    if table.indexes:
        request["GlobalSecondaryIndexes"] = [_index(index) for index in table.indexes.values()]
    if table.stream:
        request["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": table.stream}
    dynamodb.create_table(**request)


def _apply_indexes(dynamodb, name: str, table: Table, present: dict[str, Any]) -> bool:
    existing = {one["IndexName"]: one for one in present.get("GlobalSecondaryIndexes", [])}
    changes = []
    for found, body in existing.items():
        wanted = table.indexes.get(found)
        if wanted is None or not _same_index(body, wanted, present["AttributeDefinitions"]):
            changes.append({"Delete": {"IndexName": found}})
            existing[found] = None
    for index in table.indexes.values():
        if existing.get(index.name) is None:
            changes.append({"Create": _index(index)})
    # AWS takes one index change at a time.
    for change in changes:
        dynamodb.update_table(
            TableName=name, GlobalSecondaryIndexUpdates=[change],
            AttributeDefinitions=_attribute_definitions(table.indexes.values()))
        dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    return bool(changes)


def _apply_stream(dynamodb, name: str, table: Table, present: dict[str, Any]) -> bool:
    current = present.get("StreamSpecification") or {}
    view = current.get("StreamViewType") if current.get("StreamEnabled") else None
    if view == table.stream:
        return False
    if view:
        # The view of a stream cannot be changed, only a new stream made.
        dynamodb.update_table(TableName=name, StreamSpecification={"StreamEnabled": False})
    if table.stream:
        dynamodb.update_table(TableName=name, StreamSpecification={
            "StreamEnabled": True, "StreamViewType": table.stream})
    return True


def _apply_ttl(dynamodb, name: str, table: Table) -> bool:
    described = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    enabled = described["TimeToLiveStatus"] in ("ENABLED", "ENABLING")
    current = described.get("AttributeName") if enabled else None
    if current == table.ttl:
        return False
    if current:
        _set_ttl(dynamodb, name, current, False)
    if table.ttl:
        _set_ttl(dynamodb, name, table.ttl, True)
    return True


def _set_ttl(dynamodb, name: str, attribute: str, enabled: bool) -> None:
    dynamodb.update_time_to_live(
        TableName=name, TimeToLiveSpecification={"Enabled": enabled, "AttributeName": attribute})


def _same_index(present: dict[str, Any], wanted: Index, definitions: list[dict[str, str]]) -> bool:
    types = {one["AttributeName"]: one["AttributeType"] for one in definitions}
    return (present["KeySchema"] == _key_schema(wanted.pk, wanted.sk)
            and present["Projection"]["ProjectionType"] == PROJECTIONS[wanted.projection]
            and all(types.get(attribute) == kind for attribute, kind in wanted.types.items()))


def _index(index: Index) -> dict[str, Any]:
    return {
        "IndexName": index.name,
        "KeySchema": _key_schema(index.pk, index.sk),
        "Projection": {"ProjectionType": PROJECTIONS[index.projection]},
    }


def _key_schema(pk: str, sk: str) -> list[dict[str, str]]:
    return [{"AttributeName": pk, "KeyType": "HASH"}, {"AttributeName": sk, "KeyType": "RANGE"}]


def _attribute_definitions(indexes) -> list[dict[str, str]]:
    types = {"pk": "S", "sk": "S"}
    for index in indexes:
        types |= index.types
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in sorted(types.items())]
