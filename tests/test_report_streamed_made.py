"""Of a large .csv, .ods, .xls or .xlsb file the report is written row by row, and is the same as of a small one."""

import csv
import random
import tempfile
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest
from report_both_ways import both, differences, is_sound, is_streamed, look, measured, told, write
from test_reading_report import record_of, values

from importer.errors import WorkbookError
from importer.model import Outcome, Problem, Status
from importer.workbook import read

FILES = Path(__file__).parent / "files"
#: What a spreadsheet, XML or a program in between might take for something else.
HARD = [
    *("", " ", "0101", "=1+1", "-2+3", "@SUM", "+47", "1E5", "2025-01-27", "TRUE", "NULL", "1 234,50", "NO"),
    *("a_x0041_b", "_x000D_", "a\nb", " a", "a ", "a\tb", "\ta", "\xa0", "a\u200bb", "\ufeffa", "\x0b", "\x1f"),
    *("<b>&amp;</b>", "]]>", '"', "'", "Ærlig Øl på Ås", "Łódź", "漢字", "🙂", "\u0301", "a\xa0b"),
    *("x" * 999, "x" * 1_001, "x" * 32_767, "x" * 32_768, "🙂" * 16_384),
]


def told_all(file: Path, sheet: str, header_row: int = 1) -> list[Outcome]:
    """Return an outcome for each row of a sheet, of several kinds."""
    headers = [header for header in read(file, sheet=sheet, header_row=header_row).headers if header]
    found = []
    for number, _, _ in values(file, sheet=sheet, header_row=header_row):
        if number % 3:
            found.append(told(number, Status.ACCEPTED, "", number=f"{number:06}"))
        else:
            problem = Problem(sheet=sheet, row=number, column=headers[0], value="x", code="required", message="Wrong.")
            found.append(replace(told(number, Status.INVALID, ""), problems=(problem,)))
    return found


def table(path: Path, rows: list[list[str]]) -> Path:
    """Write a .csv file, each of its values in quotation marks."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=";", quoting=csv.QUOTE_ALL).writerows(rows)
    return path


@pytest.mark.parametrize(
    ("name", "sheet"),
    [
        ("libreoffice.ods", "Fakturaer"),
        ("libreoffice-hard.ods", "Rader"),
        ("libreoffice.xls", "Fakturaer"),
        ("libreoffice-hard.xls", "Rader"),
        ("sheetjs.ods", "Fakturaer"),
        ("sheetjs.xls", "Fakturaer"),
        ("sheetjs.xlsb", "Fakturaer"),
        ("sheetjs-hard.xlsb", "Rader"),
        ("xlwt-1904.xls", "Rader"),
    ],
)
def test_the_report_of_a_file_of_another_program_is_the_same_both_ways(name: str, sheet: str, tmp_path: Path) -> None:
    """Every value, format, hidden row and merged cell, wherever the first rows end that openpyxl holds."""
    file = tmp_path / name
    file.write_bytes((FILES / name).read_bytes())
    outcomes, record = told_all(file, sheet), record_of(file, sheet)
    _, slow = both(file, outcomes, record)
    for least in (1, 2, 5):
        quick = write(file, tmp_path / f"{least}.xlsx", outcomes, record, least)

        assert is_sound(quick)
        assert not differences(look(quick), look(slow))


def test_every_text_of_a_csv_file_is_the_same_text_in_the_report(tmp_path: Path) -> None:
    """What one way would take for something else, the other does too; read again, each is what it was."""
    file = table(tmp_path / "rader.csv", [["No", "A", "B"], *([f"{n}", text, text] for n, text in enumerate(HARD))])
    quick, _ = both(file, told_all(file, "rader"), record_of(file, "rader"))
    before = values(file)
    after = values(quick, sheet="rader")

    assert len(before) == len(HARD)
    assert [row[2] for row in before[:-2]] == [row[2][:3] for row in after[:-2]]
    # the last two are too long for a cell
    assert [row[2][1:3] for row in after[-2:]] == [["error_cell"] * 2] * 2


@pytest.mark.parametrize("seed", range(12))
def test_any_table_is_the_same_both_ways(seed: int, tmp_path: Path) -> None:
    """Drawn at random: rows that end anywhere, blank ones, more columns than the pattern of a row tells."""
    chance = random.Random(seed)
    texts = [text for text in HARD if len(text) < 1_100]
    width = chance.choice([2, 12, 230])
    rows: list[list[str]] = []
    for number in range(60):
        cells = chance.choices(texts, k=chance.randrange(width)) if chance.random() > 0.1 else []
        rows.append([f"{number}" if cells else "", *cells, *[""] * (width - len(cells))])
    file = table(tmp_path / "rader.csv", [["No", *(f"H{column}" for column in range(width))], *rows])
    outcomes, record = told_all(file, "rader"), record_of(file, "rader")
    slow = write(file, tmp_path / "slow.xlsx", outcomes, record, None)
    for least in (0, chance.randrange(1, 60)):
        quick = write(file, tmp_path / "quick.xlsx", outcomes, record, least)

        assert is_sound(quick)
        assert not differences(look(quick), look(slow))


def test_titles_above_the_header_and_a_report_of_the_report_are_the_same(tmp_path: Path) -> None:
    """Row numbers are those of the file; what is made is a workbook like any other, which is run again."""
    rows = [["Rapport"], [], ["No", "A"], *([f"{number:04}", "0101"] for number in range(40))]
    file = table(tmp_path / "rader.csv", rows)
    first, _ = both(file, told_all(file, "rader", 3), replace(record_of(file, "rader"), header_row=3))
    again, _ = both(first, told_all(first, "rader", 3), replace(record_of(first, "rader"), header_row=3))

    assert is_streamed(again)
    assert [row[2][:2] for row in values(again, sheet="rader", header_row=3)] == [[row[0], "0101"] for row in rows[3:]]
    assert openpyxl.load_workbook(again)["rader"]["A1"].value == "Rapport"


def test_a_large_csv_file_takes_a_part_of_the_memory_and_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measured beside the way that holds each cell; afterwards nothing of it is left in the folder for such files."""
    lines = [[f"F{number}", *[f"{number / 7}"] * 6, *[f"text {number}"] * 5] for number in range(2_500)]
    file = table(tmp_path / "rader.csv", [[f"Column {number}" for number in range(12)], *lines])
    outcomes = [told(row, Status.ACCEPTED, "", number=f"{row}") for row in range(2, 2_502)]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    seconds, memory = measured(file, outcomes, record_of(file, "rader"))

    assert seconds > 3
    assert memory > 2
    assert not list(scratch.iterdir())


def test_more_rows_than_a_sheet_of_excel_has_are_not_cut_off(tmp_path: Path) -> None:
    """Those behind the last would not be there in Excel; the note says why there is no results.xlsx."""
    file = tmp_path / "rader.csv"
    file.write_text("No\n" + "1\n" * 1_048_576)
    with pytest.raises(WorkbookError, match=r"'rader' has more rows than a sheet of Excel \(1,048,576\)"):
        write(file, tmp_path / "results.xlsx", [], record_of(file, "rader"), 5_000)
