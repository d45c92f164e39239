"""Put an import workbook together: the sheet, the instructions, the lists behind the drop-downs, and its mark."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import openpyxl
from openpyxl.packaging.custom import StringProperty

from importer.blank import instructions, sheet
from importer.blank_mark import PROPERTY, mark_of
from importer.errors import UsageError
from importer.mapped_columns import MappedColumn, mapped_columns
from importer.mapping import Mapping
from importer.report.cells import save
from importer.workbook import REPORT_MARK, ReportMark

_SHEET: Final = "Import"
_INSTRUCTIONS, _LISTS = "Instructions", "Lists"
_LONGEST: Final = 31
_FORBIDDEN: Final = re.compile(r"[\\/?*\[\]:]|^'|'$")


def write(mapping: Mapping, file: Path) -> tuple[MappedColumn, ...]:
    """Write the empty import workbook of a mapping; return its columns.

    Raises: UsageError when the mapping's sheet cannot have its name in Excel; OSError when the file cannot be written.
    """
    name = mapping.workbook.sheet or _SHEET
    if len(name) > _LONGEST or _FORBIDDEN.search(name):
        raise UsageError(f"No sheet of an .xlsx workbook can be called {name!r}. Rename it: workbook: sheet: NAME.")
    columns = mapped_columns(mapping)
    book: Any = openpyxl.Workbook()
    page = book.worksheets[0]
    page.title = name
    help_page = book.create_sheet(_free(_INSTRUCTIONS, {name}))
    lists = book.create_sheet(_free(_LISTS, {name, help_page.title}))
    lists.sheet_state = "hidden"
    sheet.fill(page, lists, mapping, columns)
    instructions.fill(help_page, mapping, columns, name)
    if lists.cell(1, 1).value is None:
        book.remove(lists)
    # `run` does not see a page that this program added, so that the sheet stays the only one where none is named
    own = ReportMark(sheet=name, columns=(), summary=help_page.title)
    book.custom_doc_props.append(StringProperty(name=REPORT_MARK, value=own.dump()))
    book.custom_doc_props.append(StringProperty(name=PROPERTY, value=mark_of(mapping).dump()))
    save(book, file)
    return columns


def _free(name: str, taken: Collection[str]) -> str:
    folded = {other.casefold() for other in taken}
    return name if name.casefold() not in folded else f"{name} (2)"
