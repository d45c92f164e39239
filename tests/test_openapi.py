"""Every request this program sends, held against the vendor's own OpenAPI document by a validator of third parties.

The document is not part of this repository; where it does not lie beside it, these tests are skipped.
"""

import json
import re
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import openapi_core
import pytest
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest
from test_every_operation import DOCUMENTS, company, named_commands, named_samples, run_sample, use_version_2

from importer.cli import run_command
from importer.cli.commands import cli
from importer.sandbox.server import Logged

FILE = Path(__file__).parents[2] / "shared" / "visma-api" / "openapi-2025-04-24.json"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="the vendor's OpenAPI document is not here")
HOST = "https://api.finance.visma.net"
JSON = "application/json; charset=utf-8"


def is_moment(text: object) -> bool:
    """Tell whether a text is a date or a date and time, as the vendor's how-to pages write a `date-time`."""
    if not isinstance(text, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?Z?)?", text):
        return False
    return bool(datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text))


@dataclass(frozen=True)
class Vendor:
    """Hold the vendor's document, and the validator made of it."""

    document: dict[str, Any]
    validator: openapi_core.OpenAPI


@pytest.fixture(scope="module")
def vendor() -> Vendor:
    """Return the vendor's document with its validator, which refuses properties that the document does not name.

    Its security is left out, since the validator does not know that kind; tokens have tests of their own.
    """
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    found["components"].pop("securitySchemes", None)
    for item in found["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict):
                operation.pop("security", None)
    config = openapi_core.Config(
        spec_validator_cls=None,
        additional_properties_default_policy="forbid",
        extra_format_validators={"date-time": is_moment},
    )
    return Vendor(found, openapi_core.OpenAPI.from_dict(found, config=config))


def described(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    """Return what the document says of a method and a path, a path without a variable first; empty without any."""
    for template in sorted(document["paths"], key=lambda template: template.count("{")):
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path):
            found: dict[str, Any] = document["paths"][template].get(method.lower(), {})
            return found
    return {}


def troubles(
    vendor: Vendor, method: str, path: str, query: str = "", body: bytes = b"", content_type: str = JSON
) -> list[str]:
    """Return what the validator has against a request, and the query parameters that the document does not name."""
    arguments = dict(parse_qsl(query))
    request = MockRequest(
        HOST, method.lower(), path, args=arguments, data=body or None, content_type=content_type if body else ""
    )
    found: list[str] = []
    try:
        errors: list[Any] = list(vendor.validator.iter_request_errors(request))
    except OpenAPIError as error:
        return [f"{type(error).__name__}: {error}"]
    for error in errors:
        inner = getattr(error.__cause__, "schema_errors", ()) or ()
        found += [f"{'/'.join(map(str, each.absolute_path))}: {each.message}" for each in inner] or [str(error)]
    operation = described(vendor.document, method, path)
    declared = {each["name"] for each in operation.get("parameters", []) if each.get("in") == "query"}
    found += [f"query parameter {name!r} is not declared" for name, _ in parse_qsl(query) if name not in declared]
    if body and "requestBody" not in operation:
        found.append("a body is sent where none is declared")
    return found


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> list[Logged]:
    """Carry out what README's table names, documents on both versions, and `plan`; return all that was sent."""
    log: list[Logged] = []
    names = named_samples()
    with company(tmp_path_factory.mktemp("v1"), "", names) as (box, project):
        for name in names:
            assert run_command(["plan", f"{name}/mapping.yaml", "--target", "company", "--quiet"]) == 0
            run_sample(project, name)
        for arguments in named_commands():
            if arguments[0] in cli.commands:
                assert run_command([*arguments, "--target", "company", "--quiet"]) == 0
        log += box.requests_log
    with company(tmp_path_factory.mktemp("v2"), "", ("customers", *DOCUMENTS)) as (box, project):
        run_sample(project, "customers")
        for name in DOCUMENTS:
            use_version_2(project / name / "mapping.yaml")
            run_sample(project, name)
        log += box.requests_log
    return [entry for entry in log if "/connect/" not in entry.path]


def test_every_request_is_one_the_vendor_describes(vendor: Vendor, sent: list[Logged]) -> None:
    """Method, path, query and body of every request are as the vendor's document says, and nothing unknown is sent."""
    distinct = {
        (entry.method, entry.path, entry.query, entry.body, entry.headers.get("content-type", "")) for entry in sent
    }
    found = {
        f"{request[0]} {request[1]}?{request[2]}": wrong
        for request in sorted(distinct)
        if (wrong := troubles(vendor, *request))
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


def test_a_right_body_passes_the_same_check(vendor: Vendor) -> None:
    """The check lets through what the vendor describes, so that a refusal means something."""
    assert troubles(vendor, "POST", "/v2/customerinvoice", "", json.dumps(GOOD).encode()) == []


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_a_wrong_body_is_refused_by_the_same_check(vendor: Vendor, change: dict[str, Any]) -> None:
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
def test_a_wrong_address_is_refused_by_the_same_check(vendor: Vendor, method: str, path: str, query: str) -> None:
    """A path, method or query parameter that the vendor does not describe does not pass."""
    assert troubles(vendor, method, path, query) != []
