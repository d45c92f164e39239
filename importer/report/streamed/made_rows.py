"""Write the rows of a table as the XML of a sheet, each as it comes by."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from functools import lru_cache
from html import escape
from typing import IO, Any, Final

from openpyxl.cell.cell import Cell
from openpyxl.compat import safe_string
from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import to_excel

from importer.jsontext import plain
from importer.model import CellValue
from importer.report.cells import is_like_formula, text_element
from importer.report.streamed.package import Rest
from importer.report.streamed.sheet_part import CHUNK

Values = Sequence[tuple[CellValue, str | None]]
#: As many values are kept as they are written; most of a table's come again and again.
_KEPT: Final = 50_000
#: A longer text may be more than a cell holds.
_SHORT: Final = 1_000


class _Cells:
    """Write cells as openpyxl would, each kind of cell made once; `put` gives a cell its value and its form."""

    def __init__(self, sheet: Any, put: Callable[[Any, CellValue, str | None], None]) -> None:
        self._sheet = sheet
        self._put = put
        self._letters: list[bytes] = []
        # True and 1 are equal, and not the same
        self._kept = lru_cache(_KEPT, typed=True)(self._made)
        self._forms = lru_cache(_KEPT)(lambda form: tuple(self._written(Decimal(7), form).split(b"7</v>")))
        self._text = tuple(self._written("text", None).split(b"text"))

    def row(self, number: int, values: Values, *, hidden: bool) -> bytes:
        """Return a row."""
        while len(self._letters) < len(values):
            self._letters.append(get_column_letter(len(self._letters) + 1).encode())
        digits = b"%d" % number
        cells = [
            b'<c r="%b%b"%b' % (letter, digits, self._end(value, form))
            for letter, (value, form) in zip(self._letters, values, strict=False)
            if value is not None
        ]
        return b'<row r="%b"%b>%b</row>' % (digits, b' hidden="1"' if hidden else b"", b"".join(cells))

    def _end(self, value: CellValue, form: str | None) -> bytes:
        """Return a cell without its address."""
        if isinstance(value, Decimal):
            # equal ones may have other digits
            before, after = self._forms(form)
            return b"%b%b</v>%b" % (before, plain(value).encode(), after)
        return self._kept(value, form)

    def _made(self, value: CellValue, form: str | None) -> bytes:
        if isinstance(value, str) and _is_plain(value):
            before, after = self._text
            return b"%b%b%b" % (before, escape(value, quote=False).encode(), after)
        return self._written(value, form)

    def _written(self, value: CellValue, form: str | None) -> bytes:
        cell: Any = Cell(self._sheet, row=1, column=1)
        self._put(cell, value, form)
        kind, held = cell.data_type, cell._value
        style = b' s="%d"' % cell.style_id
        if held is None or held == "":
            return style + b"/>"
        if kind == "s":
            return style + f' t="inlineStr"><is>{text_element(held)}</is></c>'.encode()
        if kind == "d":
            kind, held = "n", to_excel(held, self._sheet.parent.epoch)  # type: ignore[no-untyped-call]
        return style + f' t="{kind}"><v>{escape(safe_string(held), quote=False)}</v></c>'.encode()


def _is_plain(text: str) -> bool:
    """Tell whether a text is written as it stands, but for what is a mark in XML."""
    return (
        0 < len(text) <= _SHORT
        and text.isprintable()
        and "_x" not in text
        and text[0] != " " != text[-1]
        and not is_like_formula(text)
    )


def spool(
    sheet: Any,
    rows: Iterable[tuple[int, Values]],
    hidden: AbstractSet[int],
    put: Callable[[Any, CellValue, str | None], None],
    file: IO[bytes],
) -> Rest:
    """Write the rows of a blank sheet into a file, and return them.

    `hidden` are the numbers of hidden rows, as far as they are known when a row comes by.
    """
    cells, last, wide = _Cells(sheet, put), 0, 1
    for number, values in rows:
        file.writelines(cells.row(blank, (), hidden=True) for blank in range(last + 1, number) if blank in hidden)
        file.write(cells.row(number, values, hidden=number in hidden))
        last, wide = number, max(wide, len(values))
    behind = sorted(number for number in hidden if number > last)
    file.writelines(cells.row(blank, (), hidden=True) for blank in behind)
    last = max([last, *behind])
    return Rest(keep=0, last_row=last, last_column=wide, pieces=_read(file), size=file.tell())


def _read(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(CHUNK):
        yield piece
