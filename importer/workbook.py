"""Read one sheet of an .xlsx workbook into rows of exact values. Never opens a socket, never writes.

openpyxl reads the cells. What it cannot tell in its streaming mode (hidden rows, formulas nobody calculated, merged
cells) is read from the sheet's XML in one pass, and only where the XML holds any of it.
"""

import hashlib
import json
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from collections.abc import Mapping as Dictionary
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Final

from importer.errors import WorkbookError
from importer.model import CellValue, Fault, Row
from importer.values import cell_value, clean, shown

#: Custom document property by which a report of this program is known when it is given to `run` again.
REPORT_MARK: Final = "visma-import report"
#: What zipfile, zlib, the XML parser and openpyxl raise on a damaged, encrypted or oddly packed workbook. A
#: RuntimeError is zipfile's word for a password and for a compression it does not know; a refused entity is a
#: ValueError.
UNREADABLE: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
_ERRORS: Final = {
    "#NULL!",
    "#DIV/0!",
    "#VALUE!",
    "#REF!",
    "#NAME?",
    "#NUM!",
    "#N/A",
    "#GETTING_DATA",
    "#SPILL!",
    "#CALC!",
}
_MAX_BYTES: Final = 1_500_000_000
_MAX_MEMBERS: Final = 5_000
_OLE: Final = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportMark:
    """Say which sheet and columns of a workbook this program's report added."""

    sheet: str
    columns: tuple[str, ...]
    summary: str

    def dump(self) -> str:
        """Write the mark as the text of a document property."""
        return json.dumps({"sheet": self.sheet, "columns": list(self.columns), "summary": self.summary})


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Hold one sheet: its headers and every row below them, down to the last that holds anything."""

    file: Path
    name: str
    header_row: int
    #: by column position (0-based); None where the header is blank or the column is the report's own
    headers: tuple[str | None, ...]
    rows: tuple[Row, ...]
    #: ranges of merged cells below the header, such as `A3:A5`
    merged: tuple[str, ...] = ()

    @cached_property
    def columns(self) -> Dictionary[str, int]:
        """Return the position of each header that stands once."""
        seen = [header for header in self.headers if header is not None]
        return {name: spot for spot, name in enumerate(self.headers) if name is not None and seen.count(name) == 1}

    @cached_property
    def repeated(self) -> frozenset[str]:
        """Return the headers that stand more than once."""
        return frozenset(name for name in self.headers if name is not None and self.headers.count(name) > 1)

    def address(self, header: str, row: int) -> str:
        """Return a cell's address as Excel shows it, such as `C7`."""
        from openpyxl.utils import get_column_letter

        return f"{get_column_letter(self.columns[header] + 1)}{row}"


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal.

    Raises: WorkbookError when it cannot be opened.
    """
    try:
        handle = file.open("rb")
    except OSError as error:
        raise _cannot_open(file, error) from None
    with handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def read(file: Path, *, sheet: str | None = None, header_row: int = 1) -> Sheet:
    """Read the named sheet, or the only visible one.

    Raises: WorkbookError when the file, the sheet or the header row is not what was declared.
    """
    with warnings.catch_warnings():
        # what openpyxl grumbles about (styles, extensions, dates out of range) is nothing a user can act on
        warnings.simplefilter("ignore")
        with opened(file) as (book, archive):
            mark = report_mark(book)
            worksheet = _choose(book, file, sheet, mark)
            return _read_sheet(file, worksheet, header_row, _Facts.of(archive, worksheet), mark)


@contextmanager
def opened(file: Path) -> Iterator[tuple[Any, zipfile.ZipFile]]:
    """Open a workbook for reading values, and its archive.

    Raises: WorkbookError when it is not a workbook that can be read safely.
    """
    import openpyxl

    try:
        handle = file.open("rb")
    except OSError as error:
        raise _cannot_open(file, error) from None
    with handle:
        _refuse_other_formats(file, handle)
        try:
            with zipfile.ZipFile(handle) as archive:
                _refuse_bombs(file, archive)
                book = openpyxl.load_workbook(handle, read_only=True, data_only=True)
                try:
                    yield book, archive
                finally:
                    book.close()
        except WorkbookError:
            raise
        except (*UNREADABLE, OSError) as error:
            reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
            raise WorkbookError(
                f"The workbook {file.name!r} is damaged or incomplete ({reason}). Open it in Excel, save it again as "
                ".xlsx, and try once more."
            ) from error


def _cannot_open(file: Path, error: OSError) -> WorkbookError:
    reason = "there is no such file" if isinstance(error, FileNotFoundError) else (error.strerror or "unknown reason")
    return WorkbookError(f"The workbook {str(file)!r} cannot be opened: {reason.lower()}.{_near_files(file)}")


def _near_files(file: Path) -> str:
    near = (
        get_close_matches(file.name, [p.name for p in file.parent.glob("*.xls*")], n=1) if file.parent.is_dir() else []
    )
    return f" Did you mean {near[0]!r}?" if near else " Name it on the command line or under workbook: file."


def _refuse_other_formats(file: Path, handle: IO[bytes]) -> None:
    start = handle.read(8)
    handle.seek(0)
    if start[:4] == _OLE:
        raise WorkbookError(
            f"{file.name!r} is protected by a password or an old .xls workbook. Open it in Excel, take the password "
            "off, and save it as .xlsx."
        )
    if not start:
        raise WorkbookError(f"{file.name!r} is empty (0 bytes). Export it again.")
    if start[:2] != b"PK":
        raise WorkbookError(
            f"{file.name!r} is not an .xlsx workbook, whatever its name says. Save it as .xlsx in Excel."
        )


def _refuse_bombs(file: Path, archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    size = sum(member.file_size for member in members)
    if len(members) > _MAX_MEMBERS or size > _MAX_BYTES or len({m.filename for m in members}) != len(members):
        raise WorkbookError(
            f"{file.name!r} unpacks to {size:,} bytes in {len(members)} parts; that is no workbook to trust."
        )
    if "[Content_Types].xml" not in archive.namelist():
        raise WorkbookError(f"{file.name!r} is a zip file but not an .xlsx workbook. Save it as .xlsx in Excel.")


def report_mark(book: Any) -> ReportMark | None:
    """Return what a report of this program added to a workbook, or None for anybody else's workbook."""
    for item in book.custom_doc_props.props:
        if item.name == REPORT_MARK:
            with suppress(ValueError, KeyError, TypeError):
                raw = json.loads(str(item.value))
                return ReportMark(sheet=raw["sheet"], columns=tuple(raw["columns"]), summary=raw["summary"])
    return None


