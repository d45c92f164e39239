"""The report is the user's own workbook with the outcome beside each row, and the same as JSON."""

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.worksheet.table import Table
from records import record

from importer import report
from importer.model import Outcome, Problem, RunRecord, Status, Total
from importer.report import write_report
from importer.report.cells import writable
from importer.report.json_file import results
from importer.workbook import read, report_mark, sha256

SCHEMA = json.loads((Path(__file__).parents[1] / "schemas" / "results.schema.json").read_text(encoding="utf-8"))
OURS = ("Import status", "Visma number", "Message")


def day(*numbers: int) -> datetime:
    return datetime(*numbers)  # noqa: DTZ001 - cells have no time zone


ROWS: tuple[tuple[Any, ...], ...] = (
    ("Invoice no", "Customer", "Amount", "Date", "Text"),
    ("1001", "0101", Decimal("-250.50"), day(2025, 1, 27), "First"),
    ("1001", "0101", Decimal("0.1"), day(2025, 1, 28, 13, 37, 11), "Second"),
    ("1002", "00123", Decimal(75), day(2025, 2, 1), None),
)


def make_workbook(
    folder: Path, edit: Callable[[Any], None] | None = None, rows: Sequence[tuple[Any, ...]] = ROWS, above: int = 0
) -> Path:
    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.title = "Invoices"
    for _ in range(above):
        sheet.append(["A title"])
    for number, row in enumerate(rows, start=1 + above):
        for column, value in enumerate(row, start=1):
            sheet.cell(number, column).value = value
            if isinstance(value, str) and value.startswith("="):
                sheet.cell(number, column).data_type = "s"
    if edit:
        edit(sheet)
    file = folder / "invoices.xlsx"
    book.save(file)
    return file


def edit_xml(file: Path, part: str, pattern: str, replacement: str) -> None:
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    text, changed = re.subn(pattern, replacement, members[part].decode("utf-8"))
    assert changed, f"{pattern} is not in {part}"
    members[part] = text.encode("utf-8")
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def parts(file: Path) -> str:
    with zipfile.ZipFile(file) as archive:
        return "".join(
            archive.read(n).decode("utf-8") for n in archive.namelist() if n.startswith("xl/worksheets/sheet")
        )


def record_of(file: Path, **changes: Any) -> RunRecord:
    known: dict[str, Any] = {
        "run_id": "20250127-1",
        "started_at": "2025-01-27T10:00:00Z",
        "finished_at": "2025-01-27T10:00:05Z",
        "exit_code": 4,
        "workbook_name": file.name,
        "workbook_sha256": sha256(file) if file.is_file() else "0" * 64,
        "rows_read": 3,
        "totals": (Total(name="Net", column="Amount", sum=Decimal("-175.40"), expect=Decimal("-175.40")),),
    }
    return record(**(known | changes))


INVALID = Outcome(
    position=1,
    key="1002",
    status=Status.INVALID,
    rows=(4,),
    problems=(Problem(sheet="Invoices", row=4, column="Text", code="required", message="The cell is blank."),),
)
OUTCOMES = (
    Outcome(
        position=0, key="1001", status=Status.ACCEPTED, rows=(2, 3), number="000042", http_status=201,
        sent_at="2025-01-27T10:00:01.123Z",
    ),
    INVALID,
)  # fmt: skip


def report_on(file: Path, outcomes: Sequence[Outcome] = OUTCOMES, **changes: Any) -> Any:
    """Write the report beside the workbook and open its results.xlsx."""
    assert write_report(file.parent / "report", record_of(file, **changes), outcomes, file) == []
    return openpyxl.load_workbook(file.parent / "report" / "results.xlsx")


def column(sheet: Any, header: str, header_row: int = 1) -> dict[int, Any]:
    spot = next(cell.column for cell in sheet[header_row] if cell.value == header)
    return {row: sheet.cell(row, spot) for row in range(header_row + 1, sheet.max_row + 1)}


