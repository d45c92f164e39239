"""Load the user's workbook for writing, so that what is not ours leaves as it came.

openpyxl would turn dates into times of its own precision, cut numbers to 16 digits, blank formulas that nobody
calculated and give linked blank cells a text. Each of these is put right here.
"""

import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openpyxl.reader.excel import ExcelReader

from importer.errors import WorkbookError
from importer.model import RunRecord
from importer.report import workbook_made
from importer.workbook import UNREADABLE, Kind, kind_of, opened, opened_archive, sha256, transitional


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
        with opened(file) as (stream, archive):
            _keep_uncalculated(book, file, stream, archive)
            _blank_links(book, stream)
        _keep_digits(book)
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
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise WorkbookError(f"The workbook {record.workbook_name!r} cannot be copied ({reason}).") from error


def _read(file: Path, *, data_only: bool) -> Any:
    with opened_archive(file, file.name) as archive:
        reader = _ExactReader(transitional(archive), data_only=data_only, keep_links=True, rich_text=True)
        reader.read()
        return reader.wb


def _keep_uncalculated(book: Any, file: Path, stream: Any, archive: zipfile.ZipFile) -> None:
    """Put formulas back that hold no value: a blank would look as if the user had left it so."""
    found = {sheet.title: _uncalculated(archive, sheet) for sheet in stream.worksheets}
    if not any(found.values()):
        return
    formulas = _read(file, data_only=False)
    for title, addresses in found.items():
        for address in addresses:
            cell = book[title][address]
            if cell.value is None and formulas[title][address].value is not None:
                cell.value = formulas[title][address].value


def _uncalculated(archive: zipfile.ZipFile, sheet: Any) -> list[str]:
    name = str(sheet._worksheet_path).lstrip("/")
    if not re.search(rb"<(?:\w+:)?f[ />]", archive.read(name)):
        return []
    from defusedxml.ElementTree import iterparse

    addresses: list[str] = []
    with archive.open(name) as part:
        for _event, node in iterparse(part):
            tag = node.tag.rpartition("}")[2]
            if tag == "c":
                parts = {child.tag.rpartition("}")[2]: child.text for child in node}
                # t="str" without a text is a formula that was calculated, to an empty text
                if "f" in parts and not parts.get("v") and node.get("t") != "str" and node.get("r"):
                    addresses.append(str(node.get("r")))
            if tag in {"c", "row"}:
                node.clear()
    return addresses


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
                # openpyxl writes a number with 16 digits, and a text of type n as it stands
                cell._value, cell.data_type = repr(cell.value), "n"
