"""Checks the Terraform here, or applies it to the local platform.

    python3 infra/terraform/check.py check      format, validity, tests; needs no account
    python3 infra/terraform/check.py local      applies it to an emulator of its own, runs the end-to-end
                                                tests against that, and takes everything down again
    python3 infra/terraform/check.py apply      applies it to a running local platform, writes outputs.json
    python3 infra/terraform/check.py destroy    takes down what `apply` applied

`local` takes options for pytest after --, and --stack as tests/e2e/run.py does.

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


def on_platform(given: argparse.Namespace) -> int:
    """The verbs that need the local platform, under its own Python."""
    require_terraform()
    sys.path.insert(0, str(ROOT))
    from localstack import settings, tools

    try:
        tools.reexec_in_venv()
        if given.verb == "local":
            import local
            return local.run(given.prefix, given.stack, given.pytest)
        import emulator
        deployment = emulator.prepare(settings.from_environment(), given.prefix)
        if given.verb == "apply":
            deployment.apply()
            print(deployment.outputs.read_text())
        else:
            deployment.destroy()
    except settings.PlatformError as problem:
        raise Failed(str(problem)) from problem
    return 0


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("check", help="format, validity, tests")
    for verb, told in (("local", "apply to an emulator of its own, test, take down"),
                       ("apply", "apply to the running local platform"), ("destroy", "take that down again")):
        platform = verbs.add_parser(verb, help=told)
        platform.add_argument("--prefix", default="causeway-tf", help="name of the deployment")
        if verb == "local":
            platform.add_argument("--stack", choices=("open", "guarded"), help="without IAM, or with it enforced; both by default")
            platform.add_argument("pytest", nargs="*", help="options for pytest, after --")
    given = parser.parse_args()
    try:
        if given.verb == "check":
            check()
        else:
            return on_platform(given)
    except Skipped as missing:
        print(f"SKIPPED: {missing}", flush=True)
    except Failed as failure:
        print(f"terraform {given.verb}: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
