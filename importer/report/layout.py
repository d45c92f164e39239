"""Lay out a sheet that people read and print: rows as high as their texts, amounts with all their digits, A4 pages."""

import math
from collections.abc import Mapping as Dictionary
from decimal import Decimal
from typing import Any, Final, Literal

from openpyxl.worksheet.worksheet import Worksheet

from importer.report.cells import put_text

#: The height of one line, in points.
LINE_POINTS: Final = 15
#: A text that takes more lines than this is hidden in part by the row's height; the cell holds it whole.
MAX_LINES: Final = 12
_EXCEL_DIGITS: Final = 15


def line_count(text: str, width: float) -> int:
    """Return how many lines a wrapped text takes in a column of a width in characters."""
    if "\n" not in text:
        return max(1, math.ceil(len(text) / width))
    return sum(line_count(line, width) for line in text.split("\n"))


def put_amount(cell: Any, amount: Decimal) -> None:
    """Write an amount with at least two decimals; as text where Excel would change its last digits."""
    exponent = amount.as_tuple().exponent
    if len(amount.as_tuple().digits) > _EXCEL_DIGITS:
        put_text(cell, f"{amount:,f}")
    else:
        cell.value = amount
        cell.number_format = "#,##0." + "0" * max(2, -exponent if isinstance(exponent, int) else 2)


def lay_out(sheet: Any, widths: Dictionary[str, float], orientation: Literal["portrait", "landscape"]) -> None:
    """Give columns their widths in characters, and let the sheet be printed on A4, one page wide."""
    for letter, width in widths.items():
        sheet.column_dimensions[letter].width = width
    sheet.page_setup.orientation = orientation
    sheet.page_setup.paperSize = Worksheet.PAPERSIZE_A4
    sheet.page_setup.fitToWidth = 1
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
