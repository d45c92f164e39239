"""Add the summary sheet: what the run was, how it ended, how many, and how much."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from openpyxl.styles import Alignment, Border, Font, PatternFill, Side

from importer.causes import Group
from importer.model import Outcome, RunRecord, Total
from importer.report.cells import put_text
from importer.report.contents import Contents
from importer.report.counts import count
from importer.report.layout import LINE_POINTS, lay_out, line_count, put_amount
from importer.report.words import ending, equation, facts, is_check, meaning, notice

TITLE: Final = "Import summary"
_WIDTHS: Final = {"A": 20, "B": 16, "C": 16, "D": 16, "E": 12, "F": 22}
#: As many customers, items or documents of one cause are listed; each row's message names its own.
_NAMES: Final = 30
_RULE: Final = Side(style="thin", color="BFBFBF")
_HEAD_FILL: Final = PatternFill("solid", fgColor="DDE3EA")
_NOTICE_FILL: Final = PatternFill("solid", fgColor="FFF2CC")
_GREY: Final = "7F7F7F"


def add_summary(book: Any, told: Contents) -> str:
    """Add the summary as the workbook's last sheet; return the name it got."""
    sheet = book.create_sheet(_free_name(book))
    page, record = Page(sheet), told.record
    if notice(record):
        page.banner(notice(record))
    page.title(TITLE)
    _facts(page, record, told.outcomes)
    _counts(page, record, told.outcomes)
    if record.totals:
        _totals(page, record.totals)
    if told.refusals:
        _causes(page, told.refusals)
    sheet.sheet_view.showGridLines = False
    lay_out(sheet, _WIDTHS, "portrait")
    return str(sheet.title)


def _free_name(book: Any) -> str:
    taken = {name.casefold() for name in book.sheetnames}
    name, turn = TITLE, 1
    while name.casefold() in taken:
        turn += 1
        name = f"{TITLE} ({turn})"
    return name


class Page:
    """Write the sheet from top to bottom."""

    def __init__(self, sheet: Any) -> None:
        self.sheet = sheet
        self.row = 1

    def banner(self, text: str) -> None:
        """Write a line that nobody can overlook."""
        self.put("A", text, bold=True, size=12)
        for letter in _WIDTHS:
            self.sheet[f"{letter}{self.row}"].fill = _NOTICE_FILL
        self.row += 2

    def title(self, text: str) -> None:
        """Write the sheet's title."""
        self.put("A", text, bold=True, size=16)
        self.sheet.row_dimensions[self.row].height = 24
        self.row += 2

    def fact(self, label: str, text: str) -> None:
        """Write a label and what stands for it."""
        self.put("A", label, color=_GREY)
        self.wide("B", text)
        self.row += 1

    def head(self, *names: str) -> None:
        """Write the header of a table, after a blank line."""
        self.row += 1
        for letter, name in zip(_WIDTHS, names, strict=False):
            self.put(letter, name, bold=True, right=name in {"Documents", "Rows", "Sum", "Expected"})
        for letter in _WIDTHS:
            self.sheet[f"{letter}{self.row}"].fill = _HEAD_FILL
        self.row += 1

    def put(
        self, letter: str, text: str, *, bold: bool = False, size: int = 11, color: str = "000000", right: bool = False
    ) -> None:
        """Write a text into the current row."""
        cell = self.sheet[f"{letter}{self.row}"]
        put_text(cell, text)
        cell.font = Font(name="Calibri", sz=size, b=bold, color=color)
        # a gap between a number that ends at the column's edge and the text that begins there
        indent = 1 if letter > "B" and not right else 0
        cell.alignment = Alignment(vertical="top", horizontal="right" if right else "left", indent=indent)

    def wide(self, letter: str, text: str, color: str = "000000") -> None:
        """Write a text from a column to the right edge, wrapped, the row as high as it needs."""
        self.put(letter, text, color=color)
        self.sheet.merge_cells(f"{letter}{self.row}:F{self.row}")
        self.sheet[f"{letter}{self.row}"].alignment = Alignment(
            vertical="top", horizontal="left", indent=1 if letter > "B" else 0, wrap_text=True
        )
        width = sum(wide for name, wide in _WIDTHS.items() if name >= letter) - 2
        lines = line_count(text, width)
        if lines > 1:
            self.sheet.row_dimensions[self.row].height = lines * LINE_POINTS + 1

    def amount(self, letter: str, amount: Decimal | None, otherwise: str) -> None:
        """Write an amount into the current row, or what stands for one that there is not."""
        self.put(letter, otherwise if amount is None else "", color=_GREY if amount is None else "000000", right=True)
        if amount is not None:
            put_amount(self.sheet[f"{letter}{self.row}"], amount)

    def number(self, letter: str, value: int, *, bold: bool = False, grey: bool = False) -> None:
        """Write a count into the current row."""
        cell = self.sheet[f"{letter}{self.row}"]
        cell.value = value
        cell.number_format = "#,##0"
        cell.font = Font(name="Calibri", sz=11, b=bold, color=_GREY if grey else "000000")
        cell.alignment = Alignment(vertical="top", horizontal="right")

    def rule(self) -> None:
        """Draw a line over the current row."""
        for letter in _WIDTHS:
            self.sheet[f"{letter}{self.row}"].border = Border(top=_RULE)


def _facts(page: Page, record: RunRecord, outcomes: Sequence[Outcome]) -> None:
    code = "" if is_check(record) or record.exit_code is None else str(record.exit_code)
    told = facts(record) | {"Result": ending(record, count(outcomes)), "Exit code": code, "Stopped": record.stopped}
    for label, text in told.items():
        if text:
            page.fact(label, text)


def _counts(page: Page, record: RunRecord, outcomes: Sequence[Outcome]) -> None:
    counts = count(outcomes)
    page.head("Status", "Documents", "Rows", "What it means, and what to do next")
    for status, counted in counts.items():
        grey = counted.documents == 0
        page.rule()
        page.put("A", status.value, bold=not grey, color=_GREY if grey else "000000")
        page.number("B", counted.documents, grey=grey)
        page.number("C", counted.rows, grey=grey)
        page.wide("D", meaning(record, status), _GREY if grey else "000000")
        page.row += 1
    documents = sum(counted.documents for counted in counts.values())
    rows = [counted.rows for counted in counts.values() if counted.rows]
    page.rule()
    page.put("A", "Sum", bold=True)
    page.number("B", documents, bold=True)
    page.number("C", sum(rows), bold=True)
    page.wide("D", equation(record.rows_read, rows))
    page.row += 1


def _totals(page: Page, totals: Sequence[Total]) -> None:
    page.head("Total", "Column", "Sum", "Expected", "Agrees")
    for total in totals:
        page.rule()
        page.put("A", total.name)
        page.put("B", total.column)
        page.amount("C", total.sum, "not known")
        page.amount("D", total.expect, "not stated")
        verdict = "" if total.expect is None else ("yes" if total.agrees else "NO")
        page.put("E", verdict, bold=verdict == "NO")
        page.row += 1


def _causes(page: Page, refusals: Sequence[Group]) -> None:
    """Write why documents were rejected, equal causes together, and where to correct them."""
    page.head("Documents", "Rows", "Cause of rejection, whom it concerns, and what to do")
    for cause in refusals:
        page.rule()
        page.number("A", cause.count)
        page.number("B", len(cause.rows))
        names = cause.subjects or cause.keys
        listed = ", ".join(names[:_NAMES]) + (f" and {len(names) - _NAMES} more" if len(names) > _NAMES else "")
        page.wide("C", "\n".join(filter(None, [cause.text, listed, cause.advice])))
        page.row += 1