def rows_of(file: Path, header_row: int = 1) -> list[tuple[int, tuple[Any, ...], Any, bool]]:
    """Read the user's rows, blanks at their ends left out."""
    rows = []
    for row in read(file, sheet="Invoices", header_row=header_row).rows:
        cells = list(row.cells)
        while cells and cells[-1] is None:
            cells.pop()
        rows.append((row.number, tuple(cells), row.formats, row.hidden))
    return rows


def texts(sheet: Any, header: str) -> list[Any]:
    return [cell.value for cell in column(sheet, header).values()]


def lines_of(sheet: Any) -> list[list[Any]]:
    return [[value for value in row if value is not None] for row in sheet.iter_rows(values_only=True)]


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


def test_a_sheet_without_a_filter_gets_one(tmp_path: Path) -> None:
    """The filter spans the whole table."""
    assert report_on(make_workbook(tmp_path))["Invoices"].auto_filter.ref == "A1:H4"


def test_the_user_s_filter_grows_over_our_columns(tmp_path: Path) -> None:
    """Its criteria stay."""

    def edit(sheet: Any) -> None:
        sheet.auto_filter.ref = "A1:E4"
        sheet.auto_filter.add_filter_column(0, ["1001"])

    found = report_on(make_workbook(tmp_path, edit))["Invoices"].auto_filter
    assert found.ref == "A1:H4"
    assert [criterion.colId for criterion in found.filterColumn] == [0]


def test_a_table_of_excel_grows_instead_of_a_filter(tmp_path: Path) -> None:
    """A filter of the sheet across a table would make Excel call the workbook damaged."""
    file = make_workbook(tmp_path, lambda sheet: sheet.add_table(Table(displayName="Invoices", ref="A1:E4")))
    sheet = report_on(file)["Invoices"]
    assert sheet.auto_filter.ref is None
    assert sheet.tables["Invoices"].ref == "A1:H4"
    assert [entry.name for entry in sheet.tables["Invoices"].tableColumns][-3:] == list(OURS)
    again = report_on(relocated(tmp_path))["Invoices"]
    assert again.tables["Invoices"].ref == "A1:H4"


def relocated(folder: Path) -> Path:
    """Move a report's workbook to a place of its own, as a user does who corrects it."""
    target = folder / "again"
    target.mkdir()
    file = target / "corrected.xlsx"
    file.write_bytes((folder / "report" / "results.xlsx").read_bytes())
    return file


def test_a_report_of_a_report_replaces_its_columns_and_summary(tmp_path: Path) -> None:
    """Nothing is added twice, and what the first report said is gone."""
    report_on(make_workbook(tmp_path))
    file = relocated(tmp_path)
    accepted = replace(INVALID, status=Status.ACCEPTED, problems=(), number="43")
    book = report_on(file, [OUTCOMES[0], accepted], run_id="second", exit_code=0)
    sheet = book["Invoices"]
    assert [cell.value for cell in sheet[1]] == [*ROWS[0], *OURS]
    assert texts(sheet, "Import status") == ["accepted"] * 3
    assert texts(sheet, "Message") == [None] * 3
    assert book.sheetnames == ["Invoices", "Import summary"]
    assert ["Run", "second"] in lines_of(book["Import summary"])
    assert sheet.auto_filter.ref == "A1:H4"
    assert rows_of(file) == rows_of(file.parent / "report" / "results.xlsx")


def test_columns_that_the_user_moved_or_deleted_are_still_replaced(tmp_path: Path) -> None:
    """Our columns are known by their headers, wherever they stand; the user's new column stays."""
    report_on(make_workbook(tmp_path))
    file = relocated(tmp_path)
    book = openpyxl.load_workbook(file)
    sheet: Any = book["Invoices"]
    sheet.delete_cols(8)
    sheet.insert_cols(1)
    sheet["A1"], sheet["I1"], sheet["I3"] = "New", "Late", "yes"
    book.save(file)
    after = report_on(file)["Invoices"]
    assert [cell.value for cell in after[1]] == ["New", *ROWS[0], "Import status", "Visma number", "Late", "Message"]
    assert texts(after, "Late") == [None, "yes", None]
    assert rows_of(file) == rows_of(file.parent / "report" / "results.xlsx")


