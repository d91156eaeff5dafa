"""The proxies do to calls what they say, and to nothing else."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

import aws
import rpc
from aws import API, API_PREFIX, AwsProxy
from proxy import Fault, Proxy, Rates, Trap
from rpc import BROADCAST, RpcProxy

BODY = b'{"a":1}'


class Behind:
    """What a proxy stands in front of: says what it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.answers: Any = lambda body: b"said: " + body
        behind = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                behind.bodies.append(body)
                answer = behind.answers(body)
                self.send_response(200)
                self.send_header("x-kept", "yes")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def behind() -> Iterator[Behind]:
    one = Behind()
    threading.Thread(target=one.server.serve_forever, args=(0.05,), daemon=True).start()
    yield one
    one.server.shutdown()
    one.server.server_close()


@contextmanager
def aws_proxy(behind: Behind, monkeypatch: pytest.MonkeyPatch, **rates: int) -> Iterator[AwsProxy]:
    """A proxy that does the same to every call."""
    for kind in ("READ", "WRITE", "PUBLISH", "CLIENT"):
        monkeypatch.setattr(aws, kind, Rates(**rates))
    monkeypatch.setattr(AwsProxy, "patience_s", 0.01)
    proxy = AwsProxy("aws", behind.url, "seed")
    proxy.faulty = True
    with proxy.serving():
        yield proxy


def ask(proxy: Proxy, target: str | None = "AmazonSQS.SendMessage", path: str = "/", body: bytes = BODY):
    """One call; its status, headers and body."""
    connection = http.client.HTTPConnection(proxy.url.removeprefix("http://"), timeout=30)
    try:
        connection.request("POST", path, body, {"x-amz-target": target} if target else {})
        reply = connection.getresponse()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
    finally:
        connection.close()


def test_without_a_fault_a_call_passes_as_it_is(behind: Behind, monkeypatch: pytest.MonkeyPatch) -> None:
    with aws_proxy(behind, monkeypatch) as proxy:
        status, headers, body = ask(proxy)
    assert (status, headers["x-kept"], body) == (200, "yes", b"said: " + BODY)
    assert behind.bodies == [BODY]
    assert not proxy.befallen()


@pytest.mark.parametrize("rate, fault, forwarded", [
    ("lost", Fault.LOST, 1), ("late", Fault.LATE, 1), ("delayed", Fault.DELAYED, 1), ("twice", Fault.TWICE, 2),
    ("throttled", Fault.THROTTLED, 0), ("failed", Fault.FAILED, 0), ("failed_after", Fault.FAILED_AFTER, 1),
])
def test_each_fault_does_what_its_name_says(
    behind: Behind, monkeypatch: pytest.MonkeyPatch, rate: str, fault: Fault, forwarded: int
) -> None:
    with aws_proxy(behind, monkeypatch, **{rate: 1000}) as proxy:
        if fault in (Fault.LOST, Fault.LATE):
            with pytest.raises(http.client.RemoteDisconnected):
                ask(proxy)
        else:
            status, _, body = ask(proxy)
            match fault:
                case Fault.THROTTLED:
                    assert (status, json.loads(body)["__type"]) == (400, "com.amazonaws.sqs#RequestThrottled")
                case Fault.FAILED | Fault.FAILED_AFTER:
                    assert status in (500, 503)
                case _:
                    assert (status, body) == (200, b"said: " + BODY)
        assert proxy.befallen() == {fault: 1}
    assert len(behind.bodies) == forwarded


def test_only_what_is_published_is_doubled_and_only_known_calls_are_befallen(behind: Behind) -> None:
    proxy = AwsProxy("aws", behind.url, "seed")
    assert [name for name in ("SendMessage", "SendMessageBatch", "Sign", "TransactWriteItems", "GetItem", API)
            if proxy.rates(name).twice] == ["SendMessage", "SendMessageBatch"]
    proxy.faulty = True
    with proxy.serving():
        for _ in range(50):
            assert ask(proxy, target=None)[0] == 200
    assert not proxy.counts


def test_a_client_that_asks_too_often_is_told_so_by_status(behind: Behind, monkeypatch: pytest.MonkeyPatch) -> None:
    with aws_proxy(behind, monkeypatch, throttled=1000) as proxy:
        assert ask(proxy, target=None, path=f"{API_PREFIX}api/withdrawal/request")[0] == 429


