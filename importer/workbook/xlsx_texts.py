"""Read the table of texts that the cells of an .xlsx workbook share, quickly where it is written as programs write it.

What is read is what openpyxl reads: the text without its fonts, and without what tells how to say it. Only escaped
underscores stay as they are written: openpyxl takes the first half of them off, so that `_x005F_x0041_`, which Excel
shows as `_x0041_`, would be read as the letter A.
"""

import re
from collections.abc import Iterator
from typing import IO, Any, Final

from importer.workbook.xlsx_parts import CHUNK, MAIN, MAX_PIECE, OddError, Root, pieces, plain

_TABLE: Final = f"{MAIN}sst"
_ITEM: Final = f"{MAIN}si"
_FIRST: Final = re.compile(rb"<((?:[A-Za-z_][\w.-]*:)?)si>")


def shared_texts(stream: IO[bytes], chunk: int = CHUNK) -> list[str]:
    """Return the texts in their order.

    Raises: OddError where they are written in a way that is not read quickly, and whatever a damaged workbook raises.
    """
    head = b""
    while (first := _FIRST.search(head)) is None:
        more = stream.read(chunk)
        head += more
        if not more or len(head) > MAX_PIECE:
            raise OddError("no texts")
    root = Root(head[: first.start()])
    if root.parsed("").tag != _TABLE:
        raise OddError("another table")
    reading = _Reading(root, first[1].decode())
    texts: list[str] = []
    for piece in pieces(stream, head[root.content :], reading.item_end, chunk):
        texts.extend(reading.texts(piece))
    if not reading.ended:
        raise OddError("the texts have no end")
    return texts


def parsed_texts(stream: IO[bytes]) -> list[str]:
    """Return the texts as an XML parser gives them.

    Raises: whatever a damaged workbook raises.
    """
    from defusedxml.ElementTree import iterparse
    from openpyxl.cell.text import Text

    texts: list[str] = []
    for _event, node in iterparse(stream):
        if node.tag == _ITEM:
            text: Any = Text.from_tree(node)
            texts.append(text.content)
            node.clear()
    return texts


class _Reading:
    """Read the items of a table; `ended` tells whether it came to the end."""

    def __init__(self, root: Root, prefix: str) -> None:
        self.item_end = f"</{prefix}si>"
        self.ended = False
        self._root = root
        name = re.escape(prefix)
        item = rf'[ \t\n]*<{name}si><{name}t(?: xml:space="preserve")?>([^<]*)</{name}t></{name}si>'
        self._match = re.compile(item).match
        self._match_end = re.compile(rf"[ \t\r\n]*</{name}sst>[ \t\r\n]*\Z").match

    def texts(self, piece: str) -> Iterator[str]:
        """Yield the texts of a piece."""
        spot = 0
        while spot < len(piece):
            match = self._match(piece, spot)
            text = plain(match[1]) if match else None
            if match and text is not None:
                yield text
                spot = match.end()
            elif self._match_end(piece, spot):
                self.ended = True
                return
            else:
                end = piece.find(self.item_end, spot) + len(self.item_end)
                if end < len(self.item_end):
                    raise OddError("something else behind the texts")
                yield from self._parsed(piece[spot:end])
                spot = end

    def _parsed(self, xml: str) -> Iterator[str]:
        from openpyxl.cell.text import Text

        for node in self._root.parsed(xml):
            if node.tag != _ITEM or any(part.tag == _ITEM for part in node.iterfind(".//*")):
                raise OddError("something else among the texts")
            text: Any = Text.from_tree(node)
            yield text.content