def test_a_filter_on_our_columns_is_lifted_by_the_next_report(tmp_path: Path) -> None:
    """Its words would no longer fit what the columns say."""
    report_on(make_workbook(tmp_path))
    file = relocated(tmp_path)
    book = openpyxl.load_workbook(file)
    filters = book["Invoices"].auto_filter
    filters.add_filter_column(5, ["invalid"])
    filters.add_filter_column(0, ["1001"])
    book.save(file)
    assert [found.colId for found in report_on(file)["Invoices"].auto_filter.filterColumn] == [0]


def test_a_report_on_another_sheet_takes_the_first_one_off(tmp_path: Path) -> None:
    """A workbook carries the columns of one report."""

    def edit(sheet: Any) -> None:
        second = sheet.parent.create_sheet("Credit notes")
        second.append(["Invoice no"])
        second.append(["9"])

    report_on(make_workbook(tmp_path, edit))
    file = relocated(tmp_path)
    book = report_on(file, [replace(INVALID, rows=(2,), problems=())], sheet="Credit notes", rows_read=1)
    assert [cell.value for cell in book["Invoices"][1] if cell.value] == list(ROWS[0])
    assert [cell.value for cell in book["Credit notes"][1]] == ["Invoice no", *OURS]
    mark = report_mark(book)
    assert mark is not None
    assert mark.sheet == "Credit notes"


def test_the_user_s_own_columns_of_these_names_are_his(tmp_path: Path) -> None:
    """Ours are told apart by a suffix, also in the report of the report."""
    rows = ((*ROWS[0][:4], "Message"), *ROWS[1:])
    report_on(make_workbook(tmp_path, rows=rows))
    ours = ["Import status", "Visma number", "Message (import)"]
    again = report_on(relocated(tmp_path))["Invoices"]
    assert [cell.value for cell in again[1]] == [*rows[0], *ours]
    assert texts(again, "Message") == ["First", "Second", None]


def test_the_user_s_own_sheet_of_the_summary_s_name_is_his(tmp_path: Path) -> None:
    """Ours gets a number, also in the report of the report."""
    report_on(make_workbook(tmp_path, lambda sheet: sheet.parent.create_sheet("Import summary")))
    book = report_on(relocated(tmp_path))
    assert book.sheetnames == ["Invoices", "Import summary", "Import summary (2)"]


def test_notes_outside_the_table_are_not_overwritten(tmp_path: Path) -> None:
    """Our columns take the first place where nothing stands from the header down."""
    sheet = report_on(make_workbook(tmp_path, lambda sheet: setattr(sheet["G3"], "value", "a note")))["Invoices"]
    assert sheet["G3"].value == "a note"
    assert [cell.value for cell in sheet[1]] == [*ROWS[0], None, None, *OURS]


def test_our_columns_show_where_the_user_hid_the_rest_of_the_sheet(tmp_path: Path) -> None:
    """One entry that hides many columns is split, and the others stay hidden."""

    def edit(sheet: Any) -> None:
        sheet.column_dimensions["E"].width = 21
        sheet.column_dimensions["E"].max = 16384
        sheet.column_dimensions["E"].min = 5
        sheet.column_dimensions["E"].hidden = True

    dimensions = report_on(make_workbook(tmp_path, edit))["Invoices"].column_dimensions
    spans = [(d.min, d.max, d.hidden) for d in dimensions.values()]
    assert spans == [(5, 5, True), (6, 6, False), (7, 7, False), (8, 8, False), (9, 16384, True)]


