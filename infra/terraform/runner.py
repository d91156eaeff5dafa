"""Runs Terraform for check.py: with a clean environment, and saying when it cannot be run at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# What terraform init says when it is the provider that it cannot have, and not the
# configuration that is wrong.
PROVIDER_TROUBLE = ("Failed to query available provider packages", "Failed to install provider", "Invalid provider registry host")


class Skipped(Exception):
    """Terraform or its provider is missing; the text says which."""


class Failed(Exception):
    """A step failed; what it printed has been shown."""


def environment(given: dict[str, str]) -> dict[str, str]:
    """The environment for Terraform: no prompts, no news of other versions, no configuration that is not there."""
    env = dict(given) | {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}
    if not Path(env.get("TF_CLI_CONFIG_FILE") or os.devnull).exists():
        del env["TF_CLI_CONFIG_FILE"]
    return env


def require_terraform() -> None:
    """Raises `Skipped` where there is no Terraform."""
    if shutil.which("terraform") is None:
        raise Skipped("terraform is not installed")


def terraform(*arguments: str, cwd: Path, env: dict[str, str], out=None) -> None:
    """Runs Terraform, its output going where ours goes unless `out` says otherwise."""
    verb, *options = arguments
    plain = [] if verb == "fmt" or sys.stdout.isatty() else ["-no-color"]
    done = subprocess.run(["terraform", verb, *plain, *options], cwd=cwd, env=env, stdout=out)
    if done.returncode != 0:
        raise Failed(f"terraform {verb} failed")


def initialise(cwd: Path, env: dict[str, str], *options: str) -> None:
    """Runs terraform init; raises `Skipped` when the provider cannot be had."""
    mirror = env.get("TF_PLUGIN_DIR")
    chosen = [*options, *([f"-plugin-dir={mirror}"] if mirror else [])]
    done = subprocess.run(
        ["terraform", "init", "-no-color", *chosen], cwd=cwd, env=env,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode == 0:
        return
    if provider_trouble(done.stdout):
        raise Skipped(f"the AWS provider cannot be had: {reason(done.stdout)}")
    print(done.stdout, file=sys.stderr)
    raise Failed("terraform init failed")


def provider_trouble(said: str) -> bool:
    """Whether terraform init failed for want of the provider alone."""
    return any(text in said for text in PROVIDER_TROUBLE)


def reason(said: str) -> str:
    """The paragraph after the first error line, as one line."""
    lines = [line.strip(" ╷│╵") for line in said.splitlines()]
    start = next(at for at, line in enumerate(lines) if line.startswith("Error:"))
    told = [line for line in lines[start + 1:] if line]
    return " ".join(told[:4]) or lines[start]


def copy_infra(to: Path, *left_out: str) -> Path:
    """A fresh copy of infra/, so that nobody's .terraform folder or lock file is touched."""
    shutil.rmtree(to, ignore_errors=True)
    ignored = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*_override.tf", "__pycache__", *left_out)
    shutil.copytree(HERE.parent, to, ignore=ignored)
    return to / HERE.name
