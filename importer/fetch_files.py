"""Write what was fetched into a file: a table for people (.xlsx, .csv) or every row as it came (.jsonl).

A table has one row a document, or one a line. Text is text, numbers keep their digits, dates are dates: what is written
here and given to an update says the same again.
"""

import csv
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from importer.atomic_file import replacing
from importer.errors import StartError, UsageError
from importer.fetch import Item, Request, date_fields
from importer.jsontext import plain, write_json
from importer.report.cells import put_text, save, writable
from importer.values import shown

Cell = None | str | bool | Decimal | date | datetime
FlatRow = dict[str, Cell]

_MOMENT: Final = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})(?:T(?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]+)?(?:Z|[+-][0-9:]{5})?)?"
)
#: Excel takes no earlier day: it counts one in February 1900 that never was.
_FIRST_DAY: Final = date(1900, 3, 1)
#: What Excel keeps of a number; one with more digits is written as text, so that none is lost.
_EXCEL_DIGITS: Final = 15
_EXCEL_ROWS: Final = 1_048_576
_EXCEL_COLUMNS: Final = 16_384
_WIDTHS: Final = (8, 48)
#: By what a workbook tells that it was fetched.
_CREATOR: Final = "visma-import fetch"
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_TEXT_FORMAT: Final = "@"
_DAY_FORMAT: Final = "yyyy-mm-dd"
_MOMENT_FORMAT: Final = "yyyy-mm-dd hh:mm:ss"


