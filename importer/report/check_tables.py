"""Add to the summary sheet of a check what does not belong to one row: causes, the file's problems, warnings."""

from collections.abc import Sequence
from typing import Any, Final

from importer.model import Problem
from importer.report.checked import CheckRecord
from importer.report.summary_sheet import Page

_MAX_PLACES: Final = 2
#: A sheet for people; `check --json` lists more.
_MAX_WARNINGS: Final = 500


def add_check(sheet: Any, record: CheckRecord) -> None:
    """Write the tables of a check below the summary."""
    page = Page(sheet)
    page.row = sheet.max_row + 1
    if record.held:
        _problems(page, "Whole file", record.held)
    if record.causes:
        page.head("First cells", "Column", "Rows", "What is wrong")
        for cause in record.causes:
            page.rule()
            page.put("A", cause.first_places(_MAX_PLACES))
            page.put("B", cause.column or "")
            page.number("C", cause.count)
            page.wide("D", cause.title)
            page.row += 1
    if record.warnings:
        _problems(page, "Warnings", record.warnings[:_MAX_WARNINGS])
        if len(record.warnings) > _MAX_WARNINGS:
            page.put("A", f"and {len(record.warnings) - _MAX_WARNINGS:,} more: see check --json")


def _problems(page: Page, name: str, problems: Sequence[Problem]) -> None:
    page.head(name, "Column", "", "What to look at")
    for problem in problems:
        page.rule()
        page.put("A", "" if problem.row is None else f"row {problem.row}")
        page.put("B", problem.column or "")
        page.wide("D", problem.message)
        page.row += 1
