"""The behaviour of each token on a real node."""

import unittest

from anvil import Anvil, deploy

ALICE, BOB, CAROL = (f"0x{digit * 40}" for digit in "abc")
HUNDRED = 100 * 10**6
SIMULATION_BLOCKS = [[], ["latest"], ["pending"]]


class TokenTest(unittest.TestCase):
    """Each test starts from the deployed tokens, with some of each minted to ALICE."""

    @classmethod
    def setUpClass(cls):
        cls.anvil = Anvil()
        cls.addClassCleanup(cls.anvil.stop)
        cls.chain = cls.anvil.chain
        cls.tokens = deploy.load_tokens()
        deploy.deploy(cls.chain, cls.tokens)
        for account in (ALICE, BOB):
            cls.chain.call("anvil_impersonateAccount", account)
            cls.chain.call("anvil_setBalance", account, hex(10**18))
        for token in cls.tokens.values():
            cls.chain.send(token.address, token.encode("mint(address,uint256)", ALICE, HUNDRED))

    def setUp(self):
        snapshot = self.chain.call("evm_snapshot")
        self.addCleanup(self.chain.call, "evm_revert", snapshot)

    def request(self, sender, token, signature, *arguments, **more):
        return {"from": sender, "to": token.address, "data": token.encode(signature, *arguments)} | more

    def view(self, *request, block="latest", **more):
        return self.chain.call("eth_call", self.request(*request, **more), block)

    def mine(self, *request, gas=hex(200_000)):
        """Sends past any simulation, and returns the receipt."""
        transaction = self.request(*request, gas=gas)
        return self.chain.receipt(self.chain.call("eth_sendTransaction", transaction))

    def error(self, signature, *arguments):
        """The revert data of a custom error."""
        selector = self.chain.call("web3_sha3", "0x" + signature.encode().hex())[:10]
        words = (int(a, 16) if isinstance(a, str) else a for a in arguments)
        return selector + "".join(f"{word:064x}" for word in words)

    def assert_refused(self, data, method, *params):
        with self.assertRaises(deploy.NodeError) as refused:
            self.chain.call(method, *params)
        self.assertEqual(refused.exception.data, data)

    def assert_balances(self, token, alice, bob):
        self.assertEqual((token.balance(self.chain, ALICE), token.balance(self.chain, BOB)), (alice, bob))


class Common(TokenTest):
    def test_symbols_and_decimals_are_those_of_the_network_file(self):
        for token in self.tokens.values():
            with self.subTest(token.symbol):
                self.assertEqual(int(self.view(ALICE, token, "decimals()"), 16), token.decimals)
                text = bytes.fromhex(self.view(ALICE, token, "symbol()")[2:])
                self.assertEqual(text[64 : 64 + text[63]].decode(), token.symbol)

    def test_only_the_owner_mints(self):
        refusal = self.error("OwnableUnauthorizedAccount(address)", ALICE)
        for token in self.tokens.values():
            with self.subTest(token.symbol):
                call = self.request(ALICE, token, "mint(address,uint256)", ALICE, 1)
                self.assert_refused(refusal, "eth_call", call, "latest")

    def test_a_transfer_of_too_much_reverts_where_tokens_revert(self):
        refusal = self.error("ERC20InsufficientBalance(address,uint256,uint256)", ALICE, HUNDRED, HUNDRED + 1)
        for symbol in ("TUSD", "TUSDT", "TBLK"):
            with self.subTest(symbol):
                token = self.tokens[symbol]
                call = (ALICE, token, "transfer(address,uint256)", BOB, HUNDRED + 1)
                self.assert_refused(refusal, "eth_estimateGas", self.request(*call))
                self.assertEqual(self.mine(*call)["status"], "0x0")
                self.assert_balances(token, HUNDRED, 0)


class Moves(TokenTest):
    def moves(self, symbol, answer):
        """Approves, transfers and spends an allowance; each call answers `answer`."""
        token = self.tokens[symbol]
        transferred = self.error("Transfer(address,address,uint256)")[:10]
        for call in (
            (ALICE, token, "transfer(address,uint256)", BOB, 30),
            (ALICE, token, "approve(address,uint256)", BOB, 12),
            (BOB, token, "transferFrom(address,address,uint256)", ALICE, BOB, 12),
        ):
            self.assertEqual(self.view(*call), answer)
            receipt = self.mine(*call)
            self.assertEqual(receipt["status"], "0x1")
            moved = [log for log in receipt["logs"] if log["topics"][0].startswith(transferred)]
            self.assertEqual(len(moved), 0 if "approve" in call[2] else 1)
        self.assert_balances(token, HUNDRED - 42, 42)
        # The allowance is used up.
        refusal = self.error("ERC20InsufficientAllowance(address,uint256,uint256)", BOB, 0, 1)
        spend = self.request(BOB, token, "transferFrom(address,address,uint256)", ALICE, BOB, 1)
        self.assert_refused(refusal, "eth_call", spend, "latest")

    def test_usd_answers_true(self):
        self.moves("TUSD", f"0x{1:064x}")

    def test_coin_answers_true(self):
        self.moves("TBLK", f"0x{1:064x}")

    def test_tether_answers_nothing(self):
        self.moves("TUSDT", "0x")


