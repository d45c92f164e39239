"""Say what a row of a sheet's XML looks like, so that it can be passed on without reading its cells.

The pattern takes what Excel, LibreOffice, openpyxl, XlsxWriter and Apache POI write: cells in the order of their
columns, each with its own address, and nothing in them but a value. Source: ECMA-376-1, 18.3.1.4 and 18.3.1.73.
"""

import re
from collections.abc import Collection, Iterator
from functools import cache
from typing import Final

from openpyxl.utils import column_index_from_string, get_column_letter

#: As many columns are told one by one; of cells right of them the order is looked at afterwards.
_TOLD: Final = 200
_TEXT: Final = (
    rb"[^<&\x00-\x08\x0b\x0c\x0e-\x1f]*+"
    rb"(?:(?:&(?:amp|lt|gt|quot|apos|#[0-9]+|#x[0-9A-Fa-f]+);[^<&\x00-\x08\x0b\x0c\x0e-\x1f]*+)+|)"
)
_NUMBER: Final = rb"-?[0-9]++(?:\.[0-9]++|)(?:[eE][-+]?[0-9]++|)"
_BLANK: Final = rb"></c>| ?/>"
#: `(?:...|)` takes half the time of `(?:...)?`, and so does a choice by the next character.
_REST: Final = (
    rb"(?:>(?:<v>" + _NUMBER + rb"</v></c>|</c>)|/>| (?:/>"
    rb'|t="(?:'
    rb's"(?:><v>[0-9]+</v></c>|' + _BLANK + rb")"
    rb'|n"(?:><v>' + _NUMBER + rb"</v></c>|" + _BLANK + rb")"
    rb'|inlineStr"(?:><is><t(?: xml:space="preserve"|)>' + _TEXT + rb"</t></is></c>|" + _BLANK + rb")"
    rb'|b"><v>[01]</v></c>'
    rb'|e"><v>' + _TEXT + rb"</v></c>"
    rb")))\s*"
)
_STYLE: Final = rb'(?: s="[0-9]{1,6}"|)'
#: A cell of any column, taken apart: its column, its style and its end.
CELL: Final = re.compile(rb'<c r="([A-Z]{1,3})[0-9]+"(?: s="([0-9]+)")?(' + _REST + rb")")
_ANY: Final = rb'(?:<c r="[A-Z]{1,3}(?P=n)"' + _STYLE + _REST + rb")*"


class NotUnderstood(Exception):  # noqa: N818 - not an error: the other way is taken
    """Say that the XML of a sheet holds something that is not passed on as it stands."""


def row_pattern(special: Collection[int], neighbour: int | None, wide: int) -> tuple[re.Pattern[bytes], int]:
    """Return the pattern of a row, to be found again and again without a gap, and the last column that it tells.

    Its groups: `row`, the whole; `n`, the number; `a`, the other attributes; `g0`, the cells left of the first special
    column; `c7`, the cell of the special column 7; `g1`, the cells between it and the next, and so on; `right`, the
    cells of columns that are not told one by one; `s`, what the neighbour's cell says of its style, from the quotation
    mark before it on. None but the first two holds anything where there is no such thing. `wide` is the last column
    that is expected.

    Raises: NotUnderstood when there are too many columns to tell.
    """
    told = max([*special, neighbour or 0])
    if told > _TOLD:
        raise NotUnderstood("too many columns")
    told = max(told, min(wide, _TOLD))
    parts, turn = [b"(?P<g0>"], 0
    for column in range(1, told + 1):
        cell = _cell(column, rb'(?P<s>"' + _STYLE + b")" if column == neighbour else b'"' + _STYLE)
        if column in special:
            turn += 1
            parts.append(b")(?P<c%d>%b|)(?P<g%d>" % (column, cell, turn))
        else:
            # a cell that was found is not given up again: nothing else begins with its address
            parts.append(b"(?>%b|)" % cell)
    pattern = (
        rb'(?P<row><row r="(?P<n>[0-9]{1,7})"(?P<a>(?: [A-Za-z0-9:]+="[^"<&]*")*) ?(?:/>|>\s*'
        + b"".join(parts)
        + b")(?P<right>"
        + _ANY
        + rb")</row>)\s*)"
    )
    return re.compile(pattern), told


def _cell(column: int, style: bytes) -> bytes:
    return rb'<c r="' + get_column_letter(column).encode() + rb"(?P=n)" + style + _REST


@cache
def column_of(letters: bytes) -> int:
    """Return the number of a column such as `AB`, from 1.

    Raises: NotUnderstood when no sheet has it.
    """
    try:
        return column_index_from_string(letters.decode())
    except ValueError:
        raise NotUnderstood("no such column") from None


def cells_of(content: bytes) -> Iterator[tuple[int, re.Match[bytes]]]:
    """Yield the cells of a row that was understood, each with its column.

    Raises: NotUnderstood when they are not in the order of their columns.
    """
    last = 0
    for found in CELL.finditer(content):
        column = column_of(found[1])
        if column <= last:
            raise NotUnderstood("cells out of order")
        last = column
        yield column, found


def is_filled(cell: bytes) -> bool:
    """Tell whether a cell holds anything, be it an empty text."""
    return b"<v>" in cell or b"<is>" in cell
