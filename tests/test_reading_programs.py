"""The same table, written by five programs in five formats, is read to the same rows."""

import json
import re
import shutil
import struct
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from importer.errors import WorkbookError
from importer.fields import Field, Kind
from importer.model import Fault
from importer.values import Options, convert
from importer.workbook import Sheet, open_book, read

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


# -- hard cases of the binary formats ----------------------------------------------------------------------------------


def test_c11_an_xls_file_that_counts_from_1904_gives_the_same_days() -> None:
    """C11, C16, C30, C31: day numbers by the file's own calendar, uncalculated formulas, hidden rows, merged cells."""
    sheet = read(FILES / "xlwt-1904.xls")

    assert [row[:2] for row in cells(sheet)] == [[f"00{number}", date(2023, 3, 15)] for number in (1, 2, 3, 4)]
    assert cells(sheet)[0][2] == ("not_calculated", "")
    assert [row.number for row in sheet.rows if row.hidden] == [3]
    assert sheet.merged == ("C4:C5",)


def test_c16_what_xlsxwriter_left_to_excel_to_calculate_is_no_value() -> None:
    """C16: it writes 0 for each formula, also for days and lists; a 0 that somebody wrote is one."""
    waiting = ("not_calculated", "")

    assert cells(read(FILES / "xlsxwriter-hard.xlsx")) == [
        [f"000{number}", waiting, waiting, waiting, Decimal(0)] for number in (1, 2)
    ]


@pytest.mark.parametrize("name", ["xlwt-1904.xls", "sheetjs-hard.xlsb"])
def test_c32_hidden_sheets_are_known(name: str) -> None:
    """C32: the only visible sheet is taken; hidden and very hidden ones are read when they are named."""
    with open_book(FILES / name) as book:
        assert [(title.text, title.visible) for title in book.titles] == [
            ("Rader", True),
            ("Skjult", False),
            ("Dypt skjult", False),
        ]
    assert read(FILES / name).name == "Rader"
    assert read(FILES / name, sheet="Dypt skjult").headers == ("No",)


def test_c31_an_xlsb_file_tells_hidden_rows_and_merged_cells() -> None:
    """C30, C31: what is hidden or merged in a binary workbook is told as in any other."""
    sheet = read(FILES / "sheetjs-hard.xlsb")

    assert [row.number for row in sheet.rows if row.hidden] == [3]
    assert sheet.merged == ("C4:C5",)
    assert cells(sheet)[0] == ["001", date(2023, 3, 15), "a"]


def repacked(source: Path, target: Path, part: str, change: Callable[[bytes], bytes]) -> Path:
    """Copy a packed workbook with one part changed, as another program might have written it."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as copy:
        for item in archive.infolist():
            data = archive.read(item)
            if item.filename == part:
                assert change(data) != data
                data = change(data)
            copy.writestr(item.filename, data)
    return target


def test_c11_an_xlsb_file_that_counts_from_1904_gives_later_days(tmp_path: Path) -> None:
    """C11: the flag of the workbook's properties moves each day by four years and a day."""
    properties = bytes([0x99, 0x01])
    file = repacked(
        FILES / "sheetjs-hard.xlsb",
        tmp_path / "late.xlsb",
        "xl/workbook.bin",
        lambda data: re.sub(
            re.escape(properties) + b"(.)(.)", lambda m: properties + m[1] + bytes([m[2][0] | 1]), data, count=1
        ),
    )

    assert cells(read(file))[0][1] == date(2027, 3, 16)


def record(kind: int, fields: bytes) -> bytes:
    """Write a record of an .xlsb part."""
    head = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
    return head + bytes([len(fields)]) + fields


def cell(column: int, fields: bytes) -> bytes:
    """Write the fields that begin each cell: column, style 0, and its value."""
    return column.to_bytes(4, "little") + bytes(4) + fields


def text(value: str) -> bytes:
    """Write a text with its length."""
    return len(value).to_bytes(4, "little") + value.encode("utf-16-le")


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (record(2, cell(1, (19_90 << 2 | 3).to_bytes(4, "little"))), Decimal("19.9")),
        (record(2, cell(1, (-7 << 2 | 2).to_bytes(4, "little", signed=True))), Decimal(-7)),
        (record(2, cell(1, bytes.fromhex("0000f83f"))), Decimal("1.5")),
        (record(2, cell(1, bytes.fromhex("0100f83f"))), Decimal("0.015")),
        (record(3, cell(1, b"\x2a")), ("error_cell", "#N/A")),
        (record(3, cell(1, b"\x99")), ("error_cell", "error 153")),
        (record(4, cell(1, b"\x01")), True),
        (record(5, cell(1, bytes.fromhex("343333333333d33f"))), Decimal("0.3")),
        (record(6, cell(1, text("0101"))), "0101"),
        (record(8, cell(1, text("") + b"\x00\x00")), None),
        (record(8, cell(1, text("0101") + b"\x00\x00")), "0101"),
        (record(9, cell(1, bytes.fromhex("0000000000000040") + b"\x00\x00")), Decimal(2)),
        (record(10, cell(1, b"\x00\x00\x00")), False),
        (record(11, cell(1, b"\x07\x00\x00")), ("error_cell", "#DIV/0!")),
        (record(62, cell(1, b"\x01" + text("rik") + bytes(4))), "rik"),
        (record(1, cell(1, b"")), None),
        (record(13, bytes(4) + (5 << 2 | 2).to_bytes(4, "little")), Decimal(5)),
        (record(14, bytes(4) + b"\x17"), ("error_cell", "#REF!")),
        (record(15, bytes(4) + b"\x01"), True),
        (record(16, bytes(4) + bytes.fromhex("0000000000000040")), Decimal(2)),
        (record(17, bytes(4) + text("kort")), "kort"),
        (record(12, bytes(4)), None),
        (record(5, cell(1, struct.pack("<d", 1234567890123456789))), ("too_many_digits", "1234567890123456768")),
    ],
)
def test_each_record_of_an_xlsb_cell_is_read(tmp_path: Path, raw: bytes, value: Any) -> None:
    """C2, C3, C17: packed numbers, reals, texts, truths, errors and results of formulas, with a column or without."""
    row = (1).to_bytes(4, "little") + bytes(4) + bytes(2) + bytes(2) + bytes(5)
    made = record(0, row) + record(6, cell(0, text("1"))) + raw

    def replaced(data: bytes) -> bytes:
        start, end = data.index(bytes([0x91, 0x01, 0x00])) + 3, data.index(bytes([0x92, 0x01, 0x00]))
        first = (0).to_bytes(4, "little") + row[4:]
        headers = record(6, cell(0, text("No"))) + record(6, cell(1, text("B")))
        return data[:start] + record(0, first) + headers + made + data[end:]

    file = repacked(FILES / "sheetjs.xlsb", tmp_path / "one.xlsb", "xl/worksheets/sheet1.bin", replaced)

    same(cells(read(file)), [["1", value]])


def test_a_zero_that_libreoffice_wrote_for_a_text_is_not_believed(tmp_path: Path) -> None:
    """C16: in .xls files of LibreOffice a formula's 0 may stand for a text: it is a problem, never a value."""
    raw = bytearray((FILES / "libreoffice.xls").read_bytes())
    number = bytes.fromhex("00000000004aa340")
    assert raw.count(number) == 1
    spot = raw.index(number)
    raw[spot : spot + 8] = bytes(8)
    file = tmp_path / "zero.xls"
    file.write_bytes(raw)

    assert cells(read(file))[0][9] == ("not_calculated", "0")


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
