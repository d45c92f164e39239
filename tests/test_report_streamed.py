"""A large sheet is passed on row by row, and the report is the one that a small sheet gets."""

import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.comments import Comment
from openpyxl.formatting.rule import CellIsRule
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table
from report_book import OUTCOMES, ROWS, edit_xml, make_workbook, record_of, rows_of
from report_both_ways import both, is_streamed, share_texts, told, write, wrong

from importer.errors import WorkbookError
from importer.grouping import causes
from importer.model import Problem, Status
from importer.report.checked import check_record
from importer.workbook import read

FILES = Path(__file__).parent / "files"
SHEET = "xl/worksheets/sheet1.xml"


def again(file: Path, edit: Callable[[Any], None] | None = None) -> Path:
    """Return a report as a user hands it in again, saved by openpyxl."""
    book = openpyxl.load_workbook(file, rich_text=True)
    if edit:
        edit(book["Invoices"])
    copy = file.with_name(f"again-{file.name}")
    book.save(copy)
    return copy


def test_only_a_sheet_above_the_size_is_streamed(tmp_path: Path) -> None:
    """The size is a number of rows, headers counted out."""
    file = make_workbook(tmp_path)
    assert is_streamed(write(file, tmp_path / "a.xlsx", OUTCOMES, record_of(file), 2))
    assert not is_streamed(write(file, tmp_path / "b.xlsx", OUTCOMES, record_of(file), 3))


def test_a_plain_sheet_gets_the_same_report(tmp_path: Path) -> None:
    """Status, number and message stand beside the rows, and the summary at the end."""
    both(make_workbook(tmp_path), OUTCOMES)


@pytest.mark.parametrize("name", ["exceljs", "libreoffice", "sheetjs", "xlsxwriter"])
def test_workbooks_of_other_programs_get_the_same_report(name: str, tmp_path: Path) -> None:
    """What Excel's rivals write is passed on: shared texts, calculated texts, errors, dates, booleans, spans."""
    file = tmp_path / "book.xlsx"
    shutil.copy(FILES / f"{name}.xlsx", file)
    before = read(file)
    outcomes = [
        told(row.number, status, "x " * 30 * turn, number=f"000{turn}")
        for turn, (row, status) in enumerate(zip(before.rows, Status, strict=False))
    ]
    quick, _ = both(file, outcomes, sheet=before.name)
    width = len(before.headers)
    cells = [(*row.cells, *[None] * width)[:width] for row in before.rows]
    assert [row.cells[:width] for row in read(quick, sheet=before.name).rows] == cells


def test_what_may_not_be_calculated_goes_the_other_way(tmp_path: Path) -> None:
    """Formulas without a result are told from zeros by the way that reads cells."""
    file = tmp_path / "book.xlsx"
    shutil.copy(FILES / "xlsxwriter-hard.xlsx", file)
    both(file, [told(2), told(3)], streamed=False, sheet=read(file).name)


def test_looks_and_everything_around_the_rows_stay(tmp_path: Path) -> None:
    """Widths, heights, hidden rows, outlines, panes, rules, lists, comments, links and merged cells."""

    def edit(sheet: Any) -> None:
        sheet.column_dimensions["B"].width = 33
        sheet.row_dimensions[3].hidden = True
        sheet.row_dimensions[2].height = 40
        sheet.row_dimensions[4].outlineLevel = 1
        sheet.freeze_panes = "B2"
        sheet["A2"].comment = Comment("look here", "me")
        sheet["E4"].comment = Comment("blank, but look", "me")
        sheet["B3"].hyperlink = "http://example.com/a"
        sheet["C1"].hyperlink = "http://example.com/c"
        sheet["C1"].value = "Amount"
        sheet.merge_cells("A10:D11")
        sheet.merge_cells("D3:E3")
        sheet["A10"], sheet["F9"] = "below", "far"
        sheet.conditional_formatting.add("C2:C4", CellIsRule(operator="lessThan", formula=["0"], font=Font(b=True)))
        rule = DataValidation(type="list", formula1='"a,b"')
        rule.add("E2:E4")
        sheet.add_data_validation(rule)
        sheet.parent.create_sheet("Notes")["A1"] = "mine"
        sheet.parent.create_sheet("Empty").sheet_state = "hidden"

    both(make_workbook(tmp_path, edit), [*OUTCOMES, told(9), told(10)], rows_read=5)


