"""Read the XML of a sheet quickly and as an XML parser gives it, to compare what comes of it."""

import io
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from importer.workbook import open_xlsx
from importer.workbook.archive import UNREADABLE
from importer.workbook.xlsx_quick import QuickReading, rows
from importer.workbook.xlsx_walk import Walk

PART = "sheet.xml"


class CountingWalk(Walk):
    """Count the rows that an XML parser took apart."""

    parsed = 0

    def row(self, node: Any) -> Any:
        self.parsed += 1
        return super().row(node)


class Ways:
    """Hold an open workbook, of whose sheet the XML is another each time."""

    def __init__(self, make_walk: Callable[[], CountingWalk], part: bytes) -> None:
        self.walk = make_walk
        self.part = part

    def read(self, xml: bytes, *, quick: bool, chunk: int = 1 << 20) -> tuple[Any, ...]:
        """Return rows, hidden rows and merged areas, or the rows before an error and the error."""
        walk = self.walk()
        found: list[Any] = []
        try:
            with zipped(xml) as archive, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # as open_book does
                for row in rows(walk, archive, PART, quick=quick, chunk=chunk):
                    found.append((row[0], list(row[1])))
        except (OSError, *UNREADABLE) as error:
            # Decimal("1.0") is equal to Decimal(1), True to 1: what they are written as is not
            return repr(found), type(error), str(error)
        return repr(found), walk.hidden, walk.merged

    def same(self, xml: bytes, chunk: int = 1 << 20) -> tuple[Any, ...]:
        """Return what is read in both ways, and see that it is the same."""
        quickly = self.read(xml, quick=True, chunk=chunk)
        assert quickly == self.read(xml, quick=False)
        return quickly

    def parsed(self, xml: bytes) -> int | None:
        """Return how many rows an XML parser took apart; None where the sheet was not read quickly at all."""
        walk = self.walk()
        try:
            list(QuickReading(walk, io.BytesIO(xml)).rows())
        except Exception:  # noqa: BLE001 - whatever it was, another way has to be gone
            return None
        return walk.parsed


@contextmanager
def zipped(xml: bytes) -> Iterator[zipfile.ZipFile]:
    """Give an archive that holds the XML."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(PART, xml)
    with zipfile.ZipFile(stream) as archive:
        yield archive


@contextmanager
def ways(file: Path, *, zeros_doubtful: bool = False) -> Iterator[Ways]:
    """Open a workbook, for its first sheet to be read in both ways."""
    with open_xlsx(file, file.name) as book:
        sheet = book.book.worksheets[0]
        part = book.book._archive.read(sheet._worksheet_path.lstrip("/"))
        yield Ways(lambda: CountingWalk(sheet, zeros_doubtful=zeros_doubtful), part)