def test_rows_are_as_high_as_their_messages_and_no_higher(tmp_path: Path) -> None:
    """A message can be read, a huge one does not take over the screen, and the next report lets rows shrink again."""
    file = make_workbook(tmp_path, lambda sheet: setattr(sheet.row_dimensions[2], "height", 15))
    outcomes = [
        Outcome(position=0, key="a", status=Status.REJECTED, rows=(2,), message="word " * 30),
        Outcome(position=1, key="b", status=Status.REJECTED, rows=(3,), message="word " * 3000),
    ]
    dimensions = report_on(file, outcomes)["Invoices"].row_dimensions
    assert dimensions[2].height == 45
    assert dimensions[3].height == 180
    again = report_on(relocated(tmp_path), [replace(o, message="short") for o in outcomes])["Invoices"].row_dimensions
    assert (again[2].height, again[3].height) == (None, None)


def test_the_summary_tells_the_whole_run(tmp_path: Path) -> None:
    """It stands last, with the counts, the equation and the totals as numbers."""
    sheet = report_on(make_workbook(tmp_path), stopped="The disk was full.")["Import summary"]
    lines = lines_of(sheet)
    assert lines[0] == ["sandbox: nothing reached Visma"]
    assert ["Run", "20250127-1"] in lines
    assert ["Started", "2025-01-27 10:00:00 UTC"] in lines
    assert ["Stopped", "The disk was full."] in lines
    assert [line[1:3] for line in lines if line[:1] == ["accepted"]] == [[1, 2]]
    assert [line[1:3] for line in lines if line[:1] == ["unknown"]] == [[0, 0]]
    assert ["Sum", 2, 3, "Rows read: 3 = 2 + 1. Every row is accounted for."] in lines
    assert ["Net", "Amount", -175.4, -175.4, "yes"] in lines
    assert sheet.page_setup.orientation == "portrait"


def test_a_broken_equation_is_said_aloud(tmp_path: Path) -> None:
    """A row that no document has cannot hide."""
    lines = lines_of(report_on(make_workbook(tmp_path), rows_read=4)["Import summary"])
    assert any("This is a mistake in the program" in str(line[-1]) for line in lines if line)


def test_a_real_run_carries_no_notice(tmp_path: Path) -> None:
    """Only what was simulated says so."""
    book = report_on(make_workbook(tmp_path), simulated=False)
    assert "nothing reached" not in str(lines_of(book["Import summary"]))


def test_a_total_of_more_digits_than_excel_keeps_is_text(tmp_path: Path) -> None:
    """No digit of a total is lost."""
    total = Total(name="Net", column="Amount", sum=Decimal("1234567890123456.78"), expect=Decimal("0.005"))
    lines = lines_of(report_on(make_workbook(tmp_path), totals=(total,))["Import summary"])
    assert ["Net", "Amount", "1,234,567,890,123,456.78", 0.005, "NO"] in lines


def test_one_sheet_alone_is_selected(tmp_path: Path) -> None:
    """Sheets that stay selected together would be edited together."""

    def edit(sheet: Any) -> None:
        sheet.parent.create_sheet("Notes").sheet_view.tabSelected = True
        sheet.parent.active = 1

    book = report_on(make_workbook(tmp_path, edit))
    assert book.active.title == "Invoices"
    assert [sheet.title for sheet in book if sheet.sheet_view.tabSelected] == ["Invoices"]


@pytest.mark.parametrize(
    "changes", [{}, {"finished_at": None, "exit_code": None, "totals": (Total(name="n", column="c", sum=None),)}]
)
def test_results_json_is_what_its_schema_describes(tmp_path: Path, changes: dict[str, Any]) -> None:
    """It is UTF-8 with a newline at its end, and has every status."""
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    file = make_workbook(tmp_path)
    report_on(file, [OUTCOMES[0], replace(INVALID, message="Ærlig talt")], **changes)
    raw = (tmp_path / "report" / "results.json").read_bytes()
    data = json.loads(raw)
    jsonschema.Draft7Validator(SCHEMA).validate(data)
    assert raw.endswith(b"}\n")
    assert "Ærlig talt".encode() in raw
    assert set(data["counts"]) == {status.value for status in Status}
    assert data["counts"]["accepted"] == {"documents": 1, "rows": 2}
    assert data["workbook"] == {"name": "invoices.xlsx", "sha256": sha256(file)}
    assert data["notice"] == "sandbox: nothing reached Visma"


