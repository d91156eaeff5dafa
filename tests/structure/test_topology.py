"""What the code names must be what the topology has, and the other way round."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
TOPOLOGY = yaml.safe_load((ROOT / "infra/topology.yaml").read_text())
STATE = ROOT / "shared/state/src"
LINES_MAX = 600
# What AWS itself measures, as far as alarms watch it.
AWS_METRICS = {"ApproximateAgeOfOldestMessage", "Errors", "Throttles"}


def tracked(*patterns: str) -> list[Path]:
    """Files that git knows."""
    names = subprocess.run(["git", "ls-files", "--", *patterns], cwd=ROOT, text=True, capture_output=True, check=True)
    return [ROOT / name for name in names.stdout.split()]


def constants(path: Path, pattern: str) -> set[str]:
    return set(re.findall(pattern, path.read_text()))


def test_queues_of_the_code_are_the_topologys() -> None:
    assert constants(STATE / "message.rs", r'pub const \w+: &str = "([^"]+)"') == set(TOPOLOGY["queues"])


def test_tables_of_the_code_are_the_topologys() -> None:
    assert constants(STATE / "tables.rs", r'Table = Table\("([^"]+)"\)') == set(TOPOLOGY["tables"])


def test_indexes_of_the_code_are_the_topologys() -> None:
    pattern = r'Index \{ name: "([^"]+)", pk: "([^"]+)", sk: "([^"]+)" \}'
    ours = set(re.findall(pattern, (STATE / "tables.rs").read_text()))
    theirs = {
        (name, index["pk"], index["sk"])
        for table in TOPOLOGY["tables"].values()
        for name, index in ((table or {}).get("indexes") or {}).items()
    }
    assert ours == theirs


def test_every_function_has_a_crate_and_every_crate_a_function() -> None:
    crates = {path.parent.parent.name for path in tracked("functions/*/src/main.rs")}
    assert crates == set(TOPOLOGY["functions"])


def test_every_trigger_has_a_sample_event_that_parses() -> None:
    routed = {route["function"] for route in TOPOLOGY["api"]["routes"]}
    for name, function in TOPOLOGY["functions"].items():
        triggers = len(function.get("triggers", [])) + (name in routed)
        samples = list((ROOT / "events" / name).glob("*.json"))
        assert not triggers or samples, f"events/{name} has no sample"
        for sample in samples:
            json.loads(sample.read_text())


def test_metrics_of_the_code_are_those_of_the_alarms() -> None:
    ours = constants(ROOT / "shared/runtime/src/metrics.rs", r'Metric = Metric \{ name: "([^"]+)"')
    watched = {alarm["metric"] for alarm in TOPOLOGY["alarms"].values()}
    assert watched == ours | AWS_METRICS


def test_every_alarm_is_documented() -> None:
    documented = constants(ROOT / "docs/operations.md", r"(?m)^\| `([a-z-]+)` \|")
    assert set(TOPOLOGY["alarms"]) <= documented


def test_mains_only_wire() -> None:
    for path in tracked("functions/*/src/main.rs"):
        lines = len(path.read_text().splitlines())
        assert lines <= 50, f"{path.relative_to(ROOT)} has {lines} lines"


def test_only_validate_sign_links_lane_keys() -> None:
    for path in tracked("functions/*/Cargo.toml"):
        links = '"lane-keys"' in path.read_text()
        assert links == (path.parent.name == "validate-sign"), path.parent.name


def test_no_file_is_too_long() -> None:
    for path in tracked("*.rs", "*.py", "*.sol", "*.tf"):
        lines = len(path.read_text().splitlines())
        assert lines <= LINES_MAX, f"{path.relative_to(ROOT)} has {lines} lines"


def test_every_decision_and_code_of_an_error_is_documented() -> None:
    codes = constants(ROOT / "shared/http/src/error.rs", r'\("([A-Z_]+)", StatusCode')
    documented = constants(ROOT / "docs/api.md", r"`([A-Z_]+)`")
    assert codes <= documented, codes - documented


def test_imports_point_one_way() -> None:
    # The simulation drives the real handlers, so it alone looks the other way, and nothing looks at it.
    for path in tracked("*/*/Cargo.toml"):
        assert "simulation" not in path.read_text() or path.parent.name == "simulation", path
    for path in tracked("shared/*/Cargo.toml"):
        assert "functions/" not in path.read_text() or path.parent.name == "simulation", path
    domain = (ROOT / "shared/domain/Cargo.toml").read_text()
    assert not re.search(r"^(aws|tokio|alloy\b(?!-primitives))", domain, re.MULTILINE)


def test_every_test_that_the_safety_page_names_is_there() -> None:
    page = (ROOT / "docs/safety.md").read_text()
    named = set(re.findall(r"`([a-z]\w+_\w+)`", page))
    sources = "".join(path.read_text() for path in tracked("*.rs", "tests/e2e/*.py"))
    there = set(re.findall(r"\b(?:fn|def) (\w+)\(", sources))
    assert len(named) > 40
    assert not (missing := named - there - {"final_at"}), missing
