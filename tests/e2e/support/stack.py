"""A deployed stack, known by its outputs alone, however it was deployed."""

from __future__ import annotations

import json
import secrets
from functools import cache
from pathlib import Path
from typing import Any

import boto3

Queue = str

# The queues a client's transfer enters by, and those that nothing may be left in at the end.
REQUEST_QUEUES = ("transfers-high", "transfers-normal", "transfers-low")
DEAD_QUEUES = ("transfers-dead", "transactions-dead.fifo", "chain-events-dead")
PASSWORD = "Causeway-e2e-1"


class Stack:
    """The stack behind an outputs file: AWS clients as its administrator, names, users."""

    def __init__(self, outputs: Path) -> None:
        self.outputs: dict[str, Any] = json.loads(outputs.read_text())
        self.client = cache(self._client)

    def _client(self, service: str):
        return boto3.client(
            service, endpoint_url=self.outputs["endpoint"], region_name=self.outputs["region"],
            aws_access_key_id=self.outputs["access_key_id"],
            aws_secret_access_key=self.outputs["secret_access_key"])

    def as_role(self, function: str, service: str):
        """A client with the rights of a function's role."""
        session = self.client("sts").assume_role(
            RoleArn=self.outputs["roles"][function], RoleSessionName="end-to-end")["Credentials"]
        return boto3.client(
            service, endpoint_url=self.outputs["endpoint"], region_name=self.outputs["region"],
            aws_access_key_id=session["AccessKeyId"], aws_secret_access_key=session["SecretAccessKey"],
            aws_session_token=session["SessionToken"])

    def function(self, name: str) -> str:
        """A function's physical name."""
        return self.outputs["functions"][name]

    def send(self, queue: Queue, body: str, reason: str | None = None) -> str:
        """Puts a message on a queue, and returns its id; `reason` is that of a dead letter."""
        attributes = {"reason": {"DataType": "String", "StringValue": reason}} if reason else {}
        answer = self.client("sqs").send_message(
            QueueUrl=self.outputs["queues"][queue], MessageBody=body, MessageAttributes=attributes)
        return answer["MessageId"]

    def token(self, user: str) -> str:
        """An ID token of a demo user."""
        return self._login(user, self.outputs["users"][user]["password"])

    def new_user(self, tenant: str, *groups: str) -> str:
        """Makes a user of a tenant, and returns an ID token of it."""
        cognito, pool = self.client("cognito-idp"), self.outputs["cognito"]["pool_id"]
        whose = {"UserPoolId": pool, "Username": f"{tenant}-{secrets.token_hex(4)}"}
        cognito.admin_create_user(
            **whose, MessageAction="SUPPRESS", UserAttributes=[{"Name": "custom:tenant", "Value": tenant}])
        cognito.admin_set_user_password(**whose, Password=PASSWORD, Permanent=True)
        for group in groups:
            cognito.admin_add_user_to_group(**whose, GroupName=group)
        return self._login(whose["Username"], PASSWORD)

    def _login(self, user: str, password: str) -> str:
        answer = self.client("cognito-idp").initiate_auth(
            AuthFlow="USER_PASSWORD_AUTH", ClientId=self.outputs["cognito"]["client_id"],
            AuthParameters={"USERNAME": user, "PASSWORD": password})
        return answer["AuthenticationResult"]["IdToken"]

    def new_key(self) -> str:
        """Makes a KMS key that can sign for a treasury, and returns its id."""
        made = self.client("kms").create_key(KeySpec="ECC_SECG_P256K1", KeyUsage="SIGN_VERIFY")
        return made["KeyMetadata"]["KeyId"]

    def imported_keys(self) -> dict[str, str]:
        """The imported private keys by name."""
        secret = self.outputs["secrets"]["imported-keys"]
        return json.loads(self.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])
