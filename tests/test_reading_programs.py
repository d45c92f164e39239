"""The same table, written by five programs in five formats, is read to the same rows."""

import json
import shutil
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from importer.errors import WorkbookError
from importer.fields import Field, Kind
from importer.model import Fault
from importer.values import Options, convert
from importer.workbook import Sheet, read

FILES = Path(__file__).parent / "files"
TABLE = json.loads((FILES / "make" / "table.json").read_text(encoding="utf-8"))
WHOLE = (
    "libreoffice.ods",
    "libreoffice.xls",
    "libreoffice.xlsx",
    "sheetjs.xlsx",
    "sheetjs.xlsb",
    "sheetjs.xls",
    "exceljs.xlsx",
    "xlsxwriter.xlsx",
)


def expected(content: Any, header: str) -> Any:
    """Return what a cell of table.json must be read as; an error as its code and text."""
    if isinstance(content, dict) and "error" in content:
        return "error_cell", content["error"]
    if isinstance(content, dict) and "bool" in content:
        return content["bool"]
    if isinstance(content, dict) and "date" in content:
        moment = datetime.fromisoformat("1899-12-30") + timedelta(seconds=round(content["date"] * 86_400))
        return moment if header == "Tidspunkt" else moment.date()
    value = content["value"] if isinstance(content, dict) else content
    return Decimal(str(value)) if isinstance(value, int | float) else value


def cells(sheet: Sheet) -> list[list[Any]]:
    """Return the cells of a sheet, each row as long as the header."""
    told = [[(cell.code, cell.shown) if isinstance(cell, Fault) else cell for cell in row.cells] for row in sheet.rows]
    return [row + [None] * (len(sheet.headers) - len(row)) for row in told]


EXPECTED = [[expected(cell, TABLE["headers"][spot]) for spot, cell in enumerate(row)] for row in TABLE["rows"]]


def same(found: list[list[Any]], wanted: list[list[Any]]) -> None:
    """Compare rows with their types: True is not 1, and a date no datetime."""
    assert [[(cell, type(cell)) for cell in row] for row in found] == [
        [(cell, type(cell)) for cell in row] for row in wanted
    ]


@pytest.mark.parametrize("name", WHOLE)
def test_every_program_writes_the_same_rows(name: str) -> None:
    """C2, C16, C17: texts keep their zeros, whole numbers are whole, errors are errors, formulas are their results."""
    sheet = read(FILES / name)

    assert sheet.name == TABLE["sheet"]
    assert sheet.headers == tuple(TABLE["headers"])
    assert [row.number for row in sheet.rows] == [2, 3, 4, 5]
    same(cells(sheet), EXPECTED)
    assert sheet.notes == ()


@pytest.mark.parametrize("name", WHOLE)
def test_number_formats_come_along(name: str) -> None:
    """Each format gives the format of a number, by which `as: displayed` knows its zeros."""
    sheet = read(FILES / name)
    plain = [{spot: form.replace("\\", "") for spot, form in row.formats.items()} for row in sheet.rows]

    assert plain[0] == {3: "#,##0.00", 5: "dd.mm.yyyy", 6: "dd.mm.yyyy hh:mm", 10: "0000"}


@pytest.mark.parametrize("name", WHOLE)
def test_a_number_is_taken_as_displayed_from_every_format(name: str) -> None:
    """C1: 42 with the format 0000 is 0042 where the mapping says so, whichever program wrote it."""
    row = read(FILES / name).rows[0]
    options = Options(field=Field(name="it", description="", kind=Kind.TEXT), kind=Kind.TEXT, displayed=True)

    assert convert(row.cells[10], options, None, row.formats[10]) == "0042"


def test_what_sheetjs_leaves_out_of_ods_is_all_that_differs() -> None:
    """SheetJS writes no error cells and no date formats into .ods; all else is read as from the other files."""
    found = cells(read(FILES / "sheetjs.ods"))
    for row, wanted in zip(found, EXPECTED, strict=True):
        for spot, cell in enumerate(wanted):
            if isinstance(cell, date):
                assert isinstance(row[spot], Decimal)
            elif isinstance(cell, tuple):
                assert row[spot] is None
            else:
                assert (row[spot], type(row[spot])) == (cell, type(cell))