def test_our_cells_take_the_looks_of_their_row(tmp_path: Path) -> None:
    """Fonts, borders and places of the user's last cell, also where it is blank, merged or styled as a whole row."""

    def edit(sheet: Any) -> None:
        sheet["E2"].font = Font(name="Arial", sz=9, i=True)
        sheet["E2"].border = Border(bottom=Side(style="thin"))
        sheet["E3"].alignment = Alignment(vertical="top", wrap_text=True)
        sheet["E4"].fill = PatternFill("solid", fgColor="00FF00")
        sheet["E5"].border = Border(left=Side(style="thick"))
        sheet["E6"].font = Font(name="Arial", sz=20)
        sheet.merge_cells("D5:D6")
        sheet["G2"].fill = PatternFill("solid", fgColor="0000FF")
        sheet["H3"].number_format = "0.00"
        sheet.row_dimensions[4].font = Font(b=True)

    rows = (*ROWS, ("1003", "1", 5, None, "merged"), ("1004", "1", 5, None, None))
    both(make_workbook(tmp_path, edit, rows), [told(row, number="=1") for row in range(2, 7)])


@pytest.mark.parametrize(
    "text", ["=1+1", "+47", "-", "@x", "\ttab", " blank before", "a\nb", "<&>\"'", "æøå €", "_x0041_"]
)
def test_any_text_of_ours_is_written_the_same(text: str, tmp_path: Path) -> None:
    """No text of ours becomes a formula or breaks the XML."""
    both(make_workbook(tmp_path), [told(2, message=text, number=text), told(3, Status.ACCEPTED, "", number=text)])


def test_rows_are_as_high_as_their_messages(tmp_path: Path) -> None:
    """A row grows to its message, and never shrinks below the height that the user gave it."""

    def edit(sheet: Any) -> None:
        sheet.row_dimensions[2].height = 15
        sheet.row_dimensions[3].height = 300

    outcomes = [told(row, message="word " * count) for row, count in ((2, 30), (3, 30), (4, 3000))]
    both(make_workbook(tmp_path, edit), outcomes)


def test_rows_that_the_file_does_not_hold_are_told(tmp_path: Path) -> None:
    """Blank rows between the others and after them get their status too."""
    rows = (ROWS[0], ROWS[1], (None,), (None,), ROWS[2])
    outcomes = [told(row, Status.FILTERED, "The row is blank.") for row in (3, 4, 6, 9)] + [wrong(8), told(2)]
    both(make_workbook(tmp_path, rows=rows), outcomes, rows_read=6)


def test_rows_above_the_headers_stay(tmp_path: Path) -> None:
    """They are no data, and the header row may be anywhere."""
    moved = [replace(outcome, rows=tuple(row + 3 for row in outcome.rows), problems=()) for outcome in OUTCOMES]
    both(make_workbook(tmp_path, above=3), moved, header_row=4)


@pytest.mark.parametrize("spot", ["F4", "G3", "H2", "J4", "GZ3"])
def test_notes_right_of_the_table_stay(spot: str, tmp_path: Path) -> None:
    """Our columns stand where nothing stands in any row, however late that comes to light."""

    def edit(sheet: Any) -> None:
        sheet[spot] = "a note"
        sheet["F2"].fill = PatternFill("solid", fgColor="0000FF")

    both(make_workbook(tmp_path, edit), [told(2), told(4)])


def test_bad_cells_are_marked_the_same(tmp_path: Path) -> None:
    """Filled cells, plain ones, absent ones, merged ones, and those with a comment of the user's own."""

    def edit(sheet: Any) -> None:
        sheet["C2"].fill = PatternFill("solid", fgColor="00FF00")
        sheet["C3"].comment = Comment("mine", "me")
        sheet.merge_cells("A3:B3")

    outcomes = [wrong(2, "Amount", "Date"), wrong(3, "Amount", "Customer", "Invoice no"), wrong(4, "Text"), wrong(9)]
    both(make_workbook(tmp_path, edit), outcomes, rows_read=4)


