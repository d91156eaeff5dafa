"""The verb local of check.py: a local platform deployed by Terraform alone, tested end to end, taken down.

Ports are free ones unless CAUSEWAY_PORT and CAUSEWAY_CHAIN_PORT are set; state, logs included,
lies in .local/tf unless CAUSEWAY_STATE is.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import emulator
from localstack import logs, packaging, processes, settings, stack
from runner import ROOT, Failed

KINDS = ("open", "guarded")


def run(prefix: str, kind: str | None, options: list[str]) -> int:
    """Tests one kind of stack, or both; the exit status is that of the first that was not green."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, _frame: sys.exit(128 + number))
    kinds = [kind] if kind else list(KINDS)
    return next((code for code in [_one(one, prefix, options) for one in kinds] if code), 0)


def _one(kind: str, prefix: str, options: list[str]) -> int:
    """Brings a stack up without the local deploy, applies, tests, destroys, and stops it whatever happened."""
    here = _settings(kind)
    print(f"\n--- stack: {kind}, by Terraform", flush=True)
    # Before anything is started: where the provider is missing, this says so and is the end.
    deployment = emulator.prepare(here, prefix)
    if here.zips == settings.default_zips(here.profile):
        packaging.package(here.profile, here.zips, list(deployment.platform.functions))
    # What an interrupted run left; its state tells of resources that went with it.
    stack.stop(here)
    for left in (deployment.work / "terraform.tfstate", deployment.outputs):
        left.unlink(missing_ok=True)
    try:
        stack.start(here, say=print)
        deployment.apply()
        tested = _test(kind, deployment.outputs, options)
        logs.save_functions(here)
        deployment.destroy()
        return tested
    finally:
        logs.save_functions(here)
        stopped = stack.stop(here)
        print(f"stopped {', '.join(stopped)}; logs: {here.logs}", flush=True)


def _settings(kind: str) -> settings.Settings:
    port, chain_port = processes.free_ports(2)
    state = Path(os.environ.get("CAUSEWAY_STATE") or settings.LOCAL / "tf") / kind
    return settings.from_environment({"CAUSEWAY_PORT": str(port), "CAUSEWAY_CHAIN_PORT": str(chain_port)} | os.environ | {
        "CAUSEWAY_STATE": str(state), "CAUSEWAY_AUTH": str(int(kind == "guarded"))})


def _test(kind: str, outputs: Path, options: list[str]) -> int:
    command = [sys.executable, str(ROOT / "tests" / "e2e" / "run.py"), "--use", str(outputs), "--stack", kind]
    child = subprocess.Popen([*command, *(["--", *options] if options else [])], cwd=ROOT)
    try:
        return child.wait()
    finally:
        # It is told, not killed, so that what it started ends with it.
        if child.poll() is None:
            child.terminate()
            child.wait()
