"""One storm over a deployed stack: prepared, let loose, calmed, waited out, and judged."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.letters import TRACE
from support.stack import Stack

from support.waiting import wait_until
from support.world import World

import report
from aws import AwsProxy
from demands import Deeds, missing
from desk import Desk
from evidence import gather
from judge import judge
from kills import TRACKER_MOMENTS, Kills
from load import Clients, orders
from progress import Progress
from proxy import Fault
from rpc import RpcProxy
from timeline import Event, play, schedule
from turns import Turns

TENANTS = 4
GAS = "10"
FUNDS = {"ETH": "1000", "TUSD": "100000", "TUSDT": "100000"}
# Blocks that a provider falls behind, and for how long.
BEHIND = (1, 5)
LAG_S = (4, 12)
PLANTED = "put here by chaos"
REPLAY_ROUNDS = 5


class Storm:
    """Everything that is let loose on one stack."""

    def __init__(self, outputs: Path, causeway: Path, aws: AwsProxy, providers: list[RpcProxy], seed: str,
                 say: Callable[[str], None]) -> None:
        self.aws = aws
        self.providers = providers
        self.seed = seed
        self.say = say
        self.dice = random.Random(f"{seed}/events")
        self.world = World.of(Stack(outputs))
        self.desk = Desk(causeway, outputs)
        self.happened: Counter[Event] = Counter()
        # What was waited for in vain.
        self.never: list[str] = []
        self.lagged_until: dict[RpcProxy, float] = {}
        say(f"{TENANTS} tenants with a treasury and money each")
        self.tenants = [self.world.tenant(GAS, **FUNDS) for _ in range(TENANTS)]
        # No branch reaches what was prepared.
        self.world.chain.bury()
        self.kills = Kills(self.world.functions, aws, providers, self.dice)
        outputs_of = self.world.stack.outputs
        self.clients = Clients(outputs_of["api_url"].replace(outputs_of["endpoint"], aws.url), seed)

    def pass_over(self, count: int, rate: float) -> dict[str, Any]:
        """All of it; the result."""
        wanted = orders(self.tenants, count, self.seed)
        treasuries = [tenant.treasury for tenant in self.tenants]
        self.progress = Progress(self.world, count, self.told, self.say)
        self.turns = Turns(self.world.chain, treasuries, self.progress.settled, self.dice)
        self.progress.start()
        self.desk.open()
        try:
            self._faults(True)
            play(wanted, schedule(count, self.dice), rate, self.clients.place, self.act)
            self._faults(False)
            self._wait_out()
            letters = self._replay()
            verdict = judge(gather(self.world, self.desk, wanted, self._credited()))
        finally:
            self.desk.close()
            self.progress.close()
        lacks = missing(count, self.deeds(letters["planted"]))
        return report.result(verdict, self.befell(), letters, lacks, self.never)

    def act(self, event: Event) -> None:
        """Lets one event happen."""
        self._catch_up()
        # What one event draws depends on what was there to hit; the next one must not depend on that.
        self.dice.seed(f"{self.seed}/events/{sum(self.happened.values())}")
        match event:
            case Event.KILL:
                what = self.kills.at_random()
            case Event.KILL_IN_A_CALL:
                what = self.kills.in_a_call()
            case Event.KILL_TRACKER:
                what = self.kills.in_a_call(TRACKER_MOMENTS)
            case Event.KILL_RECORDER:
                what = self.kills.in_a_record(self._plant)
            case Event.RECYCLE:
                what = self.kills.recycle()
            case Event.REORG:
                what = self.turns.reorg(deep=False)
            case Event.DEEP_REORG:
                what = self.turns.reorg(deep=True)
            case Event.DROP:
                what = self.turns.drop()
            case Event.LAG:
                what = self._lag()
            case Event.LETTER:
                what = self._plant()
        self.happened[event] += 1
        self.say(f"    {event.value}: {what}")

    def told(self) -> dict[str, int]:
        """Counts for the line of progress."""
        faults = sum((proxy.befallen() for proxy in (self.aws, *self.providers)), Counter())
        return {"accepted": self.clients.accepted, "faults": sum(faults.values()),
                "kills": sum(self.kills.hit.values()), "reorgs": sum(self.turns.reorgs.values()),
                "released": self.desk.acts["lanes released"]}

    def befell(self) -> dict[str, Any]:
        """Everything that happened, for the table."""
        def by_fault(*proxies: Any) -> dict[str, int]:
            total = sum((proxy.befallen() for proxy in proxies), Counter())
            return {fault.value: total[fault] for fault in Fault if total[fault]}

        turns = self.turns
        return {
            "faults of AWS and the API": by_fault(self.aws), "faults of providers": by_fault(*self.providers),
            "clients' repeats": self.clients.repeats, "kills, of one worker each": dict(self.kills.hit),
            "of them in a call": self.kills.in_calls,
            "functions recycled": dict(self.kills.recycled),
            "reorganisations": {f"{depth} deep": often for depth, often in sorted(turns.reorgs.items())},
            "of them confirmed_at or deeper": turns.deep, "transfers reopened": self.progress.reopened,
            "our transactions in them": {"removed": turns.removed, "moved": turns.moved},
            "pool drops": {"times": turns.drops}, "transactions dropped": turns.dropped,
            "providers behind": self.happened[Event.LAG], "operator's acts": dict(self.desk.acts),
        }

    def deeds(self, planted: int) -> Deeds:
        """Everything that happened, for what must have."""
        faults = sum((proxy.befallen() for proxy in (self.aws, *self.providers)), Counter())
        kills, turns = self.kills, self.turns
        return Deeds(
            kills=sum(kills.hit.values()), in_calls=kills.in_calls, recycles=sum(kills.recycled.values()),
            spared=len(kills.spared()),
            planted=planted, branches=sum(turns.reorgs.values()), deep=turns.deep, drops=turns.drops,
            reopened=self.progress.reopened, faults=faults)

    def _faults(self, on: bool) -> None:
        self.say("faults begin" if on else "faults end")
        for proxy in (self.aws, *self.providers):
            proxy.faulty = on
        if not on:
            for provider in self.providers:
                provider.behind = 0

    def _lag(self) -> str:
        provider, behind = self.dice.choice(self.providers), self.dice.randint(*BEHIND)
        provider.behind = behind
        self.lagged_until[provider] = time.monotonic() + self.dice.uniform(*LAG_S)
        return f"the {provider.name} provider by {behind} blocks"

    def _catch_up(self) -> None:
        for provider, until in self.lagged_until.items():
            if time.monotonic() > until:
                provider.behind = 0

    def _plant(self) -> str:
        """A message of a transfer that nobody could finish, as a crash would leave it."""
        self.progress.look()
        wait_until("a transfer was taken", lambda: self.progress.parcels)
        parcel = f"pcl_{self.dice.choice(sorted(self.progress.parcels))}"
        self.world.stack.send("transfers-dead", json.dumps({"parcel": parcel, "trace": TRACE}), reason=PLANTED)
        return parcel

    def _wait_out(self) -> None:
        """Until every transfer that was taken has ended and is final, no lane is halted, and no message is left."""
        chain = self.world.chain
        # The tracker may not have told of the last branch yet.
        height = chain.height() + chain.network["final_at"]
        wait_until("the last branch is final", lambda: chain.height() > height)
        self._wait("every transfer has ended", self._all_ended)
        height = chain.height() + chain.network["final_at"]
        wait_until("the last block is final", lambda: chain.height() > height)
        self._wait("every transfer has ended for good", self._all_ended)
        self._wait("no lane is halted", lambda: not self._halted())
        self._wait("the queues are empty", self._idle)

    def _wait(self, what: str, done: Callable[[], bool]) -> None:
        if not self.progress.wait(what, done):
            self.never.append(what)

    def _all_ended(self) -> bool:
        return self.progress.ended >= self.clients.accepted

    def _halted(self) -> list[dict[str, Any]]:
        lanes = self.world.operator.items("/admin/v1/lanes")
        return [lane for lane in lanes if lane["state"] == "halted" and lane["lane"] not in self.desk.strange]

    def _idle(self) -> bool:
        queues = self.world.operator.items("/admin/v1/queues")
        return not sum(row["ready"] + row["inFlight"] + row["delayed"] for row in queues)

    def _replay(self) -> dict[str, int]:
        """Replays every dead letter until there is none; replaying what was paid must pay nothing."""
        found: dict[str, str] = {}
        for _ in range(REPLAY_ROUNDS):
            letters = self.desk.letters()
            if not letters:
                break
            for letter in letters:
                found[letter["id"]] = letter["reason"]
                self.desk.replay(letter["id"])
            self.say(f"{len(letters)} dead letters replayed")
            self._wait("the queues are empty", self._idle)
            self._wait("every transfer has ended", self._all_ended)
        planted = sum(PLANTED in reason for reason in found.values())
        return {"found": len(found), "planted": planted, "left": len(self.desk.letters())}

    def _credited(self) -> dict[str, dict[str, int]]:
        chain = self.world.chain
        funds = {symbol: chain.units(symbol, amount) for symbol, amount in FUNDS.items()}
        gas = {"ETH": chain.units("ETH", GAS)}
        return {name: units for tenant in self.tenants
                for name, units in ((tenant.name, funds), (f"gas:{tenant.name}", gas))}
