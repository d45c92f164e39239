"""Find the place of the report's own columns in the user's sheet, and make room for them there."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from copy import copy
from dataclasses import dataclass
from typing import Any, Final

from openpyxl.cell.cell import MergedCell
from openpyxl.utils import column_index_from_string, get_column_letter, range_boundaries
from openpyxl.worksheet.dimensions import ColumnDimension
from openpyxl.worksheet.table import TableColumn

from importer.errors import WorkbookError
from importer.report.cells import heading, put_text
from importer.report.layout import LINE_POINTS, MAX_LINES, line_count
from importer.report.lifted_filter import lift_criteria
from importer.workbook import LAST_ROW

STATUS: Final = "Import status"
NUMBER: Final = "Visma number"
MESSAGE: Final = "Message"
_WIDTHS: Final = {STATUS: 18, NUMBER: 16, MESSAGE: 64}
_LAST_COLUMN: Final = 16_384
_HEADER_SEARCH: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Hold where the report's own columns stand, 1-based, and what they are called."""

    status: int
    number: int
    message: int
    names: tuple[str, ...]
    #: the user's last column, whose looks ours take on
    neighbour: int
    #: the columns of an earlier report, which were emptied
    cleared: frozenset[int] = frozenset()

    @property
    def spots(self) -> tuple[int, int, int]:
        """Return the three columns in the order of their names."""
        return self.status, self.number, self.message


def find_header_row(sheet: Any, names: Sequence[str]) -> int | None:
    """Return the first row that holds the headers of an earlier report, or None."""
    for row in range(1, min(sheet.max_row, _HEADER_SEARCH) + 1):
        if set(names) <= set(_headers(sheet, row).values()):
            return row
    return None


def clear_columns(sheet: Any, header_row: int, names: Sequence[str]) -> dict[str, int]:
    """Empty the columns of an earlier report from their header down; return where they stood."""
    stood: dict[str, int] = {}
    spots: set[int] = set()
    for column, name in _headers(sheet, header_row).items():
        if name in names:
            stood.setdefault(name, column)
            spots.add(column)
    lift_criteria(sheet, spots)
    for merged in list(sheet.merged_cells.ranges):
        if merged.max_row >= header_row and spots & set(range(merged.min_col, merged.max_col + 1)):
            sheet.unmerge_cells(str(merged))
    for row, column in list(sheet._cells):
        if row >= header_row and column in spots:
            _let_shrink(sheet, row, sheet._cells.pop((row, column)).value)
    return stood


def message_height(message: str) -> float | None:
    """Return the height of a row that shows a message, in points; None where one line is enough.

    Programs do not agree on whether a row grows with a wrapped text by itself.
    """
    lines = line_count(message, _WIDTHS[MESSAGE])
    return min(lines, MAX_LINES) * LINE_POINTS if lines > 1 else None


def _let_shrink(sheet: Any, row: int, text: object) -> None:
    height = message_height(text) if isinstance(text, str) else None
    if height is not None and sheet.row_dimensions[row].height == height:
        sheet.row_dimensions[row].height = None


def place_columns(
    sheet: Any, header_row: int, earlier: Sequence[str], keep: int = LAST_ROW, filled: AbstractSet[int] = frozenset()
) -> Columns:
    """Write the headers of our columns: where an earlier report had them, else right of the user's last header.

    `filled` are columns in which something stands below row `keep`; what the sheet has there says nothing of that.

    Raises: WorkbookError when the sheet has no room for them.
    """
    cleared = frozenset(column for column, name in _headers(sheet, header_row).items() if name in earlier)
    stood = clear_columns(sheet, header_row, earlier)
    users = {column: name for column, name in _headers(sheet, header_row).items() if name}
    neighbour = max(users, default=1)
    kept = {role: stood[name] for role, name in zip(_WIDTHS, earlier, strict=False) if name in stood}
    missing = [role for role in _WIDTHS if role not in kept]
    after = max([neighbour, *kept.values()])
    start = _free_columns(sheet, header_row, after, len(missing), keep, filled) if missing else 0
    spots = kept | {role: start + offset for offset, role in enumerate(missing)}
    taken = {name.casefold() for name in users.values()}
    names = {role: _unique(role, taken) for role in _WIDTHS}
    for role, column in spots.items():
        _head(sheet.cell(header_row, column), sheet.cell(header_row, neighbour), names[role])
        if role in missing:
            _own_width(sheet, column, _WIDTHS[role])
    return Columns(
        status=spots[STATUS],
        number=spots[NUMBER],
        message=spots[MESSAGE],
        names=tuple(names.values()),
        neighbour=neighbour,
        cleared=cleared,
    )


