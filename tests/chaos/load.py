"""The clients: withdrawals of several tenants over HTTP, each with its key, repeated until an answer comes."""

from __future__ import annotations

import hashlib
import http.client
import random
import threading
import time
from dataclasses import dataclass, field

from support.api import Api
from support.tenants import NETWORK, Tenant

# Every recipient is paid by one withdrawal only, so that the chain tells who paid what.
SYMBOLS = ("ETH", "TUSD", "TUSDT")
# Amounts in the assets' smallest units.
UNITS = {"ETH": (10**12, 10**15), "TUSD": (1_000, 5_000_000), "TUSDT": (1_000, 5_000_000)}
# A client that hears nothing useful asks again with the same key, at most so often.
TRIES_MAX = 80
PAUSE_S = 0.2
PAUSE_MAX_S = 2.0
# Of a thousand clients so many ask once more although they were answered.
REPEATED = 50
AGAIN = {429, 500, 502, 503, 504}


@dataclass
class Order:
    """One withdrawal that a client wants, and what it was told."""

    tenant: Tenant
    symbol: str
    units: int
    to: str
    key: str
    # Every name under which it was taken: more than one would be two withdrawals.
    requests: set[str] = field(default_factory=set)
    # A definite refusal, which none of them deserves.
    refused: str | None = None
    tries: int = 0


def orders(tenants: list[Tenant], count: int, seed: str) -> list[Order]:
    """So many orders; the seed decides who pays whom how much."""
    dice = random.Random(f"{seed}/orders")

    def one(number: int) -> Order:
        symbol = dice.choice(SYMBOLS)
        digest = hashlib.sha256(f"{seed}/{number}".encode()).hexdigest()
        to, key = f"0x{digest[:40]}", f"chaos-{digest[40:]}"
        return Order(dice.choice(tenants), symbol, dice.randint(*UNITS[symbol]), to, key)

    return [one(number) for number in range(count)]


class Clients:
    """Sends orders through the API's address as clients see it."""

    def __init__(self, api_url: str, seed: str) -> None:
        self.api_url = api_url
        self.seed = seed
        self.accepted = 0
        self.repeats = 0
        self._lock = threading.Lock()

    def place(self, order: Order) -> None:
        """Asks until there is an answer, and some clients once more."""
        self._ask(order)
        if order.requests:
            with self._lock:
                self.accepted += 1
            if random.Random(f"{self.seed}/{order.key}").randrange(1000) < REPEATED:
                self._ask(order)

    def _ask(self, order: Order) -> None:
        api = Api(self.api_url, order.tenant.api.token)
        body = {"amount": order.tenant.chain.shown(order.symbol, order.units), "toAddress": order.to,
                "tokenAddress": order.tenant.chain.token_address(order.symbol), "network": NETWORK}
        for attempt in range(TRIES_MAX):
            order.tries += 1
            try:
                answer = api.post("/withdrawal/request", body, **{"idempotency-key": order.key})
            except (OSError, http.client.HTTPException):
                # Nobody answered: it may have been taken all the same.
                answer = None
            if answer is not None and answer.status == 201:
                order.requests.add(answer.body["requestId"])
                return
            if answer is not None and answer.status not in AGAIN:
                order.refused = f"{answer.status}: {answer.body}"
                return
            with self._lock:
                self.repeats += 1
            time.sleep(min(PAUSE_MAX_S, PAUSE_S * 2 ** min(attempt, 5)))
