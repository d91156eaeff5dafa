"""The public HTTP API, spoken as a client does."""

from __future__ import annotations

import json
import secrets
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

REASON = "end-to-end test"
BUSY = 503
# A client that is told to come back does so this often.
BUSY_MAX = 20


@dataclass(frozen=True)
class Answer:
    """An answer: its status, its body (parsed where it is JSON), its headers."""

    status: int
    body: Any
    headers: dict[str, str]

    def must(self, status: int) -> Any:
        """The body of an answer that must have this status."""
        assert self.status == status, f"answered {self.status}, not {status}: {self.body}"
        return self.body


class Api:
    """The API as one user sees it; without a token, as nobody."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url
        self.token = token

    def get(self, path: str, **query: Any) -> Answer:
        """GET."""
        asked = {name: value for name, value in query.items() if value is not None}
        return self.call("GET", f"{path}?{urllib.parse.urlencode(asked)}" if asked else path)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        """POST of a JSON body; text and bytes go as they are."""
        data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        return self.call("POST", path, data, {"content-type": "application/json"} | headers)

    def post_until_taken(self, path: str, body: Any, **headers: str) -> Answer:
        """POST that is repeated as Retry-After says; the caller's key makes that harmless."""
        for _ in range(BUSY_MAX):
            answer = self.post(path, body, **headers)
            if answer.status != BUSY:
                return answer
            time.sleep(int(answer.headers["retry-after"]))
        return answer

    def items(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All rows of an operators' list, page by page."""
        cursor = None
        while True:
            page = self.get(path, limit=100, cursor=cursor, **query).must(200)
            yield from page["items"]
            cursor = page.get("nextCursor")
            if cursor is None:
                return

    def act(self, path: str, **fields: Any) -> Answer:
        """An operator's change, with a reason."""
        return self.post(f"/admin/v1/{path}", {"reason": REASON} | fields)

    def call(self, method: str, path: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """One request; every status is an answer, only silence is an error."""
        sent = dict(headers or {})
        if self.token:
            sent["authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(self.url + path, data, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return _answer(reply.status, reply)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return _answer(refusal.code, refusal)


def new_key() -> str:
    """An idempotency key that was never used."""
    return f"e2e-{secrets.token_hex(12)}"


def _answer(status: int, reply) -> Answer:
    content = reply.read()
    try:
        body = json.loads(content)
    except ValueError:
        body = content.decode(errors="replace")
    return Answer(status, body, {name.lower(): value for name, value in reply.headers.items()})
