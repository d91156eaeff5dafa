"""Installs the pinned emulator and EVM node into the checkout's ignored folder .local."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from localstack.settings import LOCAL, NPM, ROOT, VENV, PlatformError

REQUIREMENTS = ROOT / "localstack" / "requirements.txt"
NPM_FILES = (ROOT / "localstack" / "package.json", ROOT / "localstack" / "package-lock.json")
VENV_PYTHON = VENV / "bin" / "python"
# Written last, so that an interrupted install is seen as none.
STAMP = "causeway-installed"


def install(say=print) -> None:
    """Installs what is missing or was pinned anew; does nothing when all is in place."""
    LOCAL.mkdir(exist_ok=True)
    with open(LOCAL / "install.lock", "w") as lock:
        # Two stacks started at once share one install.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _current(VENV, [REQUIREMENTS]):
            say(f"installing the emulator into {VENV.relative_to(ROOT)}")
            _install_venv()
        if not _current(NPM, NPM_FILES):
            say(f"installing anvil into {NPM.relative_to(ROOT)}")
            _install_npm()


def anvil() -> Path:
    """The native anvil binary; npm's wrapper would put a Node process in front of it."""
    found = sorted((NPM / "node_modules" / "@foundry-rs").glob("anvil-*/bin/anvil"))
    if not found:
        raise PlatformError("anvil is not installed: run `python3 localstack/platform.py install`")
    return found[0]


def reexec_in_venv() -> None:
    """Replaces this process by the same command under the virtual environment's Python."""
    install()
    if Path(sys.prefix).resolve() != VENV.resolve():
        os.execv(VENV_PYTHON, [str(VENV_PYTHON), *sys.argv])


def _install_venv() -> None:
    shutil.rmtree(VENV, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(VENV)],
         "python3 could not make a virtual environment (Debian: apt-get install python3-venv)")
    _run([str(VENV_PYTHON), "-m", "pip", "install", "--quiet", "--no-deps",
          "--disable-pip-version-check", "-r", str(REQUIREMENTS)],
         "pip could not install localstack/requirements.txt")
    _stamp(VENV, [REQUIREMENTS])


def _install_npm() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise PlatformError("npm is not on the PATH: install Node.js 20 or later with npm")
    NPM.mkdir(exist_ok=True)
    for file in NPM_FILES:
        shutil.copy(file, NPM / file.name)
    # Not `npm ci`: the lock lists the binary of the platform it was written on, and ci
    # refuses one that lacks the others. What it lists is still checked by its digest.
    _run([npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
         "npm could not install localstack/package.json", NPM)
    anvil()
    _stamp(NPM, NPM_FILES)


def _digest(files) -> str:
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _current(folder: Path, files) -> bool:
    stamp = folder / STAMP
    return stamp.is_file() and stamp.read_text() == _digest(files)


def _stamp(folder: Path, files) -> None:
    (folder / STAMP).write_text(_digest(files))


def _run(command: list[str], problem: str, cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise PlatformError(f"{problem}:\n{done.stdout.strip()}")
