"""A filter on the report's own columns: the next report lifts it, and with it go the rows that it hid."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.worksheet.filters import ColorFilter, CustomFilter, CustomFilters, FilterColumn, Filters
from openpyxl.worksheet.table import Table
from report_book import make_workbook, relocated, report_on
from report_both_ways import both, told

from importer.model import Outcome, Status

ROWS: tuple[tuple[Any, ...], ...] = (("Invoice no", "Customer"), *((f"{n}", "0101") for n in range(1001, 1006)))
#: Rows 2 to 6; nothing stands beside the last one.
OUTCOMES = [
    told(2, Status.ACCEPTED, "", number="000042"),
    told(3, Status.REJECTED, "The period is closed."),
    told(4, Status.REJECTED, "The customer is on hold."),
    told(5, Status.NOT_SENT, ""),
]
#: Import status is the third column, Message the fifth.
STATUS, MESSAGE = 2, 4


def listed(column: int, *values: str, blank: bool = False) -> FilterColumn:
    return FilterColumn(colId=column, filters=Filters(blank=blank, filter=list(values)))


def compared(column: int, *values: tuple[str, str], both: bool = False) -> FilterColumn:
    wanted = [CustomFilter(operator=operator, val=value) for operator, value in values]
    return FilterColumn(colId=column, customFilters=CustomFilters(_and=both, customFilter=wanted))


def filtered(
    folder: Path,
    criteria: Sequence[FilterColumn],
    hidden: Sequence[int],
    edit: Callable[[Any], None] | None = None,
    area: str = "",
) -> Path:
    """Return a report that its user filtered, so that some rows are hidden."""
    edit = edit or (lambda sheet: setattr(sheet.auto_filter, "ref", "A1:B6"))
    report_on(make_workbook(folder, edit, rows=ROWS), OUTCOMES)
    file = relocated(folder)
    book = openpyxl.load_workbook(file)
    sheet: Any = book["Invoices"]
    one = next((table.autoFilter for table in sheet.tables.values()), sheet.auto_filter)
    one.filterColumn, one.ref = list(criteria), area or one.ref
    for row in hidden:
        sheet.row_dimensions[row].hidden = True
    book.save(file)
    return file


def after(file: Path, outcomes: Sequence[Outcome] = OUTCOMES) -> tuple[list[int], list[int]]:
    """Return which rows are hidden after the next report, and which columns are filtered."""
    both(file, outcomes, streamed=False)
    sheet: Any = report_on(file, outcomes)["Invoices"]
    one = next((table.autoFilter for table in sheet.tables.values()), sheet.auto_filter)
    return [row for row, found in sheet.row_dimensions.items() if found.hidden], [c.colId for c in one.filterColumn]


@pytest.mark.parametrize(
    ("criterion", "hidden"),
    [
        (listed(STATUS, "rejected"), (2, 5, 6)),
        (listed(STATUS, "Rejected", blank=True), (2, 5)),
        (compared(STATUS, ("notEqual", "accepted")), (2,)),
        (compared(STATUS, ("equal", "not*")), (2, 3, 4, 6)),
        (compared(STATUS, ("equal", "accepted"), ("equal", "not_sent")), (3, 4, 6)),
        (compared(STATUS, ("notEqual", "accepted"), ("notEqual", " "), both=True), (2, 6)),
        (compared(MESSAGE, ("equal", "*on hold?")), (2, 3, 5, 6)),
    ],
)
def test_rows_that_a_filter_on_our_columns_hid_are_shown_again(
    criterion: FilterColumn, hidden: tuple[int, ...], tmp_path: Path
) -> None:
    """Without it nothing on the sheet would say that they are there."""
    assert after(filtered(tmp_path, [criterion], hidden)) == ([], [])


def test_a_row_that_such_a_filter_shows_was_hidden_by_hand_and_stays_hidden(tmp_path: Path) -> None:
    """So does one below the filter."""
    file = filtered(tmp_path, [listed(STATUS, "rejected")], (2, 4, 5, 6, 9))
    assert after(file) == ([4, 9], [])


def test_a_filter_on_whole_columns_is_lifted_like_one_on_a_table(tmp_path: Path) -> None:
    """It names no rows."""
    file = filtered(tmp_path, [listed(STATUS, "rejected")], (2, 4, 5, 6), area="A:E")
    assert after(file)[0] == [4]


def test_a_row_that_another_column_s_filter_hides_too_stays_hidden(tmp_path: Path) -> None:
    """That filter stays on; of the rows that it shows, none is hidden any longer."""
    file = filtered(tmp_path, [listed(0, "1001", "1002"), listed(STATUS, "rejected")], (2, 4, 5, 6))
    assert after(file) == ([4, 5, 6], [0])


@pytest.mark.parametrize(
    "criterion",
    [FilterColumn(colId=STATUS, colorFilter=ColorFilter(dxfId=0)), compared(STATUS, ("greaterThan", "b"))],
)
def test_a_filter_of_which_nobody_can_tell_what_it_hid_stays_on(criterion: FilterColumn, tmp_path: Path) -> None:
    """Everybody sees then why rows are hidden, and can lift it."""
    file = filtered(tmp_path, [criterion], (2, 5))
    sheet: Any = report_on(file, OUTCOMES)["Invoices"]
    assert [row for row, found in sheet.row_dimensions.items() if found.hidden] == [2, 5]
    assert [found.colId for found in sheet.auto_filter.filterColumn] == [STATUS]


def test_a_filter_that_hides_nothing_is_lifted_whatever_it_wants(tmp_path: Path) -> None:
    """Its words would no longer fit what the columns say."""
    assert after(filtered(tmp_path, [compared(STATUS, ("greaterThan", "b"))], ())) == ([], [])


def test_a_table_s_filter_on_our_columns_is_lifted_too(tmp_path: Path) -> None:
    """Our columns stand in the table, and its filter is the sheet's."""

    def edit(sheet: Any) -> None:
        table = Table(displayName="T", ref="A1:B6")
        table._initialise_columns()
        for column, name in zip(table.tableColumns, ROWS[0], strict=True):
            column.name = name
        sheet.add_table(table)

    assert after(filtered(tmp_path, [listed(STATUS, "rejected")], (2, 5, 6), edit)) == ([], [])