def test_amounts_in_json_are_exact_text(tmp_path: Path) -> None:
    """No sum passes through a binary number."""
    record = record_of(tmp_path, totals=(Total(name="n", column="c", sum=Decimal("1E+3"), expect=Decimal("0.10")),))
    assert results(record, ())["totals"] == [
        {"name": "n", "column": "c", "sum": "1000", "expect": "0.10", "agrees": False}
    ]


def test_a_missing_copy_leaves_out_the_workbook_and_says_so(tmp_path: Path) -> None:
    """The other files are written, and no other run's results.xlsx stays beside them."""
    file = make_workbook(tmp_path)
    report_on(file)
    notes = write_report(tmp_path / "report", record_of(file, run_id="second"), OUTCOMES, None)
    assert notes == ["results.xlsx was not written: The copy of the workbook 'invoices.xlsx' is missing."]
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
        "results.html",
        "results.json",
        "results.junit.xml",
    ]
    assert results(record_of(file, run_id="second"), OUTCOMES) == json.loads(
        (tmp_path / "report" / "results.json").read_text(encoding="utf-8")
    )


def test_a_copy_that_was_changed_or_damaged_is_not_used(tmp_path: Path) -> None:
    """Outcomes are never written beside rows that are not the run's."""
    file = make_workbook(tmp_path)
    record = record_of(file)
    make_workbook(tmp_path, rows=ROWS[:2])
    assert "no longer the workbook" in write_report(tmp_path / "report", record, OUTCOMES, file)[0]
    file.write_bytes(b"PK no workbook")
    assert "cannot be copied" in write_report(tmp_path / "report", record_of(file), OUTCOMES, file)[0]
    assert (tmp_path / "report" / "results.json").exists()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_error_while_writing_leaves_the_old_report_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files already written are thrown away with the rest; other files in the folder are left alone."""
    file = make_workbook(tmp_path)
    report_on(file)
    folder = tmp_path / "report"
    (folder / "mine.txt").write_text("mine", encoding="utf-8")
    before = contents(folder)

    def full(target: Path, *_: object) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report, "FILES", (*report.FILES, ("results.txt", full)))
    with pytest.raises(OSError, match="No space left"):
        write_report(folder, record_of(file, run_id="second"), OUTCOMES, file)
    assert contents(folder) == before


def test_a_killed_process_leaves_the_old_report_whole(tmp_path: Path) -> None:
    """What it had staged is hidden, and the next report is written all the same."""
    file = make_workbook(tmp_path)
    report_on(file)
    folder = tmp_path / "report"
    before = contents(folder)
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from importer import report\n"
        "from tests.test_report import OUTCOMES, record_of\n"
        "def die(*_):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "report.FILES = (*report.FILES, ('results.txt', die))\n"
        "file = Path(sys.argv[1])\n"
        "report.write_report(file.parent / 'report', record_of(file), OUTCOMES, file)\n"
    )
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", script, str(file)], cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, check=False
    )
    assert done.returncode == -9
    left = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}
    assert left == before
    assert write_report(folder, record_of(file, run_id="second"), OUTCOMES, file) == []
    assert json.loads((folder / "results.json").read_text(encoding="utf-8"))["run_id"] == "second"


def test_a_folder_of_the_staging_s_name_does_not_stop_the_report(tmp_path: Path) -> None:
    """A process of the same number may have been killed here before."""
    file = make_workbook(tmp_path)
    (tmp_path / "report" / f".partial-{os.getpid()}" / "deep").mkdir(parents=True)
    report_on(file)
    assert {path.name for path in (tmp_path / "report").iterdir()} == {name for name, _ in report.FILES}
