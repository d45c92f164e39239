"""Take the rows of an .xlsx sheet apart as an XML parser gives them: the way that understands every workbook.

openpyxl takes the cells apart. The rows are walked here, since its own walk leaves out rows and cells that stand twice
or out of order, cuts numbers to what a float holds, and does not tell hidden rows, merged cells and formulas nobody
calculated.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import IO, Any, Final

from importer.values import cell_value, exact_text
from importer.workbook.archive import UNREADABLE, reason
from importer.workbook.serial import error_cell, not_calculated
from importer.workbook.sheet import EMPTY, Cell
from importer.workbook.xlsx_parts import MAIN, is_zero

SHEET: Final = f"{MAIN}worksheet"
ROWS: Final = f"{MAIN}sheetData"
ROW: Final = f"{MAIN}row"
CELL: Final = f"{MAIN}c"
VALUE: Final = f"{MAIN}v"
TEXT: Final = f"{MAIN}t"
MERGED: Final = f"{MAIN}mergeCell"
_FORMULA: Final = f"{MAIN}f"


class Walk:
    """Walk through one sheet; `hidden` and `merged` are whole once its rows have gone by."""

    def __init__(self, sheet: Any, *, zeros_doubtful: bool) -> None:
        self.hidden: set[int] = set()
        self.merged: list[str] = []
        #: areas of formulas with several results: first column, first row, last column, last row
        self.areas: list[tuple[int, int, int, int]] = []
        self.shared_texts: list[str] = sheet._shared_strings
        #: openpyxl's, which knows which row was the last and turns the numbers of some styles into dates
        self.parser: Any = None
        self.zeros_doubtful = zeros_doubtful
        self._sheet = sheet
        self._formats: dict[int, str] = {}
        self.start()

    def start(self) -> None:
        """Begin at the first row."""
        from openpyxl.worksheet._reader import WorkSheetParser

        book = self._sheet.parent
        self.hidden.clear()
        self.merged.clear()
        self.areas = []
        self.parser = WorkSheetParser(
            "",  # it is given rows
            self.shared_texts,
            data_only=True,
            epoch=book.epoch,
            date_formats=book._date_formats,
            timedelta_formats=book._timedelta_formats,
        )

    def rows(self, part: IO[bytes]) -> Iterator[tuple[int, list[Cell]]]:
        """Yield the rows that the file holds, each with its number."""
        from defusedxml.ElementTree import iterparse

        for _event, node in iterparse(part):
            if node.tag == ROW:
                yield self.row(node)
                node.clear()
            elif node.tag == MERGED:
                self.merged.append(str(node.get("ref")))

    def row(self, node: Any) -> tuple[int, list[Cell]]:
        """Return the number and the cells of the next row.

        Raises: ValueError for cells out of order, and for one that cannot be read, with its address; and whatever
        openpyxl raises over the row.
        """
        try:
            return self._row(node)
        except UNREADABLE:
            self._refuse_cell(node)
            raise

    def _row(self, node: Any) -> tuple[int, list[Cell]]:
        number, found = self.parser.parse_row(node)
        if node.get("hidden") in {"1", "true"}:
            self.hidden.add(number)
        self.areas = [area for area in self.areas if area[3] >= number]
        cells: list[Cell] = []
        for part, cell in zip(node, found, strict=True):
            column = cell["column"]
            if cell["row"] != number or column <= len(cells):
                raise ValueError(f"row {number} has cells that stand twice or out of order")
            cells += [EMPTY] * (column - 1 - len(cells))
            cells.append(self._cell(part, number, column, cell))
        return number, cells

    def _refuse_cell(self, node: Any) -> None:
        for part in node:
            try:
                self.lone_cell(part)
            except UNREADABLE as error:
                where = f"cell {part.get('r')}" if part.get("r") else f"a cell in row {self.parser.row_counter}"
                raise ValueError(f"{where}: {reason(error)}") from error

    def lone_cell(self, node: Any) -> Cell:
        """Return a cell wherever it stands, outside the areas of formulas."""
        return self._cell(node, 0, 0, self.parser.parse_cell(node))

    def format(self, style: int) -> str:
        """Return the number format of a style.

        Raises: IndexError when there is no such style.
        """
        from openpyxl.cell.read_only import ReadOnlyCell

        if style not in self._formats:
            self._formats[style] = ReadOnlyCell(self._sheet, 1, 1, None, "n", style).number_format
        return self._formats[style]

    def is_date(self, style: int) -> bool:
        """Tell whether numbers of a style are dates or times."""
        return style in self.parser.date_formats

    def _cell(self, node: Any, row: int, column: int, found: dict[str, Any]) -> Cell:
        value, text = found["value"], None
        formula = bool(self.areas) and self._in_area(row, column)
        for part in node:
            if part.tag == VALUE:
                text = part.text or ""
            elif part.tag == _FORMULA:
                formula = True
                self._take_area(part)
        if formula and (value is None or (self.zeros_doubtful and is_zero(text or ""))):
            # Excel and LibreOffice write t="str" and an empty result for an empty text that was calculated; t="str"
            # without any result, or with 0 for one, comes from programs that calculate nothing
            return EMPTY if text == "" and node.get("t") == "str" else (not_calculated(), None)
        if found["data_type"] == "e":
            return error_cell(str(value or "of its formula")), None
        if value is None or isinstance(value, bool):
            return value, None
        if isinstance(value, str):
            return cell_value(unescape(value)), None
        form = self.format(found["style_id"])
        if isinstance(value, float):
            return exact_text(Decimal(text or "")), form
        return cell_value(value, form), form

    def _take_area(self, formula: Any) -> None:
        """Take note of cells that have no formula of their own, but one result of several of another's."""
        from openpyxl.worksheet.cell_range import CellRange

        if formula.get("t") in {"array", "dataTable"} and ":" in formula.get("ref", ""):
            self.areas.append(CellRange(formula.get("ref")).bounds)

    def _in_area(self, row: int, column: int) -> bool:
        return any(left <= column <= right and top <= row <= bottom for left, top, right, bottom in self.areas)


def unescape(text: str) -> str:
    """Undo the `_x000D_` by which a workbook writes characters that XML does not hold."""
    if "_x" not in text:
        return text
    return re.sub(r"_x([0-9A-Fa-f]{4})_", lambda match: chr(int(match[1], 16)), text)
