"""Emulators for the tests that need one: each on a free port, in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from localstack import packaging, processes, services, settings, tools, topology
from localstack.deploy import TOPOLOGY
from localstack.settings import Settings


@contextmanager
def emulator(folder: Path, auth: bool) -> Iterator[Settings]:
    """A bare emulator, and zips of functions that these tests deploy but never call."""
    tools.install()
    port, chain_port = processes.free_ports(2)
    here = settings.from_environment({
        "CAUSEWAY_PORT": str(port), "CAUSEWAY_CHAIN_PORT": str(chain_port), "CAUSEWAY_AUTH": str(int(auth)),
        "CAUSEWAY_STATE": str(folder / "state"), "CAUSEWAY_ZIPS": str(folder / "zips"),
    })
    functions = list(topology.load(TOPOLOGY).functions)
    binaries = folder / "binaries"
    binaries.mkdir()
    for function in functions:
        (binaries / function).write_text("#!/bin/sh\nexit 1\n")
    packaging.package("dev", here.zips, functions, say=lambda _line: None, binaries=binaries)
    process = services.start_emulator(here, die_with_parent=True)
    try:
        yield here
    finally:
        process.stop()


@pytest.fixture
def open_emulator(tmp_path: Path) -> Iterator[Settings]:
    """An emulator that lets everybody do everything."""
    with emulator(tmp_path, auth=False) as here:
        yield here


@pytest.fixture
def guarded_emulator(tmp_path: Path) -> Iterator[Settings]:
    """An emulator that enforces IAM."""
    with emulator(tmp_path, auth=True) as here:
        yield here
