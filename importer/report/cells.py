"""Put text into cells so that no spreadsheet program ever takes it for a formula, and save them."""

import re
from contextlib import suppress
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import IO, Any, Final
from zipfile import ZIP_DEFLATED, ZipFile

from openpyxl.writer.excel import ExcelWriter

from importer.values import clean_header
from importer.workbook.xlsx_walk import unescape

#: How many UTF-16 units Excel holds in a cell.
_LIMIT: Final = 32_767
_CUT: Final = " ... (see results.json)"
_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPE: Final = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\n")


def put_text(cell: Any, text: str) -> None:
    """Write a text cell; an empty text leaves the cell blank."""
    shown = writable(text)
    cell.value = None
    if not shown:
        return
    # Past the setter, which would look for a formula in the text.
    cell._value = shown
    cell.data_type = "s"
    if is_like_formula(shown):
        cell.quotePrefix = True


def is_like_formula(text: str) -> bool:
    """Tell whether a spreadsheet program would take a typed text for a formula."""
    return text.startswith(_FORMULA_STARTS)


def writable(text: str) -> str:
    """Return the text as a cell can hold it: cut to Excel's limit, without characters that XML has no place for."""
    if text.isascii() and text.isprintable() and "_x" not in text and len(text) <= _LIMIT:
        return text
    legal = _UNWRITABLE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
    return escaped(_cut(legal))


def escaped(text: str) -> str:
    """Return a text as the XML of a workbook holds it: Excel reads `_x0041_` as the letter A, `_x005F_` as `_`."""
    return _ESCAPE.sub("_x005F_", text)


def _cut(text: str) -> str:
    units = text.encode("utf-16-le")
    if len(units) <= 2 * _LIMIT:
        return text
    return units[: 2 * (_LIMIT - len(_CUT))].decode("utf-16-le", "ignore") + _CUT


def text_element(text: str) -> str:
    """Write a text as the XML of a cell holds it."""
    space = "" if text == text.strip() else ' xml:space="preserve"'
    return f"<t{space}>{escape(text, quote=False)}</t>"


def heading(value: object) -> str:
    """Return a header cell's text as the reader of workbooks compares it."""
    return "" if value is None else clean_header(unescape(str(value)))


def save(book: Any, file: Path | IO[bytes], compression: int = ZIP_DEFLATED) -> None:
    """Save a workbook.

    Raises: OSError, without the complaint that Python would print later of an archive that was left open.
    """
    book.properties.modified = datetime.now(UTC).replace(tzinfo=None)
    archive = ZipFile(file, "w", compression, allowZip64=True)
    try:
        ExcelWriter(book, archive).save()
    except OSError:
        with suppress(OSError, ValueError):
            archive.close()
        raise
