"""Turn a number and its format into what the cell shows: a number, a date or a time."""

from typing import Final

from importer.model import CellValue, Fault
from importer.values import cell_value

#: How programs write the errors of cells; `GETTING_DATA` and later ones come from newer versions of Excel.
ERRORS: Final = frozenset(
    {
        "#NULL!",
        "#DIV/0!",
        "#VALUE!",
        "#REF!",
        "#NAME?",
        "#NUM!",
        "#N/A",
        "#GETTING_DATA",
        "#SPILL!",
        "#CALC!",
    }
)
#: The codes of errors in .xls and .xlsb. Source: [MS-XLS] 2.5.10, [MS-XLSB] 2.5.97.2.
ERROR_CODES: Final = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}
_GENERAL: Final = frozenset({"general", "standard", "@"})


def error_cell(shown: str) -> Fault:
    """Return the fault of a cell that shows an error."""
    return Fault("error_cell", shown, f"The cell shows the error {shown}. Correct the formula or type the value.")


def not_calculated() -> Fault:
    """Return the fault of a formula without a result."""
    return Fault(
        "not_calculated",
        "",
        "The cell holds a formula that was never calculated. Open the workbook in Excel, let it calculate, and save "
        "it.",
    )


def number_value(number: float, form: str | None, *, from_1904: bool) -> CellValue:
    """Return what a number with a format stands for; one outside the calendar is an error cell, as Excel shows it."""
    from openpyxl.styles.numbers import is_date_format, is_timedelta_format
    from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900, from_excel

    if not form or form.casefold() in _GENERAL or not is_date_format(form):
        return cell_value(number)
    epoch = CALENDAR_MAC_1904 if from_1904 else CALENDAR_WINDOWS_1900
    try:
        day = from_excel(number, epoch, timedelta=is_timedelta_format(form))
    except (OverflowError, ValueError):
        return error_cell("#VALUE!")
    return cell_value(day, form)
