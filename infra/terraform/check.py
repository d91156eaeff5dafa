"""Checks the Terraform here, or applies it to a running local platform.

    python3 infra/terraform/check.py check      format, validity, tests; needs no account
    python3 infra/terraform/check.py local      applies it to the emulator, prints outputs as JSON
    python3 infra/terraform/check.py destroy    takes down what `local` applied

TF_PLUGIN_DIR names a local provider mirror where there is no registry. Where Terraform or
its AWS provider is missing, each of these says SKIPPED and why, and exits 0.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from runner import HERE, ROOT, Failed, Skipped, copy_infra, environment, initialise, require_terraform, terraform


def check() -> None:
    """Format, validity and tests of the Terraform, and the tests of the scripts beside it."""
    scripts = subprocess.run([sys.executable, "-m", "unittest", "-q", "test_scripts"], cwd=HERE / "tests")
    if scripts.returncode != 0:
        raise Failed("the tests of the scripts failed")
    require_terraform()
    env = environment(dict(os.environ))
    terraform("fmt", "-check", "-diff", "-recursive", cwd=HERE, env=env)
    copy = copy_infra(ROOT / ".local" / "terraform" / "check")
    initialise(copy, env, "-backend=false")
    terraform("validate", cwd=copy, env=env)
    terraform("test", cwd=copy, env=env)


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("check", help="format, validity, tests")
    for verb, told in (("local", "apply to the running local platform"), ("destroy", "take that down again")):
        local = verbs.add_parser(verb, help=told)
        local.add_argument("--prefix", default="causeway-tf", help="name of the deployment")
    given = parser.parse_args()
    try:
        if given.verb == "check":
            check()
        else:
            require_terraform()
            # Needs the local platform's own Python packages, which `check` does not.
            import emulator
            emulator.run(given.verb, given.prefix)
    except Skipped as missing:
        print(f"SKIPPED: {missing}", flush=True)
    except Failed as failure:
        print(f"terraform {given.verb}: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
