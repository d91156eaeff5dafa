"""The bench's result as text for people."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """Where it was measured: a result means nothing without it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {"cores": os.cpu_count(), "cpu": models[0] if models else platform.processor(), "system": platform.system(),
            "architecture": platform.machine()}


def text(result: dict[str, Any]) -> str:
    """All tables."""
    known = {"starts": starts, "pace": load, "accept": accept, "drain": drain, "kill": load, "calls": calls}
    parts = [f"{result['machine']['cores']} cores, {result['machine']['cpu']}"]
    parts += [f"{name}\n{show(result[name])}" for name, show in known.items() if name in result]
    return "\n\n".join(parts)


def table(head: list[str], rows: list[list[Any]]) -> str:
    """A table with its first column left and the others right."""
    cells = [head, *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    return "\n".join("  " + "  ".join(
        cell.ljust(width) if at == 0 else cell.rjust(width) for at, (cell, width) in enumerate(zip(row, widths)))
        for row in cells)


def starts(result: dict[str, Any]) -> str:
    """Start, memory and size of each function."""
    return table(["function", "exec to next, ms", "RSS, MB", "zip, MB"], [
        [name, f"{one['exec_to_next_us'] / 1000:.1f}", f"{one['rss_bytes'] / 1e6:.1f}", f"{one['zip_bytes'] / 1e6:.2f}"]
        for name, one in result.items()])


def load(result: dict[str, Any]) -> str:
    """Rates and percentiles of a load."""
    rows = [[one["stage"], one["count"], f"{one['perSecondMilli'] / 1000:.1f}",
             *(f"{one['us'][name] / 1000:.0f}" for name in ("p50", "p95", "p99", "max"))] for one in result["stages"]]
    more = f"; {result['killed']} processes killed" if "killed" in result else ""
    return (table(["stage", "count", "per s", "p50 ms", "p95 ms", "p99 ms", "max ms"], rows)
            + f"\n  {result['accepted']} of {result['requests']} accepted, {result['unfinished']} unfinished,"
            + f" seen late by {result['seenLateByMsMax']} ms at most{more}")


def accept(result: dict[str, Any]) -> str:
    """A load and what it cost."""
    [rate] = [one["perSecondMilli"] / 1000 for one in result["stages"] if one["stage"] == "request -> accepted"]
    return f"{load(result)}\n{cpu(result, rate)}"


def drain(result: dict[str, Any]) -> str:
    """How fast a full queue empties."""
    rows = [[name, took, result["per_second"][name]] for name, took in result["seconds"].items()]
    head = [f"all {result['transfers']}", "after s", "per s"]
    return f"{table(head, rows)}\n{cpu(result, result['per_second']['told'])}"


def cpu(result: dict[str, Any], rate: float) -> str:
    """CPU per transfer, and how many cores that keeps busy at this rate."""
    rows = [[name, one, f"{one * rate / 1000:.2f}"] for name, one in result["cpu_ms_per_transfer"].items()]
    return table(["process", "CPU ms per transfer", "cores"], rows)


def calls(result: dict[str, Any]) -> str:
    """Calls and write units per transfer."""
    rows = [[name, count] for name, count in result["per_transfer"].items()]
    units = result["write_units_per_transfer"]
    idle = [[name, count] for name, count in result["idle_per_second"].items()]
    return "\n".join([
        f"  AWS calls per transfer {result['aws_per_transfer']}, RPC calls {result['rpc_per_transfer']},"
        f" write units {sum(units.values()):.1f} ({', '.join(f'{name} {count}' for name, count in units.items())})",
        table(["call", "per transfer"], rows),
        table(["while nothing is to do", "per s"], idle),
    ])
