"""Read .xlsx and .xlsm workbooks.

openpyxl reads the cells. What it cannot tell in its streaming mode (hidden rows, formulas nobody calculated, merged
cells) is read from the sheet's XML in one pass, and only where the XML holds any of it.
"""

import re
import zipfile
from collections.abc import Iterator
from collections.abc import Mapping as Dictionary
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from importer.model import CellValue
from importer.values import cell_value
from importer.workbook.archive import opened_archive
from importer.workbook.mark import report_mark
from importer.workbook.serial import ERRORS, error_cell, not_calculated
from importer.workbook.sheet import EMPTY, Cell, Table, Title
from importer.workbook.strict import transitional


class XlsxBook:
    """Hold an open workbook."""

    def __init__(self, book: Any, archive: zipfile.ZipFile) -> None:
        self._book = book
        self._archive = archive
        self._mark = report_mark(book)
        summary = self._mark.summary if self._mark else None
        self._sheets = {sheet.title: sheet for sheet in book.worksheets if sheet.title != summary}
        self.titles = [Title(title, sheet.sheet_state == "visible") for title, sheet in self._sheets.items()]

    def table(self, title: str) -> Table:
        """Return the cells of one sheet."""
        sheet = self._sheets[title]
        sheet.reset_dimensions()
        facts = _Facts.of(self._archive, sheet)
        own = frozenset(self._mark.columns) if self._mark and self._mark.sheet == title else frozenset()
        return Table(title=title, rows=_rows(sheet, facts), hidden=facts.hidden, merged=facts.merged, own=own)


@contextmanager
def open_book(file: Path, name: str) -> Iterator[XlsxBook]:
    """Open a workbook for reading values; `name` is what messages call it.

    Raises: WorkbookError when it is not a workbook that can be read safely.
    """
    with opened(file, name) as (book, archive):
        yield XlsxBook(book, archive)


@contextmanager
def opened(file: Path, name: str | None = None) -> Iterator[tuple[Any, zipfile.ZipFile]]:
    """Open a workbook for reading values, and its archive.

    Raises: WorkbookError when it is not a workbook that can be read safely.
    """
    import openpyxl

    with opened_archive(file, name or file.name) as archive:
        book: Any = openpyxl.load_workbook(transitional(archive), read_only=True, data_only=True)
        with closing(book):
            yield book, book._archive


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """Hold what the streaming reader does not tell about a sheet."""

    hidden: frozenset[int] = frozenset()
    #: cells whose formula nobody calculated, by row
    uncalculated: Dictionary[int, frozenset[str]] = field(default_factory=dict)
    merged: tuple[str, ...] = ()

    @classmethod
    def of(cls, archive: zipfile.ZipFile, worksheet: Any) -> "_Facts":
        name = str(worksheet._worksheet_path).lstrip("/")
        data = archive.read(name)
        if not re.search(rb"<(?:\w+:)?(?:f[ />]|mergeCell )|\shidden=", data):
            return cls()
        from defusedxml.ElementTree import iterparse

        hidden: set[int] = set()
        uncalculated: dict[int, set[str]] = {}
        merged: list[str] = []
        counter = 0
        with archive.open(name) as part:
            for event, node in iterparse(part, events=("start", "end")):
                tag = node.tag.rpartition("}")[2]
                if event == "start":
                    if tag == "row":
                        counter = int(node.get("r") or counter + 1)
                        if node.get("hidden") in {"1", "true"}:
                            hidden.add(counter)
                elif tag == "c":
                    if _is_uncalculated(node):
                        uncalculated.setdefault(counter, set()).add(re.sub(r"\d", "", node.get("r") or ""))
                    node.clear()
                elif tag == "row":
                    node.clear()
                elif tag == "mergeCell":
                    merged.append(str(node.get("ref")))
        cells = {row: frozenset(found) for row, found in uncalculated.items()}
        return cls(hidden=frozenset(hidden), uncalculated=cells, merged=tuple(merged))


def _is_uncalculated(cell: Any) -> bool:
    """Tell whether a formula has no result: Excel writes t="str" beside an empty text that was calculated."""
    parts = {child.tag.rpartition("}")[2]: child for child in cell}
    return "f" in parts and not (parts["v"].text if "v" in parts else None) and cell.get("t") != "str"


def _rows(sheet: Any, facts: _Facts) -> Iterator[tuple[int, list[Cell]]]:
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        missing = facts.uncalculated.get(number, frozenset())
        yield (
            number,
            [EMPTY if cell.value is None and not missing else _cell(cell, cell.value, missing) for cell in cells],
        )


def _cell(cell: Any, raw: object, missing: frozenset[str]) -> Cell:
    value = _value(cell, raw, missing)
    return value, None if value is None or isinstance(value, str | bool) else cell.number_format


def _value(cell: Any, raw: object, missing: frozenset[str]) -> CellValue:
    if missing and raw is None:
        return not_calculated() if getattr(cell, "column_letter", "") in missing else None
    if getattr(cell, "data_type", "") == "e" or (isinstance(raw, str) and raw in ERRORS and cell.data_type != "s"):
        return error_cell(str(raw))
    if isinstance(raw, str):
        return cell_value(_unescape(raw))
    return cell_value(raw, cell.number_format if isinstance(raw, date) else None)


def _unescape(text: str) -> str:
    """Undo the `_x000D_` by which a workbook writes characters that XML does not hold."""
    if "_x" not in text:
        return text
    return re.sub(r"_x([0-9A-Fa-f]{4})_", lambda match: chr(int(match[1], 16)), text)
