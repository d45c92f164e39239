"""The report is the user's own sheet: what is in it leaves as it came, and each row says what became of it."""

import json
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from report_book import (
    INVALID,
    OURS,
    OUTCOMES,
    ROWS,
    column,
    day,
    edit_xml,
    make_workbook,
    parts,
    report_on,
    rows_of,
    texts,
)

from importer.model import Outcome, Problem, Status, Total
from importer.report.cells import writable
from importer.workbook import read


def test_each_row_shows_its_document_s_status_number_and_message(tmp_path: Path) -> None:
    """The three columns stand right of the user's last, and the number is text."""
    sheet = report_on(make_workbook(tmp_path))["Invoices"]
    assert [cell.value for cell in sheet[1]] == [*ROWS[0], *OURS]
    assert texts(sheet, "Import status") == ["accepted", "accepted", "invalid"]
    assert texts(sheet, "Visma number") == ["000042", "000042", None]
    assert texts(sheet, "Message") == [None, None, "Text: The cell is blank."]
    assert column(sheet, "Visma number")[2].number_format == "@"
    assert column(sheet, "Message")[4].alignment.wrap_text


def test_the_user_s_rows_are_read_back_as_they_were(tmp_path: Path) -> None:
    """Reading the report gives the same headers and rows as reading the workbook."""
    file = make_workbook(tmp_path)
    report_on(file)
    after = read(tmp_path / "report" / "results.xlsx")
    assert (after.name, after.headers) == ("Invoices", read(file).headers)
    assert rows_of(tmp_path / "report" / "results.xlsx") == rows_of(file)


def test_text_stays_text_and_a_negative_amount_stays_a_number(tmp_path: Path) -> None:
    """Neither leading zeros nor signs change what a cell is."""
    rows = (ROWS[0], ("0101", '=HYPERLINK("http://x","y")', Decimal("-2.50"), "-2+3", "@SUM(A1)"))
    file = make_workbook(tmp_path, rows=rows)
    sheet = report_on(file, [replace(INVALID, rows=(2,))])["Invoices"]
    assert [cell.data_type for cell in sheet[2][:5]] == ["s", "s", "n", "s", "s"]
    assert [cell.value for cell in sheet[2][:5]] == ["0101", '=HYPERLINK("http://x","y")', -2.5, "-2+3", "@SUM(A1)"]
    assert "<f>" not in parts(tmp_path / "report" / "results.xlsx")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_text_of_ours_becomes_a_formula(tmp_path: Path, start: str) -> None:
    """Keys, messages and names that begin like a formula are text cells with the mark that Excel gives those."""
    text = f'{start}HYPERLINK("http://x")'
    file = make_workbook(tmp_path)
    outcome = Outcome(position=0, key=text, status=Status.REJECTED, rows=(2, 3, 4), number=text, message=text)
    book = report_on(
        file, [outcome], mapping_name=text, stopped=text, totals=(Total(name=text, column=text, sum=None),)
    )
    assert "<f" not in parts(tmp_path / "report" / "results.xlsx").replace("<filter", "")
    for header in ("Visma number", "Message"):
        cell = column(book["Invoices"], header)[2]
        assert cell.data_type == "s"
        assert cell.quotePrefix
        assert cell.value.endswith('HYPERLINK("http://x")')


@given(st.text())
@settings(max_examples=200)
def test_any_text_can_be_written(text: str) -> None:
    """What a cell cannot hold is replaced, everything else is kept."""
    shown = writable(text)
    openpyxl.cell.cell.Cell(openpyxl.Workbook().active, 1, 1).check_string(shown)
    shown.encode("utf-8")


def test_what_a_cell_cannot_hold_is_replaced_or_cut(tmp_path: Path) -> None:
    """Control characters become the replacement character, and a long text says where the rest is."""
    message = "a\x00b\ud800 " + "x" * 40_000
    sheet = report_on(make_workbook(tmp_path), [replace(INVALID, rows=(2,), message=message, problems=())])["Invoices"]
    shown = column(sheet, "Message")[2].value
    assert shown.startswith("a\ufffdb\ufffd x")
    assert shown.endswith(" ... (see results.json)")
    assert len(shown) <= 32_767
    document = json.loads((tmp_path / "report" / "results.json").read_text(encoding="utf-8"))["documents"][0]
    assert document["message"] == message


def test_an_escape_of_excel_in_a_text_is_written_as_the_text_it_is() -> None:
    """Excel would show the letter A."""
    assert writable("_x0041_") == "_x005F_x0041_"


