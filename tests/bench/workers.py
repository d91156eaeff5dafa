"""What a stack's processes cost: CPU time by function, of the emulator and of the chain."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
NAME = "AWS_LAMBDA_FUNCTION_NAME="
# A worker that lives shorter than this may be missed; workers live for a minute.
LOOK_S = 0.2


class Workers:
    """Samples the processes of one stack. CPU times are user + system, in milliseconds, since `since`."""

    def __init__(self, endpoint: str, functions: dict[str, str], others: dict[str, int]) -> None:
        """`functions`: physical names by logical ones; `others`: process ids by name."""
        self._endpoint = f"AWS_ENDPOINT_URL={endpoint}"
        self._logical = {physical: logical for logical, physical in functions.items()}
        self._others = {pid: name for name, pid in others.items()}
        # By process: who it is, and its ticks when last seen. None: a process that is not the stack's.
        self._known: dict[int, str | None] = {pid: name for pid, name in self._others.items()}
        self._ticks: dict[int, int] = {}
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.peak: dict[str, int] = {}
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def cpu_ms(self) -> dict[str, float]:
        """CPU time so far by name, over all processes that ever ran."""
        self._look()
        with self._lock:
            total: dict[str, float] = {}
            for pid, ticks in self._ticks.items():
                name = self._known[pid]
                total[name] = total.get(name, 0.0) + ticks * TICK_MS
            return total

    def close(self) -> None:
        """Stops sampling."""
        self._stop.set()
        self._thread.join()

    def _loop(self) -> None:
        while not self._stop.wait(LOOK_S):
            self._look()

    def _look(self) -> None:
        alive: dict[str, int] = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            pid = int(entry.name)
            with self._lock, suppress(OSError):
                if pid not in self._known:
                    self._known[pid] = self._who(entry)
                name = self._known[pid]
                if name is None:
                    continue
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                self._ticks[pid] = int(fields[11]) + int(fields[12])
                alive[name] = alive.get(name, 0) + 1
        for name, count in alive.items():
            self.peak[name] = max(self.peak.get(name, 0), count)

    def _who(self, entry: Path) -> str | None:
        variables = (entry / "environ").read_text(errors="replace").split("\0")
        if self._endpoint not in variables:
            return None
        names = [text[len(NAME):] for text in variables if text.startswith(NAME)]
        return self._logical.get(names[0]) if names else None
