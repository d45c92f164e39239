"""Measure a migration of the usual size: customers numbered by the API, then invoices on them by their old numbers.

    python tests/benchmarks/migration.py
    python tests/benchmarks/migration.py --customers 50 --invoices 200

5,000 customers and 20,000 invoices in one sequence, all on this machine: the sandbox is a part of each command, so that
its time and memory are in the figures. Each command is a process of its own; memory is the most that it ever held. In
the end every invoice is looked up in the sandbox's state, with the customer it is on.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import openpyxl
from measuring import measure_program

from importer.sandbox import inspect

CUSTOMERS = """\
version: 1
name: customers
endpoint: customer.create
workbook: {file: customers.xlsx}
key: Old no
fields:
  name: Name
  corporateId: Organisation no
"""
INVOICES = """\
version: 1
name: invoices
endpoint: customerInvoice.create
workbook: {file: invoices.xlsx}
key: Invoice no
fields:
  externalReference: Invoice no
  customerNumber: {document: customers, key: Old customer no}
  documentDate: Date
lines:
  description: Text
  quantity: Qty
  unitPriceInCurrency: {column: Unit price, decimals: 2}
"""
MIGRATION = """\
version: 1
name: migration
steps:
  - mapping: customers.yaml
  - mapping: invoices.yaml
"""
#: A prime, so that neighbours in the one workbook are far apart in the other.
_STRIDE = 7919


def old_number(place: int) -> str:
    """Return the number that a customer had in the old system."""
    return f"K-{place:05}"


def owner(invoice: int, customers: int) -> str:
    """Return the old number of the customer of an invoice."""
    return old_number(invoice * _STRIDE % customers)


def make(folder: Path, customers: int, invoices: int) -> None:
    """Write the migration: mappings and workbooks."""
    for name, text in (("customers", CUSTOMERS), ("invoices", INVOICES), ("migration", MIGRATION)):
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    _write(
        folder / "customers.xlsx",
        ("Old no", "Name", "Organisation no"),
        [(old_number(place), f"Kunde {old_number(place)} AS", f"{910_000_000 + place}") for place in range(customers)],
    )
    day = date(2025, 1, 2)
    _write(
        folder / "invoices.xlsx",
        ("Invoice no", "Old customer no", "Date", "Text", "Qty", "Unit price"),
        [
            (f"F{number:06}", owner(number, customers), day + timedelta(number % 28), "Kaffe", 2, Decimal("19.90"))
            for number in range(invoices)
        ],
    )


def _write(file: Path, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Rows")
    for row in (headers, *rows):
        sheet.append(row)
    book.save(file)


def compare(folder: Path, customers: int, invoices: int) -> None:
    """See that the sandbox holds each document once, and each invoice on its customer."""
    state = folder / ".visma-import" / "sandbox"
    numbers = {one["number"]: one["body"]["name"]["value"] for one in inspect.documents(state, "customer")}
    assert sorted(numbers.values()) == [f"Kunde {old_number(place)} AS" for place in range(customers)]
    on = {
        one["body"]["externalReference"]["value"]: numbers[one["body"]["customerNumber"]["value"]]
        for one in inspect.documents(state, "customerInvoice")
    }
    assert len(inspect.documents(state, "customerInvoice")) == invoices
    assert on == {f"F{number:06}": f"Kunde {owner(number, customers)} AS" for number in range(invoices)}


def main() -> int:
    """Print a line for each command, and what the comparison found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=5_000)
    parser.add_argument("--invoices", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    workers = str(given.workers)
    commands = (
        ("check", ["check", "migration.yaml", "--quiet"], 0),
        ("plan", ["plan", "migration.yaml", "--quiet", "-o", "migration.plan"], 0),
        ("apply", ["run", "--plan", "migration.plan", "--quiet", "--workers", workers], 0),
        ("apply again", ["run", "--plan", "migration.plan", "--quiet"], 3),
        ("run again", ["run", "migration.yaml", "--quiet"], 0),
    )
    print(f"{given.customers:,} customers numbered by the API, {given.invoices:,} invoices on them, {workers} workers")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        make(folder, given.customers, given.invoices)
        for name, arguments, code in commands:
            took = measure_program(folder, *arguments, code=code)
            print(f"{name:<14}{took.seconds:8.1f} s{took.megabytes:8.0f} MB", flush=True)
            if name == "apply":
                compare(folder, given.customers, given.invoices)
        compare(folder, given.customers, given.invoices)
    print("Each document is there once, each invoice on the right customer.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
