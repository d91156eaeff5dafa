"""Starts, watches and stops the platform's two long-running processes.

Each runs in a process group of its own. The emulator's Lambda workers stay in the
emulator's group, so ending the group ends them too, however the emulator died.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from localstack.settings import PlatformError

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Process:
    """A started process: its group, and its start time as a guard against reused ids."""

    name: str
    pid: int
    started: str

    @property
    def alive(self) -> bool:
        """Whether the process itself still runs (not merely its workers)."""
        return _start_time(self.pid) == self.started

    def members(self) -> list[int]:
        """Living processes of the group, the leader's workers included."""
        return [pid for pid in _pids() if _group(pid) == self.pid]

    def stop(self, patience_s: float = 5.0) -> None:
        """Ends the whole group: politely first, then for certain."""
        if not self._owned():
            return
        try:
            self._end(patience_s)
        finally:
            _reap(self.pid)

    def _end(self, patience_s: float) -> None:
        for step in (signal.SIGTERM, signal.SIGKILL):
            _signal_group(self.pid, step)
            deadline = time.monotonic() + patience_s
            while self.members() and time.monotonic() < deadline:
                _reap(self.pid)
                time.sleep(0.05)
            if not self.members():
                return
        raise PlatformError(f"{self.name}: processes {self.members()} did not end")

    def _owned(self) -> bool:
        # A dead leader's id cannot be given out again while its group has members.
        return bool(self.members()) and _start_time(self.pid) in (self.started, None)


def start(name: str, command: list[str], env: dict[str, str], log: Path, die_with_parent: bool) -> Process:
    """Starts a process in a group of its own, with its output in `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab") as output:
        child = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True, preexec_fn=die_with_parent_hook if die_with_parent else None,
        )
    started = _start_time(child.pid)
    if started is None:
        raise PlatformError(f"{name} ended at once; its log is {log}")
    # Popen warns about children that outlive it; these do so on purpose.
    child.returncode = 0
    return Process(name, child.pid, started)


def wait_until(ready: Callable[[], bool], process: Process, log: Path, limit_s: float = 60.0) -> None:
    """Waits for `ready`; fails with the log's tail when the process ends or time is up."""
    deadline = time.monotonic() + limit_s
    while not ready():
        _reap(process.pid)
        if not process.alive:
            raise PlatformError(f"{process.name} ended while starting:\n{tail(log, 15)}")
        if time.monotonic() > deadline:
            raise PlatformError(f"{process.name} did not answer within {limit_s:.0f} s:\n{tail(log, 15)}")
        time.sleep(0.05)


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on, chosen by the kernel."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def require_free_port(port: int, purpose: str, variable: str) -> None:
    """Fails with the port, its holder if known, and the variable that changes it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return
        except OSError:
            pass
    holder = port_holder(port)
    by = f" by {holder}" if holder else ""
    raise PlatformError(f"port {port} for {purpose} is taken{by}: "
                        f"end that process, or set {variable} to a free port")


def port_holder(port: int) -> str | None:
    """The process that listens on the port, as 'name (pid n)', where /proc tells."""
    wanted = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for pid in _pids() if wanted else ():
        try:
            if any(os.readlink(fd) in wanted for fd in Path(f"/proc/{pid}/fd").iterdir()):
                return f"{Path(f'/proc/{pid}/comm').read_text().strip()} (pid {pid})"
        except OSError:
            continue
    return None


def tail(log: Path, lines: int) -> str:
    """The last lines of a log."""
    if not log.exists():
        return f"(no log at {log})"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _listening_inodes(port: int) -> Iterable[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in (row.split() for row in rows):
            if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                yield fields[9]


def _pids() -> list[int]:
    if Path("/proc/self/stat").exists():
        return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    listing = subprocess.run(["ps", "-axo", "pid="], capture_output=True, text=True).stdout
    return [int(pid) for pid in listing.split()]


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the state on; None for the dead and for zombies."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in "ZX" else fields


def _group(pid: int) -> int | None:
    if Path("/proc/self/stat").exists():
        fields = _stat(pid)
        return int(fields[2]) if fields else None
    try:
        return os.getpgid(pid)
    except OSError:
        return None


def _start_time(pid: int) -> str | None:
    if Path("/proc/self/stat").exists():
        fields = _stat(pid)
        return fields[19] if fields else None
    listing = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True)
    return listing.stdout.strip() or None


def _signal_group(group: int, what: signal.Signals) -> None:
    try:
        os.killpg(group, what)
    except ProcessLookupError:
        pass


def _reap(pid: int) -> None:
    """Collects a dead child; a process of an earlier run is not ours to collect."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


def die_with_parent_hook() -> None:
    """Runs in a child before its program: it is to end when its parent does, even by -9."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
