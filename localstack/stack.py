"""A stack that outlives the command that started it: its processes, written down in its folder."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from localstack import processes, services
from localstack.processes import Process
from localstack.settings import CHAIN_PORT_VARIABLE, PORT_VARIABLE, PlatformError, Settings

NAMES = ("anvil", "emulator")


def start(here: Settings, say) -> None:
    """Starts the services that do not run, and refuses ports that others hold."""
    with _locked(here):
        running = _running(here)
        _refuse_other_settings(here, running)
        if len(running) == len(NAMES):
            say("the platform already runs")
            return
        for name, process in running.items():
            # The chain and the tables tell one story: neither is of use without the other.
            say(f"only {name} was left of an earlier run: starting both afresh")
            process.stop()
        processes.require_free_port(here.chain_port, "anvil", CHAIN_PORT_VARIABLE)
        processes.require_free_port(here.port, "the emulator", PORT_VARIABLE)
        started = {}
        for name, starter in (("anvil", services.start_anvil), ("emulator", services.start_emulator)):
            say(f"starting {name} ...")
            started[name] = starter(here)
            _write(here, started)


def stop(here: Settings) -> list[str]:
    """Stops every process that `start` wrote down, workers included; returns their names."""
    with _locked(here):
        recorded = _read(here)
        stopped = []
        # The emulator first: its functions talk to the node.
        for name in reversed(NAMES):
            process = recorded.get(name)
            if process and process.members():
                process.stop()
                stopped.append(name)
        _record(here).unlink(missing_ok=True)
        return stopped


def running(here: Settings) -> dict[str, Process]:
    """The stack's living processes by name."""
    return _running(here)


def _running(here: Settings) -> dict[str, Process]:
    alive = {}
    for name, process in _read(here).items():
        if process.alive:
            alive[name] = process
        else:
            # Its workers may have outlived it.
            process.stop()
    return alive


def _refuse_other_settings(here: Settings, running: dict[str, Process]) -> None:
    """A running stack keeps its ports and switches until it is taken down."""
    if not running:
        return
    recorded = json.loads(_record(here).read_text())["settings"]
    for name, value in _settings(here).items():
        if recorded[name] != value:
            raise PlatformError(f"the stack in {here.state} runs with {name}={recorded[name]}: take it down "
                                f"first, or set CAUSEWAY_STATE to another folder for a second stack")


def _settings(here: Settings) -> dict[str, str]:
    return {
        PORT_VARIABLE: str(here.port),
        CHAIN_PORT_VARIABLE: str(here.chain_port),
        "CAUSEWAY_AUTH": "1" if here.auth else "0",
    }


def _record(here: Settings):
    return here.state / "processes.json"


def _read(here: Settings) -> dict[str, Process]:
    path = _record(here)
    if not path.is_file():
        return {}
    return {one["name"]: Process(**one) for one in json.loads(path.read_text())["processes"]}


def _write(here: Settings, running: dict[str, Process]) -> None:
    content = {"settings": _settings(here), "processes": [asdict(one) for one in running.values()]}
    unfinished = _record(here).with_suffix(".new")
    unfinished.write_text(json.dumps(content, indent=2))
    os.replace(unfinished, _record(here))


@contextmanager
def _locked(here: Settings) -> Iterator[None]:
    """One command at a time works on a stack."""
    here.state.mkdir(parents=True, exist_ok=True)
    with open(here.state / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
