"""Where the local platform lives and listens, read from the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
VENV = LOCAL / "venv"
NPM = LOCAL / "npm"

REGION = "us-east-1"
# The emulator's account number. An access key of twelve digits names the account it acts
# for, so the deploy and the functions agree on it by using this as their key.
ACCOUNT = "000000000000"
SECRET_KEY = "test"

PORT_VARIABLE = "CAUSEWAY_PORT"
CHAIN_PORT_VARIABLE = "CAUSEWAY_CHAIN_PORT"


class PlatformError(Exception):
    """A failure that the person at the terminal can act on; its text is shown as it is."""


@dataclass(frozen=True)
class Settings:
    """One local stack: its ports, its folder and its switches."""

    port: int
    chain_port: int
    state: Path
    profile: str
    zips: Path
    auth: bool
    rpc_urls: tuple[str, ...]
    # Given when functions run in containers, as with compose.yaml, or behind a proxy, as in tests/chaos.
    given_function_endpoint: str | None = None

    @property
    def endpoint(self) -> str:
        """Address of the AWS emulator."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def function_endpoint(self) -> str:
        """Address of the AWS emulator as its functions see it."""
        return self.given_function_endpoint or self.endpoint

    @property
    def chain_url(self) -> str:
        """JSON-RPC address of this stack's anvil."""
        return f"http://127.0.0.1:{self.chain_port}"

    @property
    def logs(self) -> Path:
        """Folder of the logs of the emulator and the node."""
        return self.state / "logs"


def from_environment(environ: dict[str, str] | None = None) -> Settings:
    """Reads the settings; raises `PlatformError` naming the variable that is wrong."""
    env = dict(os.environ) if environ is None else environ
    profile = env.get("CAUSEWAY_PROFILE") or "dev"
    if profile not in ("dev", "release"):
        raise PlatformError(f"CAUSEWAY_PROFILE is '{profile}': it must be dev or release")
    port = _port(env, PORT_VARIABLE, 4566)
    chain_port = _port(env, CHAIN_PORT_VARIABLE, 8545)
    urls = tuple(url.strip() for url in env.get("CAUSEWAY_RPC_LOCAL", "").split(",") if url.strip())
    return Settings(
        port=port,
        chain_port=chain_port,
        state=Path(env.get("CAUSEWAY_STATE") or LOCAL / "state").resolve(),
        profile=profile,
        zips=Path(env.get("CAUSEWAY_ZIPS") or default_zips(profile)).resolve(),
        auth=_switch(env, "CAUSEWAY_AUTH"),
        given_function_endpoint=env.get("CAUSEWAY_FUNCTION_ENDPOINT") or None,
        rpc_urls=urls or (f"http://127.0.0.1:{chain_port}",),
    )


def default_zips(profile: str) -> Path:
    """Where the zips of a build profile lie."""
    return ROOT / "target" / "lambda" / profile


def _port(env: dict[str, str], name: str, default: int) -> int:
    text = env.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise PlatformError(f"{name} is '{text}': it must be a port number from 1 to 65535")
    return int(text)


def _switch(env: dict[str, str], name: str) -> bool:
    text = env.get(name) or "0"
    if text not in ("0", "1"):
        raise PlatformError(f"{name} is '{text}': it must be 0 or 1")
    return text == "1"
