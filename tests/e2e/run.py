#!/usr/bin/env python3
"""Runs the end-to-end tests on a stack of their own, and takes it down whatever happens.

    .local/venv/bin/python tests/e2e/run.py                    both stacks, all tests
    .local/venv/bin/python tests/e2e/run.py --stack open       without IAM: everything but test_rights
    .local/venv/bin/python tests/e2e/run.py --stack guarded    IAM enforced: payments and rights
    .local/venv/bin/python tests/e2e/run.py --use OUTPUTS      the running stack of that outputs.json
    … --keep                                                   leaves the stack running, and says where
    … -- -k reorg -x                                           the rest goes to pytest

Ports are free ones unless CAUSEWAY_PORT and CAUSEWAY_CHAIN_PORT are set; state, logs
included, lies in .local/e2e unless CAUSEWAY_STATE is. CAUSEWAY_BINARIES names the folder of
the functions' binaries (target/debug).
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))

from localstack import processes  # noqa: E402

PLATFORM = [sys.executable, str(ROOT / "localstack" / "platform.py")]
# The tests of each kind of stack, as pytest markers.
MARKS = {"open": "not only_guarded", "guarded": "guarded"}
SLOWEST = 20


def main() -> int:
    """Runs what is asked for; the exit status is pytest's, of the first stack that was not green."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", choices=MARKS, help="only the stack without IAM, or only the one with it")
    parser.add_argument("--use", type=Path, metavar="OUTPUTS", help="test a running stack")
    parser.add_argument("--keep", action="store_true", help="leave the stack running")
    parser.add_argument("pytest", nargs="*", help="options for pytest, after --")
    given = parser.parse_args()
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, _frame: sys.exit(128 + number))
    if given.use:
        return tests(given.use, given.stack or "open", given.pytest)
    kinds = [given.stack] if given.stack else list(MARKS)
    return next((code for code in [own_stack(kind, given) for kind in kinds] if code), 0)


def own_stack(kind: str, given: argparse.Namespace) -> int:
    """Brings a stack up, tests it, takes it down."""
    env = environment(kind)
    state = Path(env["CAUSEWAY_STATE"])
    print(f"\n--- stack: {kind}", flush=True)
    # What an interrupted run left.
    platform("down", env)
    try:
        if "CAUSEWAY_BINARIES" in env:
            platform("package", env, "--binaries", env["CAUSEWAY_BINARIES"], "--zips", env["CAUSEWAY_ZIPS"])
        platform("up", env)
        return tests(state / "outputs.json", kind, given.pytest)
    except subprocess.CalledProcessError as failure:
        return failure.returncode
    finally:
        if given.keep:
            print(f"left running; to take it down: CAUSEWAY_STATE={state} python3 localstack/platform.py down")
        else:
            platform("down", env)
            print(f"logs: {state / 'logs'}")


def environment(kind: str) -> dict[str, str]:
    """A stack's settings."""
    port, chain_port = processes.free_ports(2)
    state = Path(os.environ.get("CAUSEWAY_STATE") or ROOT / ".local" / "e2e") / kind
    env = {
        "CAUSEWAY_PORT": str(port), "CAUSEWAY_CHAIN_PORT": str(chain_port),
    } | os.environ | {"CAUSEWAY_STATE": str(state), "CAUSEWAY_AUTH": str(int(kind == "guarded"))}
    if "CAUSEWAY_BINARIES" in env:
        env["CAUSEWAY_ZIPS"] = str(state / "zips")
    return env


def platform(verb: str, env: dict[str, str], *options: str) -> None:
    """One of the local platform's verbs."""
    subprocess.run([*PLATFORM, verb, *options], cwd=ROOT, env=env, check=True)


def tests(outputs: Path, kind: str, options: list[str]) -> int:
    """The tests themselves; their exit status."""
    command = [
        sys.executable, "-m", "pytest", str(HERE), "-q", "-m", MARKS[kind], f"--outputs={outputs.resolve()}",
        f"--durations={SLOWEST}", "--durations-min=1", "-p", "no:cacheprovider", *options,
    ]
    return subprocess.run(command, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
