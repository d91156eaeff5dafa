"""Secrets: the addresses of the networks' nodes, and an imported key for the demo."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from localstack.resources.context import CREATED, UNCHANGED, UPDATED, Context
from localstack.settings import PlatformError

IMPORTED_KEY = "local-imported"
# Private keys are the integers from 1 to one less than the order of secp256k1.
SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def apply(context: Context) -> None:
    """Creates every secret, and updates those whose content follows from the settings."""
    contents = {
        "rpc": lambda: {network: list(context.settings.rpc_urls) for network in context.topology.networks},
        "imported-keys": lambda: _imported_keys(context.settings.state / "imported-keys.json"),
    }
    for secret in context.topology.secrets.values():
        if secret.name not in contents:
            raise PlatformError(f"secrets.{secret.name}: the local deploy does not know what goes into it")
        content = json.dumps(contents[secret.name](), sort_keys=True)
        change = _apply(context, context.name(secret.name), secret.description, content)
        context.report.add("secret", secret.name, change)


def _apply(context: Context, name: str, description: str, content: str) -> str:
    manager = context.client("secretsmanager")
    try:
        present = manager.get_secret_value(SecretId=name)["SecretString"]
    except manager.exceptions.ResourceNotFoundException:
        manager.create_secret(Name=name, Description=description, SecretString=content)
        return CREATED
    if present == content:
        return UNCHANGED
    manager.put_secret_value(SecretId=name, SecretString=content)
    return UPDATED


def _imported_keys(store: Path) -> dict[str, str]:
    """The demo's imported key: made once for a state folder, and kept on later runs."""
    if store.exists():
        return json.loads(store.read_text())
    keys = {IMPORTED_KEY: f"0x{secrets.randbelow(SECP256K1_ORDER - 1) + 1:064x}"}
    store.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(store, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(keys, file)
    return keys
