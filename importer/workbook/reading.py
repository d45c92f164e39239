"""Tell what kind of file a workbook is, open it with the reader for that, and take the sheet that is meant."""

import warnings
from difflib import get_close_matches
from pathlib import Path

from importer.errors import WorkbookError
from importer.values import clean
from importer.workbook import xlsx
from importer.workbook.sheet import Sheet, Title, make_sheet


def read(file: Path, *, sheet: str | None = None, header_row: int = 1) -> Sheet:
    """Read the named sheet, or the only visible one.

    Raises: WorkbookError when the file, the sheet or the header row is not what was declared.
    """
    with warnings.catch_warnings():
        # what openpyxl grumbles about (styles, extensions, dates out of range) is nothing a user can act on
        warnings.simplefilter("ignore")
        with xlsx.open_book(file) as book:
            title = _choose(file, book.titles, sheet)
            return make_sheet(file, book.table(title), header_row, book.own(title))


def _choose(file: Path, titles: list[Title], name: str | None) -> str:
    """Return the title of the sheet that is meant."""
    sheets = {clean(title.text): title.text for title in titles}
    if name is not None:
        if name in sheets.values():
            return name
        if clean(name) in sheets:
            return sheets[clean(name)]
        near = get_close_matches(name, list(sheets.values()), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        there = ", ".join(sheets.values())
        raise WorkbookError(f"{file.name!r} has no sheet {name!r}; its sheets are: {there}.{hint}")
    visible = [title.text for title in titles if title.visible]
    if len(visible) == 1:
        return visible[0]
    names = ", ".join(visible) or "none"
    raise WorkbookError(
        f"{file.name!r} has {len(visible)} visible sheets ({names}). Say which one: workbook: sheet: NAME."
    )
