"""What the tests of reading share: the XML of a sheet as another program might have written it."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from importer.model import Fault
from importer.workbook import Sheet

SHEET = "xl/worksheets/sheet1.xml"


def rewrite(file: Path, part: str, change: Callable[[str], str]) -> Path:
    """Change the XML of one part of a workbook, as another program might have written it."""
    with zipfile.ZipFile(file) as archive:
        parts = {item.filename: archive.read(item) for item in archive.infolist()}
    before = parts[part].decode()
    parts[part] = change(before).encode()
    assert parts[part].decode() != before
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return file


def with_rows(file: Path, xml: str) -> Path:
    """Put rows written by hand behind the rows of a sheet."""
    return rewrite(file, SHEET, lambda text: text.replace("</sheetData>", f"{xml}</sheetData>"))


def column(sheet: Sheet, header: str) -> dict[int, Any]:
    """Return the cells of one column by row number; a fault as its code."""
    spot = sheet.columns[header]
    cells = {row.number: row.cells[spot] if spot < len(row.cells) else None for row in sheet.rows}
    return {number: cell.code if isinstance(cell, Fault) else cell for number, cell in cells.items()}
