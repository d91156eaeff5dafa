#!/usr/bin/env python3
"""Chaos on the real processes: withdrawals while calls fail, workers die, functions are recycled and the chain turns.

    make chaos                                   1,000 withdrawals on a stack of its own, with the debug builds
    COUNT=200 SEED=7 make chaos                  fewer; the orders, faults and events of this seed
    .local/venv/bin/python tests/chaos/run.py --quick
    … --binaries DIR        functions' and command line's binaries from elsewhere
    … --result FILE         where the JSON goes (.local/chaos/result.json)
    … --output json         the JSON on standard output as well; progress goes to standard error

Exit status 1 unless every number that must be 0 is, everything befell the stack that must, and a whole run took at most
15 minutes, its stack's start and end included.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "e2e"), str(HERE)]

import report  # noqa: E402
from aws import AwsProxy  # noqa: E402
from demands import seconds_max  # noqa: E402
from rpc import RpcProxy  # noqa: E402
from storm import Storm  # noqa: E402
from support.own_stack import own_stack  # noqa: E402

from localstack import processes  # noqa: E402

FULL, QUICK = 1_000, 60
# Withdrawals asked for per second: slow enough that events fall among transfers at every stage.
RATE = 3.0
PROVIDERS = ("first", "second")
BEGUN = time.monotonic()


def main() -> int:
    """Brings a stack up behind the proxies, lets the storm pass over it, judges, takes it down."""
    given = arguments()
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, _frame: sys.exit(128 + number))
    say(f"seed {given.seed}, {given.count} withdrawals")
    with ExitStack() as stack:
        port, chain_port = processes.free_ports(2)
        aws = AwsProxy("aws", f"http://127.0.0.1:{port}", given.seed)
        providers = [RpcProxy(name, f"http://127.0.0.1:{chain_port}", given.seed) for name in PROVIDERS]
        for proxy in (aws, *providers):
            stack.enter_context(proxy.serving())
        here = stack.enter_context(own_stack(
            ROOT / ".local" / "chaos", "dev", given.binaries, (port, chain_port), CAUSEWAY_FUNCTION_ENDPOINT=aws.url,
            CAUSEWAY_AUTH="0", CAUSEWAY_RPC_LOCAL=",".join(provider.url for provider in providers)))
        storm = Storm(here.state / "outputs.json", given.binaries / "causeway", aws, providers, given.seed, say)
        result = storm.pass_over(given.count, given.rate)
    seconds = round(time.monotonic() - BEGUN)
    result = {"seed": given.seed, "count": given.count} | report.timed(
        result, seconds, seconds_max(given.count, given.quick))
    given.result.parent.mkdir(parents=True, exist_ok=True)
    given.result.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2) if given.output == "json" else report.text(result))
    say(f"as JSON: {given.result}; logs: {here.logs}")
    return 0 if result["passed"] else 1


def arguments() -> argparse.Namespace:
    """The command line, with COUNT and SEED of the environment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=positive, default=os.environ.get("COUNT") or FULL, help=f"withdrawals ({FULL})")
    seed = os.environ.get("SEED") or secrets.token_hex(4)
    parser.add_argument("--seed", default=seed, help="any text; a new one when left out")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} withdrawals, and as much less of everything")
    parser.add_argument("--rate", type=float, default=RATE, help=f"withdrawals asked for per second ({RATE:g})")
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    parser.add_argument("--binaries", type=Path, default=target / "debug", help="folder of the binaries (target/debug)")
    parser.add_argument("--result", type=Path, default=ROOT / ".local" / "chaos" / "result.json")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    given = parser.parse_args()
    if given.quick:
        given.count = QUICK
    return given


def positive(text: str) -> int:
    """A count of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def say(line: str) -> None:
    """A line of progress with the seconds since the start."""
    print(f"{time.monotonic() - BEGUN:6.0f} s  {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
