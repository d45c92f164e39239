"""Judge a body as the accounting system does, and fill in what it leaves to the system."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from importer.sandbox.bodies import content, value
from importer.sandbox.catalog import Catalog, Fields, Resource
from importer.sandbox.company import Company
from importer.sandbox.store import Stored

CHANGEABLE = ("Hold", "Balanced")


def errors(
    catalog: Catalog, company: Company, resource: Resource, body: Mapping[str, Any], party: Stored | None
) -> Iterator[str]:
    """Yield what is wrong with a whole body; `party` is the customer it names, if there is one."""
    for name, label in resource.required.items():
        if not value(body, name):
            yield f"'{label}' cannot be empty."
    if resource.party:
        yield from _party_errors(resource, body, party)
    yield from _code_errors(catalog, company, resource.body, body)
    if resource.is_document:
        yield from _period_errors(company, body)
    if resource.lines:
        yield from _line_errors(body.get(resource.lines, []))


def fill(resource: Resource, body: dict[str, Any], company: Company, party: Stored | None, today: str) -> None:
    """Put in what a new document may leave out: its date, its period, its currency."""
    if not resource.is_document:
        return
    body.setdefault("documentDate", {"value": today})
    currency = value(party.body, "currencyId") if party else None
    body.setdefault("currencyId", {"value": currency or company.currency})
    if not value(body, "postPeriod") and not value(body, "financialPeriod"):
        date = value(body, "documentDate")
        body["financialPeriod"] = {"value": date[:4] + date[5:7]}


def complete_periods(body: dict[str, Any], change: Mapping[str, Any]) -> None:
    """Write the period that a change leaves out from the one it gives, where that one is readable."""
    given, other = value(change, "financialPeriod"), value(change, "postPeriod")
    if given and not other and re.fullmatch(r"\d{6}", given):
        body["postPeriod"] = {"value": given[4:] + given[:4]}
    elif other and not given and re.fullmatch(r"\d{6}", other):
        body["financialPeriod"] = {"value": other[2:] + other[:2]}


def _party_errors(resource: Resource, body: Mapping[str, Any], party: Stored | None) -> Iterator[str]:
    """Yield what is wrong with the customer of a document."""
    if resource.party is None:
        return
    label, number = resource.party.label, value(body, resource.party.field)
    if not number:
        yield f"'{label}' cannot be empty."
    elif party is None:
        yield f"{label} '{number}' cannot be found in the system."
    elif party.status == "Inactive":
        yield f"The status of {label.lower()} '{number}' is 'Inactive'."


def _code_errors(catalog: Catalog, company: Company, fields: Fields, body: Mapping[str, Any]) -> Iterator[str]:
    """Yield the codes of a body that the company does not have, those of its lines and addresses included."""
    for name, stored in body.items():
        spec = fields[name]
        inner = content(spec, stored)
        if spec.shape == "object":
            yield from _code_errors(catalog, company, catalog.types[spec.kind], inner)
        elif spec.shape == "list":
            for entry in inner:
                yield from _code_errors(catalog, company, catalog.types[spec.kind], entry)
        elif (code := company.codes.get(name)) and not code.has(str(inner)):
            yield f"{code.label} '{inner}' cannot be found in the system."


def _period_errors(company: Company, body: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the two periods of a document, MMYYYY and YYYYMM."""
    period, posted = value(body, "financialPeriod") or "", value(body, "postPeriod") or ""
    if not re.fullmatch(r"\d{4}(0[1-9]|1[0-2])", period) or not company.first_period <= period <= company.last_period:
        yield "Financial Period cannot be found in the system."
    elif posted != period[4:] + period[:4]:
        yield f"The post period '{posted}' and the financial period '{period}' disagree."
    elif period < company.closed_before:
        yield f"The {period[4:]}-{period[:4]} financial period is closed."


def _line_errors(lines: list[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines that name neither an item nor a description."""
    for line in lines:
        if not value(line, "inventoryNumber") and not value(line, "description"):
            yield f"Line {value(line, 'lineNumber')}: 'Inventory ID' and 'Description' cannot both be empty."
