#!/usr/bin/env python3
"""The restore drill: every table goes back to an earlier moment while the chain stays where it is, and the product recovers.

    make restore-drill                           on a stack of its own, with the debug builds
    .local/venv/bin/python tests/restore/run.py --binaries DIR
    … --result FILE         where the JSON goes (.local/restore/result.json)
    … --output json         the JSON on standard output as well; progress goes to standard error

What was signed or accepted at that moment and paid afterwards is found on the chain and told as paid; what was asked for
afterwards is lost, and told as paid when its client asks again; the rest an operator passes over and debits. Nothing is
paid twice. Exit status 1 unless all of that is so.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "e2e"), str(ROOT / "tests" / "chaos"), str(HERE)]

from backup import Backup  # noqa: E402
from desk import Desk  # noqa: E402
from evidence import gather, mined  # noqa: E402
from judge import Verdict, judge  # noqa: E402
from load import Clients, Order, orders  # noqa: E402
from support.own_stack import own_stack  # noqa: E402
from support.stack import REQUEST_QUEUES, Stack  # noqa: E402
from support.tenants import NETWORK  # noqa: E402
from support.waiting import wait_until  # noqa: E402
from support.world import World  # noqa: E402

TENANTS = 3
GAS = "10"
FUNDS = {"ETH": "1000", "TUSD": "100000", "TUSDT": "100000"}
# Of each kind so many withdrawals: told as paid before the moment, signed and accepted at it, asked for after it by clients
# that ask again and by clients that never do, and asked for when all is over; and accepted at it and cancelled after it.
SETTLED, SIGNED, ACCEPTED, LOST, FORGOTTEN, NEW, UNDONE = 12, 6, 12, 6, 3, 6, 3
# So many are the first ones of their treasury: accepted at the moment, so that its lane begins after it.
FIRST = 4
# A restore takes minutes on AWS, and the newest moment it offers is minutes old: so many blocks of a second.
BLOCKS = 400
# Lanes are held against the chain each minute, and each number that nobody asks for any more needs such a look.
PATIENCE_S = 600
USED_BEFORE = "its key was used before this lane began"
TAKEN = re.compile(r"number (\d+) was used on chain .*: (0x[0-9a-f]{64}) to ")
BEGUN = time.monotonic()


class Drill:
    """One drill on one stack."""

    def __init__(self, outputs: Path, causeway: Path) -> None:
        self.world = World.of(Stack(outputs))
        self.desk = Desk(causeway, outputs)
        self.phases: dict[str, float] = {}
        self.facts: dict[str, int] = {}
        self.tenants = [self.world.tenant(GAS, **FUNDS) for _ in range(TENANTS)]
        count = SETTLED + SIGNED + ACCEPTED + LOST + FORGOTTEN + NEW + UNDONE
        made = iter(orders(self.tenants, count, "restore"))
        take = lambda most: [next(made) for _ in range(most)]  # noqa: E731
        self.settled, self.signed, self.accepted = take(SETTLED), take(SIGNED), take(ACCEPTED)
        self.lost, self.forgotten, self.new, self.undone = take(LOST), take(FORGOTTEN), take(NEW), take(UNDONE)
        late = self.world.tenant(GAS, **FUNDS)
        self.tenants.append(late)
        self.first = list(orders([late], FIRST, "restore-first"))

    def run(self) -> dict[str, Any]:
        """All of it; the numbers that must be 0, and how long each phase took."""
        backup = self.until_the_moment()
        with self.phase("what goes on after it, and is paid"):
            self.paid(self.signed + self.accepted + self.first)
            self.ask(self.lost + self.forgotten)
            self.paid(self.lost + self.forgotten)
            self.world.chain.bury()
        with self.phase("tables back to that moment"), self.stopped():
            self.facts["rows that the restore undid"] = backup.restore()
            self.world.chain.mine(BLOCKS)
            self.hold_back()
        self.facts["blocks between the moment and now"] = self.world.chain.height() - self.height
        with self.phase("cancelled once more: what was cancelled after the moment"):
            self.cancelled(self.undone)
            self.desk.ask("switches", "unblock", f"network:{NETWORK}", "--reason", "restore drill")
        with self.phase("found on the chain: what was signed or accepted then"):
            self.begin_again()
            self.paid(self.settled + self.signed + self.accepted + self.first)
        with self.phase("asked for again: what was lost"):
            for order in self.lost:
                order.requests.clear()
            self.ask(self.lost)
            passed_over = self.recover()
        self.facts["passed over by an operator"] = len(passed_over)
        with self.phase("new withdrawals"):
            self.ask(self.new)
            self.paid(self.new)
            self.world.chain.bury()
        return self.result(passed_over)

    def until_the_moment(self) -> Backup:
        """Withdrawals at every stage, and nothing that moves."""
        functions = self.world.functions
        with self.phase("withdrawals at every stage"), ExitStack() as held:
            self.ask(self.settled)
            self.paid(self.settled)
            held.enter_context(functions.untriggered("send", "transactions.fifo"))
            self.ask(self.signed)
            wait_until("all are signed", lambda: self.states(self.signed) == {"assigned"})
            for queue in REQUEST_QUEUES:
                held.enter_context(functions.untriggered("validate-sign", queue))
            self.ask(self.accepted + self.first + self.undone)
            held.enter_context(self.world.chain.frozen())
            time.sleep(2)  # What the tracker has begun on the newest block ends.
            backup = Backup(self.world.stack)
            self.height = self.world.chain.height()
            self.facts["rows at the moment"] = backup.count
            for order in self.undone:
                order.tenant.api.post(f"/api/v1/transfers/{self.transfer(order)}/cancel", {}).must(200)
        return backup

    def hold_back(self) -> None:
        """The operator's part: nothing is signed before everybody is cancelled again who was after the moment, as the logs
        say; the tables do not know it any more."""
        self.desk.ask("switches", "block", f"network:{NETWORK}", "--reason", "restore drill")
        for order in self.undone:
            self.desk.ask("transfers", "cancel", self.transfer(order), "--reason", "restore drill: it was cancelled before")

    def transfer(self, order: Order) -> str:
        """A withdrawal's name as a transfer."""
        [request] = order.requests
        return self.told()[request]["transferId"]

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Nothing runs, as with a reserved concurrency of 0: no trigger, no tracker, no block."""
        functions = self.world.functions
        triggers = [("send", "transactions.fifo"), ("settle", "chain-events"), ("validate-sign", "sign-requests.fifo")]
        with ExitStack() as held:
            for name, queue in [*triggers, *(("validate-sign", queue) for queue in REQUEST_QUEUES)]:
                held.enter_context(functions.untriggered(name, queue))
            with self.world.chain.frozen():
                functions.kill("status-check")
                yield
                functions.kill("status-check")

    def begin_again(self) -> None:
        """The operator's part: the lane that had not begun at the moment halts, since its key is used; all of it is ours."""
        def halted() -> str | None:
            lanes = self.desk.ask("lanes", "list")
            return next((lane["lane"] for lane in lanes if USED_BEFORE in (lane.get("reason") or "")), None)

        lane = wait_until("a lane that began after the moment halts", halted, limit_s=PATIENCE_S)
        self.desk.ask("lanes", "release", lane, "--from", "0", "--reason", "restore drill: its key is nobody else's")

    def recover(self) -> list[str]:
        """The operator's part: each lane that halts for a number that nobody asks for is passed over, and what it moved
        is debited. Ends when all that were asked for again are told as paid and no lane is halted."""
        passed_over: list[str] = []

        def all_is_well() -> bool:
            for lane in self.desk.ask("lanes", "list"):
                found = TAKEN.search(lane.get("reason") or "")
                if lane["state"] == "halted" and found and self.is_forgotten(found[2]):
                    self.pass_over(lane, int(found[1]), found[2])
                    passed_over.append(found[2])
            told = self.told()
            again = all(told.get(name, {}).get("status") == "confirmed" for order in self.lost for name in order.requests)
            return again and len(passed_over) == len(self.forgotten)

        wait_until("what was lost is told as paid, and the rest is passed over", all_is_well, limit_s=PATIENCE_S)
        return passed_over

    def is_forgotten(self, tx_hash: str) -> bool:
        """Whether its client never asks again: who does is waited for before anybody passes over anything."""
        paid = self.mined(tx_hash).payments
        return any(payment.to == order.to for payment in paid for order in self.forgotten)

    def mined(self, tx_hash: str):
        receipt = self.world.chain.call("eth_getTransactionReceipt", tx_hash)
        return mined(self.world.chain.transaction(tx_hash), receipt)

    def pass_over(self, lane: dict[str, Any], number: int, tx_hash: str) -> None:
        """What an operator does who knows that a number's client asks no more."""
        why = f"restore drill: {tx_hash}"
        self.desk.ask("lanes", "displace", lane["lane"], "--number", str(number), "--reason", why)
        found = self.mined(tx_hash)
        [tenant] = [tenant for tenant in self.tenants if tenant.treasury.lower() == found.sender]
        chain = self.world.chain
        for payment in found.payments:
            [symbol] = [symbol for symbol in FUNDS if chain.token_address(symbol).lower() == payment.asset]
            tenant.debit(symbol, chain.shown(symbol, payment.units))
        tenant.debit("ETH", chain.shown("ETH", found.gas_cost), account="gas")

    # Clients.

    def ask(self, wanted: list[Order]) -> None:
        """Places orders side by side."""
        clients = Clients(self.world.stack.outputs["api_url"], "restore")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(clients.place, wanted))
        assert all(order.requests and not order.refused for order in wanted)

    def told(self) -> dict[str, dict[str, Any]]:
        """What clients are told of each request."""
        listed = (tenant.api.get("/api/v1/transfers", limit=100).must(200)["transfers"] for tenant in self.tenants)
        return {row["requestId"]: row for rows in listed for row in rows}

    def states(self, wanted: list[Order]) -> set[str]:
        """How far these are."""
        told = self.told()
        return {told[name]["state"] for order in wanted for name in order.requests}

    def paid(self, wanted: list[Order]) -> None:
        """Waits until all of these are told as paid."""
        wait_until("all are told as paid", lambda: self.states(wanted) == {"confirmed"}, limit_s=PATIENCE_S)

    def cancelled(self, wanted: list[Order]) -> None:
        """Waits until all of these are told as cancelled."""
        wait_until("all are cancelled", lambda: self.states(wanted) == {"cancelled"}, limit_s=PATIENCE_S)

    # What it was like.

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Says what is done, and notes how long it took."""
        say(name)
        begun = time.monotonic()
        yield
        self.phases[name] = round(time.monotonic() - begun, 1)

    def result(self, passed_over: list[str]) -> dict[str, Any]:
        """The judgement of all withdrawals but those whose clients never asked again, which are to be on chain once."""
        known = self.settled + self.signed + self.accepted + self.first + self.lost + self.new
        credited = {tenant.name: {symbol: self.world.chain.units(symbol, amount) for symbol, amount in FUNDS.items()}
                    for tenant in self.tenants}
        credited |= {f"gas:{tenant.name}": {"ETH": self.world.chain.units("ETH", GAS)} for tenant in self.tenants}
        verdict = judge(gather(self.world, self.desk, known + self.forgotten + self.undone, credited))
        keys = [order.key for order in self.forgotten]
        verdict.unfinished = [one for one in verdict.unfinished if one.split()[0] not in keys]
        cancelled = {f"{order.key} is told failed; on chain it is paid by nothing" for order in self.undone}
        verdict.false_failures = [one for one in verdict.false_failures if one not in cancelled]
        verdict.lost_hashes = [one for one in verdict.lost_hashes if one.split(",")[0] not in passed_over]
        rows = verdict.rows()
        return {"passed": passes(verdict), "seconds": round(time.monotonic() - BEGUN), "phases": self.phases,
                "facts": self.facts, "numbers": {kind: len(cases) for kind, cases in rows.items()},
                "cases": {kind: cases for kind, cases in rows.items() if cases}}


def passes(verdict: Verdict) -> bool:
    """Whether nothing is wrong. Messages that were under way name rows that are gone: their dead letters are no fault."""
    return not any(cases for kind, cases in verdict.rows().items() if kind != "dead letters")


def text(result: dict[str, Any]) -> str:
    """The table."""
    lines = ["", "phase" + " " * 53 + "seconds"]
    lines += [f"  {name:<56} {seconds:>7}" for name, seconds in result["phases"].items()]
    lines += ["", *(f"  {name:<56} {number:>7}" for name, number in result["facts"].items())]
    lines += ["", "what must be 0 (but the last)"]
    lines += [f"  {kind:<56} {number:>7}" for kind, number in result["numbers"].items()]
    for kind, cases in result["cases"].items():
        lines += ["", f"{kind}:", *(f"  {case}" for case in cases[:5])]
    return "\n".join([*lines, "", "all is as it must be" if result["passed"] else "NOT as it must be"])


def main() -> int:
    """Brings a stack up, drills, takes it down."""
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", type=Path, default=target / "debug", help="folder of the binaries (target/debug)")
    parser.add_argument("--result", type=Path, default=ROOT / ".local" / "restore" / "result.json")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    given = parser.parse_args()
    with own_stack(ROOT / ".local" / "restore", "dev", given.binaries, CAUSEWAY_AUTH="0") as here:
        result = Drill(here.state / "outputs.json", given.binaries / "causeway").run()
    given.result.parent.mkdir(parents=True, exist_ok=True)
    given.result.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2) if given.output == "json" else text(result))
    return 0 if result["passed"] else 1


def say(line: str) -> None:
    """A line of progress with the seconds since the start."""
    print(f"{time.monotonic() - BEGUN:6.0f} s  {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
