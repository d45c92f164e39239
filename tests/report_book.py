"""What the tests of results.xlsx share: a workbook, a run of it, its report, and what a sheet shows."""

import re
import zipfile
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
from records import record

from importer.model import Outcome, Problem, RunRecord, Status, Total
from importer.report import write_report
from importer.workbook import read, sha256

OURS = ("Import status", "Visma number", "Message")


def day(*numbers: int) -> datetime:
    return datetime(*numbers)  # noqa: DTZ001 - cells have no time zone


ROWS: tuple[tuple[Any, ...], ...] = (
    ("Invoice no", "Customer", "Amount", "Date", "Text"),
    ("1001", "0101", Decimal("-250.50"), day(2025, 1, 27), "First"),
    ("1001", "0101", Decimal("0.1"), day(2025, 1, 28, 13, 37, 11), "Second"),
    ("1002", "00123", Decimal(75), day(2025, 2, 1), None),
)


def make_workbook(
    folder: Path, edit: Callable[[Any], None] | None = None, rows: Sequence[tuple[Any, ...]] = ROWS, above: int = 0
) -> Path:
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.title = "Invoices"
    for _ in range(above):
        sheet.append(["A title"])
    for number, row in enumerate(rows, start=1 + above):
        for column, value in enumerate(row, start=1):
            sheet.cell(number, column).value = value
            if isinstance(value, str) and value.startswith("="):
                sheet.cell(number, column).data_type = "s"
    if edit:
        edit(sheet)
    file = folder / "invoices.xlsx"
    book.save(file)
    return file


def edit_xml(file: Path, part: str, pattern: str, replacement: str) -> None:
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    text, changed = re.subn(pattern, replacement, members[part].decode("utf-8"))
    assert changed, f"{pattern} is not in {part}"
    members[part] = text.encode("utf-8")
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def parts(file: Path) -> str:
    with zipfile.ZipFile(file) as archive:
        return "".join(
            archive.read(n).decode("utf-8") for n in archive.namelist() if n.startswith("xl/worksheets/sheet")
        )


def record_of(file: Path, **changes: Any) -> RunRecord:
    known: dict[str, Any] = {
        "run_id": "20250127-1",
        "started_at": "2025-01-27T10:00:00Z",
        "finished_at": "2025-01-27T10:00:05Z",
        "exit_code": 4,
        "workbook_name": file.name,
        "workbook_sha256": sha256(file) if file.is_file() else "0" * 64,
        "rows_read": 3,
        "totals": (Total(name="Net", column="Amount", sum=Decimal("-175.40"), expect=Decimal("-175.40")),),
    }
    return record(**(known | changes))


INVALID = Outcome(
    position=1,
    key="1002",
    status=Status.INVALID,
    rows=(4,),
    problems=(Problem(sheet="Invoices", row=4, column="Text", code="required", message="The cell is blank."),),
)
OUTCOMES = (
    Outcome(
        position=0, key="1001", status=Status.ACCEPTED, rows=(2, 3), number="000042", http_status=201,
        sent_at="2025-01-27T10:00:01.123Z",
    ),
    INVALID,
)  # fmt: skip


def report_on(file: Path, outcomes: Sequence[Outcome] = OUTCOMES, **changes: Any) -> Any:
    """Write the report beside the workbook and open its results.xlsx."""
    assert write_report(file.parent / "report", record_of(file, **changes), outcomes, file) == []
    return openpyxl.load_workbook(file.parent / "report" / "results.xlsx")


def column(sheet: Any, header: str, header_row: int = 1) -> dict[int, Any]:
    spot = next(cell.column for cell in sheet[header_row] if cell.value == header)
    return {row: sheet.cell(row, spot) for row in range(header_row + 1, sheet.max_row + 1)}


def rows_of(file: Path, header_row: int = 1) -> list[tuple[int, tuple[Any, ...], Any, bool]]:
    """Read the user's rows, blanks at their ends left out."""
    rows = []
    for row in read(file, sheet="Invoices", header_row=header_row).rows:
        cells = list(row.cells)
        while cells and cells[-1] is None:
            cells.pop()
        rows.append((row.number, tuple(cells), row.formats, row.hidden))
    return rows


def texts(sheet: Any, header: str) -> list[Any]:
    return [cell.value for cell in column(sheet, header).values()]


def lines_of(sheet: Any) -> list[list[Any]]:
    return [[value for value in row if value is not None] for row in sheet.iter_rows(values_only=True)]


def relocated(folder: Path) -> Path:
    """Move a report's workbook to a place of its own, as a user does who corrects it."""
    target = folder / "again"
    target.mkdir()
    file = target / "corrected.xlsx"
    file.write_bytes((folder / "report" / "results.xlsx").read_bytes())
    return file
