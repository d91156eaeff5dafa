"""Builds the functions' release zips for AWS and checks what they are linked against.

The runtime `provided.al2023` has glibc 2.34. A binary that needs a newer one starts nowhere, so
the build links against 2.34 and the check reads each ELF file's version needs. Where the Rust target
of the wanted architecture cannot be installed, the host's is built instead, and that is said.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".local" / "release"
GLIBC_MAX = (2, 34)
TARGETS = {"arm64": "aarch64-unknown-linux-gnu", "x86_64": "x86_64-unknown-linux-gnu"}
MACHINES = {"arm64": "EM_AARCH64", "x86_64": "EM_X86_64"}
HOST = {"aarch64": "arm64", "x86_64": "x86_64"}.get(platform.machine(), platform.machine())


def main() -> int:
    """Builds, checks, zips."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", choices=sorted(TARGETS), default="arm64")
    parser.add_argument("--profile", choices=["release", "dev"], default="release")
    parser.add_argument("--only", action="append", help="one function; may be repeated")
    parser.add_argument("--zips", type=Path, help="where the zips go (target/lambda/release)")
    arguments = parser.parse_args()

    python = install()
    if Path(sys.executable) != python:
        os.execv(python, [str(python), *sys.argv])
    arch = available(arguments.arch)
    names = arguments.only or sorted(path.parent.parent.name for path in ROOT.glob("functions/*/src/main.rs"))
    folder = build(arch, arguments.profile, names)
    faults = [fault for name in names for fault in faults_of(folder / name, arch)]
    for fault in faults:
        print(fault)
    if faults:
        return 1
    print(f"{len(names)} functions for {arch}: none needs more than glibc {GLIBC_MAX[0]}.{GLIBC_MAX[1]}")
    if arguments.profile == "release":
        zips = arguments.zips or ROOT / "target" / "lambda" / "release"
        sys.path.insert(0, str(ROOT))
        from localstack.packaging import package

        package("release", zips, names, binaries=folder)
    return 0


def install() -> Path:
    """The pinned tools in a virtual environment of their own; its Python."""
    python = TOOLS / "bin" / "python"
    stamp = TOOLS / "installed"
    wanted = (ROOT / "scripts" / "release-requirements.txt").read_text()
    if not stamp.is_file() or stamp.read_text() != wanted:
        venv.create(TOOLS, with_pip=True, clear=True)
        file = ROOT / "scripts" / "release-requirements.txt"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", file], check=True)
        stamp.write_text(wanted)
    return python


def available(arch: str) -> str:
    """The wanted architecture if its Rust target is there or can be installed, else the host's."""
    target = TARGETS[arch]
    # A cargo without rustup can build for its own host only.
    if shutil.which("rustup"):
        installed = subprocess.run(["rustup", "target", "list", "--installed"], capture_output=True, text=True, cwd=ROOT)
        if target in installed.stdout.split():
            return arch
        added = subprocess.run(["rustup", "target", "add", target], capture_output=True, text=True, cwd=ROOT)
        if added.returncode == 0:
            return arch
    elif arch == HOST:
        return arch
    print(f"NOT BUILT for {arch}: the Rust target {target} cannot be installed here; building {HOST} instead.")
    return HOST


def build(arch: str, profile: str, names: list[str]) -> Path:
    """Compiles the functions against the old glibc; the folder of the binaries."""
    target = TARGETS[arch]
    bins = [word for name in names for word in ("--bin", name)]
    environment = {**os.environ, "PATH": f"{TOOLS / 'bin'}:{os.environ['PATH']}"}
    command = ["cargo", "zigbuild", "--profile", profile, "--target", f"{target}.{GLIBC_MAX[0]}.{GLIBC_MAX[1]}", *bins]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    base = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return base / target / ("debug" if profile == "dev" else profile)


def faults_of(binary: Path, arch: str) -> list[str]:
    """What keeps a binary from starting on the runtime, by its ELF header and its version needs."""
    from elftools.elf.elffile import ELFFile
    from elftools.elf.gnuversions import GNUVerNeedSection

    faults = []
    with binary.open("rb") as file:
        elf = ELFFile(file)
        if elf["e_machine"] != MACHINES[arch]:
            faults.append(f"{binary.name}: is for {elf['e_machine']}, not {arch}")
        for section in elf.iter_sections():
            if not isinstance(section, GNUVerNeedSection):
                continue
            for library, versions in section.iter_versions():
                for version in versions:
                    if newer(version.name):
                        faults.append(f"{binary.name}: needs {version.name} of {library.name}")
    return faults


def newer(version: str) -> bool:
    """Whether a version need is a glibc newer than the runtime's."""
    name, _, number = version.partition("_")
    if name != "GLIBC" or number == "PRIVATE":
        return False
    return tuple(int(part) for part in number.split(".")) > GLIBC_MAX


if __name__ == "__main__":
    sys.exit(main())
