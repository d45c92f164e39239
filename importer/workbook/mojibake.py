"""Find texts that were spoilt before they came here: read once in a wrong encoding and written again."""

import re
from collections.abc import Iterable
from typing import Final

from importer.model import Row

_TAIL: Final = bytes(range(0x80, 0xC0))
#: what the bytes behind the first of a letter in UTF-8 look like in another encoding
_WINDOWS: Final = re.escape(_TAIL.decode("cp1252", "ignore")) + "\\x80-\\x9f"
_MAC: Final = re.escape(_TAIL.decode("mac_roman"))
_SPOILT: Final = re.compile(f"[ÃÂ][{_WINDOWS}]|â[€‚][{_WINDOWS}]|√[{_MAC}]|[\x80-\x9f\ufffd]")
#: In which encoding such texts were read, and in which they were written.
_WAYS: Final = (("cp1252", "utf-8"), ("latin-1", "utf-8"), ("mac_roman", "utf-8"), ("latin-1", "cp1252"))

_SHOWN: Final = 3


def spoilt_texts(rows: Iterable[Row]) -> tuple[str, ...]:
    """Return a note where cells hold what looks like letters in a wrong encoding, such as `KjÃ¸p` for `Kjøp`."""
    found = [
        (row.number, value)
        for row in rows
        for value in row.cells
        if isinstance(value, str) and not value.isascii() and _SPOILT.search(value)
    ]
    if not found:
        return ()
    examples = ", ".join(f"{_mended(value)} in row {number}" for number, value in found[:_SHOWN])
    cells = "1 cell holds" if len(found) == 1 else f"{len(found)} cells hold"
    note = (
        f"{cells} letters that were spoilt by a wrong encoding before this file was written: {examples}. They go out "
        "as they stand; export the file again in the right encoding, or correct the cells."
    )
    return (note,)


def _mended(text: str) -> str:
    for read, wrote in _WAYS:
        try:
            mended = text.encode(read).decode(wrote)
        except UnicodeError:
            continue
        return f"{text[:60]!r} (meant: {mended[:60]!r}?)"
    return repr(text[:60])
