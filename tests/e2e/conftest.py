"""The deployed stack as fixtures. Which one: `--outputs FILE`, by default that of `make up`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from support.chain import Chain, new_address  # noqa: E402
from support.node import Node  # noqa: E402
from support.stack import Stack  # noqa: E402
from support.world import World  # noqa: E402


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--outputs", type=Path, default=ROOT / ".local" / "state" / "outputs.json",
                     help="outputs.json of the stack that is tested")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "guarded: also runs where the emulator enforces IAM")
    config.addinivalue_line("markers", "only_guarded: proves something only where the emulator enforces IAM")
    config.addinivalue_line("markers", "last: runs after all others, on what they left")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


@pytest.fixture(scope="session")
def world(pytestconfig: pytest.Config) -> World:
    """The stack, its chain, an operator, and new tenants."""
    outputs: Path = pytestconfig.getoption("--outputs")
    if not outputs.is_file():
        pytest.exit(f"{outputs} is missing: deploy a stack first, or let tests/e2e/run.py do it", returncode=2)
    return World.of(Stack(outputs))


@pytest.fixture(scope="session")
def chain(world: World) -> Chain:
    """The local chain."""
    return world.chain


@pytest.fixture(scope="session")
def node(chain: Chain) -> Iterator[Node]:
    """A node in front of the chain that can misbehave."""
    with Node(chain.url).serving() as node:
        yield node


@pytest.fixture
def recipient() -> str:
    """An address that was never paid."""
    return new_address()
