"""What the tests of `fetch` share: lists answered with any bytes, customers and invoices, a target."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from end_to_end import http

from importer import fetch
from importer.api.client import Client
from importer.api.session import Session
from importer.sandbox import Sandbox

#: More digits than Excel keeps, and than a float.
EXACT = "1234567890123456.75"


def page(*rows: dict[str, Any], **metadata: int) -> bytes:
    """Write one page of a list, each row with the paging's metadata."""
    return http(200, json.dumps([{**row, "metadata": metadata} for row in rows]).encode())


@contextmanager
def session_with(base_url: str) -> Iterator[Session]:
    client = Client(base_url, timeout_s=(5.0, 10.0))
    try:
        yield Session(client)
    finally:
        client.close()


def numbers_in(file: Path) -> list[str]:
    """Return the numbers of the rows in a file of JSON lines."""
    return [json.loads(text)["number"] for text in file.read_text(encoding="utf-8").splitlines()]


def fetched(base_url: str, request: fetch.Request, page_size: int = 100) -> fetch.Fetched:
    with session_with(base_url) as session:
        return fetch.fetch(session, request, page_size=page_size)


def create(base_url: str, path: str, *bodies: dict[str, Any]) -> None:
    with session_with(base_url) as session:
        for body in bodies:
            answer = session.write("POST", path, json.dumps(body).encode())
            assert getattr(answer, "status", None) == 201, answer


def wrapped(**fields: Any) -> dict[str, Any]:
    return {name: value if isinstance(value, list) else {"value": value} for name, value in fields.items()}


def line(**fields: Any) -> dict[str, Any]:
    return {"operation": "Insert", **wrapped(**fields)}


def invoice(number: str, *lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    given = {"referenceNumber": number, "customerNumber": "10000", "documentDate": "2025-01-27", **more}
    return wrapped(**given, invoiceLines=list(lines) or [line(description="Kaffe", quantity=1, unitPriceInCurrency=2)])


def items(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    """Return rows as they are read: every number with a point exact."""
    return json.loads(json.dumps(rows).replace(f'"{EXACT}"', EXACT), parse_float=Decimal)


def aim(folder: Path, box: Sandbox) -> None:
    """Declare a sandbox that is served already as the target of a project."""
    (folder / "secret.txt").write_text("a secret", encoding="utf-8")
    target = {
        "base_url": box.base_url,
        "token_url": box.token_url,
        "tenant_id": box.company_id,
        "client_id": "somebody",
        "client_secret": {"file": "secret.txt"},
        "default": True,
    }
    (folder / "targets.yaml").write_text(json.dumps({"test": target}), encoding="utf-8")
