"""Find the row that holds the headers, below titles and blank rows, and tell a totals row at the end."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Final

from importer.drafting.words import Words, comparable, without_brackets
from importer.errors import WorkbookError
from importer.model import CellValue, Row
from importer.workbook import Sheet, choose, make_sheet, open_book, read

#: Headers stand no lower than this.
_LOWEST: Final = 30
_VALUE: Final = re.compile(r"[-+(]?[\d.,:/\s'\u00a0-]+[)%]?")
_LONGEST_HEADER: Final = 60
_ENOUGH: Final = 3


def find_sheet(file: Path, words: Words, *, sheet: str | None, header_row: int | None) -> Sheet:
    """Read a workbook's sheet from the row that most looks like headers.

    Raises: WorkbookError when no row does, or the workbook or sheet cannot be read.
    """
    if header_row is not None:
        return read(file, sheet=sheet, header_row=header_row)
    # without a header row the lines of a text file may differ in length, as titles do
    with open_book(file, sheet=sheet) as book:
        table = book.table(choose(file.name, book.titles, sheet))
        table = replace(table, rows=list(table.rows))
    best: tuple[float, Sheet] | None = None
    first_error: WorkbookError | None = None
    for number in range(1, _LOWEST + 1):
        try:
            found = make_sheet(file, table, number)
        except WorkbookError as error:
            if not _only_no_headers(error, number):
                raise
            first_error = first_error or error
            continue
        score = _score(found, words)
        if best is None or score > best[0]:
            best = score, found
        if _certain(found, words) or not found.rows:
            break
    if best is None or best[0] <= 0:
        raise WorkbookError(
            f"No row of {file.name!r} down to row {_LOWEST} looks like headers. Say which row does: --header-row N."
        ) from first_error
    return best[1]


def _only_no_headers(error: WorkbookError, number: int) -> bool:
    return str(error).startswith(f"Row {number} ")


def _texts(sheet: Sheet) -> list[str]:
    return [header for header in sheet.headers if header is not None]


def _known(sheet: Sheet, words: Words) -> int:
    """Count the headers that the list of words has."""
    known = {word for entry in words.entries for word in entry.words}
    return sum(comparable(without_brackets(header)) in known for header in _texts(sheet))


def _certain(sheet: Sheet, words: Words) -> bool:
    """Tell whether no row below can be a better one: half of it is known, and data follow at once."""
    texts = _texts(sheet)
    known = _known(sheet, words)
    return known >= _ENOUGH and known * 2 >= len(texts) and not any(map(_is_value, texts)) and _filled(sheet) > 0


def _score(sheet: Sheet, words: Words) -> float:
    """Weigh how much a row looks like headers; more columns, known words, and data at once below weigh."""
    texts = _texts(sheet)
    values = sum(map(_is_value, texts))
    if not sheet.rows or values * 2 > len(texts):
        return 0
    repeated = len(texts) - len(set(texts))
    long = sum(len(text) > _LONGEST_HEADER for text in texts)
    plain = len(texts) - values - repeated - long
    return plain + 3 * _known(sheet, words) - 3 * values + (_filled(sheet) * len(texts))


def _is_value(text: str) -> bool:
    """Tell whether a header is rather a value: a number, a date or an amount."""
    return bool(_VALUE.fullmatch(text))


def _filled(sheet: Sheet) -> float:
    """Return the share of headers that have a cell in the next row that holds anything."""
    row = next((row for row in sheet.rows[:2] if not row.blank), None)
    if row is None:
        return 0
    spots = [spot for spot, header in enumerate(sheet.headers) if header]
    # a reader may leave blank cells out at the end of a row
    return sum(spot < len(row.cells) and row.cells[spot] is not None for spot in spots) / max(len(spots), 1)


def totals_row(sheet: Sheet, words: Words) -> tuple[Row, str, str] | None:
    """Return the sheet's last row where it is a total, with the header and the text of the cell that says so."""
    filled = [row for row in sheet.rows if not row.blank]
    if len(filled) < _ENOUGH:
        return None
    last, before = filled[-1], filled[-2]
    fewer = sum(cell is not None for cell in last.cells) < sum(cell is not None for cell in before.cells)
    for spot, header in enumerate(sheet.headers):
        cell: CellValue = last.cells[spot] if spot < len(last.cells) else None
        if header in sheet.columns and isinstance(cell, str) and comparable(cell) in words.totals and fewer:
            return last, str(header), cell
    return None
