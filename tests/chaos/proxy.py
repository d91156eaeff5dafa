"""An HTTP proxy that misbehaves by chance: what AWS's and the chain's proxies have in common."""

from __future__ import annotations

import random
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import urllib3

# Nothing behind a proxy takes longer than this unless it hangs.
UPSTREAM_S = 90
# A trapped answer is let go at the latest after this, so that a caller never hangs for good.
TRAPPED_S = 20
# Headers that belong to one connection, not to the message.
HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Fault(Enum):
    """What befalls a call."""

    NONE = "none"
    LOST = "reply lost"
    DELAYED = "reply delayed"
    LATE = "forwarded late"
    THROTTLED = "throttled"
    FAILED = "5xx, not forwarded"
    FAILED_AFTER = "5xx after forwarding"
    TWICE = "forwarded twice"


# The call was carried out, and its caller still waits for the answer: only there a cut comes between the two.
BETWEEN = {Fault.NONE, Fault.LOST, Fault.DELAYED, Fault.FAILED_AFTER, Fault.TWICE}


@dataclass(frozen=True)
class Rates:
    """How likely each fault is, in parts of a thousand of the calls that it can befall."""

    lost: int = 0
    delayed: int = 0
    late: int = 0
    throttled: int = 0
    failed: int = 0
    failed_after: int = 0
    twice: int = 0

    def pick(self, chance: float) -> Fault:
        """The fault that a number from 0 to 1 stands for."""
        upto = 0.0
        for fault, rate in self.by_fault().items():
            upto += rate / 1000
            if chance < upto:
                return fault
        return Fault.NONE

    def by_fault(self) -> dict[Fault, int]:
        """The rates by fault."""
        return {
            Fault.LOST: self.lost, Fault.DELAYED: self.delayed, Fault.LATE: self.late, Fault.THROTTLED: self.throttled,
            Fault.FAILED: self.failed, Fault.FAILED_AFTER: self.failed_after, Fault.TWICE: self.twice,
        }


@dataclass(frozen=True)
class Call:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    # The caller's end of the connection.
    port: int = 0


@dataclass(frozen=True)
class Answer:
    """A reply as it goes back."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(eq=False)
class Trap:
    """The next answer to an operation is held: it was carried out, and the caller does not know it yet."""

    operation: str
    # Whether it is for the caller with this port.
    wanted: Callable[[int], bool] = lambda _port: True
    # Whose answer is held.
    port: int = 0
    caught: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)


class Proxy(ABC):
    """Forwards HTTP/1.1 to one address. Faults begin with `faulty`; the n-th call of an operation meets the same fate
    in every run with the same seed.
    """

    # What callers wait for an answer at most, in seconds: a late call reaches its goal after that.
    patience_s = 3.0

    def __init__(self, name: str, upstream: str, seed: str) -> None:
        self.name = name
        self.seed = seed
        self.faulty = False
        # (operation, fault) -> calls; without faults the fault is NONE.
        self.counts: Counter[tuple[str, Fault]] = Counter()
        self._calls: Counter[str] = Counter()
        self._traps: list[Trap] = []
        self._lock = threading.Lock()
        to = urlsplit(upstream)
        self._upstream = urllib3.HTTPConnectionPool(
            to.hostname, to.port, maxsize=128, retries=False, timeout=urllib3.Timeout(UPSTREAM_S))
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @abstractmethod
    def operation(self, call: Call) -> str | None:
        """What a call asks for; None for what no fault may befall."""

    @abstractmethod
    def rates(self, operation: str) -> Rates:
        """How likely each fault is for an operation."""

    @abstractmethod
    def throttled(self, call: Call) -> Answer:
        """The refusal of a service that limits its callers."""

    @abstractmethod
    def failed(self, call: Call, chance: float) -> Answer:
        """The answer of a service that broke."""

    @contextmanager
    def serving(self) -> Iterator[Proxy]:
        """The proxy answers."""
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()

    @contextmanager
    def trapping(self, trap: Trap) -> Iterator[Trap]:
        """Holds the next answer that the trap is for; it goes on its way at the end."""
        with self._lock:
            self._traps.append(trap)
        try:
            yield trap
        finally:
            trap.released.set()
            with self._lock:
                if trap in self._traps:
                    self._traps.remove(trap)

    def befallen(self) -> Counter[Fault]:
        """Calls that a fault befell, by fault."""
        total: Counter[Fault] = Counter()
        with self._lock:
            for (_, fault), count in self.counts.items():
                if fault is not Fault.NONE:
                    total[fault] += count
        return total

    def forward(self, call: Call) -> Answer:
        """What the address behind answers."""
        reply = self._upstream.urlopen(
            call.method, call.path, body=call.body, headers=call.headers, redirect=False, decode_content=False)
        kept = {name: value for name, value in reply.headers.items() if name.lower() not in HOP}
        return Answer(reply.status, kept, reply.data)

    def answer(self, call: Call) -> Answer | None:
        """The answer to a call; None where the caller gets none."""
        operation = self.operation(call)
        if operation is None:
            return self.forward(call)
        fault, chance = self._fate(operation)
        answer = self._befall(call, fault, chance)
        if fault in BETWEEN:
            self._hold(operation, call.port)
        return answer

    def _befall(self, call: Call, fault: Fault, chance: float) -> Answer | None:
        match fault:
            case Fault.NONE:
                return self.forward(call)
            case Fault.LOST:
                self.forward(call)
                return None
            case Fault.DELAYED:
                answer = self.forward(call)
                time.sleep(chance * self.patience_s / 2)
                return answer
            case Fault.LATE:
                # The caller has given up when it arrives.
                time.sleep(self.patience_s * (1.1 + chance / 2))
                self.forward(call)
                return None
            case Fault.THROTTLED:
                return self.throttled(call)
            case Fault.FAILED:
                return self.failed(call, chance)
            case Fault.FAILED_AFTER:
                self.forward(call)
                return self.failed(call, chance)
            case Fault.TWICE:
                self.forward(call)
                return self.forward(call)

    def _fate(self, operation: str) -> tuple[Fault, float]:
        with self._lock:
            number = self._calls[operation]
            fault, chance = Fault.NONE, 0.0
            if self.faulty:
                self._calls[operation] += 1
                dice = random.Random(f"{self.seed}/{self.name}/{operation}/{number}")
                fault, chance = self.rates(operation).pick(dice.random()), dice.random()
            self.counts[operation, fault] += 1
        return fault, chance

    def _hold(self, operation: str, port: int) -> None:
        with self._lock:
            traps = [trap for trap in self._traps if trap.operation == operation]
        # Whose call it is takes a look at processes, for which other calls do not wait.
        held = next((trap for trap in traps if trap.wanted(port)), None)
        with self._lock:
            if held is None or held not in self._traps:
                return
            self._traps.remove(held)
        held.port = port
        held.caught.set()
        held.released.wait(TRAPPED_S)


class _Server(ThreadingHTTPServer):
    request_queue_size = 256

    def handle_error(self, request, client_address) -> None:
        """Callers are killed and connections cut all the time here."""


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        # Headers and body leave in one piece.
        wbufsize = -1

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
            try:
                answer = proxy.answer(Call(self.command, self.path, headers, body, self.client_address[1]))
            except urllib3.exceptions.HTTPError:
                answer = None
            if answer is None:
                self.close_connection = True
                return
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
            self.wfile.flush()

        do_GET = do_POST = do_PUT = do_DELETE = _pass

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    return Handler
