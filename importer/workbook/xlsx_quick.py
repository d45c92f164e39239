"""Read the rows of an .xlsx sheet quickly where they are written as programs write them, else as an XML parser does.

Three ways lead through the rows, and each gives what the last one gives: whole runs of rows by one pattern
(xlsx_shape), single rows by an XML parser, and, where anything is left that is not understood to the last character,
the walk through the whole sheet from its beginning, which also finds the words for what is wrong with it. What stands
before and behind the rows goes through an XML parser always.
"""

import re
import zipfile
from collections.abc import Generator, Iterator, Sequence
from itertools import islice
from typing import IO, Any, Final

from importer.workbook.archive import UNREADABLE
from importer.workbook.sheet import Cell
from importer.workbook.xlsx_forms import Surroundings
from importer.workbook.xlsx_parts import CHUNK, MAX_PIECE, OddError, Root, pieces
from importer.workbook.xlsx_shape import Shape
from importer.workbook.xlsx_walk import MERGED, ROW, ROWS, SHEET, Walk

_Row = tuple[int, Sequence[Cell]]
_ROWS_START: Final = re.compile(rb"<((?:[A-Za-z_][\w.-]*:)?)sheetData>")


def rows(walk: Walk, archive: zipfile.ZipFile, part: str, *, quick: bool = True, chunk: int = CHUNK) -> Iterator[_Row]:
    """Yield the rows that a sheet's part of the workbook holds, each with its number.

    `quick` is False where the quick ways are tried against the other; `chunk` is how many bytes are read at a time.

    Raises: whatever a damaged workbook raises (archive.UNREADABLE).
    """
    given = 0
    if quick:
        try:
            with archive.open(part) as stream:
                for row in QuickReading(walk, stream, chunk).rows():
                    yield row
                    given += 1
        except (OddError, OSError, *UNREADABLE):
            walk.start()
        else:
            return
    with archive.open(part) as stream:
        yield from islice(walk.rows(stream), given, None)


class _Frame:
    """Take in what stands around the rows, as an XML parser understands it."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self.merged: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.open.append(tag)
        if tag == ROW:
            raise OddError(tag)
        if tag == MERGED:
            self.merged.append(str(attributes.get("ref")))

    def end(self, _tag: str) -> None:
        self.open.pop()

    def data(self, text: str) -> None:
        """Pass over text, of which a sheet has none that matters."""


class QuickReading:
    """Read one sheet quickly.

    Raises: OddError where it is written in a way that is not read quickly, and whatever a damaged workbook raises.
    """

    def __init__(self, walk: Walk, stream: IO[bytes], chunk: int = CHUNK) -> None:
        from defusedxml.ElementTree import XMLParser

        self._walk = walk
        self._stream = stream
        self._frame = _Frame()
        self._parser: Any = XMLParser(target=self._frame)
        self._around, read = self._head(chunk)
        self._shape = Shape(walk, self._around)
        self._row_end = f"</{self._around.prefix}row>"
        self._end = f"</{self._around.prefix}sheetData>"
        self._pieces = pieces(stream, read, self._row_end, chunk)

    def rows(self) -> Iterator[_Row]:
        """Yield the rows."""
        for piece in self._pieces:
            rest = yield from self._piece(piece)
            if rest is not None:
                for behind in (rest, *self._pieces):
                    self._parser.feed(behind.encode())
                self._parser.close()
                self._walk.merged.extend(self._frame.merged)
                return
        raise OddError("the rows have no end")

    def _head(self, chunk: int) -> tuple[Surroundings, bytes]:
        """Take in what stands before the rows; return it, and what was read of the rows."""
        read = b""
        while (begin := _ROWS_START.search(read)) is None:
            more = self._stream.read(chunk)
            read += more
            if not more or len(read) > MAX_PIECE:
                raise OddError("no rows")
        head = read[: begin.end()]
        root = Root(head)
        self._parser.feed(head)
        if self._frame.open != [SHEET, ROWS]:
            raise OddError("rows elsewhere")
        return Surroundings(root, begin[1].decode()), read[begin.end() :]

    def _piece(self, text: str) -> Generator[_Row, None, str | None]:
        """Yield the rows of a piece; return what stands behind the last row of all, or None before that."""
        spot = 0
        while spot < len(text):
            if text.startswith(self._end, spot):
                return text[spot:]
            taken: list[_Row] = []
            after = spot
            # cells without a formula of their own may be part of one that stands in a row before
            if not self._walk.areas:
                taken, after = self._shape.take(text, spot)
                if not taken:
                    taken, after = self._shape.learn(text, spot)
            if not taken:
                taken, after = self._parsed(text, spot)
            yield from taken
            spot = after
        return None

    def _parsed(self, text: str, spot: int) -> tuple[list[_Row], int]:
        """Return the rows up to the next end of a row, as an XML parser understands them, and where they end."""
        found = text.find(self._row_end, spot)
        end = text.find(self._end, spot) if found < 0 else found + len(self._row_end)
        if end < 0:
            raise OddError("a row without an end")
        node = self._around.root.parsed(text[spot:end])
        if any(row.tag != ROW or any(part.tag in {ROW, MERGED} for part in row.iterfind(".//*")) for row in node):
            raise OddError("something else among the rows")
        return [self._walk.row(row) for row in node], end
