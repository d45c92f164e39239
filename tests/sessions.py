"""Targets, tokens and sessions for tests, and servers that answer them with any bytes."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from end_to_end import RawServer, http

from importer.api.client import Answer, Client, NoAnswer
from importer.api.session import Session
from importer.api.token import TokenSource
from importer.api.wait import TURNED_AWAY, seconds_to_wait
from importer.sandbox import Sandbox, Settings
from importer.target import Secret, Target

CLIENT, SECRET = "planted-client-4711", "planted-secret-hunter2"
TENANT = "11111111-2222-3333-4444-555555555555"
INVOICE = b'{"customerNumber": {"value": "10000"}, "documentDate": {"value": "2025-01-27"}}'
CUSTOMERS = "/v1/customer?pageNumber=1&pageSize=1"


class Answers(RawServer):
    """Answer each request, reads and tokens too, with whatever bytes a test wants."""

    def _reply(self, request: bytes) -> bytes:
        self.requests.append(request)
        return self._answer(len(self.requests) - 1, request)


@dataclass
class Clock:
    """Count seconds that pass only when somebody waits."""

    now: float = 1000.0
    waits: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        """Let the time pass at once; nobody stops it."""
        assert seconds > 0
        assert len(self.waits) < 1000, "it waits without end"
        self.waits.append(seconds)
        self.now += seconds
        return False


def target_at(base_url: str, *, company: str = TENANT, token_url: str = "", **more: Any) -> Target:
    return Target(
        name="test",
        base_url=base_url,
        token_url=token_url or f"{base_url}/connect/token",
        company=company,
        client_id=Secret(CLIENT),
        client_secret=Secret(SECRET),
        **more,
    )


@contextmanager
def token_source(target: Target, **more: Any) -> Iterator[TokenSource]:
    client = Client(target.token_url.removesuffix("/connect/token"), timeout_s=(5.0, 10.0))
    try:
        yield TokenSource(target, client, **more)
    finally:
        client.close()


@contextmanager
def session_with(target: Target, tokens: bool = True, **more: Any) -> Iterator[Session]:
    client = Client(target.base_url, timeout_s=(5.0, 10.0))
    try:
        with token_source(target) as source:
            yield Session(client, source if tokens else None, **more)
    finally:
        client.close()


def token_answer(token: str = "a-token", lifetime: object = 3600) -> bytes:
    return http(200, json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": lifetime}).encode())


def header(request: bytes, name: str) -> str:
    """Return a header of a request, empty where it is not there."""
    for row in request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]:
        key, _, value = row.partition(": ")
        if key.lower() == name.lower():
            return value
    return ""


def status(result: Answer | NoAnswer) -> int:
    assert isinstance(result, Answer), result
    return result.status


def sent(session: Session) -> int:
    """Send an invoice as a run does: when its turn comes, and again where it was turned away unprocessed."""
    while session.turn():
        result = session.write("POST", "/v1/customerinvoice", INVOICE)
        if status(result) not in TURNED_AWAY or session.wait(seconds_to_wait(result)):  # type: ignore[arg-type]
            return status(result)
    return 0


@contextmanager
def company(tmp_path: Path, *, clock: Callable[[], float] = time.time, **settings: Any) -> Iterator[Sandbox]:
    with Sandbox(tmp_path / "served", settings=Settings(**settings), clock=clock) as box:
        yield box


@contextmanager
def company_session(box: Sandbox, **more: Any) -> Iterator[Session]:
    """Open a session with a company, with tokens where it wants them."""
    target = target_at(box.base_url, company=box.company_id)
    with session_with(target, tokens=box.settings.require_token, **more) as session:
        yield session


def writes(box: Sandbox) -> list[int]:
    """Return the statuses of the writes that reached a company."""
    return [logged.status for logged in box.requests_log if "customerinvoice" in logged.path]