def test_the_same_seed_is_the_same_fate_and_without_faulty_there_is_none(behind: Behind) -> None:
    def fates(seed: str, faulty: bool = True) -> list[Fault]:
        proxy = RpcProxy("first", behind.url, seed)
        proxy.faulty = faulty
        return [proxy._fate(BROADCAST)[0] for _ in range(300)]

    assert fates("a") == fates("a") != fates("b")
    assert set(fates("a")) >= {Fault.NONE, Fault.LOST, Fault.FAILED_AFTER}
    assert set(fates("a", faulty=False)) == {Fault.NONE}


def test_a_trapped_call_was_carried_out_before_its_caller_hears_so(
    behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []
    with aws_proxy(behind, monkeypatch) as proxy:
        with proxy.trapping(Trap("Sign")) as trap:
            caller = threading.Thread(target=lambda: heard.append(ask(proxy, "TrentService.Sign")[0]))
            caller.start()
            assert trap.caught.wait(30)
            assert behind.bodies == [BODY] and not heard
        caller.join()
        assert heard == [200]
        # The next one passes.
        assert ask(proxy, "TrentService.Sign")[0] == 200


def test_a_trap_leaves_other_callers_alone_and_tells_whose_call_it_has(
    behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def second(port: int) -> bool:
        asked.append(port)
        return len(asked) == 2

    with aws_proxy(behind, monkeypatch) as proxy:
        trap = Trap("Sign", second)
        with proxy.trapping(trap):
            assert ask(proxy, "TrentService.Sign")[0] == 200
            assert not trap.caught.is_set()
            caller = threading.Thread(target=ask, args=(proxy, "TrentService.Sign"))
            caller.start()
            assert trap.caught.wait(30)
        caller.join()
    assert trap.port == asked[1] > 0


@pytest.mark.parametrize("rate", ["throttled", "failed"])
def test_a_call_that_was_not_carried_out_is_in_no_trap(
    behind: Behind, monkeypatch: pytest.MonkeyPatch, rate: str
) -> None:
    with aws_proxy(behind, monkeypatch, **{rate: 1000}) as proxy, proxy.trapping(Trap("Sign")) as trap:
        assert ask(proxy, "TrentService.Sign")[0] >= 400
        assert not trap.caught.is_set()


NEWEST, BEHIND_BY = 100, 3


def node(body: bytes) -> bytes:
    """A node at block 100 that says what it was asked for."""
    asked = json.loads(body)
    result = {
        "eth_blockNumber": hex(NEWEST), "eth_getBlockByHash": {"number": hex(NEWEST)},
        "eth_getBlockReceipts": [{"blockNumber": hex(NEWEST)}],
        "eth_getTransactionReceipt": {"blockNumber": hex(NEWEST)},
        "eth_getTransactionByHash": {"blockNumber": hex(NEWEST), "blockHash": "0xb", "hash": "0xt"},
    }.get(asked["method"], asked["params"])
    return json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode()


SEEN = hex(NEWEST - BEHIND_BY)
PENDING = {"blockNumber": None, "blockHash": None, "transactionIndex": None, "hash": "0xt"}


@pytest.mark.parametrize("method, params, result", [
    ("eth_blockNumber", [], SEEN),
    ("eth_getBlockByNumber", ["latest", False], [SEEN, False]),
    ("eth_getBlockByNumber", ["finalized", False], [hex(NEWEST - BEHIND_BY - rpc.FINALIZED_BEHIND), False]),
    ("eth_getBlockByNumber", [SEEN, False], [SEEN, False]),
    ("eth_getBlockByNumber", [hex(NEWEST), False], None),
    ("eth_getTransactionCount", ["0xa", "latest"], ["0xa", SEEN]),
    ("eth_getTransactionCount", ["0xa", "pending"], ["0xa", "pending"]),
    ("eth_feeHistory", ["0xa", "latest", [50]], ["0xa", SEEN, [50]]),
    ("eth_getBlockByHash", ["0xb", False], None),
    ("eth_getBlockReceipts", ["0xb"], None),
    ("eth_getTransactionReceipt", ["0xt"], None),
    ("eth_getTransactionByHash", ["0xt"], PENDING),
    (BROADCAST, ["0x02"], ["0x02"]),
])
def test_a_provider_that_is_behind_knows_nothing_of_newer_blocks(
    behind: Behind, method: str, params: list[Any], result: Any
) -> None:
    behind.answers = node
    proxy = RpcProxy("first", behind.url, "seed")
    proxy.behind = BEHIND_BY
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).encode()
    with proxy.serving():
        assert json.loads(ask(proxy, None, body=body)[2]) == {"jsonrpc": "2.0", "id": 7, "result": result}
        proxy.behind = 0
        assert ask(proxy, None, body=body)[2] == node(body)
