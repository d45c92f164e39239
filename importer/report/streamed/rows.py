"""Add the report's own cells to rows that are passed on as they stand."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from typing import Any, Final

from openpyxl.utils import get_column_letter

from importer.report.columns import Columns, message_height
from importer.report.marks import Paint
from importer.report.streamed.own_cells import OwnCells, Style, Styles, number_of
from importer.report.streamed.row_pattern import CELL, NotUnderstood, cells_of, is_filled, row_pattern
from importer.report.streamed.sheet_part import SheetPart
from importer.workbook import LAST_ROW

_ATTRIBUTE: Final = re.compile(rb' ([A-Za-z0-9:]+)="([^"]*)"')
_TEXT: Final = re.compile(rb"<t[^<>]*>([^<]*)</t>")
_PLACE: Final = re.compile(rb' t="s"><v>([0-9]+)</v>')
#: A row as it was found: the groups of the pattern.
Found = tuple[bytes, ...]
#: A row's number, the same as the file writes it, its other attributes, the cells left of the special columns, what the
#: neighbour's cell says of its style, and the cells right of all that are told.
Plain = tuple[int, bytes, bytes, bytes, bytes, bytes]


class Again(Exception):  # noqa: N818 - not an error: the report is begun anew with what is known now
    """Say what came to light of a sheet only among its rows."""

    def __init__(self, *, taken: int | None = None, title: str = "", wide: int = 0) -> None:
        super().__init__()
        #: a column of the run's sheet in which something stands
        self.taken = taken
        #: a sheet, and its last column
        self.title = title
        self.wide = wide


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """Say what the report adds to the rows of a sheet, and what it takes off."""

    columns: Columns
    cells: OwnCells
    styles: Styles
    #: columns of cells that have problems, by row
    marks: Dictionary[int, Collection[int]]
    #: for each style that an earlier report marked a cell with, the one that the cell had
    plain: Dictionary[int, int]
    #: the shared texts of the workbook, if there are any
    texts: Any


class Rows:
    """Pass the rows of one sheet on."""

    def __init__(self, title: str, part: SheetPart, wide: int = 0) -> None:
        self.last_column = max(part.wide, wide)
        self.last_row = part.last_row
        self._title = title
        self._number = part.keep
        self._pattern, self._told = self._made()
        self._places = {name: place - 1 for name, place in self._pattern.groupindex.items()}

    def _made(self) -> tuple[re.Pattern[bytes], int]:
        return row_pattern((), None, self.last_column)

    def passed(self, chunks: Iterable[bytes], values: Callable[[bytes], bytes]) -> Iterator[bytes]:
        """Yield the rows, some at a time; `values` replaces formulas in XML by their values, where there are any.

        Raises: NotUnderstood, or Again.
        """
        formulas = False
        for chunk in chunks:
            found = None if formulas else self._taken_apart(chunk)
            if found is None:
                formulas = True
                found = self._taken_apart(values(chunk))
            if found is None:
                raise NotUnderstood("rows in another form")
            if found:
                yield b"".join(self._pieces(self._numbers(found), found))
        yield self._last()

    def _taken_apart(self, chunk: bytes) -> list[Found] | None:
        """Return all rows of a chunk; None where anything stands between them."""
        found = self._pattern.findall(chunk)
        return found if sum(len(row[0]) for row in found) == len(chunk) else None

    def _numbers(self, found: list[Found]) -> list[int]:
        """Return the numbers of the rows that come next."""
        place, right = self._places["n"], self._places["right"]
        numbers = [int(row[place]) for row in found]
        last = self._number
        for number in numbers:
            if not last < number <= LAST_ROW:
                raise NotUnderstood("rows out of order")
            last = number
        self._number = last
        for row in found:
            if row[right]:
                self._look_right(row[right])
        return numbers

    def _look_right(self, content: bytes) -> None:
        columns = [column for column, _ in cells_of(content)]
        if columns[0] <= self._told:
            raise NotUnderstood("cells out of order")
        if columns[-1] > self.last_column:
            raise Again(title=self._title, wide=columns[-1])

    def _pieces(self, _numbers: list[int], found: list[Found]) -> Iterable[bytes]:
        """Return the rows as they are passed on."""
        for _row, digits, raw, content, right in found:
            kept, high, _ = _attributes(raw)
            yield b'<row r="%b"%b%b>%b%b</row>' % (digits, kept, high, content, right)

    def _last(self) -> bytes:
        return b""


class OurRows(Rows):
    """Pass the rows of the run's own sheet on, with what became of them."""

    def __init__(self, ours: Ours, title: str, part: SheetPart, wide: int = 0) -> None:
        self._ours = ours
        self._special = sorted({*ours.columns.spots, *ours.columns.cleared})
        super().__init__(title, part, max(wide, *ours.columns.spots))
        #: groups that hold what stands from the first special column on, but for what is right of all that is told
        self._parts = [
            self._places[name]
            for place, column in enumerate(self._special, start=1)
            for name in (f"c{column}", f"g{place}")
        ]
        self._told_rows = ours.cells.rows
        simple = self._special == list(ours.columns.spots)
        #: rows that get our cells in the order of their names and nothing else
        self._plain_rows = (ours.cells.rows.keys() if simple else set[int]()) - ours.marks.keys()
        #: rows of which something is to be said, the next one last
        self._coming = sorted({*ours.cells.rows, *ours.marks}, reverse=True)
        self.last_row = max([self.last_row, *self._coming[:1]])
        if self._coming and self._coming[-1] <= part.keep:
            raise NotUnderstood("outcomes of rows above the data")
        self._paint = Paint(ours.styles.cell(1).parent)
        self._painted: dict[Style, bytes] = {}
        ids = b"|".join(str(style).encode() for style in ours.plain)
        self._marked = re.compile(rb'(<c r="[A-Z]{1,3}[0-9]+" s=")(' + ids + rb')"')

    def _made(self) -> tuple[re.Pattern[bytes], int]:
        return row_pattern(self._special, self._ours.columns.neighbour, self.last_column)

    def passed(self, chunks: Iterable[bytes], values: Callable[[bytes], bytes]) -> Iterator[bytes]:
        """Yield the rows, some at a time, without the marks of an earlier report.

        Raises: NotUnderstood, or Again.
        """
        yield from super().passed(map(self._unmarked, chunks) if self._ours.plain else chunks, values)

    def _unmarked(self, chunk: bytes) -> bytes:
        return self._marked.sub(lambda found: b'%b%d"' % (found[1], self._ours.plain[int(found[2])]), chunk)

    def _pieces(self, numbers: list[int], found: list[Found]) -> Iterable[bytes]:
        columns = list(zip(*found, strict=True))
        digits, raw, first, beside, right = (columns[self._places[name]] for name in ("n", "a", "g0", "s", "right"))
        rows = zip(numbers, digits, raw, first, beside, right, strict=True)
        standing = [columns[part] for part in self._parts]
        coming = self._coming[-len(numbers) :][::-1]
        if coming == numbers and self._plain_rows.issuperset(numbers) and not any(map(any, standing)):
            del self._coming[-len(numbers) :]
            return self._plainly(rows)
        return self._one_by_one(rows, zip(*standing, strict=True))

    def _plainly(self, rows: Iterable[Plain]) -> Iterator[bytes]:
        """Yield rows that get our cells, and in whose special columns nothing stands."""
        cells = self._ours.cells
        for number, digits, raw, first, beside, right in rows:
            line = cells.line(number, digits, beside)
            yield b'<row r="%b"%b%b%b%b</row>' % (digits, _at_least(raw, cells.height), first, line, right)

    def _one_by_one(self, rows: Iterable[Plain], parts: Iterable[tuple[bytes, ...]]) -> Iterator[bytes]:
        coming = self._coming
        for row, standing in zip(rows, parts, strict=True):
            number, digits, raw, first, beside, right = row
            while coming and coming[-1] < number:
                yield self._missing(coming.pop())
            if coming and coming[-1] == number:
                coming.pop()
            if number in self._plain_rows and not any(standing):
                yield from self._plainly([row])
            else:
                yield self._whole(number, digits, raw, [first, *standing, right], number_of(beside))

    def _last(self) -> bytes:
        return b"".join(map(self._missing, reversed(self._coming)))

    def _missing(self, number: int) -> bytes:
        """Return a row that the sheet does not hold: a blank one."""
        return self._whole(number, b"%d" % number, b"", [b""] * (2 * len(self._special) + 2), None)

    def _whole(self, number: int, digits: bytes, raw: bytes, parts: list[bytes], beside: Style) -> bytes:
        kept, high, height = _attributes(raw)
        before = height
        if number in self._told_rows or any(parts[1:-1]):
            height = self._fill(number, digits, parts, beside, height)
        if height != before:
            high = _high(height) if height else b""
        content = b"".join(parts)
        if number in self._ours.marks:
            content = self._painted_cells(digits, content, self._ours.marks[number])
        return b'<row r="%b"%b%b>%b</row>' % (digits, kept, high, content)

    def _fill(
        self, number: int, digits: bytes, parts: list[bytes], beside: Style, height: float | None
    ) -> float | None:
        """Put our cells in the places of the special columns; return the height that the row gets."""
        columns = self._ours.columns
        standing = dict(zip(self._special, parts[1::2], strict=False))
        for column, cell in standing.items():
            if cell and column in columns.cleared:
                height = self._shrunk(cell, height)
                standing[column] = b""
            elif cell and is_filled(cell):
                raise Again(taken=column)
        if number in self._told_rows:
            styles = tuple(_style(standing[column]) for column in columns.spots)
            standing |= self._ours.cells.cells(number, digits, beside, styles)
            wanted = self._ours.cells.height
            height = height if wanted is None else max(wanted, height or 0)
        parts[1::2] = [standing[column] for column in self._special] + parts[2 * len(self._special) + 1 :: 2]
        return height

    def _shrunk(self, cell: bytes, height: float | None) -> float | None:
        """Return the height of a row without an earlier report's text, which it was as high as."""
        if height is None:
            return None
        found, place = _TEXT.search(cell), _PLACE.search(cell)
        text = unescape(found[1].decode()) if found else self._ours.texts[int(place[1])] if place else ""
        return None if isinstance(text, str) and message_height(text) == height else height

    def _painted_cells(self, digits: bytes, content: bytes, columns: Collection[int]) -> bytes:
        cells = {column: found[0] for column, found in cells_of(content)}
        for column in columns:
            found = CELL.match(cells.get(column, b""))
            style = self._painted_style(column, None if found is None else found[2] or b"")
            end = b"/>" if found is None else found[3]
            cells[column] = b'<c r="%b%b" s="%b"%b' % (get_column_letter(column).encode(), digits, style, end)
        return b"".join(cells[column] for column in sorted(cells))

    def _painted_style(self, column: int, style: Style) -> bytes:
        if style not in self._painted:
            cell = self._ours.styles.cell(column, style)
            self._paint.mark(cell)
            self._painted[style] = b"%d" % cell.style_id
        return self._painted[style]


@lru_cache(maxsize=4096)
def _at_least(raw: bytes, wanted: float | None) -> bytes:
    """Return the attributes of a row that is to be so high, in points, and the end of its tag."""
    kept, high, height = _attributes(raw)
    if wanted is not None and (height is None or wanted > height):
        high = _high(wanted)
    return b"%b%b>" % (kept, high)


def _high(height: float) -> bytes:
    return b' ht="%b" customHeight="1"' % str(height).encode()


def _style(cell: bytes) -> Style:
    found = CELL.match(cell)
    return None if found is None else found[2] or b""


@lru_cache(maxsize=4096)
def _attributes(raw: bytes) -> tuple[bytes, bytes, float | None]:
    """Return a row's attributes as they are passed on, those of its height, and its height in points.

    Attributes of other namespaces are none of openpyxl's, and the cells that a row spans are others now.
    """
    kept, high, height = b"", b"", None
    for found in _ATTRIBUTE.finditer(raw):
        if found[1] == b"ht":
            height = float(found[2])
        if found[1] in {b"ht", b"customHeight"}:
            high += found[0]
        elif b":" not in found[1] and found[1] != b"spans":
            kept += found[0]
    return kept, high, height