def test_looks_of_the_sheet_are_kept(tmp_path: Path) -> None:
    """Widths, formats, hidden rows, frozen panes, comments, merged titles and other sheets stay."""

    def edit(sheet: Any) -> None:
        sheet.column_dimensions["B"].width = 33
        sheet["C2"].number_format = "#,##0.00 [$kr]"
        sheet["D2"].number_format = "dd.mm.yyyy"
        sheet.row_dimensions[3].hidden = True
        sheet.freeze_panes = "B2"
        sheet["A2"].comment = Comment("look here", "me")
        sheet.merge_cells("A10:K10")
        sheet.parent.create_sheet("Notes")["A1"] = "mine"

    book = report_on(make_workbook(tmp_path, edit))
    sheet = book["Invoices"]
    assert sheet.column_dimensions["B"].width == 33
    assert sheet["C2"].number_format == "#,##0.00 [$kr]"
    assert sheet["D2"].number_format == "dd.mm.yyyy"
    assert sheet["D2"].value == day(2025, 1, 27)
    assert sheet.row_dimensions[3].hidden
    assert sheet.freeze_panes == "B2"
    assert sheet["A2"].comment.text == "look here"
    assert "A10:K10" in [str(merged) for merged in sheet.merged_cells.ranges]
    assert book.sheetnames == ["Invoices", "Notes", "Import summary"]
    assert book["Notes"]["A1"].value == "mine"


def test_our_headers_look_like_their_neighbour(tmp_path: Path) -> None:
    """The header cells take the style of the user's last header."""

    def edit(sheet: Any) -> None:
        sheet["E1"].font = Font(b=True, color="FF0000")
        sheet["E1"].fill = PatternFill("solid", fgColor="00FF00")
        sheet["E1"].alignment = Alignment(horizontal="center")

    sheet = report_on(make_workbook(tmp_path, edit))["Invoices"]
    for cell in sheet[1][5:]:
        assert cell.font.b
        assert cell.fill.fgColor.rgb == "0000FF00"
        assert cell.alignment.horizontal == "center"


def test_numbers_and_dates_keep_every_digit(tmp_path: Path) -> None:
    """A cell's number leaves exactly as it came, also a 17th digit, a time's fraction and a day before 1900."""
    raw = ["0.30000000000000004", "45684.567488425928", "-5", "1e-07", "0.041666666666666664"]
    rows = (ROWS[0], (1, 2, 3, 4, 5))

    def edit(sheet: Any) -> None:
        for cell, form in zip(sheet[2], ("General", "dd.mm.yyyy hh:mm", "dd.mm.yyyy", "0.00", "[h]:mm"), strict=True):
            cell.number_format = form

    file = make_workbook(tmp_path, edit, rows)
    for number, value in enumerate(raw, start=1):
        edit_xml(file, "xl/worksheets/sheet1.xml", f"<v>{number}</v>(?=</c>)", f"<v>{value}</v>")
    report_on(file, [replace(INVALID, rows=(2,))])
    written = re.findall(r'<c r="[A-E]2"[^>]*><v>([^<]*)</v>', parts(tmp_path / "report" / "results.xlsx"))
    assert [float(value) for value in written] == [float(value) for value in raw]


def test_rich_text_stays_rich(tmp_path: Path) -> None:
    """A word that the user made bold stays bold, and the spaces around it stay."""
    file = make_workbook(tmp_path)
    rich = '<is><r><t xml:space="preserve">pay </t></r><r><rPr><b/></rPr><t>now</t></r></is>'
    edit_xml(
        file, "xl/worksheets/sheet1.xml", r'<c r="E2" t="inlineStr">.*?</c>', f'<c r="E2" t="inlineStr">{rich}</c>'
    )
    report_on(file)
    assert re.search(r"<r><rPr><b( val=\"1\")? /></rPr><t>now</t></r>", parts(tmp_path / "report" / "results.xlsx"))
    assert read(tmp_path / "report" / "results.xlsx").rows[0].cells[4] == "pay now"


def test_formulas_become_their_values(tmp_path: Path) -> None:
    """A calculated formula leaves as its value."""
    file = make_workbook(tmp_path)
    edit_xml(file, "xl/worksheets/sheet1.xml", "<v>75</v>", "<f>70+5</f><v>75</v>")
    sheet = report_on(file)["Invoices"]
    assert sheet["C4"].value == 75
    assert "<f" not in parts(tmp_path / "report" / "results.xlsx").replace("<filter", "")


def test_a_formula_nobody_calculated_stays_a_formula(tmp_path: Path) -> None:
    """It does not become a blank, while a formula that gave an empty text does."""
    file = make_workbook(tmp_path)
    edit_xml(file, "xl/worksheets/sheet1.xml", "<v>75</v>", "<f>70+5</f>")
    edit_xml(
        file, "xl/worksheets/sheet1.xml", '<c r="E2" t="inlineStr">.*?</c>', '<c r="E2" t="str"><f>A9</f><v></v></c>'
    )
    sheet = report_on(file)["Invoices"]
    assert sheet["C4"].value == "=70+5"
    assert sheet["E2"].value is None
    assert rows_of(file) == rows_of(tmp_path / "report" / "results.xlsx")