@dataclass(frozen=True, slots=True)
class Table:
    """Hold rows under headers; a row has a cell for each header."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def table(request: Request, items: Sequence[Item], *, lines: bool = False) -> Table:
    """Return documents as a table, the number first; with `lines` one row a line, the document's columns repeated.

    Lists have no place in a table and are left out, but for the lines and the parts that were asked for by name:
    `taxDetails.1.vatRate`.
    """
    listing = request.listing
    parts = frozenset(expand.part for expand in request.expands)
    rows: list[FlatRow] = []
    for item in items:
        head = dict(_flat({listing.number: item[listing.number], **_without_metadata(item)}, "", parts))
        below = item.get(listing.lines) if lines and listing.lines else None
        entries = [entry for entry in below if isinstance(entry, dict)] if isinstance(below, list) else []
        rows += [{**head, **dict(_flat(entry, f"{listing.lines}.", frozenset()))} for entry in entries] or [head]
    headers = _headers(rows) or (listing.number,)
    return Table(listing.title, headers, tuple(tuple(row.get(name) for name in headers) for row in rows))


def _without_metadata(item: Item) -> Item:
    return {name: value for name, value in item.items() if name != "metadata"}


def _flat(node: Item, prefix: str, parts: frozenset[str]) -> Iterator[tuple[str, Cell]]:
    """Yield the values of an object, those of objects in it under their path."""
    for name, value in node.items():
        key = prefix + name
        if isinstance(value, dict):
            yield from _flat(value, f"{key}.", frozenset())
        elif not isinstance(value, list):
            yield key, _cell(name, value)
        elif value and not any(isinstance(entry, dict | list) for entry in value):
            yield key, "; ".join(shown(entry) for entry in value)
        elif name in parts:
            for spot, entry in enumerate(value, start=1):
                if isinstance(entry, dict):
                    yield from _flat(entry, f"{key}.{spot}.", frozenset())


def _cell(name: str, value: Any) -> Cell:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | Decimal):
        return Decimal(value)
    text = str(value)
    if name not in date_fields():
        return text or None
    return _moment(text)


def _moment(text: str) -> Cell:
    """Return a date as it is written, without moving it between zones; midnight is a day.

    Source: FACTS 7 (REPORTED): read dates come with and without `Z` or an offset.
    """
    match = _MOMENT.fullmatch(text)
    try:
        day = date.fromisoformat(match["day"]) if match else None
        at = time.fromisoformat(match["time"]) if match and match["time"] else time(0)
    except ValueError:
        return text
    if day is None or day < _FIRST_DAY:
        return text or None
    return datetime.combine(day, at) if at != time(0) else day


def _headers(rows: Sequence[FlatRow]) -> tuple[str, ...]:
    """Return every column in the order of the rows; one that only later rows have stands after its neighbour there."""
    headers: list[str] = []
    seen: set[str] = set()
    for row in rows:
        before = ""
        for name in row:
            if name not in seen:
                headers.insert(headers.index(before) + 1 if before else len(headers), name)
                seen.add(name)
            before = name
    # An object that is null in one row and there in another needs no column of its own.
    return tuple(name for name in headers if not any(other.startswith(f"{name}.") for other in seen))


def suffix_of(file: Path) -> str:
    """Return how a file is to be written, by its name.

    Raises: UsageError for a name that says nothing about it, or a folder that is not there.
    """
    suffix = file.suffix.lower()
    if suffix not in WRITERS:
        raise UsageError(f"-o {file.name!r}: the name has to end with {', '.join(WRITERS)}.")
    if file.is_dir() or not file.parent.is_dir():
        raise UsageError(f"-o {str(file)!r}: the folder {str(file.parent)!r} is not there, or the name is a folder's.")
    return suffix


def write(file: Path, request: Request, items: Sequence[Item], *, lines: bool = False) -> tuple[int, list[str]]:
    """Write the file, whole or not at all; return its rows and what is to be said about them.

    Raises: StartError when it cannot be written.
    """
    with replacing(file) as partial:
        return WRITERS[suffix_of(file)](partial, request, items, lines)


def _write_jsonl(file: Path, _request: Request, items: Sequence[Item], _lines: bool) -> tuple[int, list[str]]:
    with file.open("w", encoding="utf-8", newline="\n") as out:
        for item in items:
            out.write(write_json(_without_metadata(item)) + "\n")
    return len(items), []


def _write_csv(file: Path, request: Request, items: Sequence[Item], lines: bool) -> tuple[int, list[str]]:
    content = table(request, items, lines=lines)
    with file.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.writer(out, delimiter=";")
        writer.writerow(map(_csv_text, content.headers))
        writer.writerows([_csv_text(cell) for cell in row] for row in content.rows)
    return len(content.rows), []


def _csv_text(cell: Cell) -> str:
    """Write a cell so that no spreadsheet program takes a text for a formula; a number keeps its sign."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell
    return shown(cell)


def _write_xlsx(file: Path, request: Request, items: Sequence[Item], lines: bool) -> tuple[int, list[str]]:
    from openpyxl import Workbook
    from openpyxl.utils import get_column_letter

    content = table(request, items, lines=lines)
    if len(content.rows) >= _EXCEL_ROWS or len(content.headers) > _EXCEL_COLUMNS:
        raise StartError(
            f"{len(content.rows)} rows are more than a sheet holds. Write a .csv, or fetch fewer by filters."
        )
    book = Workbook(write_only=True)
    book.properties.creator = _CREATOR
    sheet: Any = book.create_sheet(content.title[:1].upper() + content.title[1:])
    sheet.freeze_panes = "B2"
    last = get_column_letter(max(len(content.headers), 1))
    sheet.auto_filter.ref = f"A1:{last}{len(content.rows) + 1}"
    writer = _SheetWriter(sheet, content)
    writer.write()
    save(book, file)
    notes = []
    if writer.cut:
        notes.append(
            f"{writer.cut} texts could not be written whole into a cell. Do not send them back from this workbook; "
            ".csv and .jsonl hold them whole."
        )
    return len(content.rows), notes


def is_fetched(file: Path) -> bool:
    """Tell whether a workbook was written by a fetch, so that the next one may take its place."""
    try:
        with zipfile.ZipFile(file) as archive:
            return f">{_CREATOR}<".encode() in archive.read("docProps/core.xml")
    except (OSError, KeyError, zipfile.BadZipFile):
        return False


