"""Gathers what is judged: the chain's blocks, the tables' rows, and what clients are told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from support.chain import NATIVE, Chain
from support.tenants import NETWORK, Tenant
from support.world import World

from desk import Desk
from judge import Account, Asked, Evidence, Line, Mined, Payment
from load import Order

# keccak256("Transfer(address,address,uint256)")
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


def gather(world: World, desk: Desk, orders: list[Order], credited: dict[str, dict[str, int]]) -> Evidence:
    """Everything, as it is now; `credited` are the units given to each account by its name and asset."""
    tenants = {order.tenant.name: order.tenant for order in orders}.values()
    treasuries = {tenant.treasury.lower() for tenant in tenants}
    told = {(tenant.name, row["requestId"]): row for tenant in tenants for row in listed(tenant)}
    transfers = list(rows(world, "transfers"))
    mined = list(mined_by(world.chain, treasuries))
    asked = [asked_for(order, told) for order in orders]
    return Evidence(
        asked, mined, {treasury: line(transfers, treasury) for treasury in treasuries},
        accounts(world, tenants, mined, credited), check_faults(desk), [letter["id"] for letter in desk.letters()],
        halts(desk))


def listed(tenant: Tenant) -> Iterator[dict[str, Any]]:
    """A tenant's transfers as its client sees them."""
    cursor = None
    while True:
        page = tenant.api.get("/api/v1/transfers", limit=100, cursor=cursor).must(200)
        yield from page["transfers"]
        cursor = page.get("nextCursor")
        if cursor is None:
            return


def asked_for(order: Order, told: dict[tuple[str, str], dict[str, Any]]) -> Asked:
    """One withdrawal with what was told of it."""
    row = next((told[order.tenant.name, name] for name in order.requests if (order.tenant.name, name) in told), {})
    return Asked(
        order.key, order.tenant.treasury.lower(), order.tenant.chain.token_address(order.symbol).lower(), order.to,
        order.units, frozenset(order.requests), order.refused, row.get("status"), row.get("transactionHash"))


def rows(world: World, table: str) -> Iterator[dict[str, Any]]:
    """All rows of a table, read strongly."""
    pages = world.stack.client("dynamodb").get_paginator("scan")
    for page in pages.paginate(TableName=world.stack.outputs["tables"][table], ConsistentRead=True):
        yield from page["Items"]


def line(transfers: list[dict[str, Any]], treasury: str) -> Line:
    """A lane's rows."""
    lane = f"LANE#{NETWORK}/{treasury}"
    own = [row for row in transfers if row["pk"]["S"].lower().startswith(lane.lower())]
    counter = next((int(row["next"]["N"]) for row in own if row["sk"]["S"] == "NEXT"), 0)
    numbered = [row for row in own if row["sk"]["S"].startswith("TX#")]
    return Line(
        counter, frozenset(int(row["number"]["N"]) for row in numbered if "raw" not in row),
        frozenset(row["hash"]["S"] for row in numbered if "raw" in row))


def mined_by(chain: Chain, senders: set[str]) -> Iterator[Mined]:
    """Every transaction of these on the chain, with what its receipt proves."""
    for height in range(1, chain.height() + 1):
        block = chain.call("eth_getBlockByNumber", hex(height), True)
        if not any(one["from"] in senders for one in block["transactions"]):
            continue
        receipts = {one["transactionHash"]: one for one in chain.call("eth_getBlockReceipts", hex(height))}
        for one in block["transactions"]:
            if one["from"] in senders:
                yield mined(one, receipts[one["hash"]])


def mined(transaction: dict[str, Any], receipt: dict[str, Any]) -> Mined:
    """A transaction and the money that it moved; a reverted one moved none."""
    payments = [transferred(log) for log in receipt["logs"] if log["topics"][0] == TRANSFER]
    if receipt["status"] == "0x1" and (value := int(transaction["value"], 16)):
        payments.append(Payment(NATIVE, transaction["to"].lower(), value))
    gas_cost = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
    return Mined(transaction["hash"], transaction["from"], int(transaction["nonce"], 16), tuple(payments), gas_cost)


def transferred(log: dict[str, Any]) -> Payment:
    """The payment that a token's log proves."""
    return Payment(log["address"].lower(), "0x" + log["topics"][2][-40:].lower(), int(log["data"], 16))


def accounts(world: World, tenants, mined: list[Mined], credited: dict[str, dict[str, int]]) -> list[Account]:
    """The ledger's accounts by their rows, and what the chain says each must have."""
    available: dict[tuple[str, str], int] = defaultdict(int)
    held: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows(world, "ledger"):
        if row["sk"]["S"] == "BAL":
            owner, asset, _shard = row["pk"]["S"].removeprefix("ACC#").split("#")
            place = owner.lower(), asset.rpartition(":")[2].lower()
            available[place] += units(row, "available")
            held[place] += units(row, "held")
    expected = {}
    for tenant in tenants:
        treasury = tenant.treasury.lower()
        own = [one for one in mined if one.sender == treasury]
        for symbol, given in credited[tenant.name].items():
            asset = world.chain.token_address(symbol).lower()
            paid = sum(payment.units for one in own for payment in one.payments if payment.asset == asset)
            expected[f"tenant:{tenant.name}", asset] = given - paid
            expected[f"treasury:{NETWORK}/{treasury}", asset] = -world.chain.balance(symbol, tenant.treasury)
        gas = credited[f"gas:{tenant.name}"]["ETH"] - sum(one.gas_cost for one in own)
        expected[f"gas:{tenant.name}", NATIVE] = gas
    return [Account(f"{owner} {asset}", available[owner, asset], held[owner, asset], must)
            for (owner, asset), must in expected.items()]


def units(row: dict[str, Any], part: str) -> int:
    """A balance of a shard; one that nothing was ever added to is not in the row."""
    return int(row[part]["N"]) if part in row else 0


def check_faults(desk: Desk) -> list[str]:
    """What the product's own check finds; nothing where it says that all is clean."""
    report = desk.books()
    found = [f"{account['account']}: {account['faults']}" for account in report["accounts"] if account["faults"]]
    found += [f"unbalanced: {one}" for one in report["unbalanced"]]
    return found or ([] if report["clean"] else ["accounts check is not clean, and does not say why"])


def halts(desk: Desk) -> list[str]:
    """Lanes that halted for what no operator may simply open, if only for a while, and those that are halted now."""
    now = {lane["lane"]: lane["reason"] for lane in desk.patiently("lanes", "list") if lane["state"] == "halted"}
    return [f"{lane}: {reason}" for lane, reason in sorted((now | desk.strange).items())]
