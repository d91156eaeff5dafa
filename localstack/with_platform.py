"""Runs a command beside a bare emulator and a node of its own, and cleans up after it.

    python3 localstack/with_platform.py [--keep-logs DIR] -- cargo test -p causeway-store

Nothing is deployed. The command finds AWS_ENDPOINT_URL, the AWS credentials and region,
and CAUSEWAY_TEST_RPC_URL in its environment; ports are free ones, so several runs can go
on at once. Its exit code is this script's.
"""

from __future__ import annotations

import sys
from pathlib import Path

# This folder holds a platform.py, which must not hide the standard module of that name.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

import argparse
import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import replace

from localstack import processes, services, settings, tools


def main() -> int:
    """Starts both services, runs the command, stops both whatever happened."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--keep-logs", type=Path, metavar="DIR", help="copy both logs here at the end")
    arguments.add_argument("command", nargs="+", help="the command, after --")
    given = arguments.parse_args()
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, _frame: sys.exit(128 + number))
    tools.install(say=lambda line: print(line, file=sys.stderr))
    with tempfile.TemporaryDirectory(prefix="causeway-platform-") as folder:
        port, chain_port = processes.free_ports(2)
        here = replace(settings.from_environment({}), state=Path(folder), port=port, chain_port=chain_port)
        started: list[processes.Process] = []
        try:
            started.append(services.start_anvil(here, die_with_parent=True))
            started.append(services.start_emulator(here, die_with_parent=True))
            return _run(given.command, os.environ | services.client_environment(here))
        finally:
            for process in started:
                process.stop()
            if given.keep_logs:
                shutil.copytree(here.logs, given.keep_logs, dirs_exist_ok=True)


def _run(command: list[str], env: dict[str, str]) -> int:
    # A token of a real session would be sent along with the emulator's key.
    env.pop("AWS_SESSION_TOKEN", None)
    env.pop("AWS_PROFILE", None)
    child = subprocess.Popen(command, env=env, preexec_fn=processes.die_with_parent_hook)
    try:
        return child.wait()
    except KeyboardInterrupt:
        # The terminal has sent the signal to the command as well: let it finish.
        return child.wait()
    finally:
        if child.poll() is None:
            child.terminate()
            child.wait()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except settings.PlatformError as error:
        sys.exit(f"with_platform: {error}")
