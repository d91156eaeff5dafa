"""deploy.py: the addresses, repeating it, and its verbs."""

import json
import subprocess
import sys
import unittest

from anvil import CONTRACTS, Anvil, deploy

ALICE = "0x" + "a" * 40


class DeployTest(unittest.TestCase):
    """Each test has a fresh chain."""

    def setUp(self):
        self.anvil = Anvil()
        self.addCleanup(self.anvil.stop)
        self.chain = self.anvil.chain
        self.tokens = deploy.load_tokens()

    def numbers_spent(self):
        return self.chain.number("eth_getTransactionCount", deploy.DEPLOYER, "pending")

    def run_verb(self, *arguments, code=0):
        """Runs deploy.py; its JSON, or what it complained about."""
        command = [sys.executable, str(CONTRACTS / "deploy.py"), "--rpc", self.anvil.url, "--json"]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True)
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout) if code == 0 else done.stderr


class Deployment(DeployTest):
    def test_a_second_run_sends_nothing(self):
        first = self.run_verb()
        self.assertEqual([row["state"] for row in first], ["deployed"] * 4)
        self.assertEqual(
            [(row["symbol"], row["address"]) for row in first],
            [(entry["symbol"], entry["address"]) for entry in deploy.local_network()["token"]],
        )
        self.assertEqual(self.numbers_spent(), 4)
        second = self.run_verb()
        self.assertEqual([row["state"] for row in second], ["present"] * 4)
        self.assertEqual(self.numbers_spent(), 4)

    def test_an_interrupted_run_is_finished(self):
        self.chain.call("evm_setAutomine", False)
        data = self.tokens["TUSD"].artifact["bytecode"]
        self.chain.call("eth_sendTransaction", {"from": deploy.DEPLOYER, "nonce": "0x0", "data": data})
        self.chain.mine_on_pause = True
        self.assertEqual(deploy.deploy(self.chain, self.tokens), ["TUSDT", "TBLK", "TFALSE"])
        self.assertEqual(self.numbers_spent(), 4)

    def test_a_chain_whose_deployer_did_something_else_is_refused(self):
        transfer = {"from": deploy.DEPLOYER, "to": ALICE, "value": "0x1"}
        self.chain.receipt(self.chain.call("eth_sendTransaction", transfer))
        self.assertIn("TUSD: ", complaint := self.run_verb(code=1))
        self.assertIn("has spent its number 0", complaint)
        self.assertEqual(self.numbers_spent(), 1)

    def test_other_code_at_a_token_address_is_refused(self):
        # As an older version of the token would have left it: code there, its number spent.
        self.chain.call("anvil_setCode", self.tokens["TUSD"].address, "0x00")
        self.chain.call("anvil_setNonce", deploy.DEPLOYER, "0x1")
        with self.assertRaisesRegex(deploy.Failure, "TUSD: .* holds other code"):
            deploy.deploy(self.chain, self.tokens)

    def test_another_chain_is_refused(self):
        self.chain.call("anvil_setChainId", 1)
        self.assertIn("is chain 1, the local network is 31337", self.run_verb(code=1))

    def test_addresses_carry_their_checksum(self):
        for address in [deploy.DEPLOYER, *(token.address for token in self.tokens.values())]:
            digits = address[2:]
            digest = self.chain.call("web3_sha3", "0x" + digits.lower().encode().hex())[2:]
            expected = "".join(
                digit.upper() if int(nibble, 16) >= 8 else digit
                for digit, nibble in zip(digits.lower(), digest)
            )
            self.assertEqual(digits, expected)


class Verbs(DeployTest):
    def setUp(self):
        super().setUp()
        deploy.deploy(self.chain, self.tokens)

    def test_mint_and_balance(self):
        self.assertEqual(self.run_verb("mint", "TUSDT", ALICE, "12.5")["units"], "12500000")
        self.assertEqual(self.run_verb("mint", "TUSDT", ALICE, "0.000001")["balance"], "12.500001")
        self.assertEqual(self.run_verb("balance", "TUSDT", ALICE)["balance"], "12.500001")
        self.assertEqual(self.run_verb("mint", "TFALSE", ALICE, "3")["units"], str(3 * 10**18))
        self.assertEqual(self.run_verb("balance", "TUSD", ALICE)["balance"], "0")

    def test_fund_adds_to_the_balance(self):
        self.run_verb("fund", ALICE, "2")
        self.assertEqual(self.run_verb("fund", ALICE, "0.000000000000000001")["units"], str(2 * 10**18 + 1))
        self.assertEqual(self.chain.number("eth_getBalance", ALICE, "latest"), 2 * 10**18 + 1)

    def test_blacklist_and_lenient(self):
        coin = self.tokens["TBLK"]

        def read(*call):
            answer = self.chain.call("eth_call", {"to": coin.address, "data": coin.encode(*call)}, "latest")
            return int(answer, 16)

        for arguments, listed in (([], 1), (["--off"], 0)):
            self.run_verb("blacklist", ALICE, *arguments)
            self.assertEqual(read("blacklisted(address)", ALICE), listed)
        for switch, lenient in (("on", 1), ("off", 0)):
            self.run_verb("lenient", switch)
            self.assertEqual(read("lenientSimulation()"), lenient)

    def test_bad_arguments_are_named(self):
        for arguments, complaint in (
            (["mint", "NONE", ALICE, "1"], "token: 'NONE' is none of"),
            (["mint", "TUSD", ALICE, "1.0000001"], "amount: '1.0000001' has more than 6 decimals"),
            (["mint", "TUSD", ALICE, "1e3"], "amount: '1e3' is not a decimal number"),
            (["mint", "TFALSE", ALICE, "9" * 60], "does not fit in 256 bits"),
            (["balance", "TUSD", "0x12"], "address: '0x12' is not"),
            (["fund", ALICE, "0x1"], "ether: '0x1' is not a decimal number"),
        ):
            with self.subTest(arguments):
                self.assertIn(complaint, self.run_verb(*arguments, code=1))


class Amounts(unittest.TestCase):
    def test_units_and_decimals_are_each_other_s_inverse(self):
        for text, decimals, value in (
            ("0", 6, 0),
            ("0.000001", 6, 1),
            ("12.5", 6, 12_500_000),
            ("7", 0, 7),
            ("100000000000.000000000000000001", 18, 10**29 + 1),
        ):
            self.assertEqual(deploy.units("amount", text, decimals), value)
            self.assertEqual(deploy.decimal(value, decimals), text)


if __name__ == "__main__":
    unittest.main()
