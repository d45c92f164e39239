"""Every request this program sends, held against the vendor's own OpenAPI document by a validator of third parties.

The document is not part of this repository; where it does not lie beside it, these tests are skipped.
"""

import json
import re
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from test_every_operation import DOCUMENTS, ORDER, company, here, run_sample, use_version_2

from importer.cli import run_command
from importer.sandbox.server import Logged

FILE = Path(__file__).parents[2] / "shared" / "visma-api" / "openapi-2025-04-24.json"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="the vendor's OpenAPI document is not here")
openapi_core = pytest.importorskip("openapi_core")
HOST = "https://api.finance.visma.net"
JSON = "application/json; charset=utf-8"


def is_moment(text: object) -> bool:
    """Tell whether a text is a date or a date and time, as the vendor's how-to pages write a `date-time`."""
    if not isinstance(text, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?Z?)?", text):
        return False
    return bool(datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text))


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Return the vendor's document without its security, which the validator does not know; tokens have own tests."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    found["components"].pop("securitySchemes", None)
    for item in found["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict):
                operation.pop("security", None)
    found.pop("security", None)
    return found


@pytest.fixture(scope="module")
def vendor(document: dict[str, Any]) -> Any:
    """Return the validator, which refuses properties that the document does not name."""
    config = openapi_core.Config(
        spec_validator_cls=None,
        additional_properties_default_policy="forbid",
        extra_format_validators={"date-time": is_moment},
    )
    return openapi_core.OpenAPI.from_dict(document, config=config)


def asked(method: str, path: str, query: str = "", body: bytes = b"") -> Any:
    """Return a request in the form the validator takes."""
    from openapi_core.testing import MockRequest

    return MockRequest(
        HOST, method.lower(), path, args=dict(parse_qsl(query)), data=body or None, content_type=JSON if body else ""
    )


def troubles(vendor: Any, method: str, path: str, query: str = "", body: bytes = b"") -> list[str]:
    """Return what the validator has against a request, and the query parameters that the document does not name."""
    request = asked(method, path, query, body)
    found: list[str] = []
    errors: list[Any] = []
    try:
        errors = list(vendor.iter_request_errors(request))
        at = vendor.request_validator._find_path(request)  # noqa: SLF001 - which operation the validator found
    except openapi_core.exceptions.OpenAPIError as error:
        return [f"{type(error).__name__}: {error}"]
    for error in errors:
        inner = getattr(error.__cause__, "schema_errors", ()) or ()
        found += [f"{'/'.join(map(str, each.absolute_path))}: {each.message}" for each in inner] or [str(error)]
    with at.operation.resolve() as resolved:
        operation = resolved.contents
    declared = {each["name"] for each in operation.get("parameters", []) if each.get("in") == "query"}
    found += [f"query parameter {name!r} is not declared" for name, _ in parse_qsl(query) if name not in declared]
    if body and "requestBody" not in operation:
        found.append("a body is sent where none is declared")
    return found


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Logged]]:
    """Carry every sample out, documents on both versions, and read what `plan` reads; return all that was sent."""
    log: list[Logged] = []
    names = here(ORDER)
    with company(tmp_path_factory.mktemp("v1"), "", names) as (box, project):
        for name in names:
            assert run_command(["plan", f"{name}/mapping.yaml", "--target", "company", "--quiet"]) == 0
            run_sample(project, name)
        for resource in ("customer", "customerInvoice", "customerCreditNote", "customerDebitNote"):
            fetch(project, resource)
        log += box.requests_log
    with company(tmp_path_factory.mktemp("v2"), "", ("customers", *DOCUMENTS)) as (box, project):
        run_sample(project, "customers")
        for name in DOCUMENTS:
            use_version_2(project / name / "mapping.yaml")
            run_sample(project, name)
        log += box.requests_log
    yield [entry for entry in log if "/connect/" not in entry.path]


