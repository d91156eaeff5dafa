"""Whose process is at the other end of a connection on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

# Columns of the kernel's table of TCP sockets.
LOCAL, INODE = 1, 9


def owner(port: int, pids: Iterable[int]) -> int | None:
    """Which of these processes has a connection that begins at this port."""
    wanted = {f"socket:[{inode}]" for inode in inodes(port)}
    return next((pid for pid in pids if wanted & opened(pid)), None)


def inodes(port: int) -> set[str]:
    """The sockets at a local port."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[INODE] for row in rows if int(row[LOCAL].rpartition(":")[2], 16) == port}


def opened(pid: int) -> set[str]:
    """What a process has open; nothing once it has ended."""
    found = set()
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            # It may be closed meanwhile.
            with suppress(OSError):
                found.add(str(entry.readlink()))
    return found
