"""Tell what a workbook shows and the report's copy of it does not: openpyxl holds little that lies on the cells."""

import re
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

#: What parts of a workbook are, told by their names in the archive; those in the folders of .ods files are the last.
_PARTS: Final = {
    "pictures": re.compile(r"xl/media/.|Pictures/."),
    "charts": re.compile(r"xl/charts/chart[^/]*\.xml|Object [0-9]+/content\.xml"),
    "diagrams": re.compile(r"xl/diagrams/data[^/]*\.xml"),
    "form controls": re.compile(r"xl/(?:ctrlProps|activeX)/[^/]*\.xml"),
    "embedded files": re.compile(r"xl/embeddings/."),
    "pivot tables": re.compile(r"xl/pivotTables/[^/]*\.xml"),
    "slicers": re.compile(r"xl/(?:slicers|timelines)/[^/]*\.xml"),
    "macros": re.compile(r"xl/vbaProject\.bin"),
}
_DRAWING: Final = re.compile(r"xl/drawings/drawing[^/]*\.xml")
#: What is shown in place of a drawing by programs that do not know it.
_FALLBACK: Final = re.compile(rb"<mc:Fallback[ >].*?</mc:Fallback>", re.DOTALL)
_SHAPE: Final = re.compile(rb"<(?:\w+:)?(?:sp|cxnSp|grpSp)[ >]")
#: Parts of a sheet that openpyxl says it drops, by what it calls them.
EXTENSIONS: Final = {
    "Sparkline Group": "sparklines",
    "Conditional Formatting": "some conditional formats",
    "Data Validation": "some rules for what may be typed",
}


def left_out(source: Path, copy: Path, dropped: Collection[str], name: str) -> list[str]:
    """Return a note on what the copy of a workbook does not show; none where it shows everything.

    `dropped` are the extensions that openpyxl dropped, and `name` is what messages call the workbook.
    """
    kinds = [*_lost(source, copy), *(words for extension, words in EXTENSIONS.items() if extension in dropped)]
    if not kinds:
        return []
    *others, last = kinds
    listed = f"{', '.join(others)} and {last}" if others else last
    note = (
        f"results.xlsx does not show all of {name!r}: {listed} cannot be copied. Where you need them, correct that "
        "workbook itself."
    )
    return [note]


def _lost(source: Path, copy: Path) -> Iterator[str]:
    """Yield the kinds of what is in a workbook and not in its copy; its archive tells by the names of its parts."""
    if not zipfile.is_zipfile(source):
        return
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(copy) as after:
        for kind, pattern in _PARTS.items():
            had, has = (
                [part.CRC for part in one.infolist() if pattern.match(part.filename)] for one in (before, after)
            )
            # a picture is copied as it is, the others are written anew
            if not set(had) <= set(has) if kind == "pictures" else len(had) > len(has):
                yield kind
        drawings = (before.read(name) for name in before.namelist() if _DRAWING.match(name))
        if any(_SHAPE.search(_FALLBACK.sub(b"", drawing)) for drawing in drawings):
            yield "shapes or text boxes"
