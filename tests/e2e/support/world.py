"""Everything a test starts from."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from contracts import deploy

from .api import Api
from .chain import Chain
from .functions import Functions
from .stack import Stack
from .tenants import GAS, NETWORK, Tenant

IMPORTED_KEY = "local-imported"
# Demo users, whose treasury keys the deploy made and the signer may use where IAM is enforced.
CLIENTS = ("alice", "bob", "carol")
OPERATOR = "olga"


@dataclass
class World:
    """The stack, its chain, and an operator."""

    stack: Stack
    chain: Chain
    functions: Functions
    operator: Api

    @classmethod
    def of(cls, stack: Stack) -> World:
        """The world of a deployed stack; puts the test tokens on its chain."""
        chain = Chain(stack.outputs["chain_rpc_url"])
        deploy.deploy(chain, chain.tokens)
        operator = Api(stack.outputs["api_url"], stack.token(OPERATOR))
        return cls(stack, chain, Functions(stack), operator)

    def api(self, token: str | None) -> Api:
        """The API with somebody's token."""
        return Api(self.stack.outputs["api_url"], token)

    def queued(self, queue: str) -> int:
        """How many messages are in a queue, under way or not."""
        [row] = [row for row in self.operator.items("/admin/v1/queues") if row["queue"] == queue]
        return row["ready"] + row["inFlight"] + row["delayed"]

    def tenant(self, gas: str = GAS, **funds: str) -> Tenant:
        """A new tenant with a new key, a treasury, money for gas, and these funds by symbol."""
        name = f"e2e-{secrets.token_hex(5)}"
        key = {"kind": "kms", "keyId": self.stack.new_key()}
        return self._tenant(name, self.stack.new_user(name, "client"), key, gas, funds)

    def demo_tenant(self, user: str, gas: str = GAS, **funds: str) -> Tenant:
        """A demo user's tenant: its key is KMS's, but carol's is an imported one."""
        name = self.stack.outputs["users"][user]["tenant"]
        if user == "carol":
            address = self.chain.address_of(self.stack.imported_keys()[IMPORTED_KEY])
            key = {"kind": "secret", "name": IMPORTED_KEY, "address": address}
        else:
            key = {"kind": "kms", "keyId": self.stack.outputs["keys"]["treasury"][name]["arn"]}
        return self._tenant(name, self.stack.token(user), key, gas, funds)

    def _tenant(self, name: str, token: str, key: dict[str, str], gas: str, funds: dict[str, str]) -> Tenant:
        tenant = Tenant(name, self.api(token), self.operator, self.chain, self._treasury(name, key))
        if gas != "0":
            tenant.fund("ETH", gas, account="gas")
        for symbol, amount in funds.items():
            tenant.fund(symbol, amount)
        return tenant

    def _treasury(self, tenant: str, key: dict[str, str]) -> str:
        """The tenant's treasury, registered now unless an earlier run did."""
        for row in self.operator.items("/admin/v1/treasuries", tenant=tenant):
            if row["network"] == NETWORK:
                return row["address"]
        return self.operator.act("treasuries", tenant=tenant, network=NETWORK, key=key).must(201)["address"]
