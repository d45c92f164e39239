"""The report's own columns: where they stand, how they are filtered, and how the next report replaces them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.worksheet.table import Table
from report_book import INVALID, OURS, OUTCOMES, ROWS, lines_of, make_workbook, relocated, report_on, rows_of, texts

from importer.model import Outcome, Status
from importer.workbook import report_mark


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