def _choose(book: Any, file: Path, name: str | None, mark: ReportMark | None) -> Any:
    own = mark.summary if mark else None
    sheets = {ws.title: ws for ws in book.worksheets if ws.title != own}
    if name is not None:
        if name in sheets:
            return sheets[name]
        by_clean = {clean(title): title for title in sheets}
        if clean(name) in by_clean:
            return sheets[by_clean[clean(name)]]
        near = get_close_matches(name, list(sheets), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise WorkbookError(f"{file.name!r} has no sheet {name!r}; its sheets are: {', '.join(sheets)}.{hint}")
    visible = [ws for ws in sheets.values() if ws.sheet_state == "visible"]
    if len(visible) == 1:
        return visible[0]
    names = ", ".join(ws.title for ws in visible) or "none"
    raise WorkbookError(
        f"{file.name!r} has {len(visible)} visible sheets ({names}). Say which one: workbook: sheet: NAME."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """Hold what the streaming reader does not tell about a sheet."""

    hidden: frozenset[int] = frozenset()
    #: cells whose formula nobody calculated, by row
    uncalculated: Dictionary[int, frozenset[str]] = field(default_factory=dict)
    merged: tuple[str, ...] = ()

    @classmethod
    def of(cls, archive: zipfile.ZipFile, worksheet: Any) -> "_Facts":
        name = str(worksheet._worksheet_path).lstrip("/")
        data = archive.read(name)
        if not re.search(rb"<(?:\w+:)?(?:f[ />]|mergeCell )|\shidden=", data):
            return cls()
        from defusedxml.ElementTree import iterparse

        hidden: set[int] = set()
        uncalculated: dict[int, set[str]] = {}
        merged: list[str] = []
        counter = 0
        with archive.open(name) as part:
            for event, node in iterparse(part, events=("start", "end")):
                tag = node.tag.rpartition("}")[2]
                if event == "start":
                    if tag == "row":
                        counter = int(node.get("r") or counter + 1)
                        if node.get("hidden") in {"1", "true"}:
                            hidden.add(counter)
                elif tag == "c":
                    if _is_uncalculated(node):
                        uncalculated.setdefault(counter, set()).add(re.sub(r"\d", "", node.get("r") or ""))
                    node.clear()
                elif tag == "row":
                    node.clear()
                elif tag == "mergeCell":
                    merged.append(str(node.get("ref")))
        cells = {row: frozenset(found) for row, found in uncalculated.items()}
        return cls(hidden=frozenset(hidden), uncalculated=cells, merged=tuple(merged))


def _is_uncalculated(cell: Any) -> bool:
    """Tell whether a formula has no result: Excel writes t="str" beside an empty text that was calculated."""
    parts = {child.tag.rpartition("}")[2]: child for child in cell}
    return "f" in parts and not (parts["v"].text if "v" in parts else None) and cell.get("t") != "str"


def _read_sheet(file: Path, worksheet: Any, header_row: int, facts: _Facts, mark: ReportMark | None) -> Sheet:
    worksheet.reset_dimensions()
    headers: tuple[str | None, ...] | None = None
    own = frozenset(mark.columns) if mark and mark.sheet == worksheet.title else frozenset()
    rows: list[Row] = []
    blanks: list[Row] = []
    for number, cells in enumerate(worksheet.iter_rows(), start=1):
        if number < header_row:
            continue
        if headers is None:
            headers = _headers(cells, own)
            continue
        row = _row(number, cells, headers, facts)
        if row.blank:
            blanks.append(row)
        else:
            rows += [*blanks, row]
            blanks = []
    if headers is None or not any(headers):
        raise WorkbookError(
            f"Row {header_row} of sheet {worksheet.title!r} in {file.name!r} holds no headers. Say in the mapping "
            "which row does: workbook: header_row: N."
        )
    return Sheet(
        file=file,
        name=worksheet.title,
        header_row=header_row,
        headers=headers,
        rows=tuple(rows),
        merged=facts.merged,
    )


def _headers(cells: tuple[Any, ...], own: frozenset[str]) -> tuple[str | None, ...]:
    names: list[str | None] = []
    for cell in cells:
        value = cell_value(cell.value)
        name = None if value is None else clean(" ".join(shown(value).split()))
        names.append(None if name in own else name or None)
    while names and names[-1] is None:
        names.pop()
    return tuple(names)


def _row(number: int, cells: tuple[Any, ...], headers: tuple[str | None, ...], facts: _Facts) -> Row:
    values: list[CellValue] = []
    formats: dict[int, str] = {}
    missing = facts.uncalculated.get(number, frozenset())
    for spot, cell in enumerate(cells[: len(headers)]):
        if headers[spot] is None:
            values.append(None)
            continue
        raw = cell.value
        if raw is None and not missing:
            values.append(None)
            continue
        value = _value(cell, raw, missing)
        values.append(value)
        if isinstance(value, Decimal | date | time) and cell.number_format != "General":
            formats[spot] = cell.number_format
    return Row(number=number, cells=tuple(values), formats=formats, hidden=number in facts.hidden)


def _value(cell: Any, raw: object, missing: frozenset[str]) -> CellValue:
    if missing and raw is None:
        letter = getattr(cell, "column_letter", "")
        if letter in missing:
            return Fault(
                "not_calculated",
                "",
                "The cell holds a formula that was never calculated. Open the workbook in Excel, "
                "let it calculate, and save it.",
            )
        return None
    if getattr(cell, "data_type", "") == "e" or (isinstance(raw, str) and raw in _ERRORS and cell.data_type != "s"):
        return Fault("error_cell", str(raw), f"The cell shows the error {raw}. Correct the formula or type the value.")
    if isinstance(raw, str):
        return cell_value(_unescape(raw))
    return cell_value(raw, cell.number_format if isinstance(raw, date) else None)


def _unescape(text: str) -> str:
    """Undo the `_x000D_` by which a workbook writes characters that XML does not hold."""
    if "_x" not in text:
        return text
    return re.sub(r"_x([0-9A-Fa-f]{4})_", lambda match: chr(int(match[1], 16)), text)