def fetch(project: Path, resource: str) -> None:
    """Read a resource out, where the program has a command for that."""
    from importer.cli.commands import cli

    if "fetch" in cli.commands:
        file = project / f"{resource}.xlsx"
        assert run_command(["fetch", resource, "--target", "company", "--quiet", "-o", str(file)]) == 0


def test_every_request_is_one_the_vendor_describes(vendor: Any, sent: list[Logged]) -> None:
    """Method, path, query and body of every request are as the vendor's document says, and nothing unknown is sent."""
    distinct = {(entry.method, entry.path, entry.query, entry.body) for entry in sent}
    found = {
        f"{method} {path}?{query}": wrong
        for method, path, query, body in sorted(distinct)
        if (wrong := troubles(vendor, method, path, query, body))
    }
    assert found == {}
    assert {"GET", "POST", "PUT"} <= {entry.method for entry in sent}
    assert {"/v1/customerinvoice", "/v2/customerinvoice"} <= {entry.path for entry in sent if entry.method == "POST"}


def test_every_endpoint_of_the_table_was_sent(sent: list[Logged]) -> None:
    """Each endpoint, in each of its versions, is among the requests that were checked."""
    table = json.loads((Path(__file__).parents[1] / "schemas" / "endpoints.json").read_text(encoding="utf-8"))
    paths = [(entry.method, entry.path) for entry in sent]
    for name, row in table.items():
        for path in row["path"].values():
            pattern = re.escape(path).replace(r"\{key\}", "[^/]+")
            assert any(how == row["method"] and re.fullmatch(pattern, at) for how, at in paths), f"{name}: {path}"


GOOD = {
    "customerNumber": {"value": "10001"},
    "documentDate": {"value": "2025-01-27"},
    "invoiceLines": [{"operation": "Insert", "description": {"value": "Kaffe"}, "quantity": {"value": 1.5}}],
}
LINE = GOOD["invoiceLines"][0]
WRONG = {
    "misspelt field": {"customerNumbr": {"value": "10001"}},
    "lines under another name": {"lines": GOOD["invoiceLines"]},
    "misspelt field of a line": {"invoiceLines": [{**LINE, "quantitty": {"value": 1}}]},
    "misspelt wrapper": {"customerNumber": {"valeu": "10001"}},
    "number for a text": {"customerNumber": {"value": 10001}},
    "text for a number": {"invoiceLines": [{**LINE, "quantity": {"value": "1.5"}}]},
    "field without its wrapper": {"customerNumber": "10001"},
    "word that is none of the list": {"invoiceLines": [{**LINE, "operation": "Add"}]},
    "date as people write it": {"documentDate": {"value": "27.01.2025"}},
}


def test_a_right_body_passes_the_same_check(vendor: Any) -> None:
    """The check lets through what the vendor describes, so that a refusal means something."""
    assert troubles(vendor, "POST", "/v2/customerinvoice", "", json.dumps(GOOD).encode()) == []


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_a_wrong_body_is_refused_by_the_same_check(vendor: Any, change: dict[str, Any]) -> None:
    """A field that is misspelt, of another type or not wrapped does not pass."""
    assert troubles(vendor, "POST", "/v2/customerinvoice", "", json.dumps({**GOOD, **change}).encode()) != []


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("POST", "/v1/customerInvocie", ""),
        ("GET", "/v1/CustomerDebittNote", ""),
        ("GET", "/v2/customerinvoice/1", ""),
        ("PATCH", "/v1/customerinvoice/1", ""),
        ("GET", "/v1/customerinvoice", "externalRefrence=A"),
        ("GET", "/v1/customerinvoice", "pageNumber=one"),
        ("GET", "/v1/customerinvoice", "status=Posted"),
    ],
)
def test_a_wrong_address_is_refused_by_the_same_check(vendor: Any, method: str, path: str, query: str) -> None:
    """A path, method or query parameter that the vendor does not describe does not pass."""
    assert troubles(vendor, method, path, query) != []
