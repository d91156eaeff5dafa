"""The deploy against a real emulator: idempotent, and it follows the topology."""

from __future__ import annotations

import json
import stat
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.exceptions import ClientError

from localstack import deploy
from localstack.resources.context import DELETED, UPDATED, client
from localstack.settings import REGION, Settings


def change_topology(document: dict[str, Any]) -> None:
    """One change of every kind that a deploy has to follow."""
    document["queues"]["chain-events"]["max_receives"] = 7
    document["local"]["queues"]["chain-events"]["visibility_s"] = 40
    document["tables"]["transfers"]["indexes"].pop("by-tenant")
    document["tables"]["wallets"] = {"stream": "NEW_AND_OLD_IMAGES", "ttl": "gone_at"}
    send = document["functions"]["send"]
    send["environment"] = {"CAUSEWAY_LOG": "debug"}
    send["rights"]["tables"]["audit"] = ["read"]
    document["local"]["functions"]["settle"]["timeout_s"] = 11
    document["functions"]["settle"]["triggers"][0]["batch"] = 5
    document["functions"]["status-check"]["triggers"][0]["schedule"] = "rate(2 minutes)"
    document["api"]["throttle"]["rate"] = 99
    routes = document["api"]["routes"]
    document["api"]["routes"] = [one for one in routes if one["route"] != "GET /healthz"]
    document["api"]["routes"][0]["function"] = "admin"
    # A queue changes hands: its old trigger has to go.
    dead = document["functions"]["dead-letters"]["triggers"]
    document["functions"]["settle"]["triggers"].append(dead.pop(0))
    document["local"]["queues"]["transfers-dead"] = {"visibility_s": 200}
    document["local"]["users"][0]["groups"] = ["operator"]


def test_a_second_deploy_changes_nothing_and_a_changed_topology_is_followed(
        open_emulator: Settings, tmp_path: Path) -> None:
    here = open_emulator
    first = deploy.deploy(here)
    assert first.report.changed
    second = deploy.deploy(here)
    assert not second.report.changed, second.report.table()
    assert "Nothing changed." in second.report.table()

    document = yaml.safe_load(deploy.TOPOLOGY.read_text())
    change_topology(document)
    changed = tmp_path / "changed.yaml"
    changed.write_text(yaml.safe_dump(document))
    third = deploy.deploy(here, changed).report
    assert third.names("queue", UPDATED) == ["transfers-dead", "chain-events"]
    assert sorted(third.names("table", UPDATED)) == ["transfers", "wallets"]
    assert sorted(third.names("role", UPDATED)) == ["dead-letters", "send", "settle"]
    assert sorted(third.names("function", UPDATED)) == ["send", "settle"]
    assert third.names("trigger", UPDATED) == ["chain-events -> settle"]
    assert len(third.names("trigger", DELETED)) == 1
    assert third.names("schedule", UPDATED) == ["status-check-local"]
    assert third.names("stage", UPDATED) == ["$default"]
    assert third.names("route", UPDATED) == ["POST /withdrawal/request"]
    assert third.names("route", DELETED) == ["GET /healthz"]
    assert third.names("user", UPDATED) == ["alice"]
    check_account(here)
    again = deploy.deploy(here, changed).report
    assert not again.changed, again.table()


