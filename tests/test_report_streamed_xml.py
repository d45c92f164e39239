"""A large sheet is passed on row by row only where its XML is understood, and then nothing in it changes."""

import re
import zipfile
from dataclasses import replace
from datetime import time as hour
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.styles import Border, Font, PatternFill, Side
from report_book import INVALID, OUTCOMES, ROWS, day, edit_xml, make_workbook, record_of, rows_of
from report_both_ways import both, measured, told, wrong

from importer.model import Status

SHEET = "xl/worksheets/sheet1.xml"


def test_formulas_leave_as_their_values(tmp_path: Path) -> None:
    """Numbers, texts, blanks, errors and shared formulas."""
    file = make_workbook(tmp_path)
    edit_xml(file, SHEET, "<v>75</v>", "<f>70+5</f><v>75</v>")
    edit_xml(file, SHEET, '<c r="E2" t="inlineStr">.*?</c>', '<c r="E2" t="str"><f>"a"&amp;B2</f><v>a&lt;b </v></c>')
    edit_xml(file, SHEET, '<c r="E3" t="inlineStr">.*?</c>', '<c r="E3" t="str"><f>A9</f><v></v></c>')
    edit_xml(file, SHEET, '<c r="B2" t="inlineStr">.*?</c>', '<c r="B2" t="e"><f t="shared" si="0"/><v>#N/A</v></c>')
    edit_xml(file, SHEET, '<c r="B3" t="inlineStr">.*?</c>', '<c r="B3" t="b"><f ca="1">TRUE()</f><v>1</v></c>')
    quick, _ = both(file, OUTCOMES)
    assert rows_of(quick) == rows_of(file)


@pytest.mark.parametrize(
    ("kind", "result"), [("", "<v>0</v>"), ("", "<v>0.0</v>"), ("", "<v>0E0</v>"), ("str", "<v>0</v>"), ("str", "")]
)
def test_a_result_that_waits_to_be_calculated_stays_a_formula(kind: str, result: str, tmp_path: Path) -> None:
    """However a program writes that it calculated nothing, the report gives neither 0 nor a blank for it."""
    file = make_workbook(tmp_path)
    edit_xml(file, SHEET, ' t="n"><v>75</v>', f' t="{kind or "n"}"><f>70+5</f>{result}')
    for report in both(file, OUTCOMES, streamed=False):
        assert openpyxl.load_workbook(report)["Invoices"]["C4"].value == "=70+5"


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        ("<v>75</v>", "<f>70+5</f>"),
        ("<v>75</v>", '<f t="array" ref="C4:C5">1</f><v>1</v>'),
        ('<row r="3">', '<!-- a comment --><row r="3">'),
        ('<row r="3">', "<row>"),
        ('<c r="C3"', "<c"),
        ('<c r="C4"', '<c cm="1" r="C4"'),
        ("<v>75</v>", "<v>75</v><extLst/>"),
        ('<c r="E2" t="inlineStr"><is><t>First</t></is></c>', '<c r="E2" t="d"><v>2025-01-27</v></c>'),
        ("<t>First</t>", "<r><rPr><b/></rPr><t>bold</t></r><r><t> plain</t></r>"),
        ("<t>First</t>", "<t><![CDATA[<v>]]></t>"),
        ('(<c r="A3".*?</c>)(<c r="B3".*?</c>)', r"\2\1"),
        ('(<row r="3">.*?</row>)(<row r="4">.*?</row>)', r"\2\1"),
    ],
)
def test_xml_that_is_not_understood_goes_the_other_way(pattern: str, replacement: str, tmp_path: Path) -> None:
    """No guess is made: openpyxl reads such a sheet cell by cell."""
    file = make_workbook(tmp_path)
    edit_xml(file, SHEET, pattern, replacement)
    both(file, OUTCOMES, streamed=False)


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        ("<row ", "\n  <row "),
        ("</row>", "\n</row>\n"),
        ("</c>", "</c> "),
        ('<row r="3">', '<row r="3" spans="1:5" ht="22.5" customHeight="1" hidden="1" x:y="1">'),
        ("<worksheet ", '<?xml version="1.0" encoding="UTF-8" standalone="yes"?><worksheet '),
        ("<t>First</t>", '<t>x t="str"/> &#233; &gt; ]] r="A1"</t>'),
        ("<t>First</t>", "<t></t>"),
        ("<v>75</v>", "<v>0.30000000000000004</v>"),
        ("<v>75</v>", "<v>-7.5E-7</v>"),
        ("<(/?)(?=[a-z])", r"<\1x:"),
    ],
)
def test_xml_of_many_kinds_is_understood(pattern: str, replacement: str, tmp_path: Path) -> None:
    """Blanks between elements, attributes of other namespaces, prefixes and long numbers change nothing."""
    file = make_workbook(tmp_path)
    edit_xml(file, SHEET, pattern, replacement)
    if "x:" in replacement:
        edit_xml(file, SHEET, 'xmlns="', 'xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns="')
    quick, _ = both(file, OUTCOMES)
    assert rows_of(quick) == rows_of(file)