def test_a_linked_blank_cell_stays_blank(tmp_path: Path) -> None:
    """A link does not put its address into the cell, and one that looks like a formula does not become one."""

    def edit(sheet: Any) -> None:
        for address, target in (("E4", "=cmd()"), ("E2", "http://example.com")):
            value = sheet[address].value
            sheet[address].hyperlink = target
            sheet[address].value = value

    file = make_workbook(tmp_path, edit)
    sheet = report_on(file)["Invoices"]
    assert sheet["E2"].hyperlink.target == "http://example.com"
    assert "<f>" not in parts(tmp_path / "report" / "results.xlsx")
    assert rows_of(file) == rows_of(tmp_path / "report" / "results.xlsx")


def test_days_are_counted_as_the_workbook_counts_them(tmp_path: Path) -> None:
    """A workbook that counts from 1904 gives the same dates after the report."""
    file = make_workbook(
        tmp_path, lambda sheet: setattr(sheet.parent, "epoch", openpyxl.utils.datetime.CALENDAR_MAC_1904)
    )
    report_on(file)
    assert rows_of(file) == rows_of(tmp_path / "report" / "results.xlsx")
    assert read(file).rows[0].cells[3] == day(2025, 1, 27)


def test_a_row_without_a_problem_of_its_own_names_the_row_that_holds_it(tmp_path: Path) -> None:
    """Every row of an invalid document says why it was not sent."""
    problems = (
        Problem(row=3, column="Amount", value="abc", code="not_a_number", message="'abc' is not a number."),
        Problem(row=3, column="Text", code="required", message="The cell is blank."),
    )
    outcome = Outcome(position=0, key="1001", status=Status.INVALID, rows=(2, 3), problems=problems)
    sheet = report_on(make_workbook(tmp_path), [outcome])["Invoices"]
    assert texts(sheet, "Message")[:2] == [
        "Held because of row 3: Amount: 'abc' is not a number. (and 1 more problem)",
        "Amount: 'abc' is not a number.\nText: The cell is blank.",
    ]


def test_filtered_and_blank_rows_say_why(tmp_path: Path) -> None:
    """A row that nothing was done with has a status and a reason."""
    rows = (*ROWS[:3], (None,), ROWS[3])
    outcomes = (
        OUTCOMES[0],
        Outcome(position=1, key=None, status=Status.FILTERED, rows=(4,), message="The row is blank."),
        Outcome(position=2, key="1002", status=Status.FILTERED, rows=(5,), message="Left out by --limit."),
    )
    sheet = report_on(make_workbook(tmp_path, rows=rows), outcomes, rows_read=4)["Invoices"]
    assert texts(sheet, "Import status") == ["accepted", "accepted", "filtered", "filtered"]
    assert texts(sheet, "Message")[2:] == ["The row is blank.", "Left out by --limit."]
    assert read(tmp_path / "report" / "results.xlsx").rows[2].blank


@pytest.mark.parametrize("status", list(Status))
def test_every_status_is_explained(tmp_path: Path, status: Status) -> None:
    """No row that needs an explanation is left without one."""
    sheet = report_on(make_workbook(tmp_path), [Outcome(position=0, key="k", status=status, rows=(2,))])["Invoices"]
    assert (column(sheet, "Message")[2].value is None) == (status is Status.ACCEPTED)
    assert column(sheet, "Import status")[2].fill.fgColor.rgb != "00000000"


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(12)), st.lists(st.sampled_from(list(Status)), min_size=12, max_size=12))
def test_outcomes_stand_beside_their_own_rows_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], statuses: list[Status]
) -> None:
    """The order in which outcomes come in changes nothing, and the equation holds."""
    folder = tmp_path_factory.mktemp("order")
    file = make_workbook(folder, rows=(ROWS[0], *((str(n), "c", n, None, None) for n in range(12))))
    outcomes = [
        Outcome(position=n, key=str(n), status=statuses[n], rows=(n + 2,), number=f"N{n}", message=f"m{n}")
        for n in order
    ]
    sheet = report_on(file, outcomes, rows_read=12)["Invoices"]
    assert texts(sheet, "Import status") == [status.value for status in statuses]
    assert texts(sheet, "Visma number") == [f"N{n}" for n in range(12)]
    assert texts(sheet, "Message") == [f"m{n}" for n in range(12)]
    data = json.loads((folder / "report" / "results.json").read_text(encoding="utf-8"))
    assert sum(counted["rows"] for counted in data["counts"].values()) == 12
    assert [document["key"] for document in data["documents"]] == [str(n) for n in range(12)]


def test_the_header_row_and_what_is_above_it_are_not_touched(tmp_path: Path) -> None:
    """A title above the table stays alone in its row."""
    file = make_workbook(tmp_path, above=2)
    moved = [replace(outcome, rows=tuple(row + 2 for row in outcome.rows), problems=()) for outcome in OUTCOMES]
    sheet = report_on(file, moved, header_row=3)["Invoices"]
    assert [cell.value for cell in sheet[1] if cell.value] == ["A title"]
    assert [cell.value for cell in sheet[3]] == [*ROWS[0], *OURS]
    assert rows_of(file, 3) == rows_of(tmp_path / "report" / "results.xlsx", 3)
