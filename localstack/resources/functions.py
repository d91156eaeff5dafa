"""Lambda functions, from the zips that packaging made."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import Any

from localstack.resources.context import CREATED, DELETED, UNCHANGED, UPDATED, Context
from localstack.settings import PlatformError
from localstack.topology import Function

ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


def apply(context: Context) -> None:
    """Creates or updates every function, and removes those that left the topology."""
    for function in context.topology.functions.values():
        context.report.add("function", function.name, _apply(context, function))
    settled = context.client("lambda").get_waiter("function_active_v2")
    for name in context.report.names("function", CREATED):
        settled.wait(FunctionName=context.name(name), WaiterConfig={"Delay": 1})
    _prune(context)


def _apply(context: Context, function: Function) -> str:
    client, name = context.client("lambda"), context.name(function.name)
    code = _code(context, function)
    wanted = _configuration(context, function)
    try:
        present = client.get_function_configuration(FunctionName=name)
    except client.exceptions.ResourceNotFoundException:
        made = client.create_function(
            FunctionName=name, Code={"ZipFile": code}, Architectures=[_host_architecture()], **wanted)
        context.function_arns[function.name] = made["FunctionArn"]
        return CREATED
    context.function_arns[function.name] = present["FunctionArn"]
    change = UNCHANGED
    if present["CodeSha256"] != base64.b64encode(hashlib.sha256(code).digest()).decode():
        client.update_function_code(FunctionName=name, ZipFile=code)
        client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        change = UPDATED
    if any(present.get(key) != value for key, value in wanted.items()):
        client.update_function_configuration(FunctionName=name, **wanted)
        client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        change = UPDATED
    return change


def _configuration(context: Context, function: Function) -> dict[str, Any]:
    return {
        "Runtime": function.runtime,
        "Handler": "bootstrap",
        "Role": context.role_arns[function.name],
        "MemorySize": function.memory_mb,
        "Timeout": function.timeout_s,
        "Environment": {"Variables": function.environment | {
            "CAUSEWAY_PREFIX": context.topology.prefix,
            "CAUSEWAY_QUEUE_BASE": queue_base(context),
            "CAUSEWAY_NETWORKS": ",".join(context.topology.networks),
            "AWS_ENDPOINT_URL": context.settings.function_endpoint,
        }},
    }


def queue_base(context: Context) -> str:
    """Address of the account's queues as a function sees it, without a trailing slash."""
    account = next(iter(context.queue_urls.values())).rstrip("/").rsplit("/", 2)[1]
    return f"{context.settings.function_endpoint}/{account}"


def _code(context: Context, function: Function) -> bytes:
    path = context.settings.zips / f"{function.name}.zip"
    if not path.is_file():
        raise PlatformError(f"{path} is missing: run `python3 localstack/platform.py package "
                            f"--profile {context.settings.profile}`")
    return path.read_bytes()


def _host_architecture() -> str:
    # Workers run on this machine, whatever the topology asks of AWS.
    return ARCHITECTURES.get(os.uname().machine, "x86_64")


def _prune(context: Context) -> None:
    client = context.client("lambda")
    for page in client.get_paginator("list_functions").paginate():
        for present in page["Functions"]:
            name = present["FunctionName"]
            if name.startswith(context.name("")) and present["FunctionArn"] not in context.function_arns.values():
                client.delete_function(FunctionName=name)
                context.report.add("function", name, DELETED)