class _SheetWriter:
    """Fill a sheet row by row, with one style made for each column."""

    def __init__(self, sheet: Any, content: Table) -> None:
        self.sheet = sheet
        self.content = content
        #: how many texts a cell could not hold as they are
        self.cut = 0
        self._formats = [_format(column) for column in zip(*content.rows, strict=True)]
        self._styles: dict[str, Any] = {}

    def write(self) -> None:
        """Write widths, header and rows."""
        from openpyxl.styles import Font
        from openpyxl.utils import get_column_letter

        formats = self._formats or [_TEXT_FORMAT] * len(self.content.headers)
        for spot, (name, look) in enumerate(zip(self.content.headers, formats, strict=True)):
            column = self.sheet.column_dimensions[get_column_letter(spot + 1)]
            longest = max((len(shown(row[spot])) for row in self.content.rows if row[spot] is not None), default=0)
            column.width = min(max(longest, len(name), _WIDTHS[0]), _WIDTHS[1]) + 2
            # Blank cells too, so that 0101 typed into one stays text.
            column.number_format = look
        header = [self._text(name, _TEXT_FORMAT) for name in self.content.headers]
        for cell in header:
            cell.font = Font(bold=True)
        self.sheet.append(header)
        for row in self.content.rows:
            self.sheet.append([self._cell(value, look) for value, look in zip(row, formats, strict=True)])

    def _cell(self, value: Cell, look: str) -> Any:
        if value is None:
            return None
        if isinstance(value, Decimal):
            if len(value.as_tuple().digits) > _EXCEL_DIGITS:
                return self._text(plain(value), _TEXT_FORMAT)
            return self._number(value, look if look.startswith("0") else "General")
        if isinstance(value, str):
            self.cut += _loses(value)
            return self._text(value, _TEXT_FORMAT)
        cell = self._new("General" if isinstance(value, bool) else look)
        cell.value = value
        return cell

    def _number(self, value: Decimal, look: str) -> Any:
        cell = self._new(look)
        # Past the setter: the digits go into the file as they are, not by way of a float.
        cell._value = plain(value)
        cell.data_type = "n"
        return cell

    def _text(self, text: str, look: str) -> Any:
        cell = self._new(look)
        put_text(cell, text)
        return cell

    def _new(self, look: str) -> Any:
        from openpyxl.cell import WriteOnlyCell

        cell: Any = WriteOnlyCell(self.sheet)
        if look not in self._styles:
            cell.number_format = look
            self._styles[look] = copy(cell._style)
        cell._style = copy(self._styles[look])
        return cell


def _loses(text: str) -> bool:
    """Tell whether a cell holds less than the text: it is too long, or has characters that a workbook cannot hold."""
    held = writable(text)
    return held.count("\ufffd") > text.count("\ufffd") or len(held) < len(text) - text.count("\r\n")


def _format(column: Sequence[Cell]) -> str:
    """Return the number format of a column: as many decimals as any of its numbers has, dates all alike."""
    values = [value for value in column if value is not None]
    if values and all(isinstance(value, Decimal) for value in values):
        exponents = [value.as_tuple().exponent for value in values if isinstance(value, Decimal)]
        places = max(-exponent for exponent in exponents if isinstance(exponent, int))
        return "0." + "0" * min(places, _EXCEL_DIGITS) if places > 0 else "0"
    if any(isinstance(value, datetime) for value in values):
        return _MOMENT_FORMAT
    if any(isinstance(value, date) for value in values):
        return _DAY_FORMAT
    return "General" if values and all(isinstance(value, bool) for value in values) else _TEXT_FORMAT


Writer = Callable[[Path, Request, Sequence[Item], bool], tuple[int, list[str]]]
WRITERS: Final[dict[str, Writer]] = {".xlsx": _write_xlsx, ".csv": _write_csv, ".jsonl": _write_jsonl}
