"""Write results.xlsx: the user's own workbook, each row with what became of it, and a summary."""

from collections.abc import Iterator, Sequence
from copy import copy
from pathlib import Path
from typing import Any, Final

from openpyxl.cell.cell import MergedCell
from openpyxl.packaging.custom import StringProperty
from openpyxl.styles import Alignment, Font, PatternFill

from importer.errors import WorkbookError
from importer.model import Outcome, Problem, RunRecord, Status
from importer.report.cells import put_text, save
from importer.report.check_tables import add_check
from importer.report.checked import CheckRecord
from importer.report.columns import (
    Columns,
    clear_columns,
    find_header_row,
    let_filter,
    message_height,
    place_columns,
)
from importer.report.contents import Contents
from importer.report.marks import clear_marks, mark_cells
from importer.report.summary_sheet import add_summary
from importer.report.words import row_message
from importer.report.workbook_copy import legible, load, quiet
from importer.workbook import REPORT_MARK, ReportMark, report_mark

#: Soft fills, told apart in grey print by the bold words of what needs somebody's attention.
FILLS: Final = {
    Status.ACCEPTED: "E2EFDA",
    Status.ALREADY_ACCEPTED: "EDF5E7",
    Status.CHANGED: "FFF2CC",
    Status.INVALID: "FCE4D6",
    Status.FILTERED: "EDEDED",
    Status.REJECTED: "F8CBAD",
    Status.NOT_SENT: "DDEBF7",
    Status.UNKNOWN: "FFE08A",
}
URGENT: Final = frozenset({Status.CHANGED, Status.INVALID, Status.REJECTED, Status.NOT_SENT, Status.UNKNOWN})


def write(target: Path, told: Contents) -> None:
    """Write a copy of the workbook with the outcomes beside its rows.

    Raises: WorkbookError when there is no workbook to copy or it cannot be copied.
    """
    record, outcomes = told.record, told.outcomes
    book = load(told.workbook, record)
    if record.sheet not in book.sheetnames:
        raise WorkbookError(f"The workbook {record.workbook_name!r} has no sheet {record.sheet!r}.")
    with quiet(), legible(record):
        sheet = book[record.sheet]
        mark = report_mark(book)
        _take_off(book, mark, record)
        earlier = mark.columns if mark and mark.sheet == sheet.title else ()
        columns = place_columns(sheet, record.header_row, earlier)
        _Writer(sheet, columns).write(outcomes)
        mark_cells(sheet, record.header_row, _problems(record, outcomes))
        let_filter(sheet, record.header_row, columns, (row for outcome in outcomes for row in outcome.rows))
        summary = add_summary(book, told)
        if isinstance(record, CheckRecord):
            add_check(book[summary], record)
        value = ReportMark(sheet=sheet.title, columns=columns.names, summary=summary).dump()
        book.custom_doc_props.append(StringProperty(name=REPORT_MARK, value=value))
        _show(book, sheet)
        save(book, target)


def _problems(record: RunRecord, outcomes: Sequence[Outcome]) -> Iterator[Problem]:
    """Yield what is wrong with cells; a check also knows what is wrong with the file as a whole."""
    yield from record.held if isinstance(record, CheckRecord) else ()
    for outcome in outcomes:
        if outcome.status is Status.INVALID:
            yield from outcome.problems


def _take_off(book: Any, mark: ReportMark | None, record: RunRecord) -> None:
    """Take off what an earlier report added; its columns on the run's own sheet are written again in their place."""
    if mark is None:
        return
    del book.custom_doc_props[REPORT_MARK]
    if mark.summary in book.sheetnames and mark.summary != record.sheet:
        book.remove(book[mark.summary])
    if mark.sheet in book.sheetnames:
        clear_marks(book[mark.sheet])
    if mark.sheet in book.sheetnames and mark.sheet != record.sheet:
        header_row = find_header_row(book[mark.sheet], mark.columns)
        if header_row is not None:
            clear_columns(book[mark.sheet], header_row, mark.columns)


def _show(book: Any, sheet: Any) -> None:
    """Open the workbook on the run's sheet; sheets left selected together would be edited together."""
    if sheet.sheet_state != "visible":
        return
    book.active = book.index(sheet)
    views = {other.title: other.views for other in book.worksheets}
    views |= {other.title: other.sheetViews for other in book.chartsheets}
    for title, held in views.items():
        for view in held.sheetView if held else ():
            view.tabSelected = title == sheet.title


class _Writer:
    """Fill our columns, with one style made for each look and shared by all cells that have it."""

    def __init__(self, sheet: Any, columns: Columns) -> None:
        self.sheet = sheet
        self.columns = columns
        self._styles: dict[tuple[int, Status, int], Any] = {}

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Write what became of each row of each document."""
        for outcome in outcomes:
            for row in outcome.rows:
                message = row_message(outcome, row)
                texts = (outcome.status.value, outcome.number or "", message)
                for column, text in zip(self.columns.spots, texts, strict=True):
                    self._put(row, column, outcome.status, text)
                self._fit(row, message)

    def _put(self, row: int, column: int, status: Status, text: str) -> None:
        cell = self.sheet.cell(row, column)
        if isinstance(cell, MergedCell):
            return
        neighbour = self.sheet.cell(row, self.columns.neighbour)
        key = (neighbour.style_id, status, column)
        if key not in self._styles:
            self._style(cell, neighbour, status)
            self._styles[key] = cell._style
        cell._style = copy(self._styles[key])
        put_text(cell, text)

    def _style(self, cell: Any, neighbour: Any, status: Status) -> None:
        base = neighbour.font
        bold = cell.column == self.columns.status and status in URGENT
        cell.font = Font(name=base.name, sz=base.sz, family=base.family, scheme=base.scheme, b=bold)
        cell.border = copy(neighbour.border)
        cell.alignment = Alignment(vertical=neighbour.alignment.vertical, wrap_text=cell.column == self.columns.message)
        cell.number_format = "@"
        if cell.column == self.columns.status:
            cell.fill = PatternFill("solid", fgColor=FILLS[status])

    def _fit(self, row: int, message: str) -> None:
        wanted = message_height(message)
        if wanted is not None:
            present = self.sheet.row_dimensions[row].height or 0
            self.sheet.row_dimensions[row].height = max(wanted, present)
