"""What a schedule imports: mappings of several kinds, a workbook that changes, and what it says must be in Visma."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from end_to_end import MAPPING, NUMBERED, write_workbook

_REFERENCE = "  externalReference: Invoice no\n"
_CUSTOMERS = """\
version: 1
name: customers
endpoint: customer.create
workbook: {file: invoices.xlsx, sheet: Invoices}
key: Invoice no
fields:
  number: Invoice no
  name: Text
  corporateId: {template: "NO {{ row['Invoice no'] }}"}
"""
_KEY = re.compile(r"\bK\d{4}\b")
_DAY = date(2025, 1, 27)

#: What a document is in the eyes of somebody who compares the sheet with Visma: its customer and its lines.
Content = tuple[str, tuple[tuple[str, Decimal, Decimal], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Say what is imported, how it is numbered, and by what it can be found again."""

    mapping: str
    resource: str = "customerInvoice"
    #: the company's regime; `manual` is declared in targets.yaml too
    numbering: str = "automatic"
    #: whether a look-up can find it: by reference, identifier or a number that must be ours
    searchable: bool = True

    @property
    def numbered(self) -> bool:
        """Tell whether each document asks for the number that its key is."""
        return "umber: Invoice no\n" in self.mapping


KINDS = {
    "automatic numbers": Kind(mapping=MAPPING),
    "own numbers": Kind(mapping=NUMBERED, numbering="manual"),
    "own numbers, no reference": Kind(mapping=NUMBERED.replace(_REFERENCE, ""), numbering="manual"),
    "nothing to search for": Kind(mapping=MAPPING.replace(_REFERENCE, ""), searchable=False),
    "credit notes": Kind(
        mapping=MAPPING.replace("customerInvoice.", "customerCreditNote."), resource="customerCreditNote"
    ),
    "customers": Kind(mapping=_CUSTOMERS, resource="customer", numbering="manual"),
    "customers, automatic numbers": Kind(mapping=_CUSTOMERS.replace("  number: Invoice no\n", ""), resource="customer"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Hold one document of the workbook."""

    key: str
    customer: str
    lines: tuple[tuple[str, int, Decimal], ...]


@dataclass
class Book:
    """Hold a workbook that a person works on."""

    folder: Path
    kind: Kind
    name: str = "invoices.xlsx"
    entries: list[Entry] = field(default_factory=list)
    _count: int = 0

    def add(self, drawn: Iterable[tuple[int, str]]) -> None:
        """Add documents, each given by its customer's place and its shape: `one` line, `two`, or two that are equal."""
        for customer, shape in drawn:
            self._count += 1
            key = f"K{self._count:04}"
            first = (f"{key} Kaffe", 2, Decimal("19.90"))
            more = {"one": (), "two": ((f"{key} Frakt", 1, Decimal(149)),), "twins": (first,)}
            lines = (first, *(more[shape] if self.kind.resource != "customer" else ()))
            self.entries.append(Entry(key=key, customer=str(10001 + customer), lines=lines))

    def reorder(self, order: Sequence[int]) -> None:
        """Sort the documents otherwise; the lines of one stay in order, being its content."""
        places = [order[place % len(order)] if order else 0 for place in range(len(self.entries))]
        self.entries = [entry for _, entry in sorted(zip(places, self.entries, strict=True), key=lambda pair: pair[0])]

    def rename(self, name: str) -> None:
        """Give the file another name."""
        self.file.unlink()
        self.name = name

    @property
    def file(self) -> Path:
        """Return where it lies."""
        return self.folder / self.name

    def save(self) -> None:
        """Write it as a file."""
        rows = [
            (entry.key, entry.customer, _DAY, text, quantity, price)
            for entry in self.entries
            for text, quantity, price in entry.lines
        ]
        write_workbook(self.file, rows)

    @property
    def rows(self) -> dict[str, list[int]]:
        """Return the rows of each document, as Excel counts them, in the order of the sheet."""
        found: dict[str, list[int]] = {}
        row = 2
        for entry in self.entries:
            found[entry.key] = list(range(row, row + len(entry.lines)))
            row += len(entry.lines)
        return found

    def wanted(self) -> dict[str, Content]:
        """Return what each document must be in Visma."""
        return {
            entry.key: (entry.customer, tuple((text, Decimal(count), price) for text, count, price in entry.lines))
            if self.kind.resource != "customer"
            else (entry.lines[0][0], ())
            for entry in self.entries
        }


def key_of(document: dict[str, Any]) -> str:
    """Return the key of a document that the company holds: it stands in each of its texts."""
    found = _KEY.search(json.dumps(document["body"], default=str))
    return found[0] if found else f"no key: {document['number']}"


def content_of(document: dict[str, Any]) -> Content:
    """Return the content of a document that the company holds."""
    body = document["body"]
    lines = body.get("invoiceLines", body.get("lines", []))
    named = ("description", "quantity", "unitPriceInCurrency")
    read = [[line[name]["value"] for name in named] for line in lines]
    return (
        body["customerNumber"]["value"] if "customerNumber" in body else body["name"]["value"],
        tuple((text, Decimal(str(quantity)), Decimal(str(price))) for text, quantity, price in read),
    )
