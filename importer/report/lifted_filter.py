"""Lift criteria of a filter, and show the rows again that they hid: without them nobody would see why a row is gone."""

import re
from collections.abc import Iterator, Set
from typing import Any, Final

from openpyxl.utils import range_boundaries

from importer.workbook import LAST_ROW

#: The kinds of criteria that a text cannot be held against here: colours, icons, dates, the first ten.
_OTHERS: Final = ("top10", "dynamicFilter", "colorFilter", "iconFilter")
#: Excel shortens longer texts in the list that its user picks from.
_LISTED: Final = 255
_WILDCARD: Final = re.compile(r"~[*?~]|[*?]")
_NUMBER: Final = re.compile(r"[-+]?[0-9.,]+(?:[eE][-+]?[0-9]+)?")


def lift_criteria(sheet: Any, columns: Set[int]) -> None:
    """Take the criteria on some columns off a sheet's filters, and show the rows that these alone hid.

    As when they are lifted in Excel, a row that somebody hid by hand comes back too where they would hide it. Where it
    cannot be told which rows they hid, they stay: a filter that is seen to be on is better than rows that are gone.
    """
    for one in (sheet.auto_filter, *(table.autoFilter for table in sheet.tables.values())):
        if one is not None and one.ref:
            _lift(sheet, one, columns)


def criteria(sheet: Any) -> int:
    """Return how many criteria a sheet's filters have."""
    filters = (sheet.auto_filter, *(table.autoFilter for table in sheet.tables.values()))
    return sum(len(one.filterColumn) for one in filters if one is not None)


def _lift(sheet: Any, auto_filter: Any, columns: Set[int]) -> None:
    left, top, _, bottom = range_boundaries(auto_filter.ref)
    left, top, bottom = left or 1, top or 1, bottom or LAST_ROW
    lifted: list[Any] = []
    others: list[Any] = []
    for criterion in auto_filter.filterColumn:
        (lifted if left + criterion.colId in columns else others).append(criterion)
    if not lifted:
        return
    hidden = [row for row, found in sheet.row_dimensions.items() if found.hidden and top < row <= bottom]
    shown = []
    for row in hidden:
        passes = set(_passes(sheet, row, left, lifted))
        if False in passes and set(_passes(sheet, row, left, others)) <= {True}:
            shown.append(row)
        elif False not in passes and None in passes:
            return
    for row in shown:
        sheet.row_dimensions[row].hidden = False
    auto_filter.filterColumn = others


def _passes(sheet: Any, row: int, left: int, of: list[Any]) -> Iterator[bool | None]:
    """Yield whether a row passes each criterion; None where that cannot be told."""
    for criterion in of:
        cell = sheet._cells.get((row, left + criterion.colId))
        value = "" if cell is None or cell.value is None else cell.value
        yield _passed(criterion, value) if isinstance(value, str) else None


def _passed(criterion: Any, text: str) -> bool | None:
    if any(getattr(criterion, kind) is not None for kind in _OTHERS):
        return None
    if criterion.filters is not None:
        listed = {value.casefold() for value in criterion.filters.filter}
        if len(text) >= _LISTED:
            return None
        return text.casefold() in listed if text else bool(criterion.filters.blank)
    if criterion.customFilters is not None:
        found = [_is_met(one, text) for one in criterion.customFilters.customFilter]
        if None in found:
            return None
        return all(found) if criterion.customFilters._and else any(found)
    return True


def _is_met(one: Any, text: str) -> bool | None:
    """Tell whether a text is equal to what a criterion wants, or not equal to it; None for other comparisons."""
    wanted = (one.val or "").strip()
    if one.operator not in {"equal", "notEqual", None} or _NUMBER.fullmatch(wanted):
        return None
    met = re.fullmatch("".join(_pieces(wanted)), text, re.IGNORECASE | re.DOTALL) is not None
    return not met if one.operator == "notEqual" else met


def _pieces(wanted: str) -> Iterator[str]:
    """Yield a text as parts of a pattern: `*` is any text, `?` any character, and behind `~` each is itself."""
    place = 0
    for found in _WILDCARD.finditer(wanted):
        yield re.escape(wanted[place : found.start()])
        yield {"*": ".*", "?": "."}.get(found[0], re.escape(found[0][1:]))
        place = found.end()
    yield re.escape(wanted[place:])
