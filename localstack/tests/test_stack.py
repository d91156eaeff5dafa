"""Processes and ports, without the emulator."""

from __future__ import annotations

import os
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from localstack import processes, settings, stack
from localstack.settings import PlatformError

FAMILY = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
time.sleep(600)
"""


def start_family(folder: Path) -> processes.Process:
    """A process that has a child, as the emulator has workers."""
    family = processes.start("family", [sys.executable, "-c", FAMILY], {}, folder / "log", die_with_parent=True)
    processes.wait_until(lambda: len(family.members()) == 2, family, folder / "log")
    return family


def test_stopping_a_process_ends_its_workers_too(tmp_path: Path) -> None:
    family = start_family(tmp_path)
    family.stop()
    assert family.members() == []
    assert not family.alive


def test_workers_are_ended_when_their_parent_is_already_dead(tmp_path: Path) -> None:
    family = start_family(tmp_path)
    os.kill(family.pid, signal.SIGKILL)
    os.waitpid(family.pid, 0)
    assert len(family.members()) == 1
    family.stop()
    assert family.members() == []


def test_a_process_that_took_over_a_recorded_id_is_left_alone(tmp_path: Path) -> None:
    family = start_family(tmp_path)
    try:
        replace(family, started="0").stop()
        assert family.alive
    finally:
        family.stop()


def test_a_taken_port_is_named_with_its_holder_and_its_variable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PlatformError) as refusal:
            processes.require_free_port(port, "anvil", "CAUSEWAY_CHAIN_PORT")
    assert f"port {port} for anvil is taken" in str(refusal.value)
    assert "CAUSEWAY_CHAIN_PORT" in str(refusal.value)
    if sys.platform == "linux":
        assert "(pid " in str(refusal.value)


@pytest.mark.parametrize(("name", "value"), [
    ("CAUSEWAY_PORT", "http"), ("CAUSEWAY_CHAIN_PORT", "70000"), ("CAUSEWAY_PROFILE", "fast"), ("CAUSEWAY_AUTH", "yes")])
def test_a_wrong_setting_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(PlatformError, match=name):
        settings.from_environment({name: value})


def test_providers_come_from_the_environment_in_order() -> None:
    here = settings.from_environment({"CAUSEWAY_RPC_LOCAL": "http://one, http://two", "CAUSEWAY_CHAIN_PORT": "9000"})
    assert here.rpc_urls == ("http://one", "http://two")
    assert settings.from_environment({"CAUSEWAY_CHAIN_PORT": "9000"}).rpc_urls == ("http://127.0.0.1:9000",)


def test_stopping_a_stack_that_never_ran_does_nothing(tmp_path: Path) -> None:
    assert stack.stop(settings.from_environment({"CAUSEWAY_STATE": str(tmp_path)})) == []
