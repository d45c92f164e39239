"""Write Markdown in which no text of a cell or a file is more than text: no table, link, mention, HTML or formula."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from importer.report.words import legible

#: Written as entities, which stand for themselves wherever Markdown is read.
_SPECIAL: Final = re.compile(r"[\\`*_\[\]<>|~&@#$]|(?<=[a-zA-Z]):(?=//)|(?<=[wW]{3})\.")
_SHORT: Final = 400


def text(told: str, most: int = _SHORT) -> str:
    """Return a text that Markdown shows as it is, in one line, cut where it is long."""
    lines = legible(told).strip().replace("\t", " ").split("\n")
    line = " / ".join(" ".join(part.split(" ")) for part in lines if part.strip())
    cut = line if len(line) <= most else f"{line[: most - 1].rstrip()}…"
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", cut)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> list[str]:
    """Return the lines of a table with a blank line after it; `numbers` are the columns aligned to the right.

    The cells are Markdown: texts of a workbook go through `text` first.
    """
    rule = ["---:" if spot in numbers else "---" for spot in range(len(heads))]
    return [*(f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows)), ""]
