#!/usr/bin/env python3
"""Measures this state of the code against another one: both stacks stand at once, and a steady pace goes to one and then the
other, in turns of seconds, so that a host which slows down for minutes slows both.

    .local/venv/bin/python tests/bench/against.py ../before        ../before: a checkout, installed (`make install`)
    … --pairs 36 --rate 6 --seconds 20                             how many turns of each, and the pace in a turn
    … --binaries BEFORE AFTER              folders of the binaries (target/release of each, built first: `cargo build --release`)

Nothing here passes or fails by a time. The turns go to `.local/bench/against.jsonl` as they end.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
STATES = ("before", "after")
# Within it the tracker looks at a treasury that is new, and at none of these again before an hour has gone by.
SETTLES_S = 70
QUANTILES = ("p50", "p95", "p99")


def main() -> int:
    """Brings both up, has them loaded in turn, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="the other state's checkout")
    parser.add_argument("--binaries", type=Path, nargs=2, metavar=("BEFORE", "AFTER"))
    parser.add_argument("--pairs", type=positive, default=36)
    parser.add_argument("--rate", type=positive, default=6, help="transfers per second: low enough that the host keeps up")
    parser.add_argument("--seconds", type=positive, default=20)
    given = parser.parse_args()
    roots = dict(zip(STATES, (given.before.resolve(), ROOT)))
    for root in roots.values():
        if not (root / ".local" / "venv" / "bin" / "python").exists():
            parser.error(f"{root}: its platform is not installed; run `make install` there")
    binaries = dict(zip(STATES, given.binaries or [root / "target" / "release" for root in roots.values()]))
    for place in binaries.values():
        if not (place / "causeway").exists():
            parser.error(f"{place}: no release build; run `cargo build --release` in its checkout, or name `--binaries`")
    kept = ROOT / ".local" / "bench" / "against.jsonl"
    kept.parent.mkdir(parents=True, exist_ok=True)
    served: dict[str, Served] = {}
    try:
        for state in STATES:
            print(f"{state}: a stack of {roots[state]}", flush=True)
            served[state] = Served(roots[state], binaries[state].resolve(), kept.parent / f"against-{state}.log")
        print(f"{SETTLES_S} s until nothing of their beginning is at work", flush=True)
        time.sleep(SETTLES_S)
        turns: dict[str, list[dict[str, Any]]] = {state: [] for state in STATES}
        with open(kept, "w") as file:
            for pair in range(given.pairs):
                # Whatever comes first may find the host otherwise than what comes second.
                for state in STATES if pair % 2 else reversed(STATES):
                    turn = served[state].load(given.rate, given.seconds)
                    turns[state].append(turn)
                    file.write(json.dumps({"pair": pair, "state": state, **turn}) + "\n")
                    file.flush()
                print(f"pair {pair + 1} of {given.pairs}", flush=True)
    finally:
        for one in served.values():
            one.end()
    print(compared(turns))
    print(f"\neach turn as JSON: {kept}")
    return 0


class Served:
    """A state's stack in a process of its own, with that state's own bench."""

    def __init__(self, root: Path, binaries: Path, log: Path) -> None:
        self.log = log
        command = [str(root / ".local" / "venv" / "bin" / "python"), str(Path(__file__).resolve()), "--serve",
                   str(root), str(binaries)]
        self.process = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=open(log, "w"), text=True)
        self.answer()

    def load(self, rate: int, seconds: int) -> dict[str, Any]:
        """One turn's report."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{rate} {seconds}\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """The next line that it says."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"it ended: see {self.log}")
        return json.loads(line)

    def end(self) -> None:
        """Takes its stack down; one that has ended by itself is no hindrance to the other's end."""
        self.process.communicate()


def serve(root: Path, binaries: Path) -> int:
    """The other side: the state's own bench, whose phase `pace` loads once for each line that it reads."""
    # What the bench prints is for people.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    spec = importlib.util.spec_from_file_location("bench_of_state", root / "tests" / "bench" / "run.py")
    assert spec is not None and spec.loader is not None
    bench = importlib.util.module_from_spec(spec)
    # Neither this state's modules nor this folder's are those of the state that is measured.
    sys.path[:] = [place for place in sys.path if Path(place) != Path(__file__).resolve().parent]
    spec.loader.exec_module(bench)

    def pace(self: Any) -> dict[str, Any]:
        last = self.load("--count", "40", "--follow", "terminal")
        print("{}", file=answers, flush=True)
        for line in sys.stdin:
            rate, seconds = line.split()
            last = self.load("--rate", rate, "--seconds", seconds, "--follow", "terminal")
            print(json.dumps(last), file=answers, flush=True)
        return last

    bench.Bench.pace = pace
    result = root / ".local" / "bench" / "served.json"
    sys.argv[1:] = ["--only", "pace", "--binaries", str(binaries), "--result", str(result)]
    return bench.main()


def compared(turns: dict[str, list[dict[str, Any]]]) -> str:
    """Medians over the turns of each state, their ratio, and in how many pairs the state after took longer."""
    # Not at the top: the other side has the `report` of the state that it serves.
    import report

    rows = []
    for at, stage in enumerate(turns["after"][0]["stages"]):
        for quantile in QUANTILES:
            before, after = ([turn["stages"][at]["us"][quantile] / 1000 for turn in turns[state]] for state in STATES)
            pairs = [one / other for one, other in zip(after, before)]
            rows.append([f"{stage['stage']} {quantile}", f"{median(before):.1f}", f"{median(after):.1f}",
                         f"{median(after) / median(before):.2f}", f"{median(pairs):.2f}",
                         f"{sum(pair > 1 for pair in pairs)} of {len(pairs)}"])
    return report.table(["stage", "before ms", "after ms", "ratio", "of pairs", "after longer"], rows)


def positive(said: str) -> int:
    """A whole number from 1 on."""
    number = int(said)
    if number < 1:
        raise argparse.ArgumentTypeError("has to be 1 or more")
    return number


if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[2]), Path(sys.argv[3])) if sys.argv[1:2] == ["--serve"] else main())
