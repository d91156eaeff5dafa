"""Least privilege, where the emulator enforces IAM: only validate-sign signs."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from support.world import World

pytestmark = [pytest.mark.guarded, pytest.mark.only_guarded]

OTHERS = ["intake", "send", "status-check", "settle", "dead-letters", "admin"]


def sign(world: World, function: str) -> bytes:
    """Signs a digest with a treasury's key under a function's role."""
    return world.stack.as_role(function, "kms").sign(
        KeyId=world.stack.outputs["keys"]["treasury"]["acme"]["key_id"], Message=b"\1" * 32,
        MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256")["Signature"]


@pytest.mark.parametrize("function", OTHERS)
def test_no_other_function_may_sign(world: World, function: str) -> None:
    with pytest.raises(ClientError) as refusal:
        sign(world, function)
    assert refusal.value.response["Error"]["Code"] == "AccessDeniedException"


def test_validate_sign_may(world: World) -> None:
    assert sign(world, "validate-sign")


@pytest.mark.parametrize("function", [*OTHERS, "validate-sign"])
def test_imported_keys_are_for_the_signer_alone(world: World, function: str) -> None:
    secrets = world.stack.as_role(function, "secretsmanager")
    read = {"SecretId": world.stack.outputs["secrets"]["imported-keys"]}
    if function == "validate-sign":
        assert secrets.get_secret_value(**read)["SecretString"]
        return
    with pytest.raises(ClientError) as refusal:
        secrets.get_secret_value(**read)
    assert refusal.value.response["Error"]["Code"] == "AccessDeniedException"
