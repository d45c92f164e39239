"""Read a part of an .xlsx workbook piece by piece, and know what its characters mean without an XML parser.

Only what an XML parser is certain to understand in the same way is read so: UTF-8, no document type, and texts whose
characters stand for themselves or are among the five entities that XML knows.
"""

import re
from collections.abc import Iterator
from typing import IO, Any, Final

#: The namespace of workbooks, as names of elements have it.
MAIN: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
#: How many bytes are read at a time.
CHUNK: Final = 1 << 20
#: How large a piece may become before what ends it is found.
MAX_PIECE: Final = 32 * CHUNK
#: A number that is 0, in any way that programs write it: `0`, `0.0`, `0E0`.
ZERO: Final = r"\s*[-+]?(?:0+(?:\.0*)?|\.0+)(?:[eE][-+]?[0-9]+)?\s*"
_ENTITY: Final = r"&(?:amp|lt|gt|quot|apos);"
#: Characters that an XML parser gives as they stand; a line end may be `\\n` only.
_PLAIN: Final = r"[^<>&\x00-\x08\x0b-\x1f\ufffe\uffff]"
PLAIN_TEXT: Final = rf"{_PLAIN}*(?:{_ENTITY}{_PLAIN}*)*"
_is_plain_text: Final = re.compile(PLAIN_TEXT).fullmatch
is_zero: Final = re.compile(ZERO).fullmatch
_DECLARED: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:<\?xml version=[\"']1\.0[\"'](?: encoding=[\"'][Uu][Tt][Ff]-8[\"'])?"
    rb"(?: standalone=[\"'](?:yes|no)[\"'])? ?\?>)?\s*"
)
_ROOT: Final = re.compile(rb"<([\w.:-]+)[^<>\"']*(?:(?:\"[^<\"]*\"|'[^<']*')[^<>\"']*)*(?<!/)>")


class OddError(Exception):
    """Say that a part is written in a way that is not read quickly."""


class Root:
    """Hold the root element of a part, for pieces of the part to be parsed in."""

    def __init__(self, head: bytes) -> None:
        """Find the root element at the beginning of a part.

        Raises: OddError where something else stands before it, such as a document type, or it is written oddly.
        """
        declared = _DECLARED.match(head)
        root = _ROOT.match(head, declared.end() if declared else 0)
        if root is None:
            raise OddError("an unusual beginning")
        self._start = root[0].decode()
        self._end = f"</{root[1].decode()}>"
        #: where its content begins
        self.content = root.end()

    def parsed(self, xml: str) -> Any:
        """Return the root element with this XML in it, as an XML parser understands it.

        A piece that is well-formed by itself means the same in its place.

        Raises: ParseError.
        """
        from defusedxml.ElementTree import fromstring

        return fromstring(f"{self._start}{xml}{self._end}")

    def element(self, start: str, rest: str, name: str) -> Any:
        """Return the element of this name, whose start with its attributes and whose rest are these.

        Raises: ParseError, and OddError where it is another element, be it by a namespace of its own, or more than one.
        """
        found = list(self.parsed(start + rest))
        if len(found) != 1 or found[0].tag != name:
            raise OddError(start)
        return found[0]


def pieces(stream: IO[bytes], read: bytes, end: str, chunk: int = CHUNK) -> Iterator[str]:
    """Yield what was read of a part and what is left of it, in pieces with this end, and the rest as the last.

    Raises: OddError where a piece is too long, and whatever a damaged workbook raises.
    """
    mark = end.encode()
    while True:
        cut = read.rfind(mark) + len(mark)
        if cut >= len(mark):
            yield read[:cut].decode()
            read = read[cut:]
        elif len(read) > MAX_PIECE:
            raise OddError("a piece that is too long")
        more = stream.read(chunk)
        if not more:
            yield read.decode()
            return
        read += more


def plain(raw: str) -> str | None:
    """Return a text for what stands between two tags, or None where only an XML parser can tell."""
    # what can be printed is neither a control character nor no character at all
    if raw.isprintable() and "&" not in raw and ">" not in raw:
        return raw
    if not _is_plain_text(raw):
        return None
    if "&" in raw:
        for entity, char in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&")):
            raw = raw.replace(entity, char)
    return raw
