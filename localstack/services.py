"""The two services of the platform: MiniStack, the AWS emulator, and anvil, the EVM node."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from pathlib import Path

from localstack import processes, tools
from localstack.processes import Process
from localstack.settings import ACCOUNT, REGION, ROOT, SECRET_KEY, Settings

# A function's worker that has been idle this long is ended; the first of each function stays.
WORKER_IDLE_S = 60


def start_emulator(settings: Settings, die_with_parent: bool = False) -> Process:
    """Starts MiniStack and waits until it answers."""
    log = settings.logs / "emulator.log"
    scratch = settings.state / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    # A clean environment: workers inherit it, and an AWS_ENDPOINT_URL in it would
    # override the one that each function is given.
    env = _base_environment() | {
        "GATEWAY_PORT": str(settings.port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AUTH": "true" if settings.auth else "false",
        # Listeners that nothing here uses, on ports that every stack would share.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LAMBDA_WARM_TTL_SECONDS": str(WORKER_IDLE_S),
        "TMPDIR": str(scratch),
        "STATE_DIR": str(scratch / "ministack"),
        "PYTHONUNBUFFERED": "1",
    }
    command = [str(tools.VENV_PYTHON), str(ROOT / "localstack" / "emulator.py")]
    process = processes.start("emulator", command, env, log, die_with_parent)
    _await(process, lambda: emulator_ready(settings), log)
    return process


def start_anvil(settings: Settings, die_with_parent: bool = False) -> Process:
    """Starts anvil with one-second blocks and waits until it answers."""
    log = settings.logs / "anvil.log"
    settings.state.mkdir(parents=True, exist_ok=True)
    command = [
        str(tools.anvil()), "--host", "127.0.0.1", "--port", str(settings.chain_port),
        # One slot per epoch: the tag "finalized" then trails the head by two blocks.
        "--block-time", "1", "--slots-in-an-epoch", "1", "--quiet",
        "--cache-path", str(settings.state / "anvil"),
    ]
    env = _base_environment() | {"TMPDIR": str(settings.state)}
    process = processes.start("anvil", command, env, log, die_with_parent)
    _await(process, lambda: chain_height(settings.chain_url) is not None, log)
    return process


def emulator_ready(settings: Settings) -> bool:
    """Whether the emulator answers its health address."""
    try:
        with urllib.request.urlopen(f"{settings.endpoint}/_ministack/health", timeout=5) as reply:
            return reply.status == 200
    except (urllib.error.URLError, OSError):
        return False


def chain_height(url: str) -> int | None:
    """Height of the node at `url`; None when it does not answer."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as reply:
            return int(json.load(reply)["result"], 16)
    except (urllib.error.URLError, OSError, ValueError, KeyError):
        return None


def client_environment(settings: Settings) -> dict[str, str]:
    """What an AWS client needs to talk to this emulator as its administrator."""
    return {
        "AWS_ENDPOINT_URL": settings.endpoint,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "CAUSEWAY_TEST_RPC_URL": settings.chain_url,
    }


def _await(process: Process, ready, log: Path) -> None:
    try:
        processes.wait_until(ready, process, log)
    except BaseException:
        process.stop()
        raise


def _base_environment() -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "USER")
    return {name: os.environ[name] for name in kept if name in os.environ}
