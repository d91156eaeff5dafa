"""A chain's provider between the functions and the node; it can also fall behind."""

from __future__ import annotations

import json
from typing import Any

from proxy import Answer, Call, Proxy, Rates

BROADCAST = "eth_sendRawTransaction"
SEND = Rates(lost=80, delayed=30, late=10, throttled=15, failed=15, failed_after=30)
READ = Rates(lost=10, delayed=15, throttled=5, failed=10)
# The block that a call is about, by position among its parameters.
BLOCK_AT = {"eth_getBlockByNumber": 0, "eth_feeHistory": 1, "eth_getTransactionCount": 1, "eth_getBalance": 1,
            "eth_call": 1, "eth_estimateGas": 1}
# How far behind the newest block the local node's tag "finalized" is.
FINALIZED_BEHIND = 2
JSON = {"content-type": "application/json"}


class RpcProxy(Proxy):
    """One provider. While `behind` is not 0 it knows the chain only up to so many blocks below the newest."""

    # The chain client's patience for a broadcast.
    patience_s = 8.0

    def __init__(self, name: str, upstream: str, seed: str) -> None:
        super().__init__(name, upstream, seed)
        self.behind = 0

    def operation(self, call: Call) -> str | None:
        return json.loads(call.body)["method"]

    def rates(self, operation: str) -> Rates:
        return SEND if operation == BROADCAST else READ

    def throttled(self, call: Call) -> Answer:
        return Answer(429, {"retry-after": "1"}, b"")

    def failed(self, call: Call, chance: float) -> Answer:
        return Answer(500 if chance < 0.5 else 503, {"content-type": "text/plain"}, b"upstream error")

    def forward(self, call: Call) -> Answer:
        """The node's answer, as far as this provider has followed the chain."""
        if not (behind := self.behind):
            return super().forward(call)
        newest = max(0, int(self._ask(call, "eth_blockNumber", [])["result"], 16) - behind)
        asked = json.loads(call.body)
        reply = self._lagging(call, asked["method"], asked.get("params") or [], newest)
        return Answer(200, JSON, json.dumps(reply | {"id": asked["id"]}).encode())

    def _lagging(self, call: Call, method: str, params: list[Any], newest: int) -> dict[str, Any]:
        if method == "eth_blockNumber":
            return {"jsonrpc": "2.0", "result": hex(newest)}
        at = BLOCK_AT.get(method)
        if at is not None and at < len(params):
            block = as_seen(params[at], newest)
            if block is None:
                return {"jsonrpc": "2.0", "result": None}
            params = [*params[:at], block, *params[at + 1:]]
        reply = self._ask(call, method, params)
        if "result" in reply:
            reply["result"] = hidden(method, reply["result"], newest)
        return reply

    def _ask(self, call: Call, method: str, params: list[Any]) -> dict[str, Any]:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        return json.loads(super().forward(Call(call.method, call.path, JSON, body)).body)


def as_seen(block: Any, newest: int) -> Any:
    """A block parameter for who knows the chain up to `newest`; None for a block that is above it."""
    if block == "latest":
        return hex(newest)
    if block in ("finalized", "safe"):
        return hex(max(0, newest - FINALIZED_BEHIND))
    if isinstance(block, str) and block.startswith("0x") and len(block) < 66:
        return block if int(block, 16) <= newest else None
    return block


def hidden(method: str, result: Any, newest: int) -> Any:
    """An answer without what is in blocks above `newest`."""
    match method:
        case "eth_getBlockByHash":
            return None if result and int(result["number"], 16) > newest else result
        case "eth_getBlockReceipts":
            return None if result and int(result[0]["blockNumber"], 16) > newest else result
        case "eth_getTransactionReceipt":
            return None if result and int(result["blockNumber"], 16) > newest else result
        case "eth_getTransactionByHash":
            if result and result["blockNumber"] and int(result["blockNumber"], 16) > newest:
                return result | {"blockNumber": None, "blockHash": None, "transactionIndex": None}
            return result
        case _:
            return result
