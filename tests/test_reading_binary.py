"""The binary formats of Excel, .xls and .xlsb: what their records hold is read right or told."""

import re
import struct
import zipfile
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from confined import confined
from test_reading_programs import FILES, cells, same

from importer.errors import WorkbookError
from importer.workbook import open_book, read


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


def record_of(raw: bytes, number: int) -> int:
    """Return where a record of an .xls file begins."""
    start = raw.index(bytes.fromhex("09081000"))
    while int.from_bytes(raw[start : start + 2], "little") != number:
        start += 4 + int.from_bytes(raw[start + 2 : start + 4], "little")
    return start


@pytest.mark.parametrize(
    ("result", "engine", "value"),
    [
        (bytes(8), None, ("not_calculated", "")),
        (bytes(8), bytes(4), ("not_calculated", "")),
        (bytes(8), b"\x35\xea\x01\x00", Decimal(0)),
        (bytes.fromhex("030000000000ffff"), bytes(4), ("not_calculated", "")),
        (bytes.fromhex("030000000000ffff"), b"\x35\xea\x01\x00", None),
    ],
)
def test_c16_a_zero_in_an_xls_file_is_one_where_somebody_calculated(
    tmp_path: Path, result: bytes, engine: bytes | None, value: Any
) -> None:
    """C16: programs without a calculator write 0 for each result; Excel notes which of its own calculated."""
    raw = bytearray((FILES / "xlwt-1904.xls").read_bytes())
    unknown = bytes.fromhex("030000000000ffff")
    assert raw.count(unknown) == 1
    spot = raw.index(unknown)
    raw[spot : spot + 8] = result
    if engine is not None:
        window = record_of(raw, 0x3D)  # of no use to a reader: it stands in for the note of who calculated
        raw[window : window + 2] = (0x1C1).to_bytes(2, "little")
        raw[window + 8 : window + 12] = engine
    file = tmp_path / "rows.xls"
    file.write_bytes(raw)

    assert cells(read(file))[0][2:] == [value]


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


def many_rows(data: bytes, numbers: range) -> bytes:
    """Put rows with one cell each, in the last column, in the place of a sheet's rows."""
    start, end = data.index(bytes([0x91, 0x01, 0x00])) + 3, data.index(bytes([0x92, 0x01, 0x00]))
    rows = (
        record(0, number.to_bytes(4, "little") + bytes(13)) + record(5, cell(16_383, bytes(8))) for number in numbers
    )
    header = record(0, bytes(17)) + record(6, cell(0, text("No")))
    return data[:start] + header + b"".join(rows) + data[end:]


def test_rows_of_an_xlsb_file_that_reach_to_the_last_column_do_not_fill_the_memory(tmp_path: Path) -> None:
    """A few bytes stand for a row of 16,384 cells: twenty thousand of them take no more room than what is used."""
    part = "xl/worksheets/sheet1.bin"
    file = repacked(
        FILES / "sheetjs.xlsb", tmp_path / "wide.xlsb", part, lambda data: many_rows(data, range(1, 20_000))
    )

    assert confined(file) == "0\n"


def test_rows_of_an_xlsb_file_that_stand_twice_are_told(tmp_path: Path) -> None:
    """None of them is taken for the other."""
    part, twice = "xl/worksheets/sheet1.bin", range(4, 2, -1)
    file = repacked(FILES / "sheetjs.xlsb", tmp_path / "twice.xlsb", part, lambda data: many_rows(data, twice))

    with pytest.raises(WorkbookError, match="has row 4 twice or out of order"):
        read(file)


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
