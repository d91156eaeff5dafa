"""All tables as they were at one moment, and back to it.

AWS restores a table to a second of the last 35 days (point-in-time recovery) into a new table; the emulator cannot, so the
rows are copied out and written back. What the product sees is the same: every table as it was then.
"""

from __future__ import annotations

from typing import Any

from support.stack import Stack

Row = dict[str, Any]
# Rows of one BatchWriteItem.
BATCH = 25


class Backup:
    """Every row of every table at one moment; nothing may write meanwhile."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.rows: dict[str, list[Row]] = {name: scan(stack, name) for name in stack.outputs["tables"]}

    @property
    def count(self) -> int:
        """How many rows there are."""
        return sum(len(rows) for rows in self.rows.values())

    def restore(self) -> int:
        """Sets every table back, and says how many rows that undid: written since then, or changed."""
        undone = 0
        for name, rows in self.rows.items():
            before = {key(row): row for row in rows}
            now = {key(row): row for row in scan(self.stack, name)}
            gone = [{"DeleteRequest": {"Key": dict(zip(("pk", "sk"), parts(row)))}}
                    for at, row in now.items() if at not in before]
            changed = [{"PutRequest": {"Item": row}} for at, row in before.items() if now.get(at) != row]
            undone += len(gone) + len(changed)
            self._write(name, gone + changed)
        return undone

    def _write(self, name: str, requests: list[dict[str, Any]]) -> None:
        client, table = self.stack.client("dynamodb"), self.stack.outputs["tables"][name]
        for start in range(0, len(requests), BATCH):
            left = {table: requests[start:start + BATCH]}
            while left:
                left = client.batch_write_item(RequestItems=left)["UnprocessedItems"]


def scan(stack: Stack, name: str) -> list[Row]:
    """All rows of a table, read strongly."""
    pages = stack.client("dynamodb").get_paginator("scan")
    found = pages.paginate(TableName=stack.outputs["tables"][name], ConsistentRead=True)
    return [row for page in found for row in page["Items"]]


def parts(row: Row) -> tuple[Row, Row]:
    """A row's keys."""
    return row["pk"], row["sk"]


def key(row: Row) -> tuple[str, str]:
    """A row's keys as texts."""
    return row["pk"]["S"], row["sk"]["S"]
