"""Open .xlsx workbooks by openpyxl, without what takes it long and is not needed here."""

from typing import IO, Any

from openpyxl import Workbook
from openpyxl.packaging.relationship import get_dependents, get_rels_path
from openpyxl.reader.excel import ExcelReader
from openpyxl.worksheet._read_only import ReadOnlyWorksheet
from openpyxl.xml.constants import SHARED_STRINGS

from importer.workbook.archive import UNREADABLE
from importer.workbook.xlsx_parts import OddError
from importer.workbook.xlsx_texts import parsed_texts, shared_texts


class _Sheet(ReadOnlyWorksheet):
    """Be a sheet that nobody has measured: openpyxl reads one to its end that does not declare its size."""

    def _get_size(self) -> None:
        """Leave the size open."""


def texts_of(reader: ExcelReader) -> list[str]:
    """Return the texts that the cells of a workbook share.

    Raises: whatever a damaged workbook raises (archive.UNREADABLE).
    """
    package: Any = reader.package
    table = package.find(SHARED_STRINGS)
    if table is None:
        return []
    part = table.PartName[1:]
    try:
        with reader.archive.open(part) as stream:
            return shared_texts(stream)
    except (OddError, OSError, *UNREADABLE):
        with reader.archive.open(part) as stream:
            return parsed_texts(stream)


class _Reader(ExcelReader):
    """Open a workbook for its values."""

    def read_strings(self) -> None:
        """Read the texts that cells share."""
        self.shared_strings = texts_of(self)

    def read_worksheets(self) -> None:
        """Note the sheets, as openpyxl does."""
        book: Any = self.wb
        sheets: Any = self.parser.find_sheets()
        for sheet, link in sheets:
            if link.target not in self.valid_files:
                continue
            if "chartsheet" in link.Type:
                self.read_chartsheet(sheet, link)
                continue
            links: str = get_rels_path(link.target)  # type: ignore[no-untyped-call]
            if links in self.valid_files:
                get_dependents(self.archive, links)
            page = _Sheet(book, sheet.name, link.target, self.shared_strings)
            page.sheet_state = sheet.state
            book._sheets.append(page)


def load(stream: IO[bytes]) -> Workbook:
    """Return a workbook that gives values, not formulas.

    Raises: whatever a damaged workbook raises (archive.UNREADABLE).
    """
    reader = _Reader(stream, read_only=True, data_only=True)
    reader.read()
    return reader.wb
