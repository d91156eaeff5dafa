"""The judgement: what the chain and the tables hold, against what clients asked for and were told.

Everything here is a function of the evidence; nothing of it is asked of the product.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

# What clients are told of a withdrawal that has ended.
PAID, FAILED = "confirmed", "failed"


@dataclass(frozen=True)
class Asked:
    """One withdrawal: what was asked for, and what the client was told. Amounts in smallest units."""

    key: str
    treasury: str
    asset: str
    to: str
    units: int
    requests: frozenset[str]
    refused: str | None
    # Status and hash as told at the end; None where nothing was.
    told: str | None
    told_hash: str | None


@dataclass(frozen=True)
class Payment:
    """Money that a transaction moved on chain."""

    asset: str
    to: str
    units: int


@dataclass(frozen=True)
class Mined:
    """A treasury's transaction on the chain as it is at the end."""

    hash: str
    sender: str
    number: int
    payments: tuple[Payment, ...]
    gas_cost: int


@dataclass(frozen=True)
class Line:
    """A lane's rows: its counter, the numbers that have a row, and the hashes of their attempts."""

    next: int
    numbers: frozenset[int]
    hashes: frozenset[str]


@dataclass(frozen=True)
class Account:
    """A ledger account as its rows say, summed over its shards, and what it must be by the chain."""

    name: str
    available: int
    held: int
    expected: int


@dataclass(frozen=True)
class Evidence:
    """Everything that is judged."""

    asked: list[Asked]
    mined: list[Mined]
    # By treasury.
    lanes: dict[str, Line]
    accounts: list[Account]
    # What `accounts check` found, in its words.
    check_faults: list[str]
    letters: list[str]
    # Lanes that halted for what no operator may simply open, or that are halted now, with the reason.
    halts: list[str] = field(default_factory=list)


@dataclass
class Verdict:
    """What is wrong, in words, by kind. The last is no fault by itself: it must be replayable to none."""

    duplicates: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    false_failures: list[str] = field(default_factory=list)
    false_successes: list[str] = field(default_factory=list)
    lost_hashes: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    ledger: list[str] = field(default_factory=list)
    halts: list[str] = field(default_factory=list)
    letters: list[str] = field(default_factory=list)

    def rows(self) -> dict[str, list[str]]:
        """The kinds by the names that people read."""
        return {
            "duplicates": self.duplicates, "gaps": self.gaps, "false failures": self.false_failures,
            "false successes": self.false_successes, "lost hashes": self.lost_hashes, "unfinished": self.unfinished,
            "ledger difference": self.ledger, "halts not opened": self.halts, "dead letters": self.letters,
        }

    @property
    def clean(self) -> bool:
        """Whether nothing at all is wrong or left."""
        return not any(self.rows().values())


def judge(evidence: Evidence) -> Verdict:
    """Looks at everything."""
    verdict = Verdict(halts=list(evidence.halts), letters=list(evidence.letters))
    paid_by = _payments(evidence, verdict)
    for one in evidence.asked:
        _withdrawal(one, paid_by[one.treasury, one.to], verdict)
    for treasury, line in evidence.lanes.items():
        _lane(treasury, line, [one for one in evidence.mined if one.sender == treasury], verdict)
    for account in evidence.accounts:
        if account.available != account.expected:
            verdict.ledger.append(f"{account.name}: the books say {account.available}, the chain {account.expected}")
        if account.held:
            verdict.ledger.append(f"{account.name}: {account.held} are held for nobody")
    verdict.ledger += evidence.check_faults
    return verdict


def _payments(evidence: Evidence, verdict: Verdict) -> dict[tuple[str, str], list[tuple[str, Payment]]]:
    """The payments with their hashes by treasury and recipient; what nobody asked for is a payment too many."""
    wanted = {(one.treasury, one.to) for one in evidence.asked}
    found: dict[tuple[str, str], list[tuple[str, Payment]]] = defaultdict(list)
    for one in evidence.mined:
        for payment in one.payments:
            if (one.sender, payment.to) not in wanted:
                verdict.duplicates.append(f"{one.hash} pays {payment.units} to {payment.to}, who asked for nothing")
            found[one.sender, payment.to].append((one.hash, payment))
    return found


def _withdrawal(one: Asked, paid: list[tuple[str, Payment]], verdict: Verdict) -> None:
    hashes = [tx_hash for tx_hash, _ in paid]
    by = f"paid by {', '.join(hashes) or 'nothing'}"
    if len(paid) > 1:
        verdict.duplicates.append(f"{one.key} is paid by {len(paid)} transactions: {', '.join(hashes)}")
    if len(one.requests) > 1:
        verdict.duplicates.append(f"{one.key} is {len(one.requests)} withdrawals: {', '.join(sorted(one.requests))}")
    for tx_hash, payment in paid:
        if (payment.asset, payment.units) != (one.asset, one.units):
            verdict.duplicates.append(f"{one.key} is paid {payment.units} of {payment.asset} by {tx_hash}, "
                                      f"not {one.units} of {one.asset}")
    if one.refused:
        verdict.false_failures.append(f"{one.key} was refused: {one.refused}")
    elif one.told == FAILED:
        verdict.false_failures.append(f"{one.key} is told failed; on chain it is {by}")
    elif one.told == PAID:
        if not paid:
            verdict.false_successes.append(f"{one.key} is told paid, and nothing on the chain pays it")
        if one.told_hash not in hashes:
            verdict.lost_hashes.append(f"{one.key} is told {one.told_hash}; on chain it is {by}")
    else:
        verdict.unfinished.append(f"{one.key} is told {one.told}; on chain it is {by}")


def _lane(treasury: str, line: Line, mined: list[Mined], verdict: Verdict) -> None:
    on_chain = Counter(one.number for one in mined)
    for number in sorted(set(range(line.next)) | set(on_chain) | line.numbers):
        lacks = [what for what, there in (("no transaction on the chain", on_chain[number]),
                                          ("no row", number in line.numbers),
                                          ("not below the lane's counter", number < line.next)) if not there]
        if lacks:
            verdict.gaps.append(f"{treasury} number {number}: {', '.join(lacks)}")
    for one in mined:
        if one.hash not in line.hashes:
            verdict.lost_hashes.append(f"{one.hash}, number {one.number} of {treasury}, is no attempt of ours")
