"""Read .xlsb workbooks: the records of BIFF12 that hold what a sheet shows.

An own reader, since none that is kept up tells all that matters: pyxlsb loses number formats and errors, calamine turns
errors into blanks. Records that are not named here are passed over, as the format provides.

Source: [MS-XLSB] 2.1.4 (records), 2.3.1 (their numbers), 2.4 (their fields), 2.5 (cells, texts, RK numbers).
"""

import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from importer.model import CellValue
from importer.values import cell_value
from importer.workbook.archive import links, opened_archive
from importer.workbook.serial import ERROR_CODES, error_cell, number_value
from importer.workbook.sheet import EMPTY, Cell, Table, Title

_WORKBOOK: Final = "xl/workbook.bin"
_ROW, _SHARED_STRING, _FORMAT, _CELL_STYLE = 0, 19, 44, 47
_BOOK_PROPERTIES, _SHEET, _MERGED = 153, 156, 176
_BEGIN_CELL_STYLES, _END_CELL_STYLES = 617, 618
#: Records of cells without a column: theirs is the next one.
_SHORT: Final = {12: 1, 13: 2, 14: 3, 15: 4, 16: 5, 17: 6, 18: 7}
_BLANK, _RK, _ERROR, _BOOLEAN, _REAL, _TEXT, _SHARED = 1, 2, 3, 4, 5, 6, 7
_FORMULA_TEXT, _FORMULA_REAL, _FORMULA_BOOLEAN, _FORMULA_ERROR, _RICH_TEXT = 8, 9, 10, 11, 62
_HIDDEN_ROW: Final = 0x10
_LAST_COLUMN: Final = 16_384


class XlsbBook:
    """Hold an open workbook."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._from_1904 = False
        self._paths: dict[str, str] = {}
        self.titles: list[Title] = []
        linked = links(archive, _WORKBOOK)
        for kind, data in _records(archive.read(_WORKBOOK)):
            if kind == _BOOK_PROPERTIES:
                self._from_1904 = bool(data[0] & 1)
            elif kind == _SHEET:
                link, spot = _text(data, 8)
                title, _end = _text(data, spot)
                kind_of_sheet, path = linked[link]
                if kind_of_sheet == "worksheet":
                    self._paths[title] = path
                    self.titles.append(Title(title, struct.unpack_from("<I", data)[0] == 0))
        parts = dict(linked.values())
        self._formats = _formats(archive.read(parts["styles"])) if "styles" in parts else []
        self._shared = _shared_texts(archive.read(parts["sharedStrings"])) if "sharedStrings" in parts else []

    def table(self, title: str) -> Table:
        """Return the cells of one sheet."""
        hidden: set[int] = set()
        merged: list[str] = []
        return Table(title=title, rows=self._rows(title, hidden, merged), hidden=hidden, merged=merged)

    def _rows(self, title: str, hidden: set[int], merged: list[str]) -> Iterator[tuple[int, list[Cell]]]:
        """Yield the rows, one held at a time: a few bytes stand for a row of all columns."""
        number = 0
        cells: list[Cell] = []
        for kind, data in _records(self._archive.read(self._paths[title])):
            if kind == _ROW:
                if cells:
                    yield number, cells
                cells = []
                number = struct.unpack_from("<I", data)[0] + 1
                if data[11] & _HIDDEN_ROW:
                    hidden.add(number)
            elif kind in _READ or kind in _NUMBERS or kind in _SHORT:
                self._add(cells, kind, data)
            elif kind == _MERGED:
                merged.append(_area(data))
        if cells:
            yield number, cells

    def _add(self, cells: list[Cell], kind: int, data: bytes) -> None:
        if kind in _SHORT:
            kind, column, style, spot = _SHORT[kind], len(cells), struct.unpack_from("<I", data)[0], 4
        else:
            column, style = struct.unpack_from("<II", data)
            spot = 8
        if kind == _BLANK and column >= len(cells):
            # the next one may have no column of its own
            cells += [EMPTY] * (min(column, _LAST_COLUMN) + 1 - len(cells))
            return
        if not len(cells) <= column < _LAST_COLUMN:
            raise ValueError(f"column {column} out of order")
        cells += [EMPTY] * (column - len(cells))
        cells.append(self._cell(kind, data, spot, style & 0xFFFFFF))

    def _cell(self, kind: int, data: bytes, spot: int, style: int) -> Cell:
        if kind == _SHARED:
            return self._shared[struct.unpack_from("<I", data, spot)[0]], None
        if kind in _NUMBERS:
            form = self._formats[style] if style < len(self._formats) else None
            return number_value(_NUMBERS[kind](data, spot), form, from_1904=self._from_1904), form
        return _READ[kind](data, spot), None


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the records of a part: the number of one or two bytes, its size of one to four, and its fields.

    Raises: EOFError where the last one is cut off.
    """
    spot, end = 0, len(data)
    while spot < end:
        kind = data[spot]
        spot += 1
        if kind & 0x80:
            kind = (kind & 0x7F) | (data[spot] & 0x7F) << 7
            spot += 1
        size = 0
        for shift in (0, 7, 14, 21):
            part = data[spot]
            spot += 1
            size |= (part & 0x7F) << shift
            if not part & 0x80:
                break
        if spot + size > end:
            raise EOFError("a record is cut off")
        yield kind, data[spot : spot + size]
        spot += size


