"""The operator: looks and acts by the command line, as a person would."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections import Counter
from pathlib import Path
from typing import Any

LOOK_S = 2.0
COMMAND_S = 120
# The one halt that an operator opens after a look (docs/operations.md): a branch deeper than success was told.
LEFT_THE_CHAIN = re.compile(r"number \d+ was settled and its block left the chain")
# Between the reasons of one halt (shared/state/src/lane.rs), each of which is people's.
AND = "; "
TRIES = 10


class CommandFailed(Exception):
    """A command of the command line did not do what it was asked for; its own words."""


class Desk:
    """Releases lanes that a deep branch halted, and replays dead letters; keeps count of each act."""

    def __init__(self, causeway: Path, outputs: Path) -> None:
        self.causeway = causeway
        self.outputs = outputs
        self.acts: Counter[str] = Counter()
        # Halts that no operator may simply open, by lane.
        self.strange: dict[str, str] = {}
        self._seen: dict[str, str] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Looks after the lanes from now on."""
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops looking."""
        self._stop.set()
        if self._thread:
            self._thread.join()

    def look(self) -> None:
        """Opens each lane that the same deep branch halted at the look before, too; notes the other halts."""
        halted = {lane["lane"]: lane["reason"] for lane in self.ask("lanes", "list") if lane["state"] == "halted"}
        for lane, reason in halted.items():
            if not all(LEFT_THE_CHAIN.fullmatch(part) for part in reason.split(AND)):
                self.strange[lane] = reason
            elif self._seen.get(lane) == reason and self.ask("lanes", "show", lane)["state"] == "halted":
                self.ask("lanes", "release", lane, "--reason", f"chaos: the chain goes on; {reason}"[:500])
                self.acts["lanes released"] += 1
        self._seen = halted

    def letters(self) -> list[dict[str, Any]]:
        """The open dead letters."""
        return self.patiently("dead-letters", "list", "--limit", "1000")

    def replay(self, letter: str) -> None:
        """Publishes a dead letter's message again."""
        self.patiently("dead-letters", "replay", letter, "--reason", "chaos is over")
        self.acts["dead letters replayed"] += 1

    def books(self) -> dict[str, Any]:
        """`accounts check`."""
        return self.patiently("accounts", "check", fine=(0, 5))

    def patiently(self, *verb: str, fine: tuple[int, ...] = (0,)) -> Any:
        """A command that is given again when it fails."""
        for left in reversed(range(TRIES)):
            try:
                return self.ask(*verb, fine=fine)
            except CommandFailed:
                if not left:
                    raise
                self._stop.wait(LOOK_S)

    def ask(self, *verb: str, fine: tuple[int, ...] = (0,)) -> Any:
        """A command's answer."""
        command = [str(self.causeway), "--profile", str(self.outputs), "--output", "json", "--yes", *verb]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S)
        except subprocess.TimeoutExpired as slow:
            raise CommandFailed(f"{' '.join(verb)}: {slow}") from slow
        if done.returncode not in fine:
            raise CommandFailed(f"{' '.join(verb)}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def _loop(self) -> None:
        while not self._stop.wait(LOOK_S):
            try:
                self.look()
            except CommandFailed:
                # Its function was killed, or there was no answer: the next look is soon.
                self.acts["commands repeated"] += 1
