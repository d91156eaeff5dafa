"""Zips are reproducible, executable, and left alone when nothing changed."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from localstack import packaging
from localstack.settings import PlatformError


def make(folder: Path, content: bytes) -> Path:
    """Packages one function whose binary has this content; returns its zip."""
    binaries, zips = folder / "binaries", folder / "zips"
    binaries.mkdir(parents=True, exist_ok=True)
    (binaries / "intake").write_bytes(content)
    packaging.package("dev", zips, ["intake"], say=lambda _line: None, binaries=binaries)
    return zips / "intake.zip"


def test_a_zip_holds_one_executable_named_bootstrap(tmp_path: Path) -> None:
    with zipfile.ZipFile(make(tmp_path, b"program")) as archive:
        [entry] = archive.infolist()
        assert entry.filename == "bootstrap"
        assert (entry.external_attr >> 16) & 0o111 == 0o111
        assert archive.read(entry) == b"program"


def test_the_same_binary_makes_the_same_zip(tmp_path: Path) -> None:
    assert make(tmp_path / "one", b"program").read_bytes() == make(tmp_path / "two", b"program").read_bytes()


def test_a_zip_is_written_again_only_for_another_binary(tmp_path: Path) -> None:
    zipped = make(tmp_path, b"program")
    os.utime(zipped, (1, 1))
    make(tmp_path, b"program")
    assert zipped.stat().st_mtime == 1
    make(tmp_path, b"another")
    assert zipped.stat().st_mtime != 1
    with zipfile.ZipFile(zipped) as archive:
        assert archive.read("bootstrap") == b"another"


def test_a_missing_binary_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="lacks send"):
        packaging.package("dev", tmp_path / "zips", ["send"], binaries=tmp_path)
