"""Load a workbook by openpyxl without the rows of its large sheets, which are passed on as they stand."""

import re
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
from importer.report.streamed.sheet_part import CHUNK, SheetPart, take_apart
from importer.report.streamed.strings_part import SharedTexts, used_in
from importer.workbook import report_mark
from importer.workbook.xlsx import is_certain

#: A sheet with more rows is passed on row by row.
STREAMED_ROWS: Final = 5_000
#: No row of a sheet takes less, in bytes.
_LEAST_ROW: Final = 20
#: The half of an escaped underscore that openpyxl takes off texts, so that `_x005F_x0041_`, which Excel shows as
#: `_x0041_`, would leave as the letter A. Of this half with itself inside it takes the inner one.
_HALF: Final = b"x005F_"
_KEPT_HALF: Final = b"xx005F_005F_"
_TEXTS: Final = re.compile(rb"<((?:\w+:)?)t(?:\s[^<>]*)?>[^<]*x005F_[^<]*(?=</\1t\s*>)")
_WITH_TEXTS: Final = re.compile(rb"<(?:\w+:)?(?:worksheet|sst)[\s>]")


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
        #: the parts as they stand in the file; openpyxl reads them from the archive
        self._parts = self.archive
        self._kept: dict[str, bytes] = {}
        self.archive = _Archive(source, self._kept)
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
        others: list[str] = []
        for sheet, link in self.parser.find_sheets():
            if link.target not in self.valid_files or "chartsheet" in link.Type:
                continue
            found = self._taken_apart(sheet.name, link.target) if self._may_be_large(sheet.name, link.target) else None
            if found is None or found.rows <= least:
                others.append(link.target)
                continue
            self._kept[link.target] = found.kept
            self.streamed.sheets[sheet.name] = found
            self.streamed.paths[sheet.name] = link.target
        if self._kept:
            self.streamed.doubtful = not all(is_certain(self.archive.read(path)) for path in others)
        return others

    def _may_be_large(self, title: str, path: str) -> bool:
        mark = report_mark(self.wb)
        if mark is not None and title != self._record.sheet and title in {mark.sheet, mark.summary}:
            # what an earlier report added is taken off another sheet one by one, and its summary whole
            return False
        return self._parts.getinfo(path).file_size > (self._least or 0) * _LEAST_ROW

    def _taken_apart(self, title: str, path: str) -> SheetPart | None:
        with suppress(NotUnderstood), self._parts.open(path) as part:
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


class _Archive(zipfile.ZipFile):
    """Be an archive in which some parts are shorter, and texts such that openpyxl reads what the file holds."""

    def __init__(self, source: IO[bytes], kept: dict[str, bytes]) -> None:
        super().__init__(source)
        self._kept = kept

    def open(self, name: Any, *args: Any, **options: Any) -> IO[bytes]:
        """Open a part."""
        part = BytesIO(self._kept[name]) if name in self._kept else super().open(name, *args, **options)
        if not _is_escaped(part):
            part.seek(0)
            return part
        with part:
            part.seek(0)
            return BytesIO(_TEXTS.sub(lambda text: text[0].replace(_HALF, _KEPT_HALF), part.read()))


def _is_escaped(part: IO[bytes]) -> bool:
    """Tell whether a part of texts holds escaped underscores."""
    data = part.read(CHUNK)
    if not _WITH_TEXTS.search(data):
        return False
    while data:
        if _HALF in data:
            return True
        # what may be cut in two is looked at again
        more = part.read(CHUNK)
        data = data[-len(_HALF) :] + more if more else b""
    return False
