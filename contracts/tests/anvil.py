"""An anvil node for a test: started on a free port, stopped when the test is through."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

CONTRACTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CONTRACTS))

import deploy  # noqa: E402  (found through the path above)

PORTS = range(8700, 8721)


def binary():
    """The anvil to test against: CAUSEWAY_ANVIL, or the one installed into the checkout."""
    named = os.environ.get("CAUSEWAY_ANVIL")
    local = CONTRACTS.parent / ".local" / "npm" / "node_modules" / ".bin" / "anvil"
    found = named if named else str(local)
    if not shutil.which(found):
        raise FileNotFoundError(
            f"no anvil at {found}: install the local platform, or name one in CAUSEWAY_ANVIL"
        )
    return found


def free(port):
    """Whether nothing listens on a loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class Anvil:
    """A fresh chain that mines a block for each transaction."""

    def __init__(self):
        self.log = tempfile.TemporaryFile()
        port = next(filter(free, PORTS), None)
        if port is None:
            raise OSError(f"no free port from {PORTS[0]} to {PORTS[-1]}")
        self.url = f"http://127.0.0.1:{port}"
        command = [binary(), "--host", "127.0.0.1", "--port", str(port)]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        self.chain = MiningChain(self.url)
        try:
            self.chain.wait("anvil", self.answers)
        except BaseException:
            self.stop()
            raise

    def answers(self):
        """Whether the node answers; an error if it has ended."""
        if self.process.poll() is not None:
            self.log.seek(0)
            raise OSError(f"anvil ended: {self.log.read().decode(errors='replace')}")
        try:
            return self.chain.call("eth_chainId")
        except deploy.NodeError:
            raise
        except deploy.Failure:
            return False

    def stop(self):
        """Ends the node."""
        self.process.terminate()
        self.process.wait()
        self.log.close()


class MiningChain(deploy.Chain):
    """A chain that mines whenever somebody waits for it, where it does not by itself."""

    mine_on_pause = False

    def pause(self):
        if self.mine_on_pause:
            self.call("evm_mine")
        else:
            super().pause()
