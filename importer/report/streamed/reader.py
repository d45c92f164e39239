"""Load a workbook by openpyxl without the rows of its large sheets, which are passed on as they stand."""

import zipfile
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from typing import IO, Any, Final

from openpyxl.reader.excel import ExcelReader
from openpyxl.xml.constants import SHARED_STRINGS

from importer.model import RunRecord
from importer.report.streamed.row_pattern import NotUnderstood
from importer.report.streamed.sheet_part import SheetPart, take_apart
from importer.report.streamed.strings_part import SharedTexts, used_in
from importer.workbook import report_mark
from importer.workbook.xlsx import is_certain

#: A sheet with more rows is passed on row by row.
STREAMED_ROWS: Final = 5_000
#: No row of a sheet takes less, in bytes.
_LEAST_ROW: Final = 20


@dataclass(kw_only=True)
class Streamed:
    """Hold what was left out of a workbook while it was loaded."""

    #: by the title of the sheet
    sheets: dict[str, SheetPart] = field(default_factory=dict)
    #: the parts of these sheets, and of the shared texts, in the file
    paths: dict[str, str] = field(default_factory=dict)
    texts: str | None = None
    #: True where openpyxl may not hold all that the cells of other sheets hold
    doubtful: bool = False


class ExactReader(ExcelReader):
    """Read a workbook without turning its day numbers into dates.

    Of sheets with more rows than `least` only those above the data are read; `streamed` tells what was left out.
    """

    def __init__(self, source: IO[bytes], record: RunRecord, least: int | None = None, *, data_only: bool) -> None:
        super().__init__(source, data_only=data_only, keep_links=True, rich_text=True)
        self.streamed = Streamed()
        self._source = source
        self._record = record
        self._least = least

    def read_strings(self) -> None:
        """Read the shared texts; where rows may be left out, only once it is known which are wanted."""
        package: Any = self.package
        found = package.find(SHARED_STRINGS)
        if found is not None and self._least is not None:
            self.streamed.texts = found.PartName[1:]
        else:
            super().read_strings()

    def read_worksheets(self) -> None:
        """Read the sheets."""
        book: Any = self.wb
        book._date_formats = set()
        book._timedelta_formats = set()
        if self._least is not None:
            others = self._leave_out(self._least)
            if self.streamed.texts:
                self._read_texts(self.streamed.texts, others)
        super().read_worksheets()

    def _leave_out(self, least: int) -> list[str]:
        """Leave out the rows of large sheets; return the parts of the other sheets."""
        kept: dict[str, bytes] = {}
        others: list[str] = []
        for sheet, link in self.parser.find_sheets():
            if link.target not in self.valid_files or "chartsheet" in link.Type:
                continue
            found = self._taken_apart(sheet.name, link.target) if self._may_be_large(sheet.name, link.target) else None
            if found is None or found.rows <= least:
                others.append(link.target)
                continue
            kept[link.target] = found.kept
            self.streamed.sheets[sheet.name] = found
            self.streamed.paths[sheet.name] = link.target
        if kept:
            self.archive = _Without(self._source, kept)
            self.streamed.doubtful = not all(is_certain(self.archive.read(path)) for path in others)
        return others

    def _may_be_large(self, title: str, path: str) -> bool:
        mark = report_mark(self.wb)
        if mark is not None and title != self._record.sheet and title in {mark.sheet, mark.summary}:
            # what an earlier report added is taken off another sheet one by one, and its summary whole
            return False
        return self.archive.getinfo(path).file_size > (self._least or 0) * _LEAST_ROW

    def _taken_apart(self, title: str, path: str) -> SheetPart | None:
        with suppress(NotUnderstood), self.archive.open(path) as part:
            return take_apart(part, self._record.header_row if title == self._record.sheet else 0)
        return None

    def _read_texts(self, path: str, others: Collection[str]) -> None:
        if not self.streamed.sheets:
            super().read_strings()
            return
        wanted: set[int] = set()
        for sheet in (*others, *self.streamed.paths.values()):
            wanted |= used_in(self.archive.read(sheet))
        found: Any = SharedTexts(self.archive.read(path))
        found.fetch(wanted)
        self.shared_strings = found


class _Without(zipfile.ZipFile):
    """Be an archive in which some parts are shorter."""

    def __init__(self, source: IO[bytes], kept: dict[str, bytes]) -> None:
        super().__init__(source)
        self._kept = kept

    def open(self, name: Any, *args: Any, **options: Any) -> IO[bytes]:
        """Open a part."""
        return BytesIO(self._kept[name]) if name in self._kept else super().open(name, *args, **options)
