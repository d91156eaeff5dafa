"""Makes one Lambda zip per function from the compiled binaries."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
import zipfile
from pathlib import Path

from localstack.settings import ROOT, PlatformError

CARGO_FOLDER = {"dev": "debug", "release": "release"}
# Debug binaries are large and never leave the machine.
LEVELS = {"dev": 1, "release": 9}
# The oldest time a zip can hold: the same binary always makes the same zip.
EPOCH = (1980, 1, 1, 0, 0, 0)
EXECUTABLE = 0o100755 << 16


def package(profile: str, zips: Path, functions: list[str], say=print, binaries: Path | None = None) -> None:
    """Zips every function's binary as `bootstrap` into the folder `zips`.

    A zip whose binary has not changed is left alone. `binaries` is cargo's folder of the
    profile unless given.
    """
    folder = binaries or ROOT / "target" / CARGO_FOLDER[profile]
    missing = [name for name in functions if not (folder / name).is_file()]
    if missing:
        flag = " --release" if profile == "release" else ""
        raise PlatformError(f"{folder} lacks {', '.join(missing)}: run `cargo build --workspace{flag}`")
    for name in functions:
        target = zips / f"{name}.zip"
        if _write(folder / name, target, LEVELS[profile]):
            say(f"packaged {name} ({target.stat().st_size / 1e6:.1f} MB)")


def _write(binary: Path, target: Path, level: int) -> bool:
    content = binary.read_bytes()
    # The zip's comment holds the digest of the binary that it was made from.
    digest = hashlib.sha256(content).hexdigest().encode()
    if target.is_file() and zipfile.is_zipfile(target):
        with zipfile.ZipFile(target) as existing:
            if existing.comment == digest:
                return False
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".zip.new")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        entry = zipfile.ZipInfo("bootstrap", EPOCH)
        entry.external_attr = EXECUTABLE
        entry.create_system = 3
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, _without_debug(binary), compresslevel=level)
        archive.comment = digest
    unfinished.replace(target)
    return True



def _without_debug(binary: Path) -> bytes:
    """The binary without its debug information: three quarters of a debug build, and of no use in a function."""
    with tempfile.TemporaryDirectory() as folder:
        stripped = Path(folder, "stripped")
        # strip comes with the C compiler that the build needs anyway. It refuses a script, which is no object file and
        # stays as it is; some versions delete what they were to write when they refuse, so success is the file.
        subprocess.run(["strip", "--strip-debug", "-o", stripped, binary], capture_output=True, check=False)
        return stripped.read_bytes() if stripped.is_file() and stripped.stat().st_size else binary.read_bytes()
