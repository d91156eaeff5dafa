"""How a function starts: the time from exec to its first call for work, its memory then, its zip's size.

A runtime API of our own answers nothing: the function starts exactly as on AWS, asks for its first
event, and waits for it.
"""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import tempfile
import time
import zipfile
from pathlib import Path

STARTS = 15


def measure(archive: Path, variables: dict[str, str]) -> dict[str, int]:
    """Microseconds from exec to `next` (median of some starts), resident bytes then, bytes of the zip."""
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(archive) as content:
            binary = Path(content.extract("bootstrap", folder))
        binary.chmod(0o755)
        starts = [_start(binary, variables) for _ in range(STARTS)]
    return {
        "exec_to_next_us": int(statistics.median(took for took, _ in starts)),
        "rss_bytes": int(statistics.median(rss for _, rss in starts)),
        "zip_bytes": archive.stat().st_size,
    }


def _start(binary: Path, variables: dict[str, str]) -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as runtime:
        runtime.settimeout(30)
        env = {"PATH": os.environ["PATH"], **variables, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{runtime.getsockname()[1]}"}
        begun = time.perf_counter_ns()
        process = subprocess.Popen([binary], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            connection, _ = runtime.accept()
            with connection:
                connection.settimeout(30)
                asked = connection.recv(64)
                took = (time.perf_counter_ns() - begun) // 1000
                if b"/invocation/next" not in asked:
                    raise RuntimeError(f"{binary} asked for something else first: {asked!r}")
                return took, _resident(process.pid)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


def _resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} tells no resident memory")
