"""What the tests of sequences share: customers, and invoices that refer to them by old numbers."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import sqlalchemy as sa
from databases import BOTH, journal_on, rows_of
from end_to_end import ROOT, aim, command, environment, write_workbook

from importer.sandbox import Fault, Sandbox, Settings, inspect

CUSTOMER_HEADERS = ("Old no", "Name", "Terms")
INVOICE_HEADERS = ("Invoice no", "Old customer", "Date", "Text", "Qty", "Unit price")
#: No number is sent, so that the API gives one.
CUSTOMERS = """\
version: 1
name: customers
endpoint: customer.create
workbook: {file: customers.xlsx, sheet: Invoices}
key: Old no
fields:
  name: Name
  corporateId: Old no
  creditTermsId: {column: Terms, blank: omit}
"""
INVOICES = """\
version: 1
name: invoices
endpoint: customerInvoice.create
workbook: {file: invoices.xlsx, sheet: Invoices}
key: Invoice no
fields:
  externalReference: Invoice no
  customerNumber: {document: customers, key: Old customer}
  documentDate: Date
lines:
  description: Text
  quantity: Qty
  unitPriceInCurrency: {column: Unit price, decimals: 2}
"""
MIGRATION = """\
version: 1
name: move
steps:
  - mapping: customers.yaml
  - mapping: invoices.yaml
