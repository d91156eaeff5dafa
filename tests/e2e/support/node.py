"""A node in front of the chain whose answers a test can hold back, and that it can take down."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .waiting import HANG_S


class Held:
    """Answers that are held back: calls of one method, after the first few."""

    def __init__(self, method: str, after: int) -> None:
        self.method = method
        self.passing = after
        self.lock = threading.Lock()
        self.caught = threading.Event()
        self.released = threading.Event()

    def stop(self, method: str) -> None:
        """Keeps the calling thread here if its answer is to be held."""
        with self.lock:
            if method != self.method or self.released.is_set():
                return
            if self.passing > 0:
                self.passing -= 1
                return
        self.caught.set()
        self.released.wait(HANG_S)

    def wait(self) -> None:
        """Waits until an answer is held: the chain has it, the caller has not."""
        assert self.caught.wait(HANG_S), f"no call of {self.method} came"


class Node:
    """Forwards JSON-RPC to the chain; `holding` keeps answers back, `down` gives none."""

    def __init__(self, chain_url: str) -> None:
        self.chain_url = chain_url
        self.held: Held | None = None
        self.is_down = False
        # Calls that found it down, by method.
        self.refused: Counter[str] = Counter()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    @contextmanager
    def holding(self, method: str, after: int = 0) -> Iterator[Held]:
        """Answers to `method` are held after the first `after` of them, and let go at the end."""
        self.held = Held(method, after)
        try:
            yield self.held
        finally:
            self.held.released.set()

    @contextmanager
    def down(self) -> Iterator[None]:
        """Every caller's connection is closed without an answer."""
        self.is_down = True
        try:
            yield
        finally:
            self.is_down = False

    @contextmanager
    def serving(self) -> Iterator[Node]:
        """The node answers."""
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            self.server.shutdown()
            self.server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                method = json.loads(body)["method"]
                if node.is_down:
                    node.refused[method] += 1
                    self.close_connection = True
                    return
                request = urllib.request.Request(node.chain_url, body, {"content-type": "application/json"})
                with urllib.request.urlopen(request, timeout=HANG_S) as reply:
                    answer = reply.read()
                if node.held:
                    node.held.stop(method)
                # Whoever asked may have been killed meanwhile.
                with suppress(ConnectionError):
                    self.send_response(200)
                    self.send_header("content-type", "application/json")
                    self.send_header("content-length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

        return Handler