def test_the_report_of_a_check_is_the_same(tmp_path: Path) -> None:
    """What is wrong with the whole file stands on the summary, and its cells are marked."""
    file = make_workbook(tmp_path)
    held = (Problem(row=1, column="Date", code="no_column", message="No."), Problem(code="totals", message="Differs."))
    record = check_record(record_of(file), held, tuple(causes(held, ROWS[0])), ())
    both(file, [wrong(3)], record)


def test_a_report_of_a_report_is_the_same(tmp_path: Path) -> None:
    """Columns, marks, heights and the summary of the first report go, whichever way it was written."""

    def edit(sheet: Any) -> None:
        sheet["D3"].fill = PatternFill("solid", fgColor="00FF00")
        sheet.row_dimensions[3].height = 22

    outcomes = [wrong(2), wrong(3, "Date"), told(4, message="long " * 60)]
    for first in both(make_workbook(tmp_path, edit), outcomes):
        for file in (first, again(first)):
            quick, _ = both(file, [told(row, message="short") for row in (2, 3, 4)], run_id="second")
            assert rows_of(quick) == rows_of(tmp_path / "invoices.xlsx")


def test_a_report_that_excel_saved_is_the_same(tmp_path: Path) -> None:
    """Texts that cells share stay where they are, those of the first report are known, and rows shrink again."""
    rows = (*ROWS, ("1003", " 0101 ", 1, None, "a < b"), ("1004", "_x005F_x0041_", 1, None, "First"))

    def edit(sheet: Any) -> None:
        sheet.parent.create_sheet("Notes").append(["First", "and a note"])

    first, _ = both(make_workbook(tmp_path, edit, rows), [wrong(2), told(4, message="long " * 60), told(5)])
    quick, _ = both(share_texts(first), [told(row, message="short") for row in (2, 3, 4, 5)], run_id="second")
    assert rows_of(quick) == rows_of(share_texts(tmp_path / "invoices.xlsx"))
    assert openpyxl.load_workbook(quick)["Invoices"].row_dimensions[4].height is None


@pytest.mark.parametrize("shared", [True, False])
def test_texts_that_look_like_escapes_leave_as_they_came(shared: bool, tmp_path: Path) -> None:
    """SharePoint calls a column `Kunde_x0020_navn`: typed so, in a header, a table, in two fonts, it stays so."""
    rows = (
        (*ROWS[0][:4], "Kunde_x005F_x0020_navn"),
        ("1001", "0101", 1, None, "Order_x005F_x0020_1"),
        ("1002", "_x005F_x005F_x0041_", 2, None, CellRichText("a_x005F_x0041_", TextBlock(InlineFont(b=True), "b"))),
        ("1003", "x005F_", 3, None, "a_x000A_b"),
    )

    def edit(sheet: Any) -> None:
        sheet["A2"].comment = Comment("_x005F_x0041_", "me")
        sheet.add_table(Table(displayName="Rows", ref="A1:E4"))
        sheet.parent.create_sheet("Notes").append(["Order_x005F_x0020_2", "_x0041_"])

    file = make_workbook(tmp_path, edit, rows)
    before = share_texts(file) if shared else file
    values = [row.cells for row in read(before, sheet="Invoices").rows]
    assert [cells[4] for cells in values] == ["Order_x0020_1", "a_x0041_b", "a\nb"]
    for report in both(before, [wrong(3, "Kunde_x0020_navn"), told(4)], streamed=shared):
        sheet, notes = read(report, sheet="Invoices"), read(report, sheet="Notes")
        assert [row.cells[:5] for row in sheet.rows] == values
        assert sheet.headers[4] == "Kunde_x0020_navn"
        assert notes.headers == ("Order_x0020_2", "A")
        book = openpyxl.load_workbook(report)["Invoices"]
        assert book["A2"].comment.text == "_x005F_x0041_"
        assert book["E3"].comment.text.endswith("Kunde_x005F_x0020_navn is not right.")
        with zipfile.ZipFile(report) as archive:
            assert b'name="Kunde_x005F_x0020_navn"' in archive.read("xl/tables/table1.xml")


