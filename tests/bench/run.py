#!/usr/bin/env python3
"""Measures the deployed local stack with release builds: rates, latencies, calls, CPU, starts, sizes.

    make bench                                           everything, on a stack of its own
    .local/venv/bin/python tests/bench/run.py --only pace,drain
    … --binaries DIR        functions' binaries from elsewhere (another state of the code, to compare)
    … --result FILE         where the JSON goes (.local/bench/result.json)

Nothing here passes or fails by a time: it prints what it measured.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "e2e"), str(HERE)]

import cold  # noqa: E402
import report  # noqa: E402
from phases import Bench  # noqa: E402
from support.own_stack import own_stack  # noqa: E402
from workers import Workers  # noqa: E402

from localstack import settings, stack  # noqa: E402

PHASES = ("starts", "pace", "accept", "drain", "kill", "calls")
FUNCTIONS = sorted(path.parent.parent.name for path in ROOT.glob("functions/*/src/main.rs"))


def main() -> int:
    """Builds, brings a stack up, measures, takes it down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PHASES), help=f"phases by comma ({','.join(PHASES)})")
    parser.add_argument("--binaries", type=Path, help="folder of the binaries (target/release, which is built first)")
    parser.add_argument("--result", type=Path, default=ROOT / ".local" / "bench" / "result.json")
    given = parser.parse_args()
    wanted = given.only.split(",")
    if unknown := set(wanted) - set(PHASES):
        parser.error(f"--only: {', '.join(sorted(unknown))} is not among {', '.join(PHASES)}")
    binaries = given.binaries or build()
    given.result.parent.mkdir(parents=True, exist_ok=True)

    def keep(result: dict) -> None:
        given.result.write_text(json.dumps(result, indent=2) + "\n")

    with own_stack(ROOT / ".local" / "bench", "release", binaries) as here:
        result = measure(here, binaries, [phase for phase in PHASES if phase in wanted], keep)
    print(report.text(result))
    print(f"\nas JSON: {given.result}")
    return 0


def build() -> Path:
    """Release builds of the functions and of the command line, which drives the load."""
    wanted = [part for name in [*FUNCTIONS, "causeway"] for part in ("--bin", name)]
    subprocess.run(["cargo", "build", "--release", *wanted], cwd=ROOT, check=True)
    return ROOT / "target" / "release"


def measure(here: settings.Settings, binaries: Path, phases: list[str], keep: Callable[[dict], None]) -> dict:
    """Every phase's numbers by its name; kept after each phase, so that a later one's failure costs none of them."""
    others = {name: process.pid for name, process in stack.running(here).items()}
    outputs = json.loads((here.state / "outputs.json").read_text())
    workers = Workers(outputs["endpoint"], outputs["functions"], others)
    bench = Bench(here.state / "outputs.json", binaries / "causeway", workers)
    result: dict = {"machine": report.machine()}
    try:
        for phase in phases:
            print(f"\n--- {phase}", flush=True)
            begun = time.monotonic()
            result[phase] = {
                "starts": lambda: {name: cold.measure(here.zips / f"{name}.zip", bench.variables(name))
                                   for name in FUNCTIONS},
                "pace": bench.pace, "accept": bench.accept, "drain": bench.drain, "kill": bench.kill,
                "calls": bench.calls,
            }[phase]()
            print(f"    done in {time.monotonic() - begun:.0f} s", flush=True)
            result["workers_at_once"] = workers.peak
            keep(result)
    finally:
        workers.close()
    return result


if __name__ == "__main__":
    sys.exit(main())
