"""Lay out the sheet that people fill in: headers, formats that keep zeros, drop-downs, hints."""

from collections.abc import Sequence
from copy import copy
from typing import Any, Final

from openpyxl.styles import Alignment, Border, Font, Side
from openpyxl.utils import get_column_letter, quote_sheetname
from openpyxl.worksheet.datavalidation import DataValidation

from importer.blank.instructions import MANDATORY, OPTIONAL, cell_format, takes
from importer.fields import Kind
from importer.mapped_columns import MappedColumn
from importer.mapping import Mapping
from importer.report.cells import put_text

#: As many rows have the format cell by cell, for programs that do not know formats of whole columns.
FORMATTED_ROWS: Final = 1_000
_LAST_ROW: Final = 1_048_576
_WIDTHS: Final = {Kind.DATE: 13, Kind.DATETIME: 18, Kind.DECIMAL: 14, Kind.INTEGER: 11, Kind.BOOLEAN: 11}
_TEXT_WIDTH, _WIDEST = 18, 40
_LONGEST_TITLE, _LONGEST_PROMPT = 32, 255
_LIMIT: Final = "1000000000000"


def fill(sheet: Any, lists: Any, mapping: Mapping, columns: Sequence[MappedColumn]) -> None:
    """Write headers, formats and drop-downs onto an empty sheet; `lists` takes the values of the drop-downs."""
    row = mapping.workbook.header_row
    if row > 1:
        put_text(sheet["A1"], f"{mapping.endpoint.title}: yellow headers must be filled in; see the other sheet.")
        sheet["A1"].font = Font(name="Calibri", sz=11, b=True)
    for spot, column in enumerate(columns, start=1):
        letter = get_column_letter(spot)
        _header(sheet.cell(row, spot), column)
        form = cell_format(mapping, column)
        wide = max(_WIDTHS.get(column.kind, _TEXT_WIDTH), min(len(column.header) + 3, _WIDEST))
        dimension = sheet.column_dimensions[letter]
        dimension.width = wide
        # the whole column, and cell by cell where people begin
        dimension.number_format = form
        _format_cells(sheet, spot, row + 1, form)
        validation = _validation(lists, mapping, column)
        validation.add(f"{letter}{row + 1}:{letter}{_LAST_ROW}")
        sheet.add_data_validation(validation)
    sheet.row_dimensions[row].height = 32
    keys = [spot for spot, column in enumerate(columns, start=1) if column.key]
    sheet.freeze_panes = sheet.cell(row + 1, max(keys) + 1 if keys and max(keys) < 4 else 1)  # noqa: PLR2004 - a screen's worth
    _for_print(sheet, row)


def _header(cell: Any, column: MappedColumn) -> None:
    put_text(cell, column.header)
    cell.font = Font(name="Calibri", sz=11, b=True)
    cell.fill = MANDATORY if column.mandatory else OPTIONAL
    cell.alignment = Alignment(vertical="center", wrap_text=True)
    cell.border = Border(bottom=Side(style="medium", color="7F7F7F"))


def _format_cells(sheet: Any, spot: int, first: int, form: str) -> None:
    cell = sheet.cell(first, spot)
    cell.number_format = form
    style = cell._style
    for number in range(first + 1, first + FORMATTED_ROWS):
        sheet.cell(number, spot)._style = copy(style)


def _validation(lists: Any, mapping: Mapping, column: MappedColumn) -> DataValidation:
    """Return the drop-down or the limits of a column, and the hint that shows when a cell is chosen."""
    told = takes(mapping, column)
    rule = _rule(lists, column)
    rule.showInputMessage = True
    rule.promptTitle = column.header[:_LONGEST_TITLE]
    must = "Must be filled in. " if column.mandatory else ""
    rule.prompt = f"{must}{told}."[:_LONGEST_PROMPT]
    if rule.type is not None:
        rule.showErrorMessage = True
        rule.errorTitle = column.header[:_LONGEST_TITLE]
        rule.error = f"This column takes: {told}."[:_LONGEST_PROMPT]
    return rule


def _rule(lists: Any, column: MappedColumn) -> DataValidation:
    if column.choices:
        return DataValidation(type="list", formula1=_list(lists, column.choices), allow_blank=True)
    if column.kind in {Kind.DATE, Kind.DATETIME}:
        # Excel's days are reliable from March 1900 on
        return DataValidation(type="date", operator="greaterThanOrEqual", formula1="61", allow_blank=True)
    if column.kind is Kind.INTEGER:
        return DataValidation(
            type="whole", operator="between", formula1=f"-{_LIMIT}", formula2=_LIMIT, allow_blank=True
        )
    if column.kind is Kind.DECIMAL:
        return DataValidation(
            type="decimal", operator="between", formula1=f"-{_LIMIT}", formula2=_LIMIT, allow_blank=True
        )
    longest = min((rule.options.field.max_length or 0 for rule in column.rules), default=0)
    if longest:
        return DataValidation(type="textLength", operator="lessThanOrEqual", formula1=str(longest), allow_blank=True)
    return DataValidation(allow_blank=True)


def _list(lists: Any, values: Sequence[str]) -> str:
    """Write the values of a drop-down into a column of their own, and return where they stand."""
    spot = 1 if lists.cell(1, 1).value is None else lists.max_column + 1
    for number, value in enumerate(values, start=1):
        cell = lists.cell(number, spot)
        cell.number_format = "@"
        put_text(cell, value)
    letter = get_column_letter(spot)
    return f"{quote_sheetname(lists.title)}!${letter}$1:${letter}${len(values)}"


def _for_print(sheet: Any, row: int) -> None:
    sheet.print_title_rows = f"{row}:{row}"
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
    sheet.page_setup.fitToWidth = 1
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