def test_a_strict_workbook_gets_the_same_report(tmp_path: Path) -> None:
    """The namespaces of the strict form are turned into the usual ones on the way."""
    file = make_workbook(tmp_path)
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in parts.items():
            usual = rb"http://schemas.openxmlformats.org/(spreadsheetml|officeDocument)/2006/"
            archive.writestr(name, re.sub(usual, rb"http://purl.oclc.org/ooxml/\1/", data))
    both(share_texts(file), OUTCOMES)


def test_columns_of_an_earlier_report_are_found_where_the_user_moved_them(tmp_path: Path) -> None:
    """Also with columns of his own between them and a copy of one of them."""

    def edit(sheet: Any) -> None:
        sheet.delete_cols(8)
        sheet.insert_cols(1)
        sheet["A1"], sheet["I1"], sheet["I3"], sheet["J1"], sheet["J3"] = (
            "New",
            "Late",
            "yes",
            "Import status",
            "copied",
        )

    first, _ = both(make_workbook(tmp_path), OUTCOMES)
    both(again(first, edit), [told(2), told(3)], run_id="second")


def test_an_earlier_report_on_another_sheet_is_taken_off(tmp_path: Path) -> None:
    """Its sheet is read cell by cell then."""

    def edit(sheet: Any) -> None:
        other = sheet.parent.create_sheet("Credit notes")
        other.append(["Invoice no"])
        other.append(["9"])

    second = make_workbook(tmp_path, edit)
    first, _ = both(second, [wrong(2), *OUTCOMES[1:]])
    both(again(first), [told(2)], sheet="Credit notes", run_id="second")


def test_other_large_sheets_are_passed_on_too(tmp_path: Path) -> None:
    """They leave as they came, wherever they stand."""

    def edit(sheet: Any) -> None:
        other = sheet.parent.create_sheet("Before", 0)
        for number in range(30):
            other.append([number, f"text {number}", None, number / 3, number % 2 == 0])
        other["ZZ9"] = "far"
        other["B3"].comment = Comment("mine", "me")
        other.row_dimensions[4].height = 44

    both(make_workbook(tmp_path, edit), OUTCOMES)


def test_a_table_of_excel_grows(tmp_path: Path) -> None:
    """The filter is the table's."""
    both(make_workbook(tmp_path, lambda sheet: sheet.add_table(Table(displayName="T", ref="A1:E4"))), OUTCOMES)


def test_a_shared_text_with_an_attribute_of_its_own_shifts_no_other(tmp_path: Path) -> None:
    """Texts are known by their places, so that one that is not seen would move all behind it."""
    file = share_texts(make_workbook(tmp_path))
    edit_xml(file, "xl/sharedStrings.xml", r"<si><t>Customer</t></si>", '<si xml:space="preserve"><t>Customer</t></si>')
    quick, _slow = both(file, [*OUTCOMES[:1], wrong(4)])
    assert openpyxl.load_workbook(quick)["Invoices"]["B1"].value == "Customer"


def test_a_disk_that_is_full_is_not_called_a_damaged_workbook(tmp_path: Path) -> None:
    """What is to be done is another thing: whoever asked for the report says it."""
    resource = pytest.importorskip("resource")
    file = make_workbook(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write(file, tmp_path / "results.xlsx", OUTCOMES, record_of(file), 0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_workbook_that_cannot_be_copied_is_called_by_its_name(tmp_path: Path) -> None:
    """The private copy, which is named after its content, means nothing to its user."""
    file = make_workbook(tmp_path)
    edit_xml(file, "xl/styles.xml", '<cellXfs count="2">', '<cellXfs count="2"><xf numFmtId="0" fontId="9"/>')
    copy = shutil.copy(file, tmp_path / "e35d.xlsx")
    with pytest.raises(WorkbookError, match=r"'invoices\.xlsx'"):
        write(Path(copy), tmp_path / "results.xlsx", OUTCOMES, record_of(file), 0)
