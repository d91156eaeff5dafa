"""What must have befallen the stack: a calm run proves nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from proxy import Fault
from timeline import FULL, Event, planned

IN_CALLS = (Event.KILL_IN_A_CALL, Event.KILL_TRACKER, Event.KILL_RECORDER)
KILLS = (Event.KILL, *IN_CALLS)
# Of the kills that are planned between a call's effect and its answer one in so many must have been one: the call that
# is waited for may not come.
IN_CALLS_OF = 2
# A drop finds nothing where no lane sends just then.
DROPS_MIN = 5
# What a run may take in all, for a thousand withdrawals or fewer.
SECONDS_MAX = 900


@dataclass(frozen=True)
class Deeds:
    """What befell the stack."""

    # Acts, each of which ended one worker, however many there were; and those of them in a call.
    kills: int
    in_calls: int
    recycles: int
    # Functions of which no worker was ended, or that were not recycled.
    spared: int
    # Dead letters that were put there, and found.
    planted: int
    # Branches, and those that went at least as deep as success is told.
    branches: int
    deep: int
    # Drops that took something from the pool.
    drops: int
    # How often success was taken back.
    reopened: int
    # Calls that a fault befell.
    faults: Counter[Fault]


def missing(count: int, deeds: Deeds) -> dict[str, int]:
    """By how much less befell so many withdrawals than must; nothing where all did."""
    plan = planned(count)
    lacks = {
        "kills": sum(plan[event] for event in KILLS) - deeds.kills,
        "kills in a call": -(-sum(plan[event] for event in IN_CALLS) // IN_CALLS_OF) - deeds.in_calls,
        "recycles": plan[Event.RECYCLE] - deeds.recycles,
        "dead letters": plan[Event.LETTER] + plan[Event.KILL_RECORDER] - deeds.planted,
        "reorganisations": plan[Event.REORG] + plan[Event.DEEP_REORG] - deeds.branches,
        "deep reorganisations": plan[Event.DEEP_REORG] - deeds.deep,
    }
    if count >= FULL:
        lacks |= {fault.value: 1 - deeds.faults[fault] for fault in Fault if fault is not Fault.NONE}
        lacks |= {"pool drops": DROPS_MIN - deeds.drops, "transfers reopened": 1 - deeds.reopened}
        lacks |= {"functions": deeds.spared}
    return {what: number for what, number in lacks.items() if number > 0}


def seconds_max(count: int, quick: bool) -> int | None:
    """What a run of so many withdrawals may take; a quick one is no measure."""
    return None if quick else SECONDS_MAX * max(count, FULL) // FULL
