#!/usr/bin/env python3
"""Puts the test tokens on a local anvil chain, and runs them for the demo and the tests.

    deploy.py --rpc URL                              deploy what is missing, print a table
    deploy.py --rpc URL mint TOKEN TO AMOUNT         AMOUNT is in the token's own unit: 12.5
    deploy.py --rpc URL balance TOKEN ADDRESS
    deploy.py --rpc URL blacklist ADDRESS [--off]    on TBLK
    deploy.py --rpc URL lenient on|off               TBLK hides its blacklist from simulations
    deploy.py --rpc URL fund ADDRESS ETHER           adds to the balance, out of thin air

TOKEN is a symbol of the network "local" in infra/networks.toml. Needs nothing but Python:
anvil signs for its own accounts, and contracts/out holds the compiled contracts.
"""

import argparse
import json
import re
import sys
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
NETWORKS = HERE.parent / "infra" / "networks.toml"

# anvil's tenth default account. The tokens' addresses follow from it and its numbers 0, 1, 2 ...
DEPLOYER = "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720"
# In the order of their deployment: symbol and contract.
CONTRACTS = {"TUSD": "TestUsd", "TUSDT": "TestTether", "TBLK": "TestCoin", "TFALSE": "TestFalse"}
ETHER_DECIMALS = 18


class Failure(Exception):
    """What went wrong, in words for whoever ran the command."""


class NodeError(Failure):
    """The node answered with an error; `data` is its revert data, if any."""

    def __init__(self, method, error):
        super().__init__(f"{method}: {error.get('message', error)}")
        self.data = error.get("data")


class Chain:
    """A local chain, reached by JSON-RPC over HTTP."""

    def __init__(self, url, patience_s=60):
        self.url = url
        self.patience_s = patience_s

    def call(self, method, *params):
        """One JSON-RPC call: its result, or NodeError."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        request = urllib.request.Request(self.url, body.encode(), {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=self.patience_s) as reply:
                answer = json.load(reply)
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            raise Failure(f"rpc: no answer from {self.url} to {method}: {error}") from error
        except ValueError as error:
            raise Failure(f"rpc: {self.url} does not speak JSON-RPC: {error}") from error
        if "error" in answer:
            raise NodeError(method, answer["error"])
        return answer["result"]

    def number(self, method, *params):
        """One JSON-RPC call whose result is a quantity."""
        return int(self.call(method, *params), 16)

    def code(self, address):
        """The code at an address; "0x" where there is none."""
        return self.call("eth_getCode", address, "latest")

    def pause(self):
        """Waits a little for the chain to move on."""
        time.sleep(0.1)

    def wait(self, what, ready):
        """Repeats `ready` until it returns something true, and returns that."""
        deadline = time.monotonic() + self.patience_s
        while not (result := ready()):
            if time.monotonic() > deadline:
                raise Failure(f"{what}: not within {self.patience_s} s; does the chain mine blocks?")
            self.pause()
        return result

    def receipt(self, tx_hash):
        """The receipt of a transaction, once it is in a block."""
        return self.wait(tx_hash, lambda: self.call("eth_getTransactionReceipt", tx_hash))

    def send(self, to, data):
        """Sends a call from the tokens' owner and returns its receipt; a revert is a Failure."""
        tx_hash = self.call("eth_sendTransaction", {"from": DEPLOYER, "to": to, "data": data})
        receipt = self.receipt(tx_hash)
        if receipt["status"] != "0x1":
            raise Failure(f"transaction {tx_hash} reverted")
        return receipt


class Token:
    """A test token: what networks.toml says of it, and its compiled contract."""

    def __init__(self, entry, artifact):
        self.symbol = entry["symbol"]
        self.address = entry["address"]
        self.decimals = entry["decimals"]
        self.artifact = artifact

    def encode(self, signature, *arguments):
        """Call data for a function whose arguments are addresses, integers or booleans."""
        words = (int(a, 16) if isinstance(a, str) else int(a) for a in arguments)
        return f"0x{self.artifact['selectors'][signature]}" + "".join(f"{w:064x}" for w in words)

    def balance(self, chain, holder):
        """What an address holds, in the token's smallest unit."""
        data = self.encode("balanceOf(address)", holder)
        answer = chain.call("eth_call", {"to": self.address, "data": data}, "latest")
        if answer == "0x":
            raise Failure(f"token: {self.symbol} is not deployed at {self.address}")
        return int(answer, 16)


