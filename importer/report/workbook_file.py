"""Write results.xlsx: the user's own workbook, each row with what became of it, and a summary."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from openpyxl.cell.cell import MergedCell
from openpyxl.packaging.custom import StringProperty

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
from importer.report.left_out import left_out
from importer.report.lifted_filter import criteria
from importer.report.looks import FILLS, Looks
from importer.report.marks import clear_marks, mark_cells, plain_styles
from importer.report.streamed import package
from importer.report.streamed.own_cells import OwnCells, Styles
from importer.report.streamed.reader import STREAMED_ROWS
from importer.report.streamed.row_pattern import NotUnderstood
from importer.report.streamed.rows import Again, OurRows, Ours, Rows
from importer.report.summary_sheet import add_summary
from importer.report.words import row_message
from importer.report.workbook_copy import Copy, loaded
from importer.workbook import LAST_ROW, REPORT_MARK, ReportMark, report_mark

__all__ = ["FILLS", "write"]


def write(target: Path, told: Contents, *, least: int | None = STREAMED_ROWS) -> None:
    """Write a copy of the workbook with the outcomes beside its rows, and note what of the workbook it does not show.

    The rows of sheets with more than `least` are passed on as they stand, where their XML is understood.

    Raises: WorkbookError when there is no workbook to copy or it cannot be copied.
    """
    known = _Known()
    while True:
        try:
            _write(target, told, least, known)
        except NotUnderstood:
            least = None
        except Again as found:
            known.learn(found)
        else:
            return


class _Known:
    """Hold what is known of sheets whose rows are passed on, beside what was seen at their beginning."""

    def __init__(self) -> None:
        #: columns of the run's sheet in which something stands
        self.taken: set[int] = set()
        #: the last column of a sheet, by its title
        self.wide: dict[str, int] = {}

    def learn(self, found: Again) -> None:
        """Take note of what came to light."""
        if found.taken is not None:
            self.taken.add(found.taken)
        if found.title:
            self.wide[found.title] = found.wide


def _write(target: Path, told: Contents, least: int | None, known: _Known) -> None:
    record = told.record
    with loaded(told.workbook, record, least) as copied:
        book, streamed = copied.book, copied.streamed
        if record.sheet not in book.sheetnames:
            raise WorkbookError(f"The workbook {record.workbook_name!r} has no sheet {record.sheet!r}.")
        ours = _fill(copied, told, known)
        _show(book, book[record.sheet])
        if streamed.sheets:
            rows = {
                title: Rows(title, part, known.wide.get(title, 0))
                if ours is None or title != record.sheet
                else OurRows(ours, title, part, known.wide.get(title, 0))
                for title, part in streamed.sheets.items()
            }
            package.save(book, target, copied.file, streamed, rows, name=record.workbook_name)
        else:
            save(book, target)
        told.notes.extend(left_out(copied.given, target, copied.dropped, record.workbook_name))


def _fill(copied: Copy, told: Contents, known: _Known) -> Ours | None:
    """Write into the workbook all that it holds; return what is left for the rows that are passed on."""
    record, outcomes, book = told.record, told.outcomes, copied.book
    sheet, part = book[record.sheet], copied.streamed.sheets.get(record.sheet)
    mark = report_mark(book)
    marked = part and mark and mark.sheet == sheet.title
    plain = plain_styles(sheet, repainted=copied.repainted) if marked else {}
    _take_off(copied, mark, record)
    merged, filtered = len(sheet.merged_cells.ranges), criteria(sheet)
    earlier = mark.columns if mark and mark.sheet == sheet.title else ()
    columns = place_columns(sheet, record.header_row, earlier, part.keep if part else LAST_ROW, known.taken)
    if part is None:
        _Writer(sheet, columns).write(outcomes)
    elif len(sheet.merged_cells.ranges) != merged:
        raise NotUnderstood("merged cells in the report's columns")
    elif criteria(sheet) != filtered:
        # which rows it hid is told by cells that are not here
        raise NotUnderstood("a filter on the report's columns")
    marks = mark_cells(sheet, record.header_row, _problems(record, outcomes), part.keep if part else None)
    let_filter(sheet, record.header_row, columns, (row for outcome in outcomes for row in outcome.rows))
    _sum_up(book, told, columns)
    if part is None:
        return None
    styles = Styles(sheet)
    return Ours(
        columns=columns,
        cells=OwnCells(styles, columns, outcomes),
        styles=styles,
        marks=marks,
        plain=plain,
        texts=copied.texts,
    )


def _sum_up(book: Any, told: Contents, columns: Columns) -> None:
    record = told.record
    summary = add_summary(book, told)
    if isinstance(record, CheckRecord):
        add_check(book[summary], record)
    value = ReportMark(sheet=record.sheet, columns=columns.names, summary=summary).dump()
    book.custom_doc_props.append(StringProperty(name=REPORT_MARK, value=value))


def _problems(record: RunRecord, outcomes: Sequence[Outcome]) -> Iterator[Problem]:
    """Yield what is wrong with cells; a check also knows what is wrong with the file as a whole."""
    yield from record.held if isinstance(record, CheckRecord) else ()
    for outcome in outcomes:
        if outcome.status is Status.INVALID:
            yield from outcome.problems


def _take_off(copied: Copy, mark: ReportMark | None, record: RunRecord) -> None:
    """Take off what an earlier report added; its columns on the run's own sheet are written again in their place."""
    if mark is None:
        return
    book = copied.book
    del book.custom_doc_props[REPORT_MARK]
    if mark.summary in book.sheetnames and mark.summary != record.sheet:
        book.remove(book[mark.summary])
    if mark.sheet in book.sheetnames:
        clear_marks(book[mark.sheet], repainted=copied.repainted)
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
    """Fill our columns."""

    def __init__(self, sheet: Any, columns: Columns) -> None:
        self.sheet = sheet
        self.columns = columns
        self._looks = Looks(columns)

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
        self._looks.give(cell, self.sheet.cell(row, self.columns.neighbour), status)
        put_text(cell, text)

    def _fit(self, row: int, message: str) -> None:
        wanted = message_height(message)
        if wanted is not None:
            present = self.sheet.row_dimensions[row].height or 0
            self.sheet.row_dimensions[row].height = max(wanted, present)
