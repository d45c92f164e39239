"""Load the user's workbook for writing, so that what is not ours leaves as it came.

openpyxl would turn dates into times of its own precision, cut numbers to 16 digits, blank formulas that nobody
calculated and give linked blank cells a text. Each of these is put right here.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from openpyxl.cell.cell import MergedCell
from openpyxl.reader.excel import ExcelReader

from importer.errors import WorkbookError
from importer.model import Fault, RunRecord
from importer.report import workbook_made
from importer.workbook import (
    UNREADABLE,
    Kind,
    XlsxBook,
    kind_of,
    open_xlsx,
    opened_archive,
    reason,
    sha256,
    transitional,
)


class _ExactReader(ExcelReader):
    """Read a workbook without turning its day numbers into dates."""

    def read_worksheets(self) -> None:
        book: Any = self.wb
        book._date_formats = set()
        book._timedelta_formats = set()
        super().read_worksheets()


def load(file: Path | None, record: RunRecord) -> Any:
    """Return the workbook of a run as an openpyxl book, formulas replaced by their values.

    Of a file that is no .xlsx workbook, one is made that holds the same.

    Raises: WorkbookError when it is not there, is not the one that was run, or cannot be read.
    """
    if file is None or not file.is_file():
        raise WorkbookError(f"The copy of the workbook {record.workbook_name!r} is missing.")
    if sha256(file) != record.workbook_sha256:
        raise WorkbookError(f"{str(file)!r} is no longer the workbook {record.workbook_name!r} that was run.")
    with quiet(), legible(record):
        if _kind(file, record) is not Kind.XLSX:
            return workbook_made.make(file, record)
        book = _read(file, data_only=True)
        _keep_digits(book)
        with open_xlsx(file, record.workbook_name) as source:
            _keep_faults(book, file, source)
            _blank_links(book, source.book)
        return book


def _kind(file: Path, record: RunRecord) -> Kind:
    try:
        return kind_of(file, record.workbook_name)
    except WorkbookError as error:
        raise WorkbookError(f"The workbook {record.workbook_name!r} cannot be copied. {error}") from None


@contextmanager
def quiet() -> Iterator[None]:
    """Silence openpyxl's warnings about parts that it does not know."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


@contextmanager
def legible(record: RunRecord) -> Iterator[None]:
    """Turn what openpyxl raises over a workbook it cannot handle into the program's own error.

    Raises: WorkbookError.
    """
    try:
        yield
    except UNREADABLE as error:
        raise WorkbookError(f"The workbook {record.workbook_name!r} cannot be copied ({reason(error)}).") from error


def _read(file: Path, *, data_only: bool) -> Any:
    with opened_archive(file, file.name) as archive:
        reader = _ExactReader(transitional(archive), data_only=data_only, keep_links=True, rich_text=True)
        reader.read()
        return reader.wb


def _keep_faults(book: Any, file: Path, source: XlsxBook) -> None:
    """Put back what openpyxl does not hold, so that it is not taken for a value: formulas without a result, digits."""
    formulas = None
    for title, number, column, fault in _faults(source):
        cell = book[title].cell(number, column)
        if fault.code == "too_many_digits":
            _put_digits(cell, fault.shown)
        elif fault.code == "not_calculated":
            formulas = formulas or _read(file, data_only=False)
            formula = formulas[title].cell(number, column).value
            if formula is not None:
                cell.value = formula


def _faults(source: XlsxBook) -> Iterator[tuple[str, int, int, Fault]]:
    """Yield the cells that could not be read, each with the title of its sheet, its row and its column."""
    for title in source.titles:
        if source.certain(title.text):
            continue
        with suppress(*UNREADABLE):  # what is wrong with other sheets keeps nobody from the report
            for number, cells in source.table(title.text).rows:
                for column, (value, _form) in enumerate(cells, start=1):
                    if isinstance(value, Fault):
                        yield title.text, number, column, value


def _put_digits(cell: Any, digits: str) -> None:
    # openpyxl writes a number with 16 digits, and a text of type n as it stands
    if not isinstance(cell, MergedCell):
        cell._value, cell.data_type = digits, "n"


def _blank_links(book: Any, stream: Any) -> None:
    """Blank the linked cells again that openpyxl filled with the address they lead to."""
    for sheet in book.worksheets:
        suspects = {
            (cell.row, cell.column): cell
            for cell in sheet._cells.values()
            if cell.hyperlink and cell.value == (cell.hyperlink.target or cell.hyperlink.location)
        }
        if not suspects:
            continue
        source = stream[sheet.title]
        source.reset_dimensions()
        for number, values in enumerate(source.iter_rows(values_only=True), start=1):
            for spot, value in enumerate(values, start=1):
                if value is not None:
                    suspects.pop((number, spot), None)
        for cell in suspects.values():
            cell.value = None


def _keep_digits(book: Any) -> None:
    for sheet in book.worksheets:
        for cell in sheet._cells.values():
            if isinstance(cell.value, float) and float(f"{cell.value:.16g}") != cell.value:
                _put_digits(cell, repr(cell.value))
