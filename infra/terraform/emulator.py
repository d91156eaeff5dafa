"""Applies the Terraform to a running local platform; the verbs apply and destroy of check.py.

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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runner import ROOT, Failed, copy_infra, environment, initialise, terraform

# Order of secp256k1: private keys are 1 to one less.
SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@dataclass
class Deployment:
    """A working copy of the Terraform, made ready for one local platform."""

    here: Any
    platform: Any
    folder: Path
    env: dict[str, str]

    @property
    def work(self) -> Path:
        """Where the state and everything else of Terraform's lies."""
        return self.here.state / "terraform"

    @property
    def outputs(self) -> Path:
        """What the end-to-end tests know the stack by."""
        return self.here.state / "outputs.json"

    def apply(self) -> None:
        """Applies, adds what people add on AWS, and writes outputs.json."""
        self._require_emulator()
        terraform("apply", *self._options(), cwd=self.folder, env=self.env, out=sys.stderr)
        applied = _outputs(self.folder, self.env, self._state())
        _populate(self.here, self.platform, applied)
        _write_private(self.outputs, json.dumps(_as_deployed(self.here, self.platform, applied), indent=2))

    def destroy(self) -> None:
        """Takes down what `apply` made."""
        self._require_emulator()
        terraform("destroy", *self._options(), cwd=self.folder, env=self.env, out=sys.stderr)
        self.outputs.unlink(missing_ok=True)

    def _require_emulator(self) -> None:
        from localstack import services

        if not services.emulator_ready(self.here):
            raise Failed(f"no emulator answers at {self.here.endpoint}: start the local platform first")

    def _options(self) -> list[str]:
        return ["-auto-approve", "-parallelism=30", f"-state={self._state()}", f"-var-file={self.work / 'local.tfvars.json'}"]

    def _state(self) -> Path:
        return self.work / "terraform.tfstate"


def prepare(here, prefix: str) -> Deployment:
    """Copies the Terraform and initialises the copy; raises `Skipped` where the provider cannot be had."""
    from localstack import services, topology

    platform = replace(topology.load(ROOT / "infra" / "topology.yaml"), prefix=prefix)
    work = here.state / "terraform"
    env = environment(dict(os.environ) | services.client_environment(here)) | {"TF_DATA_DIR": str(work / "data")}
    for foreign in ("AWS_SESSION_TOKEN", "AWS_PROFILE"):
        env.pop(foreign, None)
    folder = copy_infra(work / "infra", "backend.tf", "tests")
    initialise(folder, env)
    deployment = Deployment(here, platform, folder, env)
    variables = _variables(here, platform) | {"topology_file": str(_topology(work))}
    (work / "local.tfvars.json").write_text(json.dumps(variables, indent=2))
    return deployment


def _topology(work: Path) -> Path:
    """The topology with the local overlay merged in, which Terraform itself never reads.

    Tests kill functions and wait until the messages they held are seen again: with AWS's
    visibilities each would wait for minutes.
    """
    import yaml
    from localstack import topology

    document = yaml.safe_load((ROOT / "infra" / "topology.yaml").read_text())
    merged = topology.merge(document, {name: document["local"].get(name, {}) for name in topology.OVERLAID})
    del merged["local"]
    path = work / "topology.yaml"
    # JSON is YAML too, and quotes the type "N", which Terraform would read as the truth value false.
    path.write_text(json.dumps(merged, indent=2))
    return path


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
    # The tests change functions' settings, which on AWS takes a new version: here the alias follows the newest.
    for name in applied["functions"]:
        client("lambda", here.endpoint).update_alias(
            FunctionName=platform.physical(name), Name="live", FunctionVersion="$LATEST")
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
