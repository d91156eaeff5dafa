"""Tenants with a treasury of their own: their money in the ledger and on chain, and what they ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from contracts import deploy

from .api import REASON, Answer, Api, new_key
from .chain import Chain
from .waiting import wait_until

NETWORK = "local"
GAS = "1"
WITHDRAWAL_ENDS = ("COMPLETED", "FAILED")
TRANSFER_ENDS = ("confirmed", "failed")


@dataclass(frozen=True)
class Balances:
    """An account's balances in smallest units."""

    available: int
    held: int
    posted: int


@dataclass(frozen=True)
class Tenant:
    """A client organisation, seen through one of its users."""

    name: str
    api: Api
    operator: Api
    chain: Chain
    treasury: str

    # Money: what comes to the treasury is told to the ledger, so that both agree.

    def fund(self, symbol: str, amount: str, account: str = "tenant") -> None:
        """Puts money into the treasury, and credits an account with it."""
        self.chain.give(symbol, self.treasury, self.chain.units(symbol, amount))
        self.credit(symbol, amount, account)

    def credit(self, symbol: str, amount: str, account: str = "tenant") -> dict[str, Any]:
        """Tells the ledger of money that came to the treasury."""
        return self._move("credit", symbol, amount, account).must(200)

    def debit(self, symbol: str, amount: str, account: str = "tenant") -> dict[str, Any]:
        """Tells the ledger of money that left the treasury."""
        return self._move("debit", symbol, amount, account).must(200)

    def _move(self, verb: str, symbol: str, amount: str, account: str) -> Answer:
        return self.operator.post_until_taken(f"/admin/v1/accounts/{verb}", {
            "tenant": self.name, "account": account, "network": NETWORK, "token": symbol, "amount": amount,
            "reason": REASON, "idempotencyKey": new_key()})

    def account(self, symbol: str, owner: str = "tenant") -> Balances:
        """What the ledger says; `owner` is tenant, gas or treasury."""
        whole = f"treasury:{NETWORK}/{self.treasury}" if owner == "treasury" else f"{owner}:{self.name}"
        for row in self.operator.items(f"/admin/v1/accounts/{self.name}"):
            if row["account"].lower() == whole.lower() and row["symbol"] == symbol:
                return Balances(*(units(row[part], self.chain.decimals(symbol)) for part in ("available", "held", "posted")))
        return Balances(0, 0, 0)

    def assert_ledger_is_chain(self, *symbols: str) -> None:
        """The treasury holds on chain what the ledger says."""
        for symbol in symbols:
            assert self.chain.balance(symbol, self.treasury) == -self.account(symbol, "treasury").available, symbol

    # What a client asks for.

    def order(self, symbol: str, amount: str, to: str) -> dict[str, str]:
        """The body of a withdrawal."""
        return {"amount": amount, "toAddress": to, "tokenAddress": self.chain.token_address(symbol), "network": NETWORK}

    def withdraw(self, symbol: str, amount: str, to: str, key: str | None = None) -> str:
        """Asks for a withdrawal that must be taken, and returns its id."""
        answer = self.api.post_until_taken("/withdrawal/request", self.order(symbol, amount, to),
                                           **{"idempotency-key": key or new_key()})
        return answer.must(201)["requestId"]

    def transfer(self, symbol: str, amount: str, to: str, **fields: str) -> str:
        """Asks for a transfer that must be taken, and returns its id."""
        body = {"from": self.treasury, "to": to, "amount": amount, "token": symbol, "network": NETWORK,
                "idempotencyKey": new_key()} | fields
        return self.api.post_until_taken("/api/v1/transfers", body).must(202)["transferId"]

    # How far it is.

    def withdrawal(self, request: str) -> dict[str, Any]:
        """A withdrawal's status."""
        return self.api.get(f"/withdrawal/status/{request}").must(200)

    def told(self, transfer: str) -> dict[str, Any]:
        """A transfer's status."""
        return self.api.get(f"/api/v1/transfers/{transfer}").must(200)

    def transfer_of(self, request: str) -> str:
        """The transfer that a withdrawal is."""
        listed = self.api.get("/api/v1/transfers", limit=100).must(200)["transfers"]
        [found] = [one["transferId"] for one in listed if one.get("requestId") == request]
        return found

    def wait_ended(self, request: str) -> dict[str, Any]:
        """A withdrawal's status once it has ended."""
        return wait_until(f"{request} ended", lambda: ended(self.withdrawal(request), WITHDRAWAL_ENDS))

    def wait_completed(self, request: str) -> dict[str, Any]:
        """A withdrawal's status once it has ended, which must be well."""
        status = self.wait_ended(request)
        assert status["status"] == "COMPLETED", status
        return status

    def wait_told(self, transfer: str, **wanted: Any) -> dict[str, Any]:
        """A transfer's status once these fields are so."""
        def as_wanted() -> dict[str, Any] | None:
            status = self.told(transfer)
            return status if status.items() >= wanted.items() else None

        return wait_until(f"{transfer} has {wanted}", as_wanted)

    def wait_confirmed(self, transfer: str) -> dict[str, Any]:
        """A transfer's status once it has ended, which must be well."""
        status = wait_until(f"{transfer} ended", lambda: ended(self.told(transfer), TRANSFER_ENDS))
        assert status["status"] == "confirmed", status
        return status

    def lane(self) -> dict[str, Any]:
        """The treasury's lane, with its newest transactions."""
        return self.operator.get(f"/admin/v1/lanes/{NETWORK}/{self.treasury}").must(200)

    def payments(self, symbol: str) -> int:
        """How many transactions the treasury has on chain."""
        return len(self.chain.sent_by(self.treasury))


def ended(status: dict[str, Any], ends: tuple[str, ...]) -> dict[str, Any] | None:
    """The status, if it is one of the last ones."""
    return status if status["status"] in ends else None


def units(text: str, decimals: int) -> int:
    """A signed decimal string in smallest units."""
    return -deploy.units("balance", text[1:], decimals) if text.startswith("-") else deploy.units("balance", text, decimals)
