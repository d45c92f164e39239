"""One sheet as the rest of the program knows it, made of a table that any reader gives."""

import re
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Dictionary
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Final, Protocol

from importer.errors import WorkbookError
from importer.model import CellValue, Row
from importer.values import clean_header, shown
from importer.workbook.layout import TextLayout
from importer.workbook.mojibake import spoilt_texts

#: What a cell holds, and the number format of a number or a date; None for General.
Cell = tuple[CellValue, str | None]
EMPTY: Cell = (None, None)
#: How many rows a sheet of Excel has.
LAST_ROW: Final = 1_048_576
#: The language that some programs write before each format, such as `[$-409]`; it changes no digit.
_LANGUAGE: Final = re.compile(r"^\[\$-[0-9A-Fa-f]{1,4}\]")
#: What has a number format.
_FORMATTED: Final = (Decimal, date, time)
_MAX_REMEMBERED: Final = 1_000


@dataclass(frozen=True, slots=True)
class Title:
    """Name a sheet of a workbook."""

    text: str
    visible: bool = True


@dataclass(frozen=True, kw_only=True)
class Table:
    """Hold the cells of one sheet as a reader gives them."""

    title: str
    #: rows in order, each with its number as Excel shows it; blank ones may be left out
    rows: Iterable[tuple[int, Sequence[Cell]]]
    #: hidden rows, and ranges of merged cells such as `A3:A5`; whole once the rows have gone by
    hidden: AbstractSet[int] = frozenset()
    merged: Sequence[str] = ()
    #: headers of columns that a report of this program added
    own: AbstractSet[str] = frozenset()
    #: what is to be known about how the table was read
    notes: tuple[str, ...] = ()
    #: how a text file was read
    layout: TextLayout | None = None


class Book(Protocol):
    """Be a workbook that a reader has opened."""

    @property
    def titles(self) -> Sequence[Title]:
        """Return the sheets in their order."""

    def table(self, title: str) -> Table:
        """Return the cells of one sheet."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Hold one sheet: its headers and every row below them, down to the last that holds anything."""

    file: Path
    name: str
    header_row: int
    #: by column position (0-based); None where the header is blank or the column is the report's own
    headers: tuple[str | None, ...]
    rows: tuple[Row, ...]
    #: ranges of merged cells below the header, such as `A3:A5`
    merged: tuple[str, ...] = ()
    #: what the user is to know about how the sheet was read; each a sentence with its remedy
    notes: tuple[str, ...] = ()
    #: how a text file was read; None for workbooks
    layout: TextLayout | None = None

    @cached_property
    def columns(self) -> Dictionary[str, int]:
        """Return the position of each header that stands once."""
        seen = [header for header in self.headers if header is not None]
        return {name: spot for spot, name in enumerate(self.headers) if name is not None and seen.count(name) == 1}

    @cached_property
    def repeated(self) -> frozenset[str]:
        """Return the headers that stand more than once."""
        return frozenset(name for name in self.headers if name is not None and self.headers.count(name) > 1)

    def address(self, header: str, row: int) -> str:
        """Return a cell's address as Excel shows it, such as `C7`."""
        from openpyxl.utils import get_column_letter

        return f"{get_column_letter(self.columns[header] + 1)}{row}"


def make_sheet(file: Path, table: Table, header_row: int) -> Sheet:
    """Return a table as a sheet: headers, and every row below them down to the last that holds anything.

    Raises: WorkbookError when the row holds no headers.
    """
    headers: tuple[str | None, ...] = ()
    columns = _Columns(headers)
    rows: list[Row] = []
    expected = header_row + 1
    last = 0
    for number, cells in table.rows:
        if number > LAST_ROW:
            raise WorkbookError(
                f"Sheet {table.title!r} in {file.name!r} has a row {number:,}, but no sheet has more than "
                f"{LAST_ROW:,}. Split it into several files."
            )
        if number <= last:
            raise WorkbookError(
                f"Sheet {table.title!r} in {file.name!r} has row {number} twice or out of order. Open it in Excel, "
                "save it again as .xlsx, and try once more."
            )
        last = number
        if number == header_row:
            headers = _headers(cells, table.own)
            columns = _Columns(headers)
        if number <= header_row:
            continue
        row = columns.row(number, cells, hidden=number in table.hidden)
        if not row.blank:
            if expected < number:
                blank = tuple([None] * len(headers))
                rows += [Row(number=gap, cells=blank, hidden=gap in table.hidden) for gap in range(expected, number)]
            rows.append(row)
            expected = number + 1
    if not any(headers):
        raise WorkbookError(
            f"Row {header_row} of sheet {table.title!r} in {file.name!r} holds no headers. Say in the mapping "
            "which row does: workbook: header_row: N."
        )
    return Sheet(
        file=file,
        name=table.title,
        header_row=header_row,
        headers=headers,
        rows=tuple(rows),
        merged=tuple(table.merged),
        notes=(*table.notes, *spoilt_texts(rows)),
        layout=table.layout,
    )


def _headers(cells: Sequence[Cell], own: AbstractSet[str]) -> tuple[str | None, ...]:
    names: list[str | None] = []
    for value, _format in cells:
        name = None if value is None else clean_header(shown(value))
        names.append(None if name in own else name or None)
    while names and names[-1] is None:
        names.pop()
    return tuple(names)


class _Columns:
    """Make rows of cells: the columns that have headers, with the formats of their numbers and dates."""

    def __init__(self, headers: tuple[str | None, ...]) -> None:
        self._width = len(headers)
        self._left_out = [spot for spot, header in enumerate(headers) if header is None]
        #: by the formats of a row's cells; rows that are formatted alike share them
        self._formats: dict[tuple[str | None, ...], dict[int, str]] = {}

    def row(self, number: int, cells: Sequence[Cell], *, hidden: bool) -> Row:
        """Return a row as far as its columns have headers."""
        cells = cells[: self._width]
        if not cells:
            return Row(number=number, cells=(), hidden=hidden)
        values, forms = zip(*cells, strict=True)
        if self._left_out:
            values = tuple(None if spot in self._left_out else value for spot, value in enumerate(values))
        formats = self._formats.get(forms)
        if formats is None:
            formats = self._remember(forms)
        for spot in formats:
            if not isinstance(values[spot], _FORMATTED):
                formats = {spot: form for spot, form in formats.items() if isinstance(values[spot], _FORMATTED)}
                break
        return Row(number=number, cells=values, formats=formats, hidden=hidden)

    def _remember(self, forms: tuple[str | None, ...]) -> dict[int, str]:
        plain = {spot: _LANGUAGE.sub("", form) for spot, form in enumerate(forms) if form}
        formats = {spot: form for spot, form in plain.items() if form != "General" and spot not in self._left_out}
        if len(self._formats) < _MAX_REMEMBERED:
            self._formats[forms] = formats
        return formats
