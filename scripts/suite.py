"""Runs the whole suite from a fresh clone, and prints a table of what took how long.

Each step runs even if one before it failed, unless it needs what that one makes, so that one
run shows everything that is wrong. Exit status 0 only if every step passed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".local" / "venv" / "bin" / "python"
PLATFORM = [sys.executable, "localstack/platform.py"]
WITH_PLATFORM = [sys.executable, "localstack/with_platform.py", "--"]


@dataclass
class Step:
    """One step: a name, its part of the time budget, its command, and the steps it needs."""

    name: str
    part: str
    command: list[str]
    needs: list[str] = field(default_factory=list)
    folder: Path = ROOT


STEPS = [
    Step("install", "install", [*PLATFORM, "install"]),
    Step("install contracts", "install", ["npm", "ci", "--silent"], folder=ROOT / "contracts"),
    # One set of features for everything: binaries and tests share what is compiled.
    Step("compile", "compile", ["cargo", "build", "--workspace", "--all-features", "--all-targets"]),
    Step("format", "unit", ["cargo", "fmt", "--all", "--check"]),
    Step("unit, contract and simulation", "unit",
         [*WITH_PLATFORM, "cargo", "test", "--workspace", "--all-features", "--no-fail-fast"], ["install", "compile"]),
    Step("contracts as compiled", "unit", ["node", "build.js", "--check"], ["install contracts"], ROOT / "contracts"),
    Step("test tokens", "unit", [str(VENV), "-m", "unittest", "discover", "-s", "contracts/tests"],
         ["install", "install contracts"]),
    Step("local platform", "unit", [str(VENV), "-m", "pytest", "-q", "localstack/tests"], ["install"]),
    Step("topology and code", "unit", [str(VENV), "-m", "pytest", "-q", "tests/structure"], ["install"]),
    Step("what chaos is judged by", "unit", [str(VENV), "-m", "pytest", "-q", "tests/chaos"], ["install"]),
    Step("terraform", "unit", [sys.executable, "infra/terraform/check.py", "check"]),
    Step("end to end", "end-to-end", [str(VENV), "tests/e2e/run.py"], ["install", "compile", "install contracts"]),
    Step("chaos, a little of it", "end-to-end", [str(VENV), "tests/chaos/run.py", "--quick"],
         ["install", "compile", "install contracts"]),
    Step("restore drill", "end-to-end", [str(VENV), "tests/restore/run.py"],
         ["install", "compile", "install contracts"]),
    # With IAM enforced; `make demo` shows the same without.
    Step("demo", "end-to-end", ["env", "CAUSEWAY_BUILT=1", "CAUSEWAY_AUTH=1", "bash", "scripts/demo"], ["install", "compile", "install contracts"]),
]

# What the runners say of themselves, so that the closing line counts tests, not steps.
COUNTS = [
    re.compile(r"(\d+) passed; (\d+) failed"),
    re.compile(r"(?:(?P<failed>\d+) failed, )?(?P<passed>\d+) passed(?:, \d+ \w+)* in [\d.]+s"),
    re.compile(r"(?P<passed>\d+) passed, (?P<failed>\d+) failed"),
]


def main() -> int:
    """Runs the steps and closes with the table."""
    results: dict[str, tuple[str, float]] = {}
    passed = failed = 0
    for step in STEPS:
        missing = [name for name in step.needs if results.get(name, ("",))[0] != "ok"]
        if missing:
            results[step.name] = (f"not run: needs {', '.join(missing)}", 0.0)
            failed += 1
            continue
        print(f"\n=== {step.name}: {' '.join(step.command)}", flush=True)
        begun = time.monotonic()
        code, counted = run(step)
        results[step.name] = ("ok" if code == 0 else f"FAILED ({code})", time.monotonic() - begun)
        passed += counted[0]
        failed += counted[1] or (1 if code else 0)
    table(results)
    bad = [name for name, (state, _) in results.items() if state != "ok"]
    if bad:
        print(f"not green: {', '.join(bad)}")
    print(f"{passed} passed, {failed} failed")
    return 1 if bad else 0


def run(step: Step) -> tuple[int, tuple[int, int]]:
    """Runs one step, showing its output as it comes, and counts the tests it reports."""
    passed = failed = 0
    environment = {**os.environ, "CARGO_TERM_COLOR": "never"}
    process = subprocess.Popen(step.command, cwd=step.folder, env=environment, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace")
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="", flush=True)
        if line.startswith("Ran ") and " test" in line:
            passed += int(line.split()[1])
            continue
        for pattern in COUNTS:
            if match := pattern.search(line):
                named = match.groupdict()
                passed += int((named["passed"] if named else match.group(1)) or 0)
                failed += int((named["failed"] if named else match.group(2)) or 0)
                break
    return process.wait(), (passed, failed)


def table(results: dict[str, tuple[str, float]]) -> None:
    """Prints each step's state and time, and the sum of each part of the budget."""
    parts: dict[str, float] = {}
    print("\nstep                           state                          time")
    for step in STEPS:
        state, seconds = results[step.name]
        parts[step.part] = parts.get(step.part, 0.0) + seconds
        print(f"{step.name:<30} {state:<30} {clock(seconds)}")
    print("\n" + ", ".join(f"{part} {clock(seconds)}" for part, seconds in parts.items())
          + f"; all {clock(sum(parts.values()))}")


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


if __name__ == "__main__":
    sys.exit(main())