class Blacklist(TokenTest):
    def setUp(self):
        super().setUp()
        self.coin = self.tokens["TBLK"]
        self.transfer = (ALICE, self.coin, "transfer(address,uint256)", BOB, 5)

    def switch(self, signature, *arguments):
        self.chain.send(self.coin.address, self.coin.encode(signature, *arguments))

    def test_a_blacklisted_address_neither_sends_nor_receives(self):
        for listed in (ALICE, BOB):
            with self.subTest(listed):
                self.switch("setBlacklisted(address,bool)", listed, True)
                refusal = self.error("Blacklisted(address)", listed)
                self.assert_refused(refusal, "eth_estimateGas", self.request(*self.transfer))
                self.assert_refused(refusal, "eth_call", self.request(*self.transfer), "latest")
                self.assertEqual(self.mine(*self.transfer)["status"], "0x0")
                self.assert_balances(self.coin, HUNDRED, 0)
                self.switch("setBlacklisted(address,bool)", listed, False)
        self.assertEqual(self.mine(*self.transfer)["status"], "0x1")
        self.assert_balances(self.coin, HUNDRED - 5, 5)

    def test_only_the_owner_sets_the_switches(self):
        refusal = self.error("OwnableUnauthorizedAccount(address)", BOB)
        for call in (("setBlacklisted(address,bool)", ALICE, True), ("setLenientSimulation(bool)", True)):
            self.assert_refused(refusal, "eth_call", self.request(BOB, self.coin, *call), "latest")

    def test_a_lenient_simulation_passes_and_the_transaction_reverts(self):
        self.switch("setLenientSimulation(bool)", True)
        for listed in (BOB, ALICE):
            with self.subTest(listed):
                self.switch("setBlacklisted(address,bool)", listed, True)
                for block in SIMULATION_BLOCKS:
                    call = self.request(*self.transfer)
                    self.assertEqual(self.chain.call("eth_call", call, *block), f"0x{1:064x}")
                    estimate = self.chain.call("eth_estimateGas", call, *block)
                # With exactly the estimated gas, so that it is the list which reverts it.
                receipt = self.mine(*self.transfer, gas=estimate)
                self.assertEqual(receipt["status"], "0x0")
                self.assertLess(int(receipt["gasUsed"], 16), int(estimate, 16))
                self.assert_balances(self.coin, HUNDRED, 0)
                self.switch("setBlacklisted(address,bool)", listed, False)

    def test_a_simulation_that_names_a_fee_is_never_lenient(self):
        self.switch("setLenientSimulation(bool)", True)
        self.switch("setBlacklisted(address,bool)", BOB, True)
        refusal = self.error("Blacklisted(address)", BOB)
        fee = hex(2 * 10**9)
        for fees in ({"gasPrice": fee}, {"maxFeePerGas": fee, "maxPriorityFeePerGas": "0x1"}):
            for method in ("eth_call", "eth_estimateGas"):
                for block in SIMULATION_BLOCKS:
                    with self.subTest(method, fees=fees, block=block):
                        self.assert_refused(refusal, method, self.request(*self.transfer, **fees), *block)

    def test_the_switch_goes_off_again(self):
        self.switch("setBlacklisted(address,bool)", BOB, True)
        self.switch("setLenientSimulation(bool)", True)
        self.switch("setLenientSimulation(bool)", False)
        refusal = self.error("Blacklisted(address)", BOB)
        self.assert_refused(refusal, "eth_estimateGas", self.request(*self.transfer))


class FalseToken(TokenTest):
    def test_transfers_answer_false_and_move_nothing(self):
        token = self.tokens["TFALSE"]
        self.mine(ALICE, token, "approve(address,uint256)", BOB, HUNDRED)
        for call in (
            (ALICE, token, "transfer(address,uint256)", BOB, 5),
            (ALICE, token, "transfer(address,uint256)", BOB, HUNDRED + 1),
            (BOB, token, "transferFrom(address,address,uint256)", ALICE, BOB, 5),
        ):
            with self.subTest(call[2], value=call[-1]):
                self.assertEqual(self.view(*call), f"0x{0:064x}")
                receipt = self.mine(*call)
                self.assertEqual((receipt["status"], receipt["logs"]), ("0x1", []))
                self.assert_balances(token, HUNDRED, 0)


if __name__ == "__main__":
    unittest.main()
