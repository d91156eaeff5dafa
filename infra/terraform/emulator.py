"""Applies the Terraform to a running local platform; the verbs local and destroy of check.py.

Which platform is read from the environment, as by localstack/ itself. State and working
copy lie in the platform's own folder. What AWS deployments get from people - users, an
imported key - is put in here, and outputs.json is written as localstack/deploy.py does,
so that the end-to-end tests run against either.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner import ROOT, Failed, copy_infra, environment, initialise, terraform

# Order of secp256k1: private keys are 1 to one less.
SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def run(verb: str, prefix: str) -> None:
    """Applies or destroys; afterwards outputs.json is there or gone."""
    sys.path.insert(0, str(ROOT))
    from localstack import services, settings, tools

    tools.reexec_in_venv()
    from localstack import topology

    try:
        here = settings.from_environment()
        # The overlay gives the demo's users and networks; Terraform itself reads none of it.
        platform = replace(topology.load(ROOT / "infra" / "topology.yaml"), prefix=prefix)
    except settings.PlatformError as problem:
        raise Failed(str(problem)) from problem
    if not services.emulator_ready(here):
        raise Failed(f"no emulator answers at {here.endpoint}: start the local platform first")
    work = here.state / "terraform"
    outputs = here.state / "outputs.json"
    env = environment(dict(os.environ) | services.client_environment(here)) | {"TF_DATA_DIR": str(work / "data")}
    for foreign in ("AWS_SESSION_TOKEN", "AWS_PROFILE"):
        env.pop(foreign, None)
    folder = copy_infra(work / "infra", "backend.tf", "tests")
    initialise(folder, env)
    variables = work / "local.tfvars.json"
    variables.write_text(json.dumps(_variables(here, platform), indent=2))
    common = ["-auto-approve", "-parallelism=30", f"-state={work / 'terraform.tfstate'}", f"-var-file={variables}"]
    if verb == "destroy":
        terraform("destroy", *common, cwd=folder, env=env, out=sys.stderr)
        outputs.unlink(missing_ok=True)
        return
    terraform("apply", *common, cwd=folder, env=env, out=sys.stderr)
    applied = _outputs(folder, env, work / "terraform.tfstate")
    _populate(here, platform, applied)
    content = json.dumps(_as_deployed(here, platform, applied), indent=2)
    _write_private(outputs, content)
    print(content)


def _variables(here, platform) -> dict[str, Any]:
    """The deployment's settings: AWS's, less what an emulator does not have."""
    from localstack.settings import REGION

    return {
        "region": REGION,
        "prefix": platform.prefix,
        "networks": platform.networks,
        "treasuries": platform.tenants,
        "rpc_urls": {network: list(here.rpc_urls) for network in platform.networks},
        "artifacts_dir": str(here.zips),
        # Workers run on this machine.
        "architecture": "arm64" if os.uname().machine in ("aarch64", "arm64") else "x86_64",
        "local_endpoint": here.endpoint,
        "deploy_strategy": None,
        "deletion_protection": False,
        "secret_recovery_days": 0,
        "password_login": True,
    }


def _outputs(folder: Path, env: dict[str, str], state: Path) -> dict[str, Any]:
    done = subprocess.run(["terraform", "output", "-json", f"-state={state}"], cwd=folder, env=env, stdout=subprocess.PIPE, check=True)
    return {name: output["value"] for name, output in json.loads(done.stdout).items()}


def _populate(here, platform, applied: dict[str, Any]) -> None:
    """Adds what people add on AWS, and starts each scheduled function once."""
    from localstack.resources.context import client

    _add_users(client("cognito-idp", here.endpoint), platform, applied["user_pool_id"])
    _import_key(client("secretsmanager", here.endpoint), applied["secrets"]["imported-keys"])
    # The emulator's scheduler first fires a full period after a schedule is made.
    for _, function, _, payload in platform.schedules():
        client("lambda", here.endpoint).invoke(
            FunctionName=applied["functions"][function.name], InvocationType="Event", Payload=json.dumps(payload))


def _add_users(cognito, platform, pool: str) -> None:
    from localstack.resources.identity import DEMO_PASSWORD

    for user in platform.users:
        whose = {"UserPoolId": pool, "Username": user.name}
        tenant = [{"Name": f"custom:{platform.tenant_attribute}", "Value": user.tenant}]
        try:
            cognito.admin_create_user(
                **whose, UserAttributes=tenant, MessageAction="SUPPRESS", TemporaryPassword=DEMO_PASSWORD)
        except cognito.exceptions.UsernameExistsException:
            cognito.admin_update_user_attributes(**whose, UserAttributes=tenant)
        cognito.admin_set_user_password(**whose, Password=DEMO_PASSWORD, Permanent=True)
        for group in user.groups:
            cognito.admin_add_user_to_group(**whose, GroupName=group)


def _import_key(manager, secret: str) -> None:
    from localstack.resources.secrets import IMPORTED_KEY

    # Unlike AWS, the emulator does not make a secret's first version the current one.
    if json.loads(manager.get_secret_value(SecretId=secret).get("SecretString") or "{}"):
        return
    key = f"0x{secrets.randbelow(SECP256K1_ORDER - 1) + 1:064x}"
    manager.put_secret_value(SecretId=secret, SecretString=json.dumps({IMPORTED_KEY: key}))


def _as_deployed(here, platform, applied: dict[str, Any]) -> dict[str, Any]:
    """The outputs in the shape of localstack/deploy.py's."""
    from localstack import settings
    from localstack.resources.identity import DEMO_PASSWORD

    def key(kind: str, name: str) -> dict[str, str]:
        arn = applied["lane_keys"][f"{kind}-{name}"]
        return {"key_id": arn.rsplit("/", 1)[1], "arn": arn, "alias": f"alias/{platform.physical(kind)}-{name}"}

    return {
        # The emulator answers here too, without a host name of the API's own.
        "api_url": f"{here.endpoint}/_aws/execute-api/{applied['api_id']}",
        "endpoint": here.endpoint,
        "region": settings.REGION,
        "access_key_id": settings.ACCOUNT,
        "secret_access_key": settings.SECRET_KEY,
        "prefix": platform.prefix,
        "networks": platform.networks,
        "queue_base": applied["queue_base"],
        "queues": applied["queues"],
        "tables": applied["tables"],
        "functions": {name: platform.physical(name) for name in applied["functions"]},
        "roles": applied["roles"],
        "secrets": {name: platform.physical(name) for name in applied["secrets"]},
        "keys": {kind: {tenant: key(kind, tenant) for tenant in platform.tenants} for kind in platform.keys},
        "issuer": applied["issuer"],
        "cognito": {"pool_id": applied["user_pool_id"], "client_id": applied["client_id"]},
        "users": {user.name: {"tenant": user.tenant, "groups": user.groups, "password": DEMO_PASSWORD} for user in platform.users},
        "chain_rpc_url": here.chain_url,
        "rpc_urls": list(here.rpc_urls),
    }


def _write_private(path: Path, content: str) -> None:
    """Replaces the file in one step; only its owner may read it."""
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content + "\n")
    unfinished.replace(path)