def _headers(sheet: Any, header_row: int) -> dict[int, str]:
    return {cell.column: heading(cell.value) for cell in sheet[header_row] if not isinstance(cell, MergedCell)}


def _free_columns(sheet: Any, header_row: int, after: int, wanted: int, keep: int, filled: AbstractSet[int]) -> int:
    """Return the first of some neighbouring columns in which nothing stands from the header down."""
    taken = filled | {
        column
        for (row, column), cell in sheet._cells.items()
        if row >= header_row and ((cell.value is not None and row <= keep) or isinstance(cell, MergedCell))
    }
    for start in range(after + 1, _LAST_COLUMN - wanted + 2):
        if taken.isdisjoint(range(start, start + wanted)):
            return start
    raise WorkbookError(f"Sheet {sheet.title!r} has no free columns for the report.")


def _unique(name: str, taken: set[str]) -> str:
    result, turn = name, 1
    while result.casefold() in taken:
        result = f"{name} (import)" if turn == 1 else f"{name} (import {turn})"
        turn += 1
    return result


def _head(cell: Any, neighbour: Any, name: str) -> None:
    cell._style = copy(neighbour._style)
    cell.number_format = "General"
    put_text(cell, name)


def _own_width(sheet: Any, column: int, width: float) -> None:
    """Give one column a width and show it, also where one entry stands for many columns."""
    entries = sheet.column_dimensions
    for letter, entry in list(entries.items()):
        first = entry.min or column_index_from_string(letter)
        last = entry.max or first
        if first <= column <= last:
            del entries[letter]
            for low, high in ((first, column - 1), (column + 1, last)):
                if low <= high:
                    entries[get_column_letter(low)] = _part(sheet, entry, low, high)
    entries[get_column_letter(column)].width = width


def _part(sheet: Any, entry: Any, low: int, high: int) -> Any:
    part: Any = ColumnDimension(
        sheet,
        index=get_column_letter(low),
        min=low,
        max=high,
        width=entry.width,
        hidden=entry.hidden,
        bestFit=entry.bestFit,
        outlineLevel=entry.outlineLevel,
        collapsed=entry.collapsed,
    )
    part._style = copy(entry._style)
    return part


def let_filter(sheet: Any, header_row: int, columns: Columns, rows: Iterable[int]) -> None:
    """Let the user filter by our columns too: the sheet's own filter or table grows over them."""
    last_row = max(rows, default=header_row)
    area = (_first_column(sheet, header_row), header_row, max(columns.spots), last_row)
    tables = [table for table in sheet.tables.values() if _overlap(_bounds(table.ref), area)]
    if tables:
        # Excel calls a workbook damaged in which a filter of the sheet lies across a table.
        for table in tables:
            _grow_table(table, header_row, columns)
        return
    if sheet.auto_filter.ref:
        left, top, right, bottom = _bounds(sheet.auto_filter.ref)
        area = (left, top, max(right, area[2]), max(bottom, last_row))
    sheet.auto_filter.ref = _reference(area)


def _first_column(sheet: Any, header_row: int) -> int:
    return min(column for column, name in _headers(sheet, header_row).items() if name)


def _grow_table(table: Any, header_row: int, columns: Columns) -> None:
    left, top, right, bottom = _bounds(table.ref)
    if top != header_row or table.headerRowCount == 0 or sorted(columns.spots) != [right + 1, right + 2, right + 3]:
        return
    table.ref = _reference((left, top, right + 3, bottom))
    if table.autoFilter is not None and table.autoFilter.ref:
        table.autoFilter.ref = _reference((left, top, right + 3, _bounds(table.autoFilter.ref)[3]))
    names = dict(zip(columns.spots, columns.names, strict=True))
    for column in sorted(names):
        identity = max(entry.id for entry in table.tableColumns) + 1
        table.tableColumns.append(TableColumn(id=identity, name=names[column]))


def _bounds(reference: str) -> tuple[int, int, int, int]:
    left, top, right, bottom = range_boundaries(reference)
    return int(left or 1), int(top or 1), int(right or _LAST_COLUMN), int(bottom or top or 1)


def _reference(area: tuple[int, int, int, int]) -> str:
    left, top, right, bottom = area
    return f"{get_column_letter(left)}{top}:{get_column_letter(right)}{bottom}"


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]
