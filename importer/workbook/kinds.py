"""Tell by its content what kind of file a workbook is; its name is not believed."""

import re
import zipfile
from enum import StrEnum
from pathlib import Path
from typing import Final

from importer.errors import WorkbookError
from importer.workbook.archive import CONTENT_TYPES, opened_archive
from importer.workbook.files import cannot_open

#: How names of text files end that are read as tables.
TEXT_ENDINGS: Final = (".csv", ".tsv", ".txt")
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
#: A file in the archive, or the end of an empty one; two letters alone may be the first header of a text.
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
#: What Excel puts before the name of a workbook for the file that it leaves beside it while it is open.
_OPEN_ELSEWHERE: Final = "~$"
_ODS: Final = b"application/vnd.oasis.opendocument.spreadsheet"
_MARKS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
#: How other files begin that are given under the name of a table by mistake.
_BINARY: Final = {b"%PDF": "a PDF file", b"\x89PNG": "a picture", b"\xff\xd8\xff": "a picture", b"\x1f\x8b": "packed"}
_SAVE: Final = "Open it in Excel, save it as .xlsx, and see that numbers kept their leading zeros."


class Kind(StrEnum):
    """Name a format of workbooks that is read."""

    XLSX = "xlsx"
    XLSB = "xlsb"
    XLS = "xls"
    ODS = "ods"
    TEXT = "text"


def kind_of(file: Path, name: str) -> Kind:
    """Return the kind of a file; `name` is what the user calls it.

    Raises: WorkbookError when it cannot be opened or is nothing that can be read.
    """
    if name.startswith(_OPEN_ELSEWHERE):
        raise WorkbookError(f"{name!r} only marks that Excel has a workbook open. Name {name[2:]!r} itself.")
    try:
        with file.open("rb") as handle:
            start = handle.read(4096)
    except OSError as error:
        raise cannot_open(file, error) from None
    if not start:
        raise WorkbookError(f"{name!r} is empty (0 bytes). Export it again.")
    if start.startswith(_OLE):
        return Kind.XLS
    if start.startswith(_ZIP):
        return _packed(file, name)
    return _text(start, name)


def _packed(file: Path, name: str) -> Kind:
    with opened_archive(file, name) as archive:
        names = set(archive.namelist())
        if "mimetype" in names and archive.read("mimetype").strip().startswith(_ODS):
            _refuse_locked(name, archive)
            return Kind.ODS
        if CONTENT_TYPES in names:
            types = archive.read(CONTENT_TYPES)
            if "xl/workbook.bin" in names:
                return Kind.XLSB
            if "xl/workbook.xml" in names or b"spreadsheetml" in types:
                return Kind.XLSX
    raise WorkbookError(f"{name!r} is a zip file but not an .xlsx workbook. Save it as .xlsx in Excel.")


def _refuse_locked(name: str, archive: zipfile.ZipFile) -> None:
    manifest = "META-INF/manifest.xml"
    if manifest in archive.namelist() and b"encryption-data" in archive.read(manifest):
        raise WorkbookError(
            f"{name!r} is protected by a password. Open it in LibreOffice, save it without a password, and try again."
        )


def _text(start: bytes, name: str) -> Kind:
    false = f"not {_article(name)} workbook, whatever its name says"
    for magic, what in _BINARY.items():
        if start.startswith(magic):
            raise WorkbookError(f"{name!r} is {what}, {false}. Name the workbook that holds the rows.")
    markup = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if re.match(rb"<(?:!doctype html|html|head|body|meta|table|style|script)\b|mime-version:", markup):
        raise WorkbookError(f"{name!r} is a web page (HTML), {false}. {_SAVE}")
    if re.match(rb"<\?xml|<[a-z:]+ xmlns", markup):
        raise WorkbookError(f"{name!r} is an XML file, {false}. {_SAVE}")
    if not name.lower().endswith(TEXT_ENDINGS):
        if b"\x00" in start and not start.startswith(_MARKS):
            raise WorkbookError(f"{name!r} is {false}. Save it as .xlsx in Excel.")
        raise WorkbookError(
            f"{name!r} is {false}: it holds plain text. Let its name end in .csv to have it read as that, or save it "
            "as .xlsx in Excel."
        )
    return Kind.TEXT


def _article(name: str) -> str:
    ending = Path(name).suffix.lower() or ".xlsx"
    return f"an {ending}" if ending.startswith((".x", ".o")) else f"a {ending}"
