"""The result as a table for people; what it is made of is JSON for machines."""

from __future__ import annotations

from typing import Any

from judge import Verdict

# Of each kind so many cases are shown; all are in the JSON.
SHOWN = 5


def result(verdict: Verdict, befell: dict[str, Any], letters: dict[str, int], missing: dict[str, int],
           never: list[str]) -> dict[str, Any]:
    """Everything there is to tell but the time; `letters` are the dead letters found, planted and left after the
    replays, `missing` is what did not befall the stack, `never` what was waited for and did not come.
    """
    rows = verdict.rows()
    return {
        "passed": verdict.clean and not missing and not never, "missing": missing, "never": never,
        "numbers": {kind: len(cases) for kind, cases in rows.items()},
        "deadLetters": letters, "befell": befell, "cases": {kind: cases for kind, cases in rows.items() if cases},
    }


def timed(result: dict[str, Any], seconds: int, most: int | None) -> dict[str, Any]:
    """The result with what the run took; one that took longer than it may does not pass."""
    in_time = most is None or seconds <= most
    return {"seconds": seconds, "secondsMax": most} | result | {"passed": result["passed"] and in_time}


def text(result: dict[str, Any]) -> str:
    """What befell the stack, and the numbers that must be 0."""
    lines = ["", f"{result['count']} withdrawals in {result['seconds']} s, seed {result['seed']}"]
    lines += ["", "what befell the stack"]
    lines += [f"  {name:<32} {shown(value)}" for name, value in result["befell"].items()]
    lines += ["", "what must be 0"]
    for kind, number in result["numbers"].items():
        lines.append(f"  {kind:<32} {number:>6}")
    letters = result["deadLetters"]
    lines[-1] += f"  left after replaying {letters['found']}, of which {letters['planted']} were put there on purpose"
    for kind, cases in result["cases"].items():
        lines += ["", f"{kind}:", *(f"  {case}" for case in cases[:SHOWN])]
        if len(cases) > SHOWN:
            lines.append(f"  … and {len(cases) - SHOWN} more")
    if result["missing"]:
        lines += ["", "planned, and did not happen: " + shown(result["missing"])]
    if result["never"]:
        lines += ["", "waited for, and never so: " + ", ".join(result["never"])]
    lines += ["", took(result["seconds"], result["secondsMax"])]
    lines += ["", "all is as it must be" if result["passed"] else "NOT as it must be"]
    return "\n".join(lines)


def took(seconds: int, most: int | None) -> str:
    """How long it took, and whether it may."""
    if most is None:
        return f"took {seconds} s"
    return f"took {seconds} s, of at most {most} s" + (": TOO LONG" if seconds > most else "")


def shown(value: Any) -> str:
    """A count, or counts by name with their sum."""
    if not isinstance(value, dict) or not value:
        return f"{value or 0:>6}"
    numbers = [one for one in value.values() if isinstance(one, int)]
    parts = ", ".join(f"{name} {one}" for name, one in value.items())
    return f"{sum(numbers):>6}  {parts}" if numbers else parts
