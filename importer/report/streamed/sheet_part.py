"""Take the part of a workbook that holds a sheet apart: what openpyxl loads, and the rows that are passed on."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

from openpyxl.utils import range_boundaries

from importer.report.streamed.row_pattern import NotUnderstood, column_of
from importer.workbook.xlsx_parts import ZERO

#: How much is read at once, in bytes.
CHUNK: Final = 1 << 18
#: More than this is no beginning of a sheet, and no row.
_MOST: Final = 256 * CHUNK
_OTHER_CODE: Final = re.compile(rb"""<\?xml[^>]*\sencoding=["'](?!utf-8["'])""", re.IGNORECASE)
_ROOT: Final = re.compile(rb"<(\w+:)?worksheet[\s>]")
#: No beginning of a row with its number is longer.
_NUMBERED_MOST: Final = 100
_NUMBERED: Final = re.compile(rb'<row r="([0-9]+)"')
_ADDRESS: Final = re.compile(rb'<c r="([A-Z]{1,3})[0-9]+"')
_DIMENSION: Final = re.compile(rb'<dimension ref="([A-Z0-9:]+)"')
_FORMULA: Final = re.compile(rb"<f(?: [^<>]*)?(?:/>|>[^<]*</f>)(?=<v)")
#: Cells beside these may hold a part of their result; openpyxl and the reader tell which.
_SEVERAL: Final = re.compile(rb'<f [^<>]*\bt="(?:array|dataTable)"')
_ZERO: Final = re.compile(rb"<f(?: [^<>]*)?(?:/>|>[^<]*</f>)<v(?: [^<>]*)?>" + ZERO.encode() + rb"</v>")
_CALCULATED: Final = re.compile(
    rb'(<c r="[A-Z]{1,3}[0-9]+"(?: s="[0-9]+")?) t="str"(?: xml:space="preserve")?'
    rb'(?: ?/>|></c>|><v(?: xml:space="preserve")?(?:/>|>([^<]*)</v>)</c>)'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetPart:
    """Hold the part of a sheet without the rows below a first few."""

    #: the part without those rows
    kept: bytes
    #: the last row that was kept
    keep: int
    #: how many rows were left out, and the number of the last
    rows: int
    last_row: int
    #: the last column that is known of, 1-based
    wide: int
    #: where the rows that were left out stand in the part
    start: int
    end: int
    #: the prefix of the elements' names, such as `x:`
    prefix: bytes


def take_apart(part: IO[bytes], keep: int) -> SheetPart:
    """Read a part whole, and keep everything but the rows below row `keep`.

    Raises: NotUnderstood.
    """
    data, start, prefix = _beginning(part, keep)
    head, rest = data[:start], data[start:]
    closing = b"</" + prefix + b"sheetData>"
    opening = b"<" + prefix + b"row "
    wide = max([_dimension(head), *map(column_of, set(_ADDRESS.findall(_plain(data, prefix))))])
    rows, numbers, passed = 0, b"", start
    while (stop := rest.find(closing)) < 0:
        # what may be cut in two is looked at again, together with what comes next
        cut = max(rest.rfind(opening), 0)
        rows += rest.count(opening, 0, cut)
        numbers = rest[rest.rfind(opening, 0, cut) :][:_NUMBERED_MOST] if cut else numbers
        passed += cut
        more = part.read(CHUNK)
        if not more or len(rest) - cut > _MOST:
            raise NotUnderstood("the rows have no end")
        rest = rest[cut:] + more
    rows += rest.count(opening, 0, stop)
    last = rest.rfind(opening, 0, stop)
    numbers = rest[last:][:_NUMBERED_MOST] if last >= 0 else numbers
    number = _NUMBERED.match(_plain(numbers, prefix))
    return SheetPart(
        kept=head + rest[stop:] + part.read(),
        keep=keep,
        rows=rows,
        last_row=int(number[1]) if number else 0,
        wide=wide,
        start=start,
        end=passed + stop,
        prefix=prefix,
    )


def _beginning(part: IO[bytes], keep: int) -> tuple[bytes, int, bytes]:
    """Return what was read so far, where the rows that are passed on begin, and the prefix.

    Raises: NotUnderstood.
    """
    data = part.read(CHUNK)
    root = _ROOT.search(data)
    prefix = (root[1] or b"") if root else b""
    mark = re.compile(b"<" + prefix + rb'row (?:r="([0-9]+)")?|</' + prefix + b"sheetData>")
    place = 0
    while True:
        for found in mark.finditer(data, place):
            if found[1] is None or int(found[1]) > keep:
                # a row without its number could be one that is kept
                if found[0] == b"<" + prefix + b"row " or not _is_plain(data, found.start()) or root is None:
                    raise NotUnderstood("not plain XML in UTF-8, rows with their numbers")
                return data, found.start(), prefix
            place = found.end()
        place = max(place, len(data) - _NUMBERED_MOST)
        more = part.read(CHUNK)
        if not more or len(data) > _MOST:
            raise NotUnderstood("no rows")
        data += more


def _is_plain(data: bytes, end: int) -> bool:
    """Tell whether XML is UTF-8, and up to a place without comments and the like."""
    return not (data.startswith((b"\xff\xfe", b"\xfe\xff")) or _OTHER_CODE.match(data) or b"<!" in data[:end])


def _plain(data: bytes, prefix: bytes) -> bytes:
    """Return XML without the prefix; a text holds no `<`, so that none can change."""
    return data.replace(b"<" + prefix, b"<").replace(b"</" + prefix, b"</") if prefix else data


def _dimension(head: bytes) -> int:
    """Return the last column that a sheet says it has; 1 where it says nothing."""
    found = _DIMENSION.search(head)
    try:
        return range_boundaries(found[1].decode())[2] or 1 if found else 1
    except ValueError:
        return 1


def chunks(part: IO[bytes], found: SheetPart) -> Iterator[bytes]:
    """Yield the rows that were left out, some at a time.

    Raises: NotUnderstood.
    """
    _skip(part, found.start)
    left = found.end - found.start
    rest = b""
    while left:
        more = part.read(min(CHUNK, left))
        if not more:
            raise NotUnderstood("the part has another length")
        left -= len(more)
        rest += more
        # all that stands before the beginning of a row are whole rows
        cut = rest.rfind(b"<" + found.prefix + b"row ") if left else len(rest)
        if cut > 0:
            yield _legible(_plain(rest[:cut], found.prefix))
            rest = rest[cut:]
        elif len(rest) > _MOST:
            raise NotUnderstood("a row has no end")


def _skip(part: IO[bytes], count: int) -> None:
    while count:
        count -= len(part.read(min(CHUNK, count))) or count


def _legible(data: bytes) -> bytes:
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError:
            raise NotUnderstood("not UTF-8") from None
    return data


def values(data: bytes, *, zeros_doubtful: bool) -> bytes:
    """Return rows with the values of their formulas, as if they had been typed.

    `zeros_doubtful` tells that a formula with the result 0 may never have been calculated.

    Raises: NotUnderstood.
    """
    if _SEVERAL.search(data) or (zeros_doubtful and _ZERO.search(data)):
        raise NotUnderstood("formulas that may not be calculated")
    return _CALCULATED.sub(_typed, _FORMULA.sub(b"", data))


def _typed(found: re.Match[bytes]) -> bytes:
    """Write a text that a formula gave as one that was typed; an empty one is a blank."""
    if not found[2]:
        return found[1] + b"/>"
    return found[1] + b' t="inlineStr"><is><t xml:space="preserve">' + found[2] + b"</t></is></c>"
