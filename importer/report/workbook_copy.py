"""Load the user's workbook for writing, so that what is not ours leaves as it came.

openpyxl would turn dates into times of its own precision, cut numbers to 16 digits, blank formulas that nobody
calculated and give linked blank cells a text. Each of these is put right here.
"""

import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from openpyxl.cell.cell import MergedCell
from openpyxl.xml.constants import ARC_APP

from importer.errors import WorkbookError
from importer.model import Fault, RunRecord
from importer.report import workbook_made
from importer.report.cells import escaped
from importer.report.streamed.package import put_together
from importer.report.streamed.reader import ExactReader, Streamed
from importer.workbook import (
    UNREADABLE,
    Kind,
    XlsxBook,
    kind_of,
    open_xlsx,
    opened_archive,
    reason,
    sha256,
    transitional,
)

#: What openpyxl says of a part of a sheet that it drops, behind its name for it.
_DROPPED: Final = " extension is not supported"


@dataclass(frozen=True, slots=True)
class Copy:
    """Hold the user's workbook, and what was left out of it."""

    book: Any
    #: the file that was given
    given: Path
    #: the workbook that the rows which were left out stand in
    file: Path
    streamed: Streamed
    #: what openpyxl says it dropped
    dropped: frozenset[str] = frozenset()
    #: True where a program saved it that does not keep the colours which solid fills do not show
    repainted: bool = False
    #: the shared texts of the workbook, where rows were left out
    texts: Any = None


def load(file: Path | None, record: RunRecord) -> Any:
    """Return the workbook of a run as an openpyxl book, formulas replaced by their values.

    Of a file that is no .xlsx workbook, one is made that holds the same.

    Raises: WorkbookError when it is not there, is not the one that was run, or cannot be read.
    """
    with loaded(file, record, None) as copied:
        return copied.book


@contextmanager
def loaded(file: Path | None, record: RunRecord, least: int | None) -> Iterator[Copy]:
    """Yield the same without the rows of sheets that have more than `least`; None leaves nothing out.

    Raises: WorkbookError as `load` does.
    """
    if file is None or not file.is_file():
        raise WorkbookError(f"The copy of the workbook {record.workbook_name!r} is missing.")
    if sha256(file) != record.workbook_sha256:
        raise WorkbookError(f"{str(file)!r} is no longer the workbook {record.workbook_name!r} that was run.")
    given = file
    with quiet() as said, legible(record), ExitStack() as opened:
        if _kind(file, record) is not Kind.XLSX:
            made = opened.enter_context(workbook_made.made(file, record, least))
            if not made.rests:
                yield Copy(made.book, given, file, Streamed())
                return
            # the rows of a large table are passed on like those of a workbook
            file = Path(opened.enter_context(TemporaryDirectory(prefix="visma-import-"))) / "made.xlsx"
            put_together(made.book, file, made.rests)
        yield _copied(given, file, record, least, said)


def _copied(
    given: Path, file: Path, record: RunRecord, least: int | None, said: Sequence[warnings.WarningMessage]
) -> Copy:
    reader = _read(file, record, least, data_only=True)
    book, streamed = reader.wb, reader.streamed
    _keep_digits(book)
    _keep_names(book)
    if not streamed.sheets or streamed.doubtful or any(_linked(sheet, streamed) for sheet in book.worksheets):
        with open_xlsx(file, record.workbook_name) as source:
            _keep_faults(book, file, source, record, streamed)
            _blank_links(book, source.book, streamed)
    dropped = frozenset(str(one.message).partition(_DROPPED)[0] for one in said)
    return Copy(book, given, file, streamed, dropped, _repainted(file), reader.shared_strings)


def _repainted(file: Path) -> bool:
    """Tell whether LibreOffice, or a program made of it, saved a workbook."""
    with zipfile.ZipFile(file) as archive:
        return ARC_APP in archive.namelist() and b"LibreOffice" in archive.read(ARC_APP)


def _kind(file: Path, record: RunRecord) -> Kind:
    try:
        return kind_of(file, record.workbook_name)
    except WorkbookError as error:
        raise WorkbookError(f"The workbook {record.workbook_name!r} cannot be copied. {error}") from None


