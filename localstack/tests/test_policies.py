"""The IAM policies that follow from the rights in the topology."""

from __future__ import annotations

from typing import Any

import pytest

from localstack import policies, topology
from localstack.deploy import TOPOLOGY

LOADED = topology.load(TOPOLOGY)
REGION, ACCOUNT = "eu-west-1", "123456789012"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/one"
ALIAS = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/one"


def policy(function: str) -> dict[str, Any]:
    """The policy that AWS is to have for a function."""
    return policies.document(LOADED, LOADED.functions[function], REGION, ACCOUNT, {"treasury": [KEY]})


def granted(document: dict[str, Any], action: str) -> list[dict[str, Any]]:
    """The statements that allow an action."""
    return [one for one in document["Statement"] if action in one["Action"]]


def resources(document: dict[str, Any], action: str) -> set[str]:
    """What an action is allowed on."""
    return {resource for one in granted(document, action) for resource in one["Resource"]}


@pytest.mark.parametrize("function", LOADED.functions)
def test_only_validate_sign_may_sign(function: str) -> None:
    assert bool(granted(policy(function), "kms:Sign")) == (function == "validate-sign")


def test_signing_is_bound_to_algorithm_and_message_type() -> None:
    [statement] = granted(policy("validate-sign"), "kms:Sign")
    assert statement["Resource"] == [KEY]
    assert statement["Condition"] == {"StringEquals": {
        "kms:SigningAlgorithm": "ECDSA_SHA_256", "kms:MessageType": "DIGEST"}}


def test_send_has_no_right_on_any_key() -> None:
    assert not [action for one in policy("send")["Statement"] for action in one["Action"] if action.startswith("kms:")]


@pytest.mark.parametrize("function", LOADED.functions)
def test_no_right_is_a_pattern_and_every_resource_carries_the_prefix(function: str) -> None:
    for statement in policy(function)["Statement"]:
        assert all("*" not in action for action in statement["Action"])
        for resource in statement["Resource"]:
            assert resource == KEY or f"{LOADED.prefix}-" in resource
        assert statement["Effect"] == "Allow"


@pytest.mark.parametrize("function", LOADED.functions)
def test_a_function_consumes_exactly_the_queues_that_trigger_it(function: str) -> None:
    triggers = {f"arn:aws:sqs:{REGION}:{ACCOUNT}:{LOADED.physical(trigger.queue)}"
                for trigger in LOADED.functions[function].queue_triggers}
    assert resources(policy(function), "sqs:DeleteMessage") == triggers
    assert resources(policy(function), "sqs:ChangeMessageVisibility") == triggers


def test_reading_a_table_reaches_its_indexes_and_does_not_write() -> None:
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{LOADED.physical('transfers')}"
    document = policy("dead-letters")
    assert {table, f"{table}/index/*"} <= resources(document, "dynamodb:Query")
    assert table not in resources(document, "dynamodb:PutItem")
    assert not granted(document, "dynamodb:Scan")


def test_the_audit_log_can_be_read_and_appended_to_by_admin_alone() -> None:
    audit = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{LOADED.physical('audit')}"
    document = policy("admin")
    actions = {action for one in document["Statement"] if audit in one["Resource"] for action in one["Action"]}
    reads = {f"dynamodb:{name}" for name in ("BatchGetItem", "ConditionCheckItem", "GetItem", "Query")}
    assert actions == reads | {"dynamodb:PutItem"}
    for function in set(LOADED.functions) - {"admin"}:
        assert audit not in str(policy(function))


def test_a_check_in_a_transaction_needs_no_right_to_write() -> None:
    wallets = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{LOADED.physical('wallets')}"
    document = policy("validate-sign")
    assert wallets in resources(document, "dynamodb:ConditionCheckItem")
    assert wallets not in resources(document, "dynamodb:UpdateItem")


def test_secrets_are_granted_by_name() -> None:
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{LOADED.physical('rpc')}-??????"
    assert resources(policy("send"), "secretsmanager:GetSecretValue") == {secret}


def test_for_the_emulator_batches_aliases_and_conditions_are_said_its_way() -> None:
    document = policies.for_emulator(policy("validate-sign"), {KEY: [ALIAS]})
    [statement] = granted(document, "kms:Sign")
    assert statement["Resource"] == [KEY, ALIAS]
    assert list(statement["Condition"]) == ["StringEqualsIfExists"]
    assert granted(document, "sqs:SendMessageBatch")
    assert not granted(policies.for_emulator(policy("send"), {KEY: [ALIAS]}), "kms:Sign")
