"""What every test may use: real workbooks written from rows, plans of them, and an environment without surprises."""

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import yaml
from databases import drop_databases
from drafts import INVOICE, Drafted, init
from records import outcome, record

from importer import workbook
from importer.journal import Journal, open_journal
from importer.mapping import parameter_values
from importer.mapping_file import read_mapping
from importer.plan import Plan, make_plan

MakeWorkbook = Callable[..., Path]
PlanOf = Callable[..., Plan]
Draft = Callable[..., Drafted]
#: How a line begins that a test prints for the end of all tests.
MEASURED = "measured: "


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep proxies, netrc and credentials of whoever runs the tests out of them."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("VISMA_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NETRC", os.devnull)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show what tests measured and counted: the lines that begin with `measured:`, from whichever process."""
    reports = terminalreporter.stats.get("passed", [])
    told = [line for report in reports for line in report.capstdout.splitlines() if line.startswith(MEASURED)]
    if told:
        terminalreporter.section("measured")
    for line in sorted(told):
        terminalreporter.line(line.removeprefix(MEASURED))


def pytest_sessionfinish() -> None:
    """Drop the databases that this process has made."""
    drop_databases()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where a journal may be."""
    return tmp_path / "private" / "journal.db"


@pytest.fixture
def journal(file: Path) -> Iterator[Journal]:
    """Return a journal in which a run of one document has begun."""
    opened = open_journal(file)
    opened.start_run(record(), [outcome()])
    yield opened
    opened.close()


def _fill(cell: Any, value: Any, number_format: str | None) -> None:
    cell.value = value
    if isinstance(value, str):
        cell.data_type = "s"  # text, also when it begins with =
    if number_format is not None:
        cell.number_format = number_format
    elif type(value) is date:
        cell.number_format = "yyyy-mm-dd"


@pytest.fixture
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all processes of one run of the tests share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture
def make_workbook(tmp_path: Path) -> MakeWorkbook:
    """Return a function that writes rows, the first being the headers, into a real .xlsx and returns its path."""

    def make(
        rows: Sequence[Sequence[Any]],
        sheet: str = "Rows",
        name: str = "rows.xlsx",
        *,
        formats: dict[str, str] | None = None,
        prepare: Callable[[openpyxl.Workbook], object] | None = None,
    ) -> Path:
        """Write the workbook; `formats` gives number formats by cell, `prepare` changes the book before it is saved."""
        book = openpyxl.Workbook()
        page = book.worksheets[0]
        page.title = sheet
        for row, values in enumerate(rows, start=1):
            for column, value in enumerate(values, start=1):
                if value is not None:
                    cell = page.cell(row, column)
                    _fill(cell, value, (formats or {}).get(cell.coordinate))
        if prepare is not None:
            prepare(book)
        file = tmp_path / name
        book.save(file)
        return file

    return make


@pytest.fixture
def plan_of(tmp_path: Path, make_workbook: MakeWorkbook) -> PlanOf:
    """Return a function that plans rows by a mapping, given as text or as data, through real files."""

    def plan(
        mapping: str | dict[str, Any], rows: Sequence[Sequence[Any]], params: dict[str, str] | None = None, **more: Any
    ) -> Plan:
        text = mapping if isinstance(mapping, str) else yaml.safe_dump(mapping, allow_unicode=True, sort_keys=False)
        file = tmp_path / "mapping.yaml"
        file.write_text(text, encoding="utf-8")
        read = read_mapping(file)
        rows_file = make_workbook(rows, **more)
        sheet = workbook.read(rows_file, sheet=read.workbook.sheet, header_row=read.workbook.header_row)
        return make_plan(read, sheet, parameter_values(read, params or {}))

    return plan


@pytest.fixture
def draft(make_workbook: MakeWorkbook) -> Draft:
    """Return a function that drafts a mapping for rows, the first being the headers."""

    def make(rows: Sequence[Sequence[Any]], endpoint: str = INVOICE, *options: str, **more: Any) -> Drafted:
        return init(make_workbook(rows, **more), endpoint, *options)

    return make
