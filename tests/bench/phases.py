"""What is done to the stack while it is measured."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from support.reconciliation import reconciled_often, reconciliation, wait_looked
from support.stack import REQUEST_QUEUES, Stack
from support.waiting import wait_until
from support.world import World
from calls import Calls, between, newest_begin
from workers import Workers

# How much of it.
RATE, PACE_S = 20, 30
ACCEPTED, CONNECTIONS = 1_500, 24
DRAINED = 1_000
KILLS_AFTER_S = (4, 9, 14)
COUNTED, IDLE_S = 500, 15
AMOUNT = "0.000001"
# Nothing takes longer than this unless it hangs.
HANG_S = 300
# Between two looks at how far things are: each look costs the stack that is measured.
LOOK_S = 0.5
# Only the bench and operators call these.
WATCHING = {"admin", "dead-letters"}


class Bench:
    """A stack with one rich tenant, and the command line that drives it."""

    def __init__(self, outputs: Path, causeway: Path, workers: Workers) -> None:
        self.outputs = outputs
        self.causeway = causeway
        self.workers = workers
        self.world = World.of(Stack(outputs))
        self.tenant = self.world.demo_tenant("alice", gas="100", ETH="1000")
        self.functions = self.world.stack.outputs["functions"]
        # The first look at a new treasury comes within a minute, the next in an hour: it must not fall into a phase.
        self.look()

    def variables(self, function: str) -> dict[str, str]:
        """A function's environment as deployed, with the credentials that its worker gets."""
        outputs = self.world.stack.outputs
        client = self.world.stack.client("lambda")
        deployed = client.get_function_configuration(FunctionName=self.functions[function])["Environment"]["Variables"]
        return deployed | {
            "AWS_ACCESS_KEY_ID": outputs["access_key_id"], "AWS_SECRET_ACCESS_KEY": outputs["secret_access_key"],
            "AWS_REGION": outputs["region"], "AWS_LAMBDA_FUNCTION_NAME": self.functions[function],
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST"}

    def pace(self) -> dict[str, Any]:
        """A steady pace: latencies of the API, and from request to broadcast, to block, to its end."""
        self.load("--count", "40", "--follow", "terminal")
        return self.load("--rate", str(RATE), "--seconds", str(PACE_S), "--follow", "terminal")

    def accept(self) -> dict[str, Any]:
        """As many single requests as the API takes, while everything behind it works them off."""
        before = self.workers.cpu_ms()
        loaded = self.load("--count", str(ACCEPTED), "--concurrency", str(CONNECTIONS))
        loaded["cpu_ms_per_transfer"] = self.cpu_since(before, ACCEPTED)
        self.wait_all_final()
        return loaded

    def drain(self) -> dict[str, Any]:
        """A queue full of withdrawals from one treasury, from the moment that signing begins."""
        number = self.lane()["next"]
        with self.signing_stopped():
            self.load("--count", str(DRAINED), "--concurrency", str(CONNECTIONS))
            before = self.workers.cpu_ms()
            begun, wall = time.monotonic(), time.time()
        reached = {}
        for name in ("next", "seen", "consumed"):
            wait_until(f"all {name}", lambda: self.lane()[name] >= number + DRAINED, HANG_S, LOOK_S)
            reached[name] = time.monotonic() - begun
        self.wait_all_told()
        told = self.newest_update() - wall
        self.wait_all_final()
        spent = self.cpu_since(before, DRAINED)
        names = {"next": "signed", "seen": "broadcast", "consumed": "included"}
        seconds = {names[name]: took for name, took in reached.items()} | {"told": told}
        return {
            "transfers": DRAINED,
            "seconds": {name: round(took, 2) for name, took in seconds.items()},
            "per_second": {name: round(DRAINED / took, 1) for name, took in seconds.items()},
            "cpu_ms_per_transfer": spent,
        }

    def kill(self) -> dict[str, Any]:
        """The same pace, while the signer's processes are killed."""
        hit: list[int] = []

        def kills() -> None:
            begun = time.monotonic()
            for at in KILLS_AFTER_S:
                time.sleep(max(0.0, begun + at - time.monotonic()))
                hit.extend(self.world.functions.kill("validate-sign"))

        thread = threading.Thread(target=kills)
        thread.start()
        loaded = self.load("--rate", str(RATE), "--seconds", str(PACE_S), "--follow", "terminal")
        thread.join()
        return loaded | {"killed": len(hit)}

    def calls(self) -> dict[str, Any]:
        """Calls and write units per transfer at full batches; what is called while nothing is to do goes off."""
        for name in self.functions:
            self.world.functions.set_variables(name, CAUSEWAY_LOG="info,calls=debug")
        self.look()
        self.load("--count", "40", "--follow", "terminal")
        self.wait_all_final()
        start = time.time()
        with self.signing_stopped():
            self.load("--count", str(COUNTED), "--concurrency", str(CONNECTIONS))
        self.wait_all_final()
        end = time.time()
        time.sleep(IDLE_S)
        idle_end = time.time()
        logs = self.world.stack.client("logs")
        # A worker's lines are kept when its invocation ends, and the tracker's takes over a minute: when one that began
        # later has ended, all have that were at work until now.
        print("    waiting for the tracker's log", flush=True)
        tracker = self.functions["status-check"]
        wait_until("the tracker's log", lambda: newest_begin(logs, tracker, idle_end) > idle_end, HANG_S, 5)
        counted_in = {name: physical for name, physical in self.functions.items() if name not in WATCHING}
        busy = between(logs, counted_in, start, end)
        idle = between(logs, counted_in, end, idle_end)
        return counted(busy, idle)

    def look(self) -> None:
        """Has a tracker look at the treasury now, and waits until its successor has begun its work."""
        before = reconciliation(self.world).get("lookedAt", "")
        with reconciled_often(self.world):
            wait_looked(self.world, before, HANG_S, LOOK_S)
        # Changed variables end the tracker, whose lease then runs out: until it has, nobody follows blocks. Its successor
        # finds a look due that was to be made often.
        ended = reconciliation(self.world)["lookedAt"]
        wait_looked(self.world, ended, HANG_S, LOOK_S)

    def load(self, *options: str) -> dict[str, Any]:
        """`causeway load`; its report."""
        command = [str(self.causeway), "--profile", str(self.outputs), "--user", "alice", "--yes", "--output", "json",
                   "load", "--amount", AMOUNT, *options]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode not in (0, 5):
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}")
        return json.loads(done.stdout)

    def cpu_since(self, before: dict[str, float], transfers: int) -> dict[str, float]:
        """CPU milliseconds per transfer by process since then."""
        now = self.workers.cpu_ms()
        return {name: round((spent - before.get(name, 0.0)) / transfers, 2) for name, spent in sorted(now.items())}

    @contextmanager
    def signing_stopped(self) -> Iterator[None]:
        """Requests stay in their queues."""
        with ExitStack() as stack:
            for queue in REQUEST_QUEUES:
                stack.enter_context(self.world.functions.untriggered("validate-sign", queue))
            yield

    def lane(self) -> dict[str, Any]:
        """The treasury's lane; one that nobody has used yet begins at 0."""
        return {"next": 0, "seen": 0, "consumed": 0} | self.tenant.lane()

    def wait_all_told(self) -> None:
        """Until no money is held for anybody: every transfer has ended."""
        wait_until("every transfer told", lambda: self.tenant.account("ETH").held == 0, HANG_S, LOOK_S)

    def newest_update(self) -> float:
        """When the newest change of any transfer was, in seconds since the epoch."""
        newest, cursor = 0.0, None
        while True:
            page = self.tenant.api.get("/api/v1/transfers", limit=100, cursor=cursor).must(200)
            for row in page["transfers"]:
                newest = max(newest, datetime.fromisoformat(row["updatedAt"].replace("Z", "+00:00")).timestamp())
            cursor = page.get("nextCursor")
            if cursor is None or not page["transfers"]:
                return newest

    def wait_all_final(self) -> None:
        """Until every transfer has ended, and its block is final."""
        self.wait_all_told()
        height = self.world.chain.height() + int(self.world.chain.network["final_at"])
        wait_until("final", lambda: self.world.chain.height() > height, HANG_S, LOOK_S)


def counted(busy: Calls, idle: Calls) -> dict[str, Any]:
    """Calls per transfer, and how much of it is polling that goes on anyway."""
    per = {}
    for place, count in sorted(busy.count.items()):
        polling = idle.count[place] / idle.seconds * busy.seconds
        per[" ".join(place)] = round(max(0.0, count - polling) / COUNTED, 3)
    services: dict[str, float] = {}
    for place, calls in per.items():
        service = place.split()[1]
        services[service] = round(services.get(service, 0.0) + calls, 3)
    return {
        "transfers": COUNTED,
        "per_transfer_by_service": services,
        "aws_per_transfer": round(sum(calls for name, calls in services.items() if name != "rpc"), 3),
        "rpc_per_transfer": services.get("rpc", 0.0),
        "write_units_per_transfer": {name: round(float(units) / COUNTED, 2) for name, units in sorted(busy.write_units.items())},
        "per_transfer": {name: calls for name, calls in per.items() if calls},
        "idle_per_second": {" ".join(place): round(count / idle.seconds, 2) for place, count in sorted(idle.count.items())},
    }
