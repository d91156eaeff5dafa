"""The local chain: what it holds, and anvil's ways of making it misbehave."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from contracts import deploy

from .waiting import wait_until

NATIVE = "0x" + "0" * 40
NATIVE_DECIMALS = deploy.ETHER_DECIMALS
BLOCK_S = 1


class Chain(deploy.Chain):
    """anvil, with the test tokens on it."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.network = deploy.local_network()
        self.tokens = deploy.load_tokens()

    def token_address(self, symbol: str) -> str:
        """An asset's contract; the zero address for the coin."""
        return NATIVE if symbol == "ETH" else self.tokens[symbol].address

    def units(self, symbol: str, amount: str) -> int:
        """A decimal amount in the asset's smallest unit."""
        return deploy.units("amount", amount, self.decimals(symbol))

    def decimals(self, symbol: str) -> int:
        """An asset's decimals."""
        return NATIVE_DECIMALS if symbol == "ETH" else self.tokens[symbol].decimals

    def shown(self, symbol: str, units: int) -> str:
        """Smallest units as a decimal amount."""
        return deploy.decimal(units, self.decimals(symbol))

    def balance(self, symbol: str, holder: str) -> int:
        """What an address holds, in smallest units, at the newest block."""
        if symbol == "ETH":
            return self.number("eth_getBalance", holder, "latest")
        return self.tokens[symbol].balance(self, holder)

    def give(self, symbol: str, holder: str, units: int) -> None:
        """Adds money to an address: coins out of thin air, tokens by their owner."""
        if symbol == "ETH":
            self.call("anvil_addBalance", holder, hex(units))
        else:
            token = self.tokens[symbol]
            self.send(token.address, token.encode("mint(address,uint256)", holder, units))

    def blacklist(self, holder: str, listed: bool) -> None:
        """Puts an address on TBLK's blacklist or takes it off."""
        token = self.tokens["TBLK"]
        self.send(token.address, token.encode("setBlacklisted(address,bool)", holder, listed))

    @contextmanager
    def lenient(self) -> Iterator[None]:
        """TBLK hides its blacklist from simulations, so that a transfer passes and then reverts."""
        token, signature = self.tokens["TBLK"], "setLenientSimulation(bool)"
        self.send(token.address, token.encode(signature, True))
        try:
            yield
        finally:
            self.send(token.address, token.encode(signature, False))

    def height(self) -> int:
        """The newest block's height."""
        return self.number("eth_blockNumber")

    def mine(self, blocks: int = 1) -> None:
        """Mines blocks now; the first of them takes what waits in the pool."""
        self.call("anvil_mine", hex(blocks))

    def bury(self) -> None:
        """Buries everything that is in a block deeper than any depth that matters."""
        self.mine(2 * self.network["final_at"])

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """No block comes by itself: the test says when."""
        self.call("evm_setIntervalMining", 0)
        try:
            yield
        finally:
            self.call("evm_setIntervalMining", BLOCK_S)

    @contextmanager
    def base_fee(self, wei: int) -> Iterator[None]:
        """The next block asks for so much per gas, and afterwards for what the newest one asked for before."""
        before = self.number("eth_gasPrice")
        self.call("anvil_setNextBlockBaseFeePerGas", hex(wei))
        try:
            yield
        finally:
            self.call("anvil_setNextBlockBaseFeePerGas", hex(before))

    def spend_number(self, address: str, legacy: bool = True) -> str:
        """Uses an address's next number up as somebody else who has its key would, by a transaction of type 0 or 2; its hash.

        The node makes up its signature, so one of type 2, which is ours, cannot be read from its bytes.
        """
        one = {"from": address, "to": new_address(), "value": "0x0"}
        if legacy:
            one["gasPrice"] = self.call("eth_gasPrice")
        self.call("anvil_impersonateAccount", address)
        try:
            spent = self.call("eth_sendTransaction", one)
            self.mine()
            return spent
        finally:
            self.call("anvil_stopImpersonatingAccount", address)

    def use_number(self, address: str) -> None:
        """Uses an address's next number up without a transaction of its own, as an authorization would (EIP-7702)."""
        used = int(self.call("eth_getTransactionCount", address, "latest"), 16)
        self.call("anvil_setNonce", address, hex(used + 1))
        self.mine()

    def reorg(self, depth: int, moved: list[tuple[str, int]] | None = None) -> None:
        """Replaces the newest blocks by as many others: empty, but for raw transactions put into
        one of them (0 is the oldest). What was in the old ones is in no pool afterwards.
        """
        self.call("anvil_reorg", depth, [[raw, block] for raw, block in moved or []])

    def transaction(self, tx_hash: str) -> dict[str, Any] | None:
        """A transaction that the node knows, in a block or not."""
        return self.call("eth_getTransactionByHash", tx_hash)

    def raw(self, tx_hash: str) -> str:
        """A transaction's bytes."""
        return self.call("eth_getRawTransactionByHash", tx_hash)

    def wait_pooled(self, tx_hash: str) -> None:
        """Waits until the node has a transaction that is in no block."""
        wait_until(f"{tx_hash} in the pool", lambda: (known := self.transaction(tx_hash)) and not known["blockNumber"])

    def sent_by(self, address: str) -> list[dict[str, Any]]:
        """Every transaction of an address in any block, in order of their numbers."""
        def of_block(height: int) -> list[dict[str, Any]]:
            block = self.call("eth_getBlockByNumber", hex(height), True)
            return [one for one in block["transactions"] if one["from"] == address.lower()]

        with ThreadPoolExecutor(8) as pool:
            blocks = list(pool.map(of_block, range(1, self.height() + 1)))
        return sorted((one for block in blocks for one in block), key=lambda one: int(one["nonce"], 16))

    def address_of(self, private_key: str) -> str:
        """The address of a private key."""
        from cryptography.hazmat.primitives.asymmetric import ec

        point = ec.derive_private_key(int(private_key, 16), ec.SECP256K1()).public_key().public_numbers()
        return "0x" + self.call("web3_sha3", f"0x{point.x:064x}{point.y:064x}")[-40:]


def new_address() -> str:
    """An address that nobody has a key of."""
    return "0x" + secrets.token_hex(20)