"""
#: A code that the sandbox does not know, so that it refuses the customer.
REFUSED = "TT"
DAY = date(2025, 1, 27)


def customer(number: int, terms: str | None = None) -> tuple[Any, ...]:
    """Return the row of a customer: K-1, K-2 and so on."""
    return (f"K-{number}", f"Kunde {number}", terms)


def invoice(number: int, of: str, text: str = "Kaffe") -> tuple[Any, ...]:
    """Return the row of an invoice to the customer with an old number."""
    return (f"F{number:04}", of, DAY, text, 2, 10 + number)


@dataclass
class Mover:
    """Hold the folder of a migration, where its journal lies, and the company it goes to."""

    project: Path
    journal: str
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        self.state = self.project.parent / "company"
        #: how far the company's clock is ahead of ours
        self.ahead_s = 0
        self.box = Sandbox(self.state, settings=self.settings, clock=lambda: time.time() + self.ahead_s)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        file = self.project / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def customers(self, *rows: Sequence[Any], headers: Sequence[str] = CUSTOMER_HEADERS) -> None:
        """Write the customers' workbook."""
        write_workbook(self.project / "customers.xlsx", rows, headers)

    def invoices(self, *rows: Sequence[Any], headers: Sequence[str] = INVOICE_HEADERS) -> None:
        """Write the invoices' workbook."""
        write_workbook(self.project / "invoices.xlsx", rows, headers)

    @property
    def told(self) -> list[str]:
        """Return the options that every command here needs."""
        return ["--target", "test", "--journal", self.journal]

    def do(self, name: str, *arguments: str | Path) -> "Done":
        """Give the program a command in this process, its target and its journal named."""
        code, out, err = command(name, *self.told, *arguments, cwd=self.project)
        return Done(code, out, err, self.project)

    def checked(self, *options: str) -> Any:
        """Return what `check --json` prints of the migration."""
        code, out, _ = command("check", "migration.yaml", "--json", *options, cwd=self.project)
        data = json.loads(out)
        validate(data, "check")
        assert data["exit_code"] == code
        return data

    def sent(self, resource: str = "customerInvoice") -> list[dict[str, Any]]:
        """Return the bodies that the company holds."""
        return [one["body"] for one in inspect.documents(self.state, resource)]

    def run(self, what: str = "migration.yaml", *options: str | Path) -> "Done":
        """Run the migration, or one of its mappings, in this process; each document is there at most once."""
        done = self.do("run", what, "--yes", *options)
        self.check()
        return done

    def arguments(self, what: str = "migration.yaml", *options: str | Path) -> list[str]:
        """Return the command line of a run."""
        return ["run", what, "--yes", *self.told, *map(str, options)]

    @contextmanager
    def running(self, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
        """Start the program in a process of its own, which does not outlive the test."""
        with subprocess.Popen(
            [sys.executable, "-m", "importer", *(arguments or self.arguments())],
            cwd=self.project,
            env=environment(self.project),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def check(self) -> None:
        """See that no document is in the company twice, and that each invoice is on the customer it refers to."""
        names = [self.names[number] for number in sorted(self.names)]
        assert len(names) == len(set(names)), "a customer is there twice"
        held = self.held
        assert len(held) == len({reference for reference, _ in held}), "an invoice is there twice"

    @property
    def names(self) -> dict[str, str]:
        """Return the names of the customers that came, by their new numbers."""
        return {one["number"]: one["body"]["name"]["value"] for one in inspect.documents(self.state, "customer")}

    @property
    def held(self) -> list[tuple[str, str]]:
        """List the invoices of the company, each with the name of its customer."""
        names = self.names
        return sorted(
            (one["body"]["externalReference"]["value"], names.get(number, number))
            for one in inspect.documents(self.state, "customerInvoice")
            for number in [one["body"]["customerNumber"]["value"]]
        )

    @property
    def writes(self) -> int:
        """Count the writes that came in."""
        return inspect.writes(self.state)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read from the journal, without the program."""
        with rows_of(self.journal) as connection:
            return [tuple(row) for row in connection.execute(sa.text(query))]

    def fail(self, *faults: Fault) -> None:
        """Let the company go wrong from now on; without faults no more."""
        self.box.faults[:] = faults


@dataclass(frozen=True)
class Done:
    """Hold what a command left."""

    code: int
    out: str
    err: str
    project: Path

    @property
    def folder(self) -> Path:
        """Return the folder of the report over all steps."""
        named = [line.removeprefix("Report: ") for line in self.out.splitlines() if line.startswith("Report: ")]
        return self.project / named[-1]

    @property
    def results(self) -> dict[str, Any]:
        """Return results.json over all steps, held against its schema."""
        return results_of(self.folder)

    def step(self, name: str) -> dict[str, Any]:
        """Return what became of one step."""
        found: dict[str, Any] = next(step for step in self.results["steps"] if step["step"] == name)
        return found

    def statuses(self, name: str) -> dict[str, str]:
        """Return the status of each document of a step by its key."""
        return {one["key"]: one["status"] for one in self.step(name)["documents"]}

    def messages(self, name: str) -> dict[str, str]:
        """Return the message of each document of a step by its key."""
        return {one["key"]: one["message"] for one in self.step(name)["documents"]}


def results_of(folder: Path) -> dict[str, Any]:
    """Return results.json of a sequence, held against its schema."""
    data: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    validate(data, "sequence-results")
    return data


def validate(data: Any, schema: str) -> None:
    """Hold data against one of the program's own schemas."""
    text = (ROOT / "schemas" / f"{schema}.schema.json").read_text(encoding="utf-8")
    jsonschema.Draft7Validator(json.loads(text)).validate(data)


@contextmanager
def open_mover(
    folder: Path, database: str = "sqlite", settings: Settings | None = None, migration: str = MIGRATION
) -> Iterator[Mover]:
    """Open a migration of two customers and three invoices, its journal on a database, its company running."""
    with journal_on(database, folder) as journal:
        project = folder / "project"
        project.mkdir(parents=True)
        mover = Mover(project, journal, settings or Settings())
        for name, text in (("customers.yaml", CUSTOMERS), ("invoices.yaml", INVOICES), ("migration.yaml", migration)):
            mover.write(name, text)
        mover.customers(customer(1), customer(2))
        mover.invoices(invoice(1, "K-1"), invoice(2, "K-2"), invoice(3, "K-1"))
        with mover.box:
            aim(project, mover.box.base_url)
            yield mover


@pytest.fixture(params=BOTH)
def mover(request: pytest.FixtureRequest, tmp_path: Path) -> "Iterator[Mover]":
    """Return a consultant with a journal on each of the databases."""
    with open_mover(tmp_path, request.param) as opened:
        yield opened


@pytest.fixture
def local(tmp_path: Path) -> "Iterator[Mover]":
    """Return a consultant with a journal in a file."""
    with open_mover(tmp_path) as opened:
        yield opened
