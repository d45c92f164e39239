"""Tell what kind of file a workbook is, open it with the reader for that, and take the sheet that is meant."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from difflib import get_close_matches
from pathlib import Path

from importer.errors import WorkbookError
from importer.values import clean
from importer.workbook.kinds import Kind, kind_of
from importer.workbook.layout import TextLayout
from importer.workbook.sheet import Book, Sheet, Title, make_sheet


def read(
    file: Path,
    *,
    sheet: str | None = None,
    header_row: int = 1,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> Sheet:
    """Read the named sheet, or the only visible one; encoding and delimiter are those of a text file.

    Raises: WorkbookError when the file, the sheet or the header row is not what was declared.
    """
    meant = TextLayout(encoding=encoding, delimiter=delimiter)
    with open_book(file, meant=meant, sheet=sheet, header_row=header_row) as book:
        title = choose(file.name, book.titles, sheet)
        return make_sheet(file, book.table(title), header_row)


@contextmanager
def open_book(
    file: Path,
    *,
    name: str | None = None,
    meant: TextLayout | None = None,
    sheet: str | None = None,
    header_row: int | None = None,
) -> Iterator[Book]:
    """Open a workbook of any kind; `name` is what the user calls it, where that is not the name of the file.

    A text file is opened as one sheet with the title `sheet`; without a header row its lines may differ in length.

    Raises: WorkbookError when it cannot be opened, or is nothing that can be read.
    """
    with warnings.catch_warnings():
        # what openpyxl grumbles about (styles, extensions, dates out of range) is nothing a user can act on
        warnings.simplefilter("ignore")
        with _reader(file, name or file.name, meant or TextLayout(), sheet, header_row) as book:
            yield book


def _reader(
    file: Path, name: str, meant: TextLayout, sheet: str | None, header_row: int | None
) -> AbstractContextManager[Book]:
    kind = kind_of(file, name)
    if kind is Kind.TEXT:
        from importer.workbook import delimited

        return delimited.open_book(file, name, meant, sheet, header_row)
    if kind is Kind.XLSB:
        from importer.workbook import xlsb

        return xlsb.open_book(file, name)
    if kind is Kind.XLS:
        from importer.workbook import xls

        return xls.open_book(file, name)
    if kind is Kind.ODS:
        from importer.workbook import ods

        return ods.open_book(file, name)
    from importer.workbook import xlsx

    return xlsx.open_book(file, name)


def choose(name: str, titles: Sequence[Title], wanted: str | None) -> str:
    """Return the title of the sheet that is meant: the one with the wanted title, or the only visible one.

    Raises: WorkbookError when there is none, or more than one.
    """
    if wanted is not None:
        sheets = [title.text for title in titles]
        alike = [text for text in sheets if clean(text) == clean(wanted)]
        if wanted in sheets:
            return wanted
        if len(alike) == 1:
            return alike[0]
        near = get_close_matches(wanted, sheets, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else "Say which one: workbook: sheet: NAME."
        there = ", ".join(sheets)
        raise WorkbookError(f"{name!r} has no sheet {wanted!r}; its sheets are: {there}. {hint}")
    visible = [title.text for title in titles if title.visible]
    if len(visible) == 1:
        return visible[0]
    names = ", ".join(visible) or "none"
    raise WorkbookError(f"{name!r} has {len(visible)} visible sheets ({names}). Say which one: workbook: sheet: NAME.")
