"""Look up single texts among those that the cells of a workbook share, without reading all of them."""

import re
from array import array
from collections.abc import Collection
from io import BytesIO
from typing import Any, Final

from openpyxl.reader.strings import read_rich_text

from importer.report.streamed.row_pattern import NotUnderstood

_ITEM: Final = re.compile(rb"<si(?:\s[^<>]*)?/>|<si(?:\s[^<>]*)?>.*?</si>", re.DOTALL)
_USED: Final = re.compile(rb'<(?:\w+:)?c [^<>]*\bt="s"[^<>]*>\s*<(?:\w+:)?v>\s*([0-9]+)\s*</')


def used_in(sheet: bytes) -> set[int]:
    """Return which of the shared texts the cells of a sheet show."""
    return {int(found) for found in _USED.findall(sheet)}


class SharedTexts:
    """Hold the part of shared texts as it stands, and of single ones what openpyxl reads.

    Raises: NotUnderstood.
    """

    def __init__(self, part: bytes) -> None:
        self._part = part
        self._places = array("Q")
        for found in _ITEM.finditer(part):
            self._places.extend(found.span())
        if not self._places or b"<!" in part:
            raise NotUnderstood("shared texts in another form")
        self._known: dict[int, Any] = {}

    def fetch(self, wanted: Collection[int]) -> None:
        """Read some texts, known by their places, together."""
        begin = self._part[: self._places[0]]
        places = sorted(place for place in wanted if 2 * place < len(self._places))
        items = (self._part[self._places[2 * place] : self._places[2 * place + 1]] for place in places)
        read = read_rich_text(BytesIO(b"".join([begin, *items, b"</sst>"])))
        self._known.update(zip(places, read, strict=True))

    def __getitem__(self, place: int) -> Any:
        if place not in self._known:
            self.fetch({place})
        return self._known[place]
