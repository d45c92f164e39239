"""Make the workbook of the benchmarks: invoices of about three lines, made up, the same whenever it is made."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import openpyxl

#: The columns; each invoice has one to five lines, three on average.
HEADERS = (
    *("Fakturanr", "Kundenr", "Fakturadato", "Forfallsdato", "Valuta", "Tekst"),
    *("Antall", "Enhet", "Pris", "Konto", "MVA-kode", "Referanse"),
)
MAPPING = """\
version: 1
name: fakturaer
endpoint: customerInvoice.create
key: Fakturanr
fields:
  externalReference: Fakturanr
  customerNumber: Kundenr
  documentDate: Fakturadato
  documentDueDate: Forfallsdato
  currencyId: Valuta
  customerRefNumber: Referanse
lines:
  description: Tekst
  quantity: Antall
  uom: Enhet
  unitPriceInCurrency: {column: Pris, decimals: 2}
  accountNumber: Konto
  vatCodeId: MVA-kode
"""
#: As many lines have the invoices of a row of six, again and again.
_LINES = (3, 2, 4, 3, 1, 5)
_CUSTOMERS = 5_000
_FIRST_DAY = date(2026, 10, 1)

Row = tuple[Any, ...]


def rows_of(count: int) -> Iterator[Row]:
    """Yield so many rows, those of an invoice together."""
    drawn = random.Random(7)
    invoice = left = 0
    for number in range(count):
        if not left:
            left = _LINES[invoice % len(_LINES)]
            invoice += 1
        left -= 1
        day = _FIRST_DAY + timedelta(invoice % 28)
        price = Decimal(drawn.randrange(100, 999_999)) / 100
        yield (
            *(f"F{invoice:06}", f"{10_000 + invoice % _CUSTOMERS}", day, day + timedelta(14), "NOK"),
            *(f"Kaffe og te, levering {number % 997}", number % 9 + 1, "STK", float(price)),
            *("3000", "3", f"Ordre {invoice:06}"),
        )


def invoices_of(count: int) -> list[list[Row]]:
    """Return so many rows, each invoice's in a list of its own."""
    return [list(lines) for _, lines in groupby(rows_of(count), key=lambda row: row[0])]


def rows_for(documents: int) -> int:
    """Return how many rows as many invoices have."""
    whole, rest = divmod(documents, len(_LINES))
    return whole * sum(_LINES) + sum(_LINES[:rest])


def make_workbook(file: Path, count: int) -> Path:
    """Write a workbook with so many rows below its headers."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Fakturaer")
    for row in (HEADERS, *rows_of(count)):
        sheet.append(row)
    book.save(file)
    return file


def body_of(lines: list[Row]) -> dict[str, Any]:
    """Return what is to be sent for an invoice, as a user would write it."""
    number, customer, day, due, currency, *_ = lines[0]
    return {
        "externalReference": {"value": number},
        "customerNumber": {"value": customer},
        "documentDate": {"value": day.isoformat()},
        "documentDueDate": {"value": due.isoformat()},
        "currencyId": {"value": currency},
        "customerRefNumber": {"value": lines[0][11]},
        "invoiceLines": [
            {
                "operation": "Insert",
                "description": {"value": line[5]},
                "quantity": {"value": line[6]},
                "uom": {"value": line[7]},
                "unitPriceInCurrency": {"value": line[8]},
                "accountNumber": {"value": line[9]},
                "vatCodeId": {"value": line[10]},
            }
            for line in lines
        ],
    }
