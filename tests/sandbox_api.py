"""Requests to a simulated API, and the bodies of its documents."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from importer.sandbox import Sandbox, Settings

INVOICE, CREDIT, DEBIT, CUSTOMER = (
    "/v1/customerinvoice",
    "/v1/customerCreditNote",
    "/v1/customerDebitNote",
    "/v1/customer",
)
TENANT = "11111111-2222-3333-4444-555555555555"


class Api:
    """Send requests to a sandbox over one kept connection."""

    def __init__(self, box: Sandbox) -> None:
        self.box = box
        self.http = requests.Session()
        self.http.trust_env = False

    def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        data = body if isinstance(body, str | bytes | None) else json.dumps(body)
        url = path if path.startswith("http") else self.box.base_url + path
        return self.http.request(method, url, data=data, timeout=10, allow_redirects=False, **more)

    def create(self, path: str = INVOICE, **fields: Any) -> str:
        """Create something and return its number."""
        answer = self("POST", path, customer(**fields) if path == CUSTOMER else document(path, **fields))
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"].rpartition("/")[2]

    def error(self, body: Any, path: str = INVOICE, method: str = "POST") -> str:
        """Send what has to be refused with 400 and return the message."""
        answer = self(method, path, body)
        assert answer.status_code == 400
        return answer.json()["message"]

    def numbers(self, query: str, path: str = INVOICE) -> list[str]:
        """Return the numbers that a list request gives."""
        answer = self("GET", f"{path}?{query}")
        assert answer.status_code == 200, answer.text
        return [row.get("referenceNumber", row.get("number")) for row in answer.json()]


def wrapped(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: content if isinstance(content, list) or name == "operation" else {"value": content}
        for name, content in fields.items()
    }


def line(**fields: Any) -> dict[str, Any]:
    return wrapped({"operation": "Insert", "description": "Potatoes", "quantity": 2, **fields})


def document(path: str = INVOICE, **fields: Any) -> dict[str, Any]:
    lines = "invoiceLines" if "invoice" in path.lower() else "lines"
    given = {"customerNumber": "10000", "documentDate": "2025-01-27", lines: [line(unitPriceInCurrency=2)]}
    return wrapped({**given, **fields})


def customer(**fields: Any) -> dict[str, Any]:
    return wrapped({"name": "Blåbær AS", **fields})


@contextmanager
def serve(folder: Path, clock: Any = time.time, **settings: Any) -> Iterator[Api]:
    with Sandbox(folder, settings=Settings(**settings), clock=clock) as box:
        api = Api(box)
        with api.http:
            yield api


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def api(folder: Path) -> Iterator[Api]:
    with serve(folder, release_delay_s=0, background_delay_s=0) as api:
        yield api