def local_network():
    """The network "local" of networks.toml."""
    with NETWORKS.open("rb") as file:
        networks = tomllib.load(file)["network"]
    return next(network for network in networks if network["id"] == "local")


def load_tokens():
    """The test tokens by symbol, in the order of their deployment."""
    entries = {entry["symbol"]: entry for entry in local_network()["token"]}
    missing = [symbol for symbol in CONTRACTS if symbol not in entries]
    if missing:
        raise Failure(f"networks.toml: the local network lacks {', '.join(missing)}")
    return {
        symbol: Token(entries[symbol], json.loads((HERE / "out" / f"{contract}.json").read_text()))
        for symbol, contract in CONTRACTS.items()
    }


def connect(url):
    """The chain behind a URL; refused unless it is the local network with anvil's accounts."""
    chain = Chain(url)
    expected, actual = local_network()["chain_id"], chain.number("eth_chainId")
    if actual != expected:
        raise Failure(f"rpc: {url} is chain {actual}, the local network is {expected}")
    accounts = {account.lower() for account in chain.call("eth_accounts")}
    if DEPLOYER.lower() not in accounts:
        raise Failure(f"rpc: {url} does not sign for {DEPLOYER}; start anvil with its default accounts")
    return chain


def deploy(chain, tokens):
    """Deploys the tokens that are missing; returns the symbols of those it sent."""
    sent = {}
    for number, token in enumerate(tokens.values()):
        if chain.code(token.address) != "0x":
            continue
        if chain.number("eth_getTransactionCount", DEPLOYER, "latest") > number:
            raise Failure(
                f"{token.symbol}: {DEPLOYER} has spent its number {number} on something else, so the "
                f"token can no longer get the address {token.address}; start from a fresh chain"
            )
        # A deployment that still waits for its block is left alone.
        if chain.number("eth_getTransactionCount", DEPLOYER, "pending") <= number:
            transaction = {"from": DEPLOYER, "nonce": hex(number), "data": token.artifact["bytecode"]}
            sent[token.symbol] = chain.call("eth_sendTransaction", transaction)
    for symbol, tx_hash in sent.items():
        created = chain.receipt(tx_hash)["contractAddress"]
        if int(created, 16) != int(tokens[symbol].address, 16):
            raise Failure(f"{symbol}: deployed at {created}, networks.toml says {tokens[symbol].address}")
    for token in tokens.values():
        code = chain.wait(token.symbol, lambda: (code := chain.code(token.address)) != "0x" and code)
        if code != token.artifact["deployedBytecode"]:
            raise Failure(
                f"{token.symbol}: {token.address} holds other code than contracts/out; "
                "start from a fresh chain"
            )
    return list(sent)


def units(field, text, decimals):
    """A decimal string as an integer of the smallest unit; never rounds."""
    match = re.fullmatch(r"([0-9]{1,60})(?:\.([0-9]+))?", text)
    if not match:
        raise Failure(f"{field}: '{text}' is not a decimal number")
    whole, fraction = match[1], match[2] or ""
    if len(fraction) > decimals:
        raise Failure(f"{field}: '{text}' has more than {decimals} decimals")
    value = int(whole + fraction.ljust(decimals, "0"))
    if value >= 2**256:
        raise Failure(f"{field}: '{text}' does not fit in 256 bits")
    return value


def decimal(value, decimals):
    """An integer of the smallest unit as a decimal string without trailing zeros."""
    digits = str(value).rjust(decimals + 1, "0")
    whole, fraction = digits[: len(digits) - decimals], digits[len(digits) - decimals :].rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


def address(text):
    """An address argument, as given."""
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", text):
        raise Failure(f"address: '{text}' is not 0x and 40 hexadecimal digits")
    return text


