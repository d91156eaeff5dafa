"""The release check's reading of version needs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "scripts"))

from release import newer  # noqa: E402


@pytest.mark.parametrize("version", ["GLIBC_2.2.5", "GLIBC_2.9", "GLIBC_2.34", "GLIBC_PRIVATE", "GCC_3.0", "OPENSSL_9.9"])
def test_the_runtime_has_it(version: str) -> None:
    assert not newer(version)


@pytest.mark.parametrize("version", ["GLIBC_2.35", "GLIBC_2.100", "GLIBC_3.0", "GLIBC_2.34.1"])
def test_the_runtime_lacks_it(version: str) -> None:
    assert newer(version)
