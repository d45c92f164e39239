"""Read .xlsx and .xlsm workbooks.

openpyxl opens the workbook and takes each row apart. The rows are walked here, since its own walk leaves out rows and
cells that stand twice or out of order, cuts numbers to what a float holds, and does not tell hidden rows, merged cells
and formulas nobody calculated.
"""

import re
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from importer.model import Fault
from importer.values import cell_value, exact_text
from importer.workbook.archive import opened_archive
from importer.workbook.mark import report_mark
from importer.workbook.serial import error_cell, not_calculated
from importer.workbook.sheet import EMPTY, Cell, Table, Title
from importer.workbook.strict import transitional

_MAIN: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_ROW: Final = f"{_MAIN}row"
_VALUE: Final = f"{_MAIN}v"
_FORMULA: Final = f"{_MAIN}f"
_MERGED: Final = f"{_MAIN}mergeCell"
#: XlsxWriter and others write 0 for each result, and this, so that Excel calculates when it opens the workbook. Excel
#: and LibreOffice do not write it.
_CALCULATES: Final = re.compile(rb"""<(?:\w+:)?calcPr\b[^>]*\sfullCalcOnLoad=["'](?:1|true)["']""")


_FORMULAS: Final = re.compile(rb"<(?:\w+:)?f[ />]")
#: Shorter ones are in a float what stands in the file.
_LONG_NUMBER: Final = re.compile(rb"<(?:\w+:)?v>([-+.0-9E]{17,})<")


class XlsxBook:
    """Hold an open workbook."""

    def __init__(self, book: Any) -> None:
        #: as openpyxl streams it
        self.book = book
        #: not the one of the file, where the workbook is a strict one
        self._archive: zipfile.ZipFile = book._archive
        self._mark = report_mark(book)
        self._zeros_doubtful = _calculates_on_load(self._archive)
        summary = self._mark.summary if self._mark else None
        self._sheets = {sheet.title: sheet for sheet in book.worksheets if sheet.title != summary}
        self.titles = [Title(title, sheet.sheet_state == "visible") for title, sheet in self._sheets.items()]

    def table(self, title: str) -> Table:
        """Return the cells of one sheet."""
        reading = _Reading(self._sheets[title], self._archive, zeros_doubtful=self._zeros_doubtful)
        own = frozenset(self._mark.columns) if self._mark and self._mark.sheet == title else frozenset()
        return Table(title=title, rows=reading.rows(), hidden=reading.hidden, merged=reading.merged, own=own)

    def certain(self, title: str) -> bool:
        """Tell at a glance that a sheet has no formula that may wait for its result, and no number that is too long."""
        data = self._archive.read(_part(self._sheets[title]))
        long = (Decimal(number.decode()) for number in _LONG_NUMBER.findall(data))
        return not (_FORMULAS.search(data) or any(isinstance(exact_text(number), Fault) for number in long))


@contextmanager
def open_book(file: Path, name: str) -> Iterator[XlsxBook]:
    """Open a workbook for reading values; `name` is what messages call it.

    Raises: WorkbookError when it is not a workbook that can be read safely.
    """
    import openpyxl

    with opened_archive(file, name) as archive:
        book: Any = openpyxl.load_workbook(transitional(archive), read_only=True, data_only=True)
        with closing(book):
            yield XlsxBook(book)


def _calculates_on_load(archive: zipfile.ZipFile) -> bool:
    """Tell whether results of formulas are yet to be calculated by whoever opens the workbook."""
    parts = [name for name in archive.namelist() if re.fullmatch(r"(?:.*/)?workbook\d*\.xml", name)]
    return any(_CALCULATES.search(archive.read(name)) for name in parts)


def _part(sheet: Any) -> str:
    return str(sheet._worksheet_path).lstrip("/")


class _Reading:
    """Read one sheet; `hidden` and `merged` are whole once its rows have gone by."""

    def __init__(self, sheet: Any, archive: zipfile.ZipFile, *, zeros_doubtful: bool) -> None:
        self.hidden: set[int] = set()
        self.merged: list[str] = []
        self._sheet = sheet
        self._archive = archive
        self._zeros_doubtful = zeros_doubtful
        #: areas of formulas with several results: first column, first row, last column, last row
        self._areas: list[tuple[int, int, int, int]] = []
        self._formats: dict[int, str] = {}

    def rows(self) -> Iterator[tuple[int, list[Cell]]]:
        """Yield the rows that the file holds, each with its number."""
        from defusedxml.ElementTree import iterparse
        from openpyxl.worksheet._reader import WorkSheetParser

        book = self._sheet.parent
        with self._archive.open(_part(self._sheet)) as part:
            parser = WorkSheetParser(
                part,
                self._sheet._shared_strings,
                data_only=True,
                epoch=book.epoch,
                date_formats=book._date_formats,
                timedelta_formats=book._timedelta_formats,
            )
            for _event, node in iterparse(part):
                if node.tag == _ROW:
                    number, cells = parser.parse_row(node)
                    if node.get("hidden") in {"1", "true"}:
                        self.hidden.add(number)
                    self._areas = [area for area in self._areas if area[3] >= number]
                    yield number, self._cells(number, node, cells)
                    node.clear()
                elif node.tag == _MERGED:
                    self.merged.append(str(node.get("ref")))

    def _cells(self, number: int, row: Any, found: list[dict[str, Any]]) -> list[Cell]:
        cells: list[Cell] = []
        for node, cell in zip(row, found, strict=True):
            column = cell["column"]
            if cell["row"] != number or column <= len(cells):
                raise ValueError(f"row {number} has cells that stand twice or out of order")
            cells += [EMPTY] * (column - 1 - len(cells))
            cells.append(self._cell(node, number, column, cell))
        return cells

    def _cell(self, node: Any, row: int, column: int, found: dict[str, Any]) -> Cell:
        value, text = found["value"], ""
        formula = bool(self._areas) and self._in_area(row, column)
        for part in node:
            if part.tag == _VALUE:
                text = part.text or ""
            elif part.tag == _FORMULA:
                formula = True
                self._take_area(part)
        if formula and (value is None or (self._zeros_doubtful and text == "0")):
            # Excel writes t="str" beside an empty text that was calculated
            return EMPTY if node.get("t") == "str" else (not_calculated(), None)
        if found["data_type"] == "e":
            return error_cell(str(value or "of its formula")), None
        if value is None or isinstance(value, bool):
            return value, None
        if isinstance(value, str):
            return cell_value(_unescape(value)), None
        form = self._format(found["style_id"])
        if isinstance(value, float):
            return exact_text(Decimal(text)), form
        return cell_value(value, form), form

    def _take_area(self, formula: Any) -> None:
        """Take note of cells that have no formula of their own, but one result of several of another's."""
        from openpyxl.worksheet.cell_range import CellRange

        if formula.get("t") in {"array", "dataTable"} and ":" in formula.get("ref", ""):
            self._areas.append(CellRange(formula.get("ref")).bounds)

    def _in_area(self, row: int, column: int) -> bool:
        return any(left <= column <= right and top <= row <= bottom for left, top, right, bottom in self._areas)

    def _format(self, style: int) -> str:
        from openpyxl.cell.read_only import ReadOnlyCell

        if style not in self._formats:
            self._formats[style] = ReadOnlyCell(self._sheet, 1, 1, None, "n", style).number_format
        return self._formats[style]


def _unescape(text: str) -> str:
    """Undo the `_x000D_` by which a workbook writes characters that XML does not hold."""
    if "_x" not in text:
        return text
    return re.sub(r"_x([0-9A-Fa-f]{4})_", lambda match: chr(int(match[1], 16)), text)