def pick(tokens, symbol):
    """The token with a symbol."""
    if symbol not in tokens:
        raise Failure(f"token: '{symbol}' is none of {', '.join(tokens)}")
    return tokens[symbol]


def run_deploy(chain, tokens, _args):
    sent = deploy(chain, tokens)
    rows = [
        {
            "symbol": token.symbol,
            "contract": CONTRACTS[token.symbol],
            "address": token.address,
            "decimals": token.decimals,
            "state": "deployed" if token.symbol in sent else "present",
        }
        for token in tokens.values()
    ]
    lines = ["{:7} {:11} {:42}  {:>8}  {}".format(*rows[0])]
    lines += ["{:7} {:11} {:42}  {:>8}  {}".format(*row.values()) for row in rows]
    return rows, "\n".join(lines)


def run_mint(chain, tokens, args):
    token, to = pick(tokens, args.token), address(args.to)
    amount = units("amount", args.amount, token.decimals)
    receipt = chain.send(token.address, token.encode("mint(address,uint256)", to, amount))
    return report_balance(token.symbol, to, token.balance(chain, to), token.decimals, receipt)


def run_balance(chain, tokens, args):
    token, holder = pick(tokens, args.token), address(args.address)
    return report_balance(token.symbol, holder, token.balance(chain, holder), token.decimals)


def run_blacklist(chain, tokens, args):
    token, account = tokens["TBLK"], address(args.address)
    data = token.encode("setBlacklisted(address,bool)", account, not args.off)
    receipt = chain.send(token.address, data)
    result = {"address": account, "blacklisted": not args.off, "transaction": receipt["transactionHash"]}
    return result, f"{account} is {'off' if args.off else 'on'} the blacklist of {token.symbol}"


def run_lenient(chain, tokens, args):
    token, lenient = tokens["TBLK"], args.switch == "on"
    receipt = chain.send(token.address, token.encode("setLenientSimulation(bool)", lenient))
    result = {"lenient": lenient, "transaction": receipt["transactionHash"]}
    return result, f"simulations of {token.symbol} {'ignore' if lenient else 'obey'} its blacklist"


def run_fund(chain, _tokens, args):
    account, added = address(args.address), units("ether", args.ether, ETHER_DECIMALS)
    # Added by the node, in one step: reading and setting could undo a transfer mined in between.
    chain.call("anvil_addBalance", account, hex(added))
    balance = chain.number("eth_getBalance", account, "latest")
    return report_balance("ETH", account, balance, ETHER_DECIMALS)


def report_balance(symbol, holder, balance, decimals, receipt=None):
    """The result of a verb that ends in a balance, for machines and for people."""
    shown = decimal(balance, decimals)
    result = {"symbol": symbol, "address": holder, "balance": shown, "units": str(balance)}
    if receipt:
        result["transaction"] = receipt["transactionHash"]
    return result, f"{holder} holds {shown} {symbol}"


def parse(argv):
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--rpc", metavar="URL", help="the node (default: http://127.0.0.1:8545)")
    common.add_argument("--json", action="store_true", help="print JSON")
    parser = argparse.ArgumentParser(
        description=__doc__, parents=[common], formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(metavar="VERB")

    def verb(name, run, *arguments):
        added = verbs.add_parser(name, parents=[common])
        added.set_defaults(run=run)
        for argument in arguments:
            added.add_argument(argument)
        return added

    verb("mint", run_mint, "token", "to", "amount")
    verb("balance", run_balance, "token", "address")
    verb("fund", run_fund, "address", "ether")
    blacklist = verb("blacklist", run_blacklist, "address")
    blacklist.add_argument("--off", action="store_true", default=False, help="take it off again")
    verb("lenient", run_lenient).add_argument("switch", choices=["on", "off"])
    defaults = {"run": run_deploy, "rpc": "http://127.0.0.1:8545", "json": False}
    return argparse.Namespace(**(defaults | vars(parser.parse_args(argv))))


def main(argv):
    args = parse(argv)
    try:
        result, text = args.run(connect(args.rpc), load_tokens(), args)
    except Failure as failure:
        print(f"deploy.py: {failure}", file=sys.stderr)
        return 1
    print(json.dumps(result, indent=2) if args.json else text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