@contextmanager
def quiet() -> Iterator[Sequence[warnings.WarningMessage]]:
    """Silence openpyxl's warnings about parts that it does not know; yield those that name what it drops of a sheet."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("ignore", UserWarning)
        warnings.filterwarnings("always", f".*{_DROPPED}", UserWarning)
        yield said


@contextmanager
def legible(record: RunRecord) -> Iterator[None]:
    """Turn what openpyxl raises over a workbook it cannot handle into the program's own error.

    Raises: WorkbookError.
    """
    try:
        yield
    except UNREADABLE as error:
        raise WorkbookError(f"The workbook {record.workbook_name!r} cannot be copied ({reason(error)}).") from error


def _read(file: Path, record: RunRecord, least: int | None = None, *, data_only: bool) -> ExactReader:
    with opened_archive(file, record.workbook_name) as archive:
        reader = ExactReader(transitional(archive), record, least, data_only=data_only)
        reader.read()
        return reader


def _keep_faults(book: Any, file: Path, source: XlsxBook, record: RunRecord, streamed: Streamed) -> None:
    """Put back what openpyxl does not hold, so that it is not taken for a value: formulas without a result, digits."""
    formulas = None
    titles = [title.text for title in source.titles if title.text not in streamed.sheets]
    for title, number, column, fault in _faults(source, titles):
        cell = book[title].cell(number, column)
        if fault.code == "too_many_digits":
            _put_digits(cell, fault.shown)
        elif fault.code == "not_calculated":
            formulas = formulas or _read(file, record, data_only=False).wb
            formula = formulas[title].cell(number, column).value
            if formula is not None:
                cell.value = formula


def _faults(source: XlsxBook, titles: Iterable[str]) -> Iterator[tuple[str, int, int, Fault]]:
    """Yield the cells that could not be read, each with the title of its sheet, its row and its column."""
    for title in titles:
        if source.certain(title):
            continue
        with suppress(*UNREADABLE):  # what is wrong with other sheets keeps nobody from the report
            for number, cells in source.table(title).rows:
                for column, (value, _form) in enumerate(cells, start=1):
                    if isinstance(value, Fault):
                        yield title, number, column, value


def _put_digits(cell: Any, digits: str) -> None:
    # openpyxl writes a number with 16 digits, and a text of type n as it stands
    if not isinstance(cell, MergedCell):
        cell._value, cell.data_type = digits, "n"


def _linked(sheet: Any, streamed: Streamed) -> dict[tuple[int, int], Any]:
    """Return the cells that hold the address that they lead to; those of rows that were left out are not written."""
    part = streamed.sheets.get(sheet.title)
    return {
        spot: cell
        for spot, cell in sheet._cells.items()
        if cell.hyperlink and cell.value == (cell.hyperlink.target or cell.hyperlink.location)
        if part is None or spot[0] <= part.keep
    }


def _blank_links(book: Any, stream: Any, streamed: Streamed) -> None:
    """Blank the linked cells again that openpyxl filled with the address they lead to."""
    for sheet in book.worksheets:
        suspects = _linked(sheet, streamed)
        if not suspects:
            continue
        source = stream[sheet.title]
        source.reset_dimensions()
        last = max(row for row, _ in suspects)
        for number, values in enumerate(source.iter_rows(values_only=True, max_row=last), start=1):
            for spot, value in enumerate(values, start=1):
                if value is not None:
                    suspects.pop((number, spot), None)
        for cell in suspects.values():
            cell.value = None


def _keep_names(book: Any) -> None:
    """Escape the names of columns in tables again, which are to be the texts of their headers."""
    for sheet in book.worksheets:
        for table in sheet.tables.values():
            for column in table.tableColumns:
                column.name = escaped(column.name)


def _keep_digits(book: Any) -> None:
    for sheet in book.worksheets:
        for cell in sheet._cells.values():
            if isinstance(cell.value, float) and float(f"{cell.value:.16g}") != cell.value:
                _put_digits(cell, repr(cell.value))
