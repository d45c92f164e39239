"""How a text file is meant: what the mapping declares, or what was found where it declares nothing."""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: What a delimiter is called in messages.
DELIMITERS: Final = {";": "semicolon", ",": "comma", "\t": "tab", "|": "bar"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLayout:
    """Hold encoding and delimiter of a text file; None where nobody has declared or found them yet."""

    encoding: str | None = None
    delimiter: str | None = None

    def __str__(self) -> str:
        named = DELIMITERS.get(self.delimiter or "", repr(self.delimiter))
        return f"encoding {self.encoding}, delimiter {named}"

    def dump(self) -> str:
        """Write it as JSON, to be kept beside the copy of a text file."""
        return json.dumps({"encoding": self.encoding, "delimiter": self.delimiter})


def layout_file(copy: Path) -> Path:
    """Name the file that says how the kept copy of a text file was read."""
    return copy.with_suffix(".json")


def kept_layout(copy: Path) -> TextLayout:
    """Return how the kept copy of a text file was read; nothing declared where nobody wrote it down."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        raw = json.loads(layout_file(copy).read_text(encoding="utf-8"))
        return TextLayout(encoding=raw["encoding"], delimiter=raw["delimiter"])
    return TextLayout()
