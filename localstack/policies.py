"""Turns the rights of a function in the topology into one IAM policy document."""

from __future__ import annotations

from typing import Any

from localstack.topology import Function, Topology

TABLE_ACTIONS = {
    # IAM cannot ask that a put be new: the code's condition does, and the chain of hashes tells.
    "append": ["PutItem"],
    # A check is a read that takes part in a transaction.
    "read": ["BatchGetItem", "ConditionCheckItem", "GetItem", "Query"],
    "write": ["ConditionCheckItem", "DeleteItem", "PutItem", "UpdateItem"],
}
QUEUE_ACTIONS = {
    "send": ["SendMessage"],
    "depth": ["GetQueueAttributes"],
    "peek": ["ReceiveMessage"],
    "consume": ["ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage"],
}
BATCHED = {"sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:SendMessage"}
KEY_ACTIONS = {"sign": ["Sign"], "public": ["GetPublicKey"]}


def document(topology: Topology, function: Function, region: str, account: str,
             keys: dict[str, list[str]]) -> dict[str, Any]:
    """The policy of one function's role, as AWS is to have it.

    `keys` maps a logical key to the ARNs of its KMS keys. The order of the rights in the
    topology makes no difference, so that moving a line there changes no role.
    """
    def arn(service: str, resource: str) -> str:
        return f"arn:aws:{service}:{region}:{account}:{resource}"

    statements = [_statement("logs", ["CreateLogStream", "PutLogEvents"], [
        arn("logs", f"log-group:/aws/lambda/{topology.physical(function.name)}:*")])]
    for name, verbs in sorted(function.rights.tables.items()):
        table = arn("dynamodb", f"table/{topology.physical(name)}")
        resources = [table]
        if "read" in verbs and topology.tables[name].indexes:
            resources.append(f"{table}/index/*")
        statements.append(_statement("dynamodb", _actions(TABLE_ACTIONS, verbs), resources))
    for name, verbs in sorted(_queue_rights(function).items()):
        statements.append(_statement("sqs", _actions(QUEUE_ACTIONS, verbs), [arn("sqs", topology.physical(name))]))
    for name, verbs in sorted(function.rights.keys.items()):
        statements += _key_statements(verbs, keys[name], function.rights.sign_conditions)
    for name in sorted(function.rights.secrets):
        # Secrets Manager appends six characters of its own to the name.
        secret = arn("secretsmanager", f"secret:{topology.physical(name)}-??????")
        statements.append(_statement("secretsmanager", ["GetSecretValue"], [secret]))
    return {"Version": "2012-10-17", "Statement": statements}


def for_emulator(policy: dict[str, Any], aliases: dict[str, list[str]]) -> dict[str, Any]:
    """The same policy as the emulator reads it, which differs from AWS in three points.

    It asks for the right to a batch call by the call's own name; it does not know the
    condition keys of kms:Sign, so the conditions may only hold "if they exist"; and it
    looks for the ARN of an alias where AWS looks for the ARN of the key behind it, which
    `aliases` maps to the ARNs of its aliases.
    """
    return policy | {"Statement": [_statement_for_emulator(one, aliases) for one in policy["Statement"]]}


def _statement_for_emulator(statement: dict[str, Any], aliases: dict[str, list[str]]) -> dict[str, Any]:
    changed = dict(statement)
    batches = [f"{action}Batch" for action in statement["Action"] if action in BATCHED]
    changed["Action"] = statement["Action"] + batches
    changed["Resource"] = statement["Resource"] + [
        alias for resource in statement["Resource"] for alias in aliases.get(resource, [])]
    if "Condition" in statement:
        changed["Condition"] = {"StringEqualsIfExists": statement["Condition"]["StringEquals"]}
    return changed


def trust(service: str, extra: dict[str, str] | None = None) -> dict[str, Any]:
    """Who may take on a role: an AWS service, and others if so told."""
    principal = {"Service": f"{service}.amazonaws.com"} | (extra or {})
    return {"Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]}


def _queue_rights(function: Function) -> dict[str, list[str]]:
    """The rights on queues that are written down, and those that a trigger brings."""
    rights = {name: list(verbs) for name, verbs in function.rights.queues.items()}
    for trigger in function.queue_triggers:
        rights.setdefault(trigger.queue, []).append("consume")
    return rights


def _key_statements(verbs: list[str], resources: list[str], conditions: dict[str, str]) -> list[dict[str, Any]]:
    statements = []
    for verb in sorted(verbs):
        statement = _statement("kms", KEY_ACTIONS[verb], resources)
        if verb == "sign":
            statement["Condition"] = {"StringEquals": {
                "kms:SigningAlgorithm": conditions["algorithm"],
                "kms:MessageType": conditions["message_type"],
            }}
        statements.append(statement)
    return statements


def _actions(known: dict[str, list[str]], verbs: list[str]) -> list[str]:
    return sorted({action for verb in verbs for action in known[verb]})


def _statement(service: str, actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": [f"{service}:{action}" for action in actions], "Resource": resources}
