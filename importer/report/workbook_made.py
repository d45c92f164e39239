"""Make a workbook of what was read from a file that openpyxl does not open: .csv, .ods, .xls or .xlsb.

Each value stands in the cell where it was read, so that it is read from there again as what it was: a text is never
taken for a number or a formula, a number keeps all its digits, and a cell that could not be read is a problem again.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final

from importer.errors import WorkbookError
from importer.jsontext import plain
from importer.model import CellValue, Fault, RunRecord
from importer.report.cells import escaped, put_text
from importer.report.checked import CheckRecord
from importer.report.streamed.made_rows import spool
from importer.report.streamed.package import Rest
from importer.report.widths import Widths
from importer.workbook import LAST_ROW, UNREADABLE, Cell, Table, kept_layout, open_book

#: How many characters a cell of Excel holds.
_MAX_TEXT: Final = 32_767
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]")
#: Errors that a cell of Excel can hold.
_ERRORS: Final = {"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A"}
_FORMS: Final = {datetime: "yyyy-mm-dd hh:mm:ss", date: "yyyy-mm-dd", time: "hh:mm:ss"}


@dataclass(frozen=True, slots=True)
class Made:
    """Hold a workbook that was made."""

    #: an openpyxl book
    book: Any
    #: what it does not hold of large sheets, by title
    rests: dict[str, Rest]


@contextmanager
def made(file: Path, record: RunRecord, least: int | None) -> Iterator[Made]:
    """Yield a new workbook with the sheets of a file, each cell where it was.

    The rows of sheets with more than `least` are in a file until the end.

    Raises: WorkbookError when the sheet of the run cannot be read, or does not fit on a sheet of Excel.
    """
    import openpyxl

    book, rests = openpyxl.Workbook(), dict[str, Rest]()
    book.remove(book.worksheets[0])
    with (
        ExitStack() as spools,
        open_book(
            file,
            name=record.workbook_name,
            meant=record.layout if isinstance(record, CheckRecord) and record.layout else kept_layout(file),
            sheet=record.sheet,
            header_row=record.header_row,
        ) as source,
    ):
        for title in source.titles:
            page = book.create_sheet(title.text)
            page.sheet_state = "visible" if title.visible else "hidden"
            # what is wrong with other sheets keeps nobody from the report
            with suppress(*() if title.text == record.sheet else (WorkbookError, *UNREADABLE)):
                rest = _fill(page, source.table(title.text), least, spools)
                if rest is not None:
                    rests[title.text] = rest
        yield Made(book, rests)


def _fill(page: Any, table: Table, least: int | None, spools: ExitStack) -> Rest | None:
    """Put the cells of a table into a sheet; return its rows where there are more than `least`."""
    widths = Widths()
    rows = widths.seen(_fitting(table), texts=table.layout is not None)
    first = list(islice(rows, least))
    following = next(rows, None)
    if following is not None:
        file = spools.enter_context(TemporaryFile())  # noqa: SIM115 - closed with the others
        rest = spool(page, chain(first, [following], rows), table.hidden, _put, file)
        widths.give(page)
        for area in table.merged:
            page.merged_cells.add(area)
        return rest
    widths.give(page)
    for number, cells in first:
        for column, (value, form) in enumerate(cells, start=1):
            if value is not None:
                _put(page.cell(number, column), value, form)
    for row in table.hidden:
        page.row_dimensions[row].hidden = True
    for area in table.merged:
        page.merge_cells(area)
    return None


def _fitting(table: Table) -> Iterator[tuple[int, Sequence[Cell]]]:
    for number, cells in table.rows:
        if number > LAST_ROW:
            raise WorkbookError(f"Sheet {table.title!r} has more rows than a sheet of Excel ({LAST_ROW:,}).")
        yield number, cells


def _put(cell: Any, value: CellValue, form: str | None) -> None:
    if isinstance(value, Fault):
        _put_fault(cell, value)
    elif isinstance(value, str):
        _put_text(cell, value)
    elif isinstance(value, Decimal):
        _put_number(cell, plain(value), form)
    else:
        cell.value = value
        if not isinstance(value, bool):
            cell.number_format = form or _FORMS[type(value)]


def _put_number(cell: Any, digits: str, form: str | None) -> None:
    # openpyxl would write a number with 16 digits; a text of type n it writes as it stands
    cell._value, cell.data_type = digits, "n"
    if form:
        cell.number_format = form


def _put_text(cell: Any, text: str) -> None:
    if len(text.encode("utf-16-le")) > 2 * _MAX_TEXT:
        # cut, it would be another text when the report is run again
        _put_error(cell, "#VALUE!")
        return
    put_text(cell, text)
    # characters that XML has no place for, and line ends that it would change, as Excel writes them
    cell._value = _CONTROL.sub(lambda found: f"_x{ord(found[0]):04X}_", escaped(text))
    cell.number_format = "@"


def _put_fault(cell: Any, fault: Fault) -> None:
    """Write a cell that could not be read so that it is not taken for one that can."""
    if fault.code == "too_many_digits":
        _put_number(cell, fault.shown, None)
    elif fault.code == "date_before_1900" and (serial := _serial(date.fromisoformat(fault.shown))) is not None:
        # as text it would be a date that can be read when the report is run again
        _put_number(cell, str(serial), _FORMS[date])
    else:
        _put_error(cell, fault.shown if fault.shown in _ERRORS else "#VALUE!")


def _serial(day: date) -> int | None:
    """Return the number by which Excel knows a day; None where the number means no day, or another."""
    from openpyxl.utils.datetime import from_excel, to_excel

    serial = int(to_excel(day))  # type: ignore[no-untyped-call]
    again = from_excel(serial)
    return serial if isinstance(again, datetime) and again.date() == day else None


def _put_error(cell: Any, shown: str) -> None:
    cell._value, cell.data_type = shown, "e"