def test_texts_and_rows_of_libreoffice_are_read_as_they_are_seen() -> None:
    """C30, C31: spaces, tabs and lines; a comment is no text; hidden, filtered, merged and repeated rows."""
    sheets = [read(FILES / f"libreoffice-hard.{ending}") for ending in ("ods", "xls")]
    for sheet in sheets:
        found = cells(sheet)
        assert [row[1] for row in found] == [
            "to  ord   her",
            "tab\there",
            "linje\nto\n\nfire",
            None,
            "kommentar",
            "skjult",
            "filtrert",
            "flettet",
            None,
            "siste",
            None,
            *["x"] * 3,
        ]
        assert [row[2] for row in found][:8] == [
            Decimal("0.25"),
            Decimal("1234.5"),
            time(10, 30),
            ("duration", "1 day, 6:00:00"),
            datetime.fromisoformat("2025-01-27T12:00:00"),
            Decimal(42),
            Decimal(7),
            ("too_many_digits", "10000000000000000"),
        ]
        assert [row.number for row in sheet.rows if row.hidden] == [7, 8]
        assert [row.number for row in sheet.rows][-3:] == [13, 14, 15]
        assert sheet.merged == ("B9:B10",)
        assert sheet.rows[5].formats == {2: "00000"}
    same(cells(sheets[0]), cells(sheets[1]))


# -- files that are something else, protected or broken ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["password.xlsx", "password.ods"])
def test_a_workbook_under_a_password_is_told(name: str) -> None:
    """A protected file is refused with the advice to take the password off."""
    with pytest.raises(WorkbookError, match=r"is protected by a password\..*password"):
        read(FILES / name)


def test_an_old_workbook_under_a_password_is_told(tmp_path: Path) -> None:
    """A protected .xls file is one whose records say that they are encrypted."""
    raw = (FILES / "libreoffice.xls").read_bytes()
    start = bytes.fromhex("e1000200b004")
    assert raw.count(start) == 1
    file = tmp_path / "locked.xls"
    file.write_bytes(raw.replace(start, bytes.fromhex("2f000200b004")))

    with pytest.raises(WorkbookError, match=r"is protected by a password\. Open it in Excel"):
        read(file)


@pytest.mark.parametrize("name", ["libreoffice.ods", "sheetjs.xlsb", "libreoffice.xls", "password.xlsx"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_file_of_any_kind_is_told(tmp_path: Path, name: str, share: float) -> None:
    """A download that broke off is refused, never read as a shorter sheet."""
    raw = (FILES / name).read_bytes()
    file = tmp_path / name
    file.write_bytes(raw[: int(len(raw) * share)])

    with pytest.raises(WorkbookError, match=r"damaged or incomplete|protected by a password"):
        read(file)


@pytest.mark.parametrize("name", ["libreoffice.ods", "sheetjs.xlsb", "libreoffice.xls", "sheetjs-hard.xlsb"])
def test_a_file_damaged_at_any_byte_is_read_or_told(tmp_path: Path, name: str) -> None:
    """A byte turned over anywhere never looks like a bug of the program, and never holds it up."""
    raw = (FILES / name).read_bytes()
    file = tmp_path / name
    for spot in range(0, len(raw), 61):
        file.write_bytes(raw[:spot] + bytes([raw[spot] ^ 0xFF]) + raw[spot + 1 :])
        try:
            read(file)
        except WorkbookError:
            continue


@pytest.mark.parametrize("name", ["libreoffice.ods", "sheetjs.xlsb", "libreoffice.xls", "exceljs.xlsx"])
@pytest.mark.parametrize("ending", ["xlsx", "xls", "csv", "data"])
def test_the_name_of_a_workbook_is_not_believed(tmp_path: Path, name: str, ending: str) -> None:
    """A workbook is read by what it is, under whichever name."""
    file = tmp_path / f"rows.{ending}"
    shutil.copy(FILES / name, file)

    same(cells(read(file)), EXPECTED)


@pytest.mark.parametrize("name", ["rows.xls", "rows.xlsx", "rows.csv"])
@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"<html><table><tr><td>No</td></tr></table></html>", r"is a web page \(HTML\)"),
        (b"\xef\xbb\xbf \r\n<!DOCTYPE html><html></html>", r"is a web page \(HTML\)"),
        (b"MIME-Version: 1.0\r\nContent-Type: multipart/related", r"is a web page \(HTML\)"),
        (b"<?xml version='1.0'?><Workbook xmlns='urn:schemas-microsoft-com:office:spreadsheet'/>", "is an XML file"),
        (b"%PDF-1.7", "is a PDF file"),
        (b"", r"is empty \(0 bytes\)"),
    ],
)
def test_a_web_page_under_the_name_of_a_workbook_is_told(tmp_path: Path, name: str, raw: bytes, words: str) -> None:
    """Systems export HTML and XML as .xls: it is refused with the advice to save it as .xlsx."""
    file = tmp_path / name
    file.write_bytes(raw)

    with pytest.raises(WorkbookError, match=words):
        read(file)


def test_a_document_that_is_no_workbook_is_told(tmp_path: Path) -> None:
    """An old text document lies in the same kind of file as an .xls workbook."""
    raw = (FILES / "libreoffice.xls").read_bytes()
    file = tmp_path / "letter.xls"
    file.write_bytes(raw.replace("Workbook".encode("utf-16-le"), "WordDocu".encode("utf-16-le")))

    with pytest.raises(WorkbookError, match="is not a workbook of Excel"):
        read(file)
