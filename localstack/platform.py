"""The local platform's one command.

    python3 localstack/platform.py install            emulator and EVM node into .local
    python3 localstack/platform.py up                 start both, deploy the topology
    python3 localstack/platform.py down               stop everything that up started
    python3 localstack/platform.py status             what runs, queue depths, functions
    python3 localstack/platform.py logs [name]        emulator, anvil, or a function's log
    python3 localstack/platform.py package            Lambda zips from cargo's binaries

Variables: CAUSEWAY_PORT, CAUSEWAY_CHAIN_PORT, CAUSEWAY_STATE, CAUSEWAY_PROFILE,
CAUSEWAY_AUTH, CAUSEWAY_RPC_LOCAL; localstack/README.md explains them.
"""

from __future__ import annotations

import sys
from pathlib import Path

# This folder holds this very file, which must not hide the standard module of its name.
if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import argparse

from localstack import settings, tools
from localstack.settings import PlatformError, Settings


def up(here: Settings) -> None:
    """Starts what does not run yet, deploys, and starts the scheduled functions."""
    from localstack import deploy, packaging, stack, topology
    from localstack.resources import api

    functions = topology.load(deploy.TOPOLOGY).functions
    if here.zips == settings.default_zips(here.profile):
        packaging.package(here.profile, here.zips, list(functions))
    stack.start(here, say=print)
    print("deploying infra/topology.yaml")
    context = deploy.deploy(here)
    print(context.report.table())
    for name in deploy.start_schedules(context):
        print(f"called {name} once; the scheduler's first own call comes a full period later")
    print(f"API      {api.url(context)}\n"
          f"AWS      {here.endpoint}\n"
          f"chain    {here.chain_url}\n"
          f"outputs  {here.state / 'outputs.json'}")


def down(here: Settings) -> None:
    """Keeps the functions' logs, then stops everything."""
    from localstack import logs, stack

    logs.save_functions(here)
    stopped = stack.stop(here)
    print("stopped " + ", ".join(stopped) if stopped else "nothing was running")


def status(here: Settings) -> None:
    """Prints what runs and how much waits in each queue."""
    from localstack import status as view

    print(view.table(here))


def logs(here: Settings, name: str | None, lines: int) -> None:
    """Prints the end of one log, or of all of them."""
    from localstack import logs as view

    view.show(here, name, lines)


def package(here: Settings, profile: str | None, binaries: Path | None, zips: Path | None) -> None:
    """Makes the zips of one build profile."""
    from localstack import deploy, packaging, topology

    profile = profile or here.profile
    functions = list(topology.load(deploy.TOPOLOGY).functions)
    packaging.package(profile, zips or settings.default_zips(profile), functions, binaries=binaries)


def main() -> None:
    """Reads the command line; everything but `install` runs in the virtual environment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("install", "up", "down", "status"):
        verbs.add_parser(verb)
    logs_parser = verbs.add_parser("logs")
    logs_parser.add_argument("name", nargs="?", help="emulator, anvil, or a function of the topology")
    logs_parser.add_argument("--lines", type=int, default=50, help="how many of the last lines (50)")
    package_parser = verbs.add_parser("package")
    package_parser.add_argument("--profile", choices=("dev", "release"), help="default: CAUSEWAY_PROFILE, or dev")
    package_parser.add_argument("--binaries", type=Path, metavar="DIR", help="where cross-compiled binaries lie")
    package_parser.add_argument("--zips", type=Path, metavar="DIR", help="where the zips go")
    given = parser.parse_args()
    tools.reexec_in_venv()
    here = settings.from_environment()
    match given.verb:
        case "install":
            print(f"the platform is installed in {settings.LOCAL}")
        case "up":
            up(here)
        case "down":
            down(here)
        case "status":
            status(here)
        case "logs":
            logs(here, given.name, given.lines)
        case "package":
            package(here, given.profile, given.binaries, given.zips)


if __name__ == "__main__":
    try:
        main()
    except PlatformError as error:
        sys.exit(f"platform: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