CELLS = st.one_of(
    st.none(),
    st.integers(-(10**12), 10**12),
    st.decimals(-(10**6), 10**6, places=3).map(Decimal),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.booleans(),
    st.datetimes(day(1901, 1, 1), day(2100, 1, 1)),
    st.times().map(lambda found: hour(found.hour, found.minute)),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12),
    st.sampled_from(["0101", "=1+1", " x ", "#N/A", "a\nb", "1e5", "<v>1</v>"]),
)
STYLES = st.sampled_from(["", "font", "fill", "format", "border"])
TABLE = st.lists(st.lists(st.tuples(CELLS, STYLES), max_size=7), min_size=2, max_size=8)


def styled(cell: Any, style: str) -> None:
    if style == "font":
        cell.font = Font(name="Arial", sz=9)
    elif style == "fill":
        cell.fill = PatternFill("solid", fgColor="00FF00")
    elif style == "format":
        cell.number_format = "#,##0.000"
    elif style == "border":
        cell.border = Border(bottom=Side(style="thin"))


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(TABLE, st.data())
def test_any_sheet_gets_the_same_report_both_ways(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[tuple[Any, str]]], data: st.DataObject
) -> None:
    """Whatever cells, looks and outcomes there are, and again with the report of the report."""
    folder = tmp_path_factory.mktemp("any")

    def edit(sheet: Any) -> None:
        for number, cells in enumerate(table, start=2):
            for column, (value, style) in enumerate(cells, start=1):
                cell = sheet.cell(number, column)
                cell.value = value
                if isinstance(value, str) and value.startswith(("=", "#")):
                    cell.data_type = "s"
                styled(cell, style)

    file = make_workbook(folder, edit, (ROWS[0],))
    for run in range(2):
        rows = sorted(data.draw(st.sets(st.integers(2, len(table) + 3), min_size=1)))
        outcomes = [
            wrong(row, data.draw(st.sampled_from(ROWS[0])))
            if status is Status.INVALID
            else told(row, status, data.draw(st.sampled_from(["", "short", "long " * 40, "=x"])))
            for row, status in zip(rows, data.draw(st.permutations(list(Status) * 3)), strict=False)
        ]
        if any(isinstance(cell, float | int | Decimal | str) for row in table for cell, _ in row):
            file, _ = both(file, outcomes, run_id=f"run {run}")


def test_values_stand_in_the_file_as_they_stood(tmp_path: Path) -> None:
    """The digits of a number and the characters of a text are the very same."""
    file = make_workbook(tmp_path)
    raw = ["0.30000000000000004", "1.0E3", "45684.567488425928"]
    edit_xml(file, SHEET, "<v>-250.5</v>", f"<v>{raw[0]}</v>")
    edit_xml(file, SHEET, "<v>0.1</v>", f"<v>{raw[1]}</v>")
    edit_xml(file, SHEET, "<v>75</v>", f"<v>{raw[2]}</v>")
    quick, _ = both(file, [replace(INVALID, problems=())])
    with zipfile.ZipFile(quick) as archive:
        assert re.findall(r'<c r="C[234]"[^>]*><v>([^<]*)</v>', archive.read(SHEET).decode()) == raw


def test_a_large_sheet_takes_a_part_of_the_memory_and_of_the_time(tmp_path: Path) -> None:
    """No cell of it is held: measured beside the way that holds them, on the same workbook."""
    table = [(f"F{number}", *[number / 7] * 6, *[f"text {number}"] * 5) for number in range(2_500)]
    file = make_workbook(tmp_path, rows=(tuple(f"Column {number}" for number in range(12)), *table))
    outcomes = [told(row, Status.ACCEPTED, "", number=f"{row}") for row in range(2, 2_502)]

    seconds, memory = measured(file, outcomes, record_of(file))

    assert seconds > 4
    assert memory > 2