def check_account(here: Settings) -> None:
    """The account itself says what the changed topology asked for."""
    outputs = deploy.read_outputs(here)
    assert outputs is not None
    queue = client("sqs", here.endpoint).get_queue_attributes(
        QueueUrl=outputs["queues"]["chain-events"], AttributeNames=["All"])["Attributes"]
    assert queue["VisibilityTimeout"] == "40"
    assert int(json.loads(queue["RedrivePolicy"])["maxReceiveCount"]) == 7
    dynamodb = client("dynamodb", here.endpoint)
    transfers = dynamodb.describe_table(TableName=outputs["tables"]["transfers"])["Table"]
    assert [index["IndexName"] for index in transfers["GlobalSecondaryIndexes"]] == ["due"]
    wallets = dynamodb.describe_table(TableName=outputs["tables"]["wallets"])["Table"]
    assert wallets["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    ttl = dynamodb.describe_time_to_live(TableName=outputs["tables"]["wallets"])["TimeToLiveDescription"]
    assert ttl["AttributeName"] == "gone_at"
    send = client("lambda", here.endpoint).get_function_configuration(FunctionName=outputs["functions"]["send"])
    assert send["Environment"]["Variables"]["CAUSEWAY_LOG"] == "debug"
    sources = [mapping["EventSourceArn"].rsplit(":", 1)[1] for mapping in client("lambda", here.endpoint)
               .list_event_source_mappings(FunctionName=outputs["functions"]["settle"])["EventSourceMappings"]]
    assert sorted(sources) == ["causeway-local-chain-events", "causeway-local-transfers-dead"]


def test_queues_are_made_as_the_topology_says(open_emulator: Settings) -> None:
    context = deploy.deploy(open_emulator)
    sqs = context.client("sqs")
    for queue in context.topology.queues.values():
        attributes = sqs.get_queue_attributes(
            QueueUrl=context.queue_urls[queue.name], AttributeNames=["All"])["Attributes"]
        assert attributes["VisibilityTimeout"] == str(queue.visibility_s)
        assert attributes.get("FifoThroughputLimit") == ("perMessageGroupId" if queue.fifo else None)
        assert attributes.get("ContentBasedDeduplication", "false") == "false"
        if queue.dead_letter:
            redrive = json.loads(attributes["RedrivePolicy"])
            assert redrive["deadLetterTargetArn"].endswith(f":{context.name(queue.dead_letter)}")
    mappings = context.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert len(mappings) == len(context.topology.queues)
    assert all(mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for mapping in mappings)


def test_outputs_are_private_and_secrets_follow_the_settings(open_emulator: Settings) -> None:
    here = open_emulator
    context = deploy.deploy(here)
    assert stat.S_IMODE((here.state / "outputs.json").stat().st_mode) == 0o600
    manager = context.client("secretsmanager")
    imported = manager.get_secret_value(SecretId=context.name("imported-keys"))["SecretString"]
    elsewhere = replace(here, rpc_urls=("http://one", "http://two"))
    report = deploy.deploy(elsewhere).report
    assert report.names("secret", UPDATED) == ["rpc"]
    rpc = manager.get_secret_value(SecretId=context.name("rpc"))["SecretString"]
    assert json.loads(rpc) == {"local": ["http://one", "http://two"]}
    assert manager.get_secret_value(SecretId=context.name("imported-keys"))["SecretString"] == imported


def test_a_new_zip_updates_its_function_alone(open_emulator: Settings) -> None:
    here = open_emulator
    deploy.deploy(here)
    (here.zips / "send.zip").write_bytes((here.zips / "send.zip").read_bytes() + b"\0")
    assert deploy.deploy(here).report.names("function", UPDATED) == ["send"]


def test_the_gateway_refuses_who_has_no_token(open_emulator: Settings) -> None:
    context = deploy.deploy(open_emulator)
    outputs = deploy.read_outputs(open_emulator)
    assert outputs is not None
    for header in ({}, {"Authorization": "Bearer not.a.token"}):
        request = urllib.request.Request(f"{outputs['api_url']}/withdrawal/queue/status", headers=header)
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(request)
        assert refusal.value.code == 401
    described = context.client("cognito-idp").describe_user_pool_client(
        UserPoolId=outputs["cognito"]["pool_id"], ClientId=outputs["cognito"]["client_id"])["UserPoolClient"]
    assert "custom:tenant" in described["ReadAttributes"]
    assert "custom:tenant" not in described["WriteAttributes"]


def test_with_iam_enforced_only_validate_sign_may_sign(guarded_emulator: Settings) -> None:
    context = deploy.deploy(guarded_emulator)
    outputs = deploy.read_outputs(guarded_emulator)
    assert outputs is not None
    key = outputs["keys"]["treasury"]["acme"]
    for function in context.topology.functions:
        kms = as_role(context, outputs["roles"][function], "kms")
        for name in (key["key_id"], key["alias"]):
            if function == "validate-sign":
                assert sign(kms, name)["Signature"]
                continue
            with pytest.raises(ClientError) as refusal:
                sign(kms, name)
            assert refusal.value.response["Error"]["Code"] == "AccessDeniedException"


def test_with_iam_enforced_send_publishes_to_its_own_queue_alone(guarded_emulator: Settings) -> None:
    context = deploy.deploy(guarded_emulator)
    outputs = deploy.read_outputs(guarded_emulator)
    assert outputs is not None
    sqs = as_role(context, outputs["roles"]["send"], "sqs")
    message = {"Id": "one", "MessageBody": "{}", "MessageGroupId": "lane", "MessageDeduplicationId": "one"}
    assert sqs.send_message_batch(QueueUrl=outputs["queues"]["transactions.fifo"], Entries=[message])["Successful"]
    with pytest.raises(ClientError) as refusal:
        sqs.send_message(QueueUrl=outputs["queues"]["transfers-high"], MessageBody="{}")
    assert refusal.value.response["Error"]["Code"] == "AccessDenied"


def sign(kms, key: str) -> dict[str, Any]:
    """Signs a digest as validate-sign does."""
    return kms.sign(KeyId=key, Message=b"\1" * 32, MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256")


def as_role(context, role: str, service: str):
    """A client with the rights of a function's role."""
    session = context.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    return boto3.client(
        service, endpoint_url=context.settings.endpoint, region_name=REGION,
        aws_access_key_id=session["AccessKeyId"], aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"])
