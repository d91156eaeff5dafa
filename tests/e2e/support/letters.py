"""Dead letters, as an operator finds them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

from .api import Api
from .waiting import wait_until

Letter = dict[str, Any]

TRACE = "trc_01jfz4c3q8e000000000000000"


def letters(operator: Api, status: str = "open") -> list[Letter]:
    """The dead letters of a status."""
    return list(operator.items("/admin/v1/dead-letters", status=status))


def letter_about(transfer: str) -> Callable[[Letter], bool]:
    """Recognises the dead letter of a transfer."""
    parcel = parcel_of(transfer)
    return lambda letter: letter.get("parcel") == parcel


def parcel_of(transfer: str) -> str:
    """The parcel that a transfer lies in."""
    return "pcl_" + transfer.removeprefix("tr_").rsplit("-", 1)[0]


def new_parcel() -> str:
    """The name of a parcel that does not exist."""
    return "pcl_0" + "".join(secrets.choice("0123456789abcdefghjkmnpqrstvwxyz") for _ in range(25))


def message_of(transfer: str) -> str:
    """The message that asks for a number for a transfer; repeats of it are harmless."""
    return json.dumps({"parcel": parcel_of(transfer), "trace": TRACE})


def wait_letter(operator: Api, wanted: Callable[[Letter], bool], status: str = "open") -> Letter:
    """Waits for a dead letter, and returns all that is known of it."""
    found = wait_until(f"a dead letter, {status}", lambda: [one for one in letters(operator, status) if wanted(one)])
    assert len(found) == 1, found
    return operator.get(f"/admin/v1/dead-letters/{found[0]['id']}").must(200)
