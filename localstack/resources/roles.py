"""IAM roles: one for each function with exactly its rights, and one for the scheduler."""

from __future__ import annotations

import json
from typing import Any

from localstack import policies
from localstack.resources.context import CREATED, DELETED, UNCHANGED, UPDATED, Context
from localstack.resources.keys import alias_of
from localstack.settings import ACCOUNT, REGION

POLICY = "rights"
SCHEDULER = "scheduler"
# The administrator may take on each role here, so that a test can try what a role may do.
ADMINISTRATOR = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}


def apply(context: Context) -> None:
    """Creates or updates every role, and removes those of functions that are gone."""
    keys = {name: [arn for _, arn in family.values()] for name, family in context.keys.items()}
    aliases = {arn: [context.arn("kms", alias_of(context, name, tenant))]
               for name, family in context.keys.items() for tenant, (_, arn) in family.items()}
    for function in context.topology.functions.values():
        document = policies.document(context.topology, function, REGION, ACCOUNT, keys)
        _apply(context, function.name, policies.trust("lambda", ADMINISTRATOR),
               policies.for_emulator(document, aliases))
    _apply(context, SCHEDULER, policies.trust("scheduler"), _scheduler_policy(context))
    _prune(context)


def _scheduler_policy(context: Context) -> dict[str, Any]:
    called = {context.arn("lambda", f"function:{context.name(function.name)}")
              for _, function, _, _ in context.topology.schedules()}
    return {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["lambda:InvokeFunction"], "Resource": sorted(called)}]}


def _apply(context: Context, logical: str, trust: dict[str, Any], document: dict[str, Any]) -> None:
    iam, name = context.client("iam"), context.name(logical)
    try:
        role, change = iam.get_role(RoleName=name)["Role"], UNCHANGED
    except iam.exceptions.NoSuchEntityException:
        role, change = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"], CREATED
    context.role_arns[logical] = role["Arn"]
    if role["AssumeRolePolicyDocument"] != trust and change != CREATED:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
        change = UPDATED
    try:
        present = iam.get_role_policy(RoleName=name, PolicyName=POLICY)["PolicyDocument"]
    except iam.exceptions.NoSuchEntityException:
        present = None
    if present != document:
        iam.put_role_policy(RoleName=name, PolicyName=POLICY, PolicyDocument=json.dumps(document))
        change = UPDATED if change == UNCHANGED else change
    context.report.add("role", logical, change)


def _prune(context: Context) -> None:
    iam = context.client("iam")
    wanted = {context.name(logical) for logical in context.role_arns}
    for page in iam.get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            name = role["RoleName"]
            if not name.startswith(context.name("")) or name in wanted:
                continue
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
                iam.delete_role_policy(RoleName=name, PolicyName=policy)
            iam.delete_role(RoleName=name)
            context.report.add("role", name, DELETED)
