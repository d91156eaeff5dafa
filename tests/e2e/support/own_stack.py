"""A stack of one's own for a while: brought up on free ports, taken down whatever happens."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localstack import processes, settings
from localstack.settings import ROOT, Settings


@contextmanager
def alone(state: Path) -> Iterator[None]:
    """One run at a time has a stack: a second one would take the first one's down before it begins."""
    state.mkdir(parents=True, exist_ok=True)
    with open(state / "run.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"another run has the stack in {state}: wait until it has ended, or stop it")
        yield


@contextmanager
def own_stack(state: Path, profile: str, binaries: Path, ports: tuple[int, int] | None = None,
              **variables: str) -> Iterator[Settings]:
    """The deployed stack with these binaries; `ports` are the emulator's and the chain's, `variables` more settings."""
    port, chain_port = ports or processes.free_ports(2)
    zips = state / "zips"
    env = {**os.environ, "CAUSEWAY_PORT": str(port), "CAUSEWAY_CHAIN_PORT": str(chain_port),
           "CAUSEWAY_STATE": str(state), "CAUSEWAY_PROFILE": profile, "CAUSEWAY_ZIPS": str(zips), **variables}

    def platform(*verb: str) -> None:
        command = [sys.executable, str(ROOT / "localstack" / "platform.py"), *verb]
        subprocess.run(command, cwd=ROOT, env=env, check=True)

    with alone(state):
        # What an interrupted run left.
        platform("down")
        try:
            platform("package", "--binaries", str(binaries), "--zips", str(zips))
            platform("up")
            yield settings.from_environment(env)
        finally:
            platform("down")