def _text(data: bytes, spot: int) -> tuple[str, int]:
    """Return a text and where it ends: its length in UTF-16 units, then these."""
    length = struct.unpack_from("<I", data, spot)[0]
    if length == 0xFFFFFFFF:  # noqa: PLR2004 - the format's word for no text
        return "", spot + 4
    end = spot + 4 + 2 * length
    if end > len(data):
        raise EOFError("a text is cut off")
    return data[spot + 4 : end].decode("utf-16-le", "surrogatepass"), end


def _rk(data: bytes, spot: int) -> float:
    """Return a number packed into 30 bits: whole or the upper half of a double, in hundredths where bit 0 says so."""
    raw = struct.unpack_from("<i", data, spot)[0]
    number: float = raw >> 2 if raw & 2 else struct.unpack("<d", b"\x00" * 4 + struct.pack("<i", raw & ~3))[0]
    return number / 100 if raw & 1 else number


def _real(data: bytes, spot: int) -> float:
    number: float = struct.unpack_from("<d", data, spot)[0]
    return number


def _plain_text(data: bytes, spot: int) -> CellValue:
    return cell_value(_text(data, spot)[0])


#: How the number of each kind of cell that holds one is read from its fields.
_NUMBERS: Final = {_RK: _rk, _REAL: _real, _FORMULA_REAL: _real}
#: How the value of each other kind of cell is read. A rich text begins with a byte of flags.
_READ: Final[dict[int, Callable[[bytes, int], CellValue]]] = {
    _BLANK: lambda _data, _spot: None,
    _ERROR: lambda data, spot: error_cell(ERROR_CODES.get(data[spot], f"error {data[spot]}")),
    _BOOLEAN: lambda data, spot: bool(data[spot]),
    _TEXT: _plain_text,
    _SHARED: lambda _data, _spot: None,
    _FORMULA_TEXT: _plain_text,
    _FORMULA_BOOLEAN: lambda data, spot: bool(data[spot]),
    _FORMULA_ERROR: lambda data, spot: error_cell(ERROR_CODES.get(data[spot], f"error {data[spot]}")),
    _RICH_TEXT: lambda data, spot: _plain_text(data, spot + 1),
}


def _shared_texts(part: bytes) -> Sequence[CellValue]:
    return [_plain_text(data, 1) for kind, data in _records(part) if kind == _SHARED_STRING]


def _formats(part: bytes) -> list[str | None]:
    """Return the number format of each style of cells."""
    from openpyxl.styles.numbers import BUILTIN_FORMATS

    known: dict[int, str] = dict(BUILTIN_FORMATS)
    styles: list[str | None] = []
    within = False
    for kind, data in _records(part):
        if kind == _FORMAT:
            known[struct.unpack_from("<H", data)[0]] = _text(data, 2)[0]
        elif kind in {_BEGIN_CELL_STYLES, _END_CELL_STYLES}:
            within = kind == _BEGIN_CELL_STYLES
        elif kind == _CELL_STYLE and within:
            styles.append(known.get(struct.unpack_from("<H", data, 2)[0]))
    return styles


def _area(data: bytes) -> str:
    from openpyxl.utils import get_column_letter

    top, bottom, left, right = struct.unpack_from("<4I", data)
    return f"{get_column_letter(left + 1)}{top + 1}:{get_column_letter(right + 1)}{bottom + 1}"


@contextmanager
def open_book(file: Path, name: str) -> Iterator[XlsbBook]:
    """Open a workbook for reading values; `name` is what messages call it.

    Raises: WorkbookError when it is not a workbook that can be read safely.
    """
    with opened_archive(file, name) as archive:
        yield XlsbBook(archive)
