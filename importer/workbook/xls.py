"""Read .xls workbooks, as Excel wrote them from 1995 to 2003 and other systems still do.

xlrd reads the cells. What it does not tell are formulas whose result is not in the file; the records of the file do:

- a formula that was never calculated looks like an empty text or like 0. It is that only where a program with a
  calculator has saved the workbook, as Excel notes in a record of its own.
- LibreOffice writes 0 for the result of each formula that shows a text (seen in 7.4), so that its zeros mean nothing.
"""

import io
import struct
from collections.abc import Iterator
from collections.abc import Mapping as Dictionary
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from importer.errors import WorkbookError
from importer.model import CellValue, Fault
from importer.values import cell_value
from importer.workbook.archive import damaged, legible
from importer.workbook.files import cannot_open
from importer.workbook.serial import ERROR_CODES, error_cell, not_calculated, number_value
from importer.workbook.sheet import EMPTY, Cell, Table, Title

_ENCRYPTED: Final = "EncryptedPackage"
#: Numbers of records. Source: [MS-XLS] 2.3.
_FORMULA: Final = 0x0006
_EOF: Final = 0x000A
_RECALC_ID: Final = 0x01C1
_BOF: Final = 0x0809
#: Results of formulas: an empty text or none at all; a number that is 0.
_EMPTY_TEXT: Final = b"\x03"
_NO_NUMBER: Final = b"\xff\xff"
_ZERO: Final = bytes(8)
#: Whose calculator it was: of nobody who calculated, where a program asks Excel to do it.
_NO_ENGINE: Final = bytes(4)
#: Who wrote the workbook, as LibreOffice and OpenOffice sign.
_LIBREOFFICE: Final = "Calc"


class XlsBook:
    """Hold an open workbook."""

    def __init__(self, name: str, book: Any) -> None:
        self._name = name
        self._book = book
        self._results = _Results(book)
        self.titles = [Title(title, book._sheet_visibility[spot] == 0) for spot, title in enumerate(book.sheet_names())]

    def table(self, title: str) -> Table:
        """Return the cells of one sheet."""
        position = self._book._sh_abs_posn[self._book.sheet_names().index(title)]
        missing = self._results.missing(position)
        sheet = self._book.sheet_by_name(title)
        hidden = frozenset(row + 1 for row, info in sheet.rowinfo_map.items() if info.hidden)
        return Table(title=title, rows=self._rows(sheet, missing), hidden=hidden, merged=_merged(sheet))

    def _rows(self, sheet: Any, missing: Dictionary[tuple[int, int], Fault]) -> Iterator[tuple[int, list[Cell]]]:
        for row in range(sheet.nrows):
            kinds, values = sheet.row_types(row), sheet.row_values(row)
            yield (
                row + 1,
                [self._cell(sheet, row, column, kinds[column], value, missing) for column, value in enumerate(values)],
            )

    def _cell(
        self, sheet: Any, row: int, column: int, kind: int, value: Any, missing: Dictionary[tuple[int, int], Fault]
    ) -> Cell:
        import xlrd

        if (row, column) in missing:
            return missing[row, column], None
        if kind in {xlrd.XL_CELL_NUMBER, xlrd.XL_CELL_DATE}:
            form = self._format(sheet.cell_xf_index(row, column))
            return number_value(value, form, from_1904=self._book.datemode == 1), form
        return _plain(kind, value), None

    def _format(self, style: int) -> str | None:
        book = self._book
        known = book.format_map.get(book.xf_list[style].format_key)
        return str(known.format_str) if known else None


def _plain(kind: int, value: Any) -> CellValue:
    import xlrd

    if kind == xlrd.XL_CELL_TEXT:
        return cell_value(value)
    if kind == xlrd.XL_CELL_BOOLEAN:
        return bool(value)
    if kind == xlrd.XL_CELL_ERROR:
        return error_cell(ERROR_CODES.get(value, f"error {value}"))
    return EMPTY[0]


def _merged(sheet: Any) -> tuple[str, ...]:
    from openpyxl.utils import get_column_letter

    return tuple(
        f"{get_column_letter(left + 1)}{top + 1}:{get_column_letter(right)}{bottom}"
        for top, bottom, left, right in sheet.merged_cells
    )


def _records(book: Any, start: int) -> Iterator[tuple[int, bytes]]:
    """Yield the records of one part of the workbook, up to its end."""
    data, spot, depth = book.mem, start, 0
    while spot + 4 <= len(data):
        code, size = struct.unpack_from("<HH", data, spot)
        yield code, data[spot + 4 : spot + 4 + size]
        depth += (code == _BOF) - (code == _EOF)
        if depth == 0:
            return
        spot += 4 + size


class _Results:
    """Tell which formulas of a workbook have no result that can be believed."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._calculated = any(
            code == _RECALC_ID and data[4:8] != _NO_ENGINE for code, data in _records(book, book.base)
        )
        self._zeros_doubtful = str(book.user_name).strip() == _LIBREOFFICE

    def missing(self, start: int) -> dict[tuple[int, int], Fault]:
        """Return the cells of the sheet that starts there, by row and column from 0, with what is wrong."""
        if self._calculated and not self._zeros_doubtful:
            return {}
        found: dict[tuple[int, int], Fault] = {}
        for code, data in _records(self._book, start):
            if code != _FORMULA:
                continue
            empty = data[12:14] == _NO_NUMBER and data[6:7] == _EMPTY_TEXT
            zero = data[6:14] == _ZERO
            if self._zeros_doubtful and zero:
                found[struct.unpack_from("<HH", data)] = Fault(
                    "not_calculated",
                    "0",
                    "The result of this formula is not certain: LibreOffice writes 0 into .xls files in place of a "
                    "text. Open the workbook in LibreOffice and save it as .xlsx or .ods.",
                )
            elif (empty or zero) and not self._calculated:
                found[struct.unpack_from("<HH", data)] = not_calculated()
        return found


@contextmanager
def open_book(file: Path, name: str) -> Iterator[XlsBook]:
    """Open a workbook for reading values; `name` is what messages call it.

    Raises: WorkbookError when it is protected, damaged or none of Excel's.
    """
    import xlrd
    from xlrd.biffh import XLRDError
    from xlrd.compdoc import CompDocError

    try:
        data = file.read_bytes()
    except OSError as error:
        raise cannot_open(file, error) from None
    with legible(name):
        try:
            _refuse_others(name, data)
            book = xlrd.open_workbook(
                file_contents=data, formatting_info=True, on_demand=True, ragged_rows=True, logfile=io.StringIO()
            )
            yield XlsBook(name, book)
        except (XLRDError, CompDocError) as error:
            if "encrypted" in str(error).lower():
                raise _protected(name) from None
            raise damaged(name, error) from error


def _refuse_others(name: str, data: bytes) -> None:
    """Refuse what lies in the same kind of file: newer workbooks under a password, texts, messages."""
    from xlrd.compdoc import CompDoc

    log = io.StringIO()
    whole = CompDoc(data, logfile=log)
    streams = [stream for stream in (_ENCRYPTED, "Workbook", "Book") if whole.locate_named_stream(stream)[0]]
    if not streams:
        raise WorkbookError(f"{name!r} is not a workbook of Excel, whatever its name says. Save it as .xlsx in Excel.")
    if streams[0] == _ENCRYPTED:
        raise _protected(name)


def _protected(name: str) -> WorkbookError:
    return WorkbookError(
        f"{name!r} is protected by a password. Open it in Excel, take the password off (File, Info, Protect Workbook), "
        "and save it as .xlsx."
    )
