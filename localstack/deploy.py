"""Applies infra/topology.yaml to the local platform; doing it again changes nothing.

    python3 localstack/deploy.py [--topology FILE]

Writes outputs.json into the state folder, for the command line and the tests to read.
"""

from __future__ import annotations

import sys
from pathlib import Path

# This folder holds a platform.py, which must not hide the standard module of that name.
if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import argparse
import json
import os
from typing import Any

from localstack import settings, tools
from localstack.settings import ROOT, PlatformError, Settings

TOPOLOGY = ROOT / "infra" / "topology.yaml"


def deploy(here: Settings, topology_file: Path = TOPOLOGY):
    """Brings the account to what the topology says; returns the context with its report."""
    # These need the virtual environment, which this module's own script may first make.
    from localstack import topology
    from localstack.resources import api, functions, identity, keys, queues, roles, secrets, tables, triggers
    from localstack.resources.context import Context

    context = Context(here, topology.load(topology_file))
    queues.apply(context)
    tables.apply(context)
    keys.apply(context)
    secrets.apply(context)
    identity.apply(context)
    roles.apply(context)
    functions.apply(context)
    triggers.apply_queues(context)
    triggers.apply_schedules(context)
    api.apply(context)
    _write_private(here.state / "outputs.json", _outputs(context, api.url(context), functions.queue_base(context)))
    return context


def start_schedules(context) -> list[str]:
    """Calls each scheduled function that is new or has new code, once.

    The emulator's scheduler first fires a full period after a schedule is made.
    """
    from localstack.resources.context import CREATED, UPDATED

    fresh = set(context.report.names("schedule", CREATED))
    renewed = set(context.report.names("function", CREATED, UPDATED))
    started = []
    for logical, function, _, payload in context.topology.schedules():
        if logical in fresh or function.name in renewed:
            client, name = context.client("lambda"), context.name(function.name)
            # The next tick makes up for one that fails. A call that began before this would be repeated with the
            # configuration of its first try.
            client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
            client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(payload))
            started.append(logical)
    return started


def read_outputs(here: Settings) -> dict[str, Any] | None:
    """What the last deploy wrote; None when there was none."""
    path = here.state / "outputs.json"
    return json.loads(path.read_text()) if path.is_file() else None


def _outputs(context, api_url: str, queue_base: str) -> dict[str, Any]:
    from localstack.resources.identity import DEMO_PASSWORD
    from localstack.resources.keys import alias_of

    topology = context.topology
    return {
        "api_url": api_url,
        "endpoint": context.settings.endpoint,
        "region": settings.REGION,
        "access_key_id": settings.ACCOUNT,
        "secret_access_key": settings.SECRET_KEY,
        "prefix": topology.prefix,
        "networks": topology.networks,
        "queue_base": queue_base,
        "queues": context.queue_urls,
        "tables": {name: context.name(name) for name in topology.tables},
        "functions": {name: context.name(name) for name in topology.functions},
        "roles": context.role_arns,
        "secrets": {name: context.name(name) for name in topology.secrets},
        "keys": {name: {tenant: {"key_id": key_id, "arn": arn, "alias": alias_of(context, name, tenant)}
                        for tenant, (key_id, arn) in family.items()}
                 for name, family in context.keys.items()},
        "issuer": context.identity["issuer"],
        "cognito": {"pool_id": context.identity["pool_id"], "client_id": context.identity["client_id"]},
        "users": {user.name: {"tenant": user.tenant, "groups": user.groups, "password": DEMO_PASSWORD}
                  for user in topology.users},
        "chain_rpc_url": context.settings.chain_url,
        "rpc_urls": list(context.settings.rpc_urls),
    }


def _write_private(path: Path, content: dict[str, Any]) -> None:
    """Replaces the file in one step; only its owner may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
    unfinished.replace(path)


def main() -> None:
    """The command: deploys, and prints what was done."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--topology", type=Path, default=TOPOLOGY, metavar="FILE")
    given = arguments.parse_args()
    tools.reexec_in_venv()
    context = deploy(settings.from_environment(), given.topology)
    print(context.report.table())
    start_schedules(context)


if __name__ == "__main__":
    try:
        main()
    except PlatformError as error:
        sys.exit(f"deploy: {error}")
